"""The benchmark scripts run and report in the form that their README describes; no time is tested."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
# script -> its lines, and whether each has a peer; foolbox and scikit-activeml are extras
FOOLBOX, ACTIVEML = (find_spec(name) is not None for name in ("foolbox", "skactiveml"))
SCRIPTS = {
    "training": {"training": True},
    "conventional_loop": {"conventional-loop": True},
    "tsne": {"tsne": True},
    "generator": {"generator-16px": False},
    "attacks": {"fgsm": FOOLBOX, "pgd": FOOLBOX},
    "annotators": {"annotators-quick": ACTIVEML, "annotators-memory": False},
    "memory": {"memory": True},
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What every script prints with --quick; all at once, because nothing is measured here."""
    cache = str(tmp_path_factory.mktemp("cache"))
    environment = {**os.environ, "SOFTLABELS_CACHE": cache, "OMP_NUM_THREADS": "1"}
    running = {
        name: subprocess.Popen(
            [sys.executable, str(FOLDER / f"{name}.py"), "--quick"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in SCRIPTS
    }
    return {
        name: (*process.communicate(timeout=300), process.returncode) for name, process in running.items()
    }


def test_every_script_is_covered_here_and_in_the_readme():
    scripts = {path.stem for path in FOLDER.glob("*.py")} - {"common"}
    assert scripts == set(SCRIPTS)
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{name}.py`" in readme for name in scripts)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_print_a_line_of_json_and_one_for_people(name, outputs):
    out, err, status = outputs[name]
    assert status == 0, err
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
            assert found["target"] > 0
