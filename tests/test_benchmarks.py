"""The benchmark scripts run and report in the form that their README describes; no time is tested."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from softlabels.book import costs, speed
from softlabels.errors import RecordError
from softlabels.runs import audit

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
# script -> its lines, and whether each has a peer; foolbox and scikit-activeml are extras
FOOLBOX, ACTIVEML = (find_spec(name) is not None for name in ("foolbox", "skactiveml"))
SCRIPTS = {
    "training": {"training": True, "training-memory": True},
    "conventional_loop": {"conventional-loop": True},
    "tsne": {"tsne-200": True},
    "generator": {"generator-16px": False},
    "loading": {"loading-first": False, "loading-again": False},
    "attacks": {"fgsm": FOOLBOX, "pgd": FOOLBOX},
    "annotators": {
        "annotators-quick": ACTIVEML,
        "annotators-quick-products": ACTIVEML,
        "annotators-rows": ACTIVEML,
        "annotators-table": False,
        "annotators-memory": False,
    },
    "memory": {"memory": True},
    "planning": {"planning": False, "status": False},
    "overhead": {"overhead-local": True},
    "runs_per_gpu": {"runs-per-gpu-2": True},
}
# The matrix products alone bound what annot-mix can reach, some four times the peer: its lines have no aim.
NO_AIM = {"annotators-quick", "annotators-quick-products", "annotators-rows"}
# No line of the usual form; tests of what they write look at it.
OTHER = {"common", "all", "tolerance", "shares", "seconds"}
# What `--quick` calls otherwise.
QUICK = {
    "generator-16px": {"generator-64px", "generator-224px"},
    "tsne-200": {"tsne-3000", "tsne-10000"},
    "annotators-quick": {"annotators-mgc", "annotators-letter"},
    "annotators-quick-products": {"annotators-mgc-products", "annotators-letter-products"},
    "overhead-local": {"overhead-local", "overhead-slurm"},
    "runs-per-gpu-2": {"runs-per-gpu-2", "runs-per-gpu-4", "runs-per-gpu-8"},
}


def quick(tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))
    return {**os.environ, "SOFTLABELS_CACHE": cache, "OMP_NUM_THREADS": "1"}


def test_every_script_is_covered_here_and_in_the_readme():
    scripts = {path.stem for path in FOLDER.glob("*.py")} - OTHER
    assert scripts == set(SCRIPTS) == set(speed.SCRIPTS)
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{name}.py`" in readme for name in scripts | OTHER - {"common"})


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_line_has_a_row_in_the_table(name):
    lines = set().union(*(QUICK.get(line, {line}) for line in SCRIPTS[name]))
    assert lines == set(speed.SCRIPTS[name])


@pytest.mark.weekly
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_print_a_line_of_json_and_one_for_people(name, tmp_path_factory):
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick"]
    done = subprocess.run(command, env=quick(tmp_path_factory), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check(name, done.stdout)


def check(name, out):
    lines, peers = out.splitlines(), SCRIPTS[name]
    assert len(lines) == 2 * len(peers)
    for (expected, has_peer), data, sentence in zip(peers.items(), lines[::2], lines[1::2], strict=True):
        found = json.loads(data)
        assert found["name"] == expected
        assert sentence.startswith(f"{expected}: ours ")
        assert found["ours"] > 0
        assert found["threads"] >= 1
        assert isinstance(found["machine"], str)
        assert (found["ratio"] is not None) == (found["peer"] is not None) == has_peer
        if has_peer:
            assert found["ratio"] > 0
            assert found["target"] is None if expected in NO_AIM else found["target"] > 0


def line(name, **more):
    found = {"name": name, "ours": 2.0, "peer": 4.0, "ratio": 2.0, "target": 1.5, "rounds": 3}
    return json.dumps(found | {"machine": "a machine", "threads": 2} | more)


def test_the_table_keeps_what_is_done_and_shows_what_is_missing(store):
    assert set(speed.table(speed.load())["machine"]) == {"missing"}
    speed.save("attacks", [line("fgsm"), "fgsm: ours 2 s"])
    speed.save("planning", [line("planning", peer=None, ratio=None, target=None, limit_seconds=30)])
    shown = speed.table(speed.load()).set_index("what; peer")
    fgsm = shown.loc[speed.SCRIPTS["attacks"]["fgsm"]]
    assert fgsm["ratio"] == "2.00" and fgsm["target"] == "≥ 1.5" and "a machine" in fgsm["machine"]
    assert shown.loc[speed.SCRIPTS["attacks"]["pgd"], "machine"] == "missing"
    assert shown.loc[speed.SCRIPTS["planning"]["planning"], "target"] == "≤ 30 s"
    speed.save("memory", [line("memory", megabytes=1900, promised_megabytes=2048)])
    memory = speed.table(speed.load()).set_index("what; peer").loc[speed.SCRIPTS["memory"]["memory"]]
    assert memory["ours, s"] == "2.00, 1,900 MB" and memory["target"] == "≥ 1.5, ≤ 2,048 MB"
    speed.save("tsne", [line("tsne-3000", cpu=2.5, kl=0.7344, peer_cpu=9, peer_kl=0.7601)])
    tsne = speed.table(speed.load()).set_index("what; peer").loc[speed.SCRIPTS["tsne"]["tsne-3000"]]
    assert (tsne["ours, s"], tsne["peer, s"]) == ("2.00 (2.50 CPU), KL 0.734", "4.00 (9.00 CPU), KL 0.760")
    assert speed.measured("attacks") and not speed.measured("loading")


@pytest.mark.weekly
def test_shares_of_the_time_add_up(store):
    words = [sys.executable, str(FOLDER / "shares.py"), "--quick"]
    found = json.loads(
        subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )
    training = found["training"]
    assert {"augmentation", "forward", "backward", "update"} < set(training)
    assert min(training.values()) >= 0 and training["forward"] > 0 and len(found["book"]) == 1


def test_shares_of_the_time_are_tabulated(store):
    assert costs.shares() == "Not measured yet."
    parts = {"forward": 2.0, "augmentation": 1.5}
    found = {
        "machine": "a machine",
        "precision": "bf16",
        "training": parts,
        "book": {"17_atlas": 4.0, "site": 10.0},
    }
    costs.shares_file().write_text(json.dumps(found))
    lines = costs.shares().splitlines()
    assert (
        "| augmentation | 1.5 |" in lines and "| all | 3.5 |" in lines and lines[-1] == "On a machine, bf16."
    )
    assert "| 17 atlas | 4.0 |" in lines and "| all | 14.0 |" in lines


def test_a_damaged_record_of_benchmarks_is_named(store):
    speed.file().write_text("[3]")
    with pytest.raises(RecordError, match=r"benchmarks\.json.*make bench"):
        speed.load()


def test_audit_accepts_what_was_measured_and_no_more(store):
    assert audit.tolerance() == audit.UNMEASURED
    changes = [{m: {"largest": value} for m in audit.METRICS} for value in (0.01, 0.002)]
    (store / "results" / "tolerance.json").write_text(json.dumps({"changes": changes}))
    assert audit.tolerance() == dict.fromkeys(audit.METRICS, audit.FACTOR * 0.01)
    few = [{"kl": {"largest": 0.01}}]
    (store / "results" / "tolerance.json").write_text(json.dumps({"changes": few}))
    assert audit.tolerance() == audit.UNMEASURED | {"kl": audit.FACTOR * 0.01}
