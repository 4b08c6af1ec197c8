"""Runs: their identity, their records, and what processes, archives and the command line do with them."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from children import start, wait_until
from filelock import FileLock
from softlabels import cli, datasets
from softlabels.errors import ConfigError, DataUnavailable, RecordError, TrainingError
from softlabels.labels import metrics
from softlabels.learning.config import RunConfig
from softlabels.runs import audit, grids, records, run
from softlabels.store import pack, write_atomically

FROZEN = json.loads((Path(__file__).parent / "frozen_ids.json").read_text())
TINY = {"network": "resnet9-tiny", "limit": 100, "image_size": 16, "batch_size": 16, "epochs": 2}
CONFIG = RunConfig(**TINY)

# A value other than the default for every setting.
OTHER = {
    "dataset": "cifar10h",
    "image_size": 32,
    "limit": 100,
    "data_seed": 1,
    "label": "hard",
    "annotations": 5,
    "smoothing": 0.1,
    "temperature": 2.0,
    "network": "resnet20",
    "start": "imagenet",
    "dropout": 0.5,
    "epochs": 16,
    "batch_size": 64,
    "lr": 0.1,
    "momentum": 0.8,
    "nesterov": True,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "balanced": True,
    "augmentation": "none",
    "select": "last",
    "patience": 3,
    "seed": 1,
    "split": "folds",
    "n_folds": 5,
    "fold": 3,
    "train_images": 50,
    "mixup": 1.0,
    "method": "annot-mix",
    "mix_alpha": 0.5,
    "mix_within": True,
    "eta": 0.8,
    "workers": "shuffled",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with everything that one tiny run leaves in the cache."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTLABELS_CACHE", str(folder))
        patch.setenv("SOFTLABELS_RESULTS", str(folder / "none"))
        run.get(CONFIG, "cpu")
    return folder


@pytest.fixture
def record(store, trained):
    """That run's record in a store of its own."""
    shutil.copytree(trained, store / "cache", dirs_exist_ok=True)
    return records.find(CONFIG)


@pytest.fixture
def committed(record):
    """That run's record among the committed ones, and nowhere else."""
    published = records.publish(record)
    shutil.rmtree(record.folder)
    return published


def no_training(*arguments):
    raise AssertionError("this must not train")


def edit(path, **changes):
    """Change entries of a JSON record."""
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | changes))


def bend(path):
    """Make the test metrics of a JSON record say something else."""
    body = json.loads(path.read_text())
    body["metrics"]["test"]["kl"] += 0.5
    path.write_text(json.dumps(body))


# Identity


@pytest.mark.parametrize("frozen", FROZEN, ids=[f["id"] for f in FROZEN])
def test_ids_are_frozen(frozen):
    assert RunConfig.from_dict(frozen["settings"]).id == frozen["id"]


def test_the_default_run_is_the_frozen_one():
    assert RunConfig() == RunConfig.from_dict(FROZEN[0]["settings"]), "settings may only be added"
    assert len({f["id"] for f in FROZEN}) == len(FROZEN) >= 12


def test_every_setting_is_covered_here():
    assert set(OTHER) == {f.name for f in fields(RunConfig)}


@pytest.mark.parametrize("name", OTHER)
def test_a_change_of_any_setting_changes_the_id(name):
    assert RunConfig().replace(**{name: OTHER[name]}).id != RunConfig().id


def test_changes_of_single_settings_never_collide():
    ids = {RunConfig().replace(**{name: value}).id for name, value in OTHER.items()}
    assert len(ids) == len(OTHER)


def test_whole_numbers_and_fractions_give_one_id():
    whole, fraction = RunConfig(lr=1, temperature=2), RunConfig(lr=1.0, temperature=2.0)
    assert whole == fraction
    assert whole.id == fraction.id
    assert RunConfig(smoothing=0).id == RunConfig().id


def test_the_order_of_settings_does_not_matter():
    backwards = dict(reversed(FROZEN[5]["settings"].items()))
    assert RunConfig.from_dict(backwards).id == FROZEN[5]["id"]


def test_ids_are_the_same_in_another_process():
    script = (
        "import json, sys; from softlabels.learning.config import RunConfig; "
        "print(*(RunConfig.from_dict(f['settings']).id for f in json.load(sys.stdin)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(FROZEN),
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [f["id"] for f in FROZEN]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"learning_rate": 0.1}, "unknown setting 'learning_rate'.*Known:.*lr"),
        ({"label": "softt"}, "unknown label 'softt'; did you mean 'soft'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"augmentation": "flip-turns"}, "did you mean 'flips-turns'"),
        ({"select": "best"}, "unknown select 'best'.*last, loss"),
        ({"epochs": 2.5}, "epochs must be int, not 2.5"),
        ({"epochs": "15"}, "epochs must be int, not '15'"),
        ({"seed": True}, "seed must be int, not True"),
        ({"lr": "0.1"}, "lr must be float"),
        ({"balanced": 1}, "balanced must be bool"),
        ({"network": None}, "network must be str"),
        ({"epochs": 0}, "epochs must lie in"),
        ({"lr": 0}, "lr must lie in"),
        ({"lr": float("nan")}, "lr must lie in"),
        ({"smoothing": 1.5}, "smoothing must lie in"),
        ({"dropout": 1.0}, "dropout must lie in"),
        ({"seed": -1}, "seed must lie in"),
        ({"batch_size": 1}, "batch_size must lie in"),
        ({"image_size": 4}, "image_size must lie in"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig.from_dict(settings)
    with pytest.raises(ConfigError, match=message):
        RunConfig().replace(**settings)


@pytest.mark.parametrize(
    ("settings", "nearest"),
    [({"network": "resnet9-tinny"}, "resnet9-tiny"), ({"dataset": "syntetic"}, "synthetic")],
)
def test_unknown_networks_and_datasets_name_the_nearest(settings, nearest, store):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'"):
        run.get(CONFIG.replace(**settings), "cpu")


# Getting a run


def test_a_run_leaves_a_record_and_no_checkpoint(record):
    assert record.id == CONFIG.id
    left = {path.name for path in record.folder.iterdir()}
    suffixes = (".json", ".npz", ".features.npz", ".safetensors", ".lock")
    assert left - {f"{CONFIG.id}.lock"} == {CONFIG.id + s for s in suffixes} - {f"{CONFIG.id}.lock"}
    assert [row["epoch"] for row in record.history] == [1, 2]
    assert record.data["n_train"] + record.data["n_validation"] + record.data["n_test"] == 100
    assert (record.environment["device"], record.environment["threads"]) == ("cpu", 1)
    assert record.seconds >= sum(row["seconds"] for row in record.history)


def test_a_run_that_is_there_is_not_trained(record, monkeypatch):
    monkeypatch.setattr(run, "train_in", no_training)
    assert run.get(CONFIG, "cpu") == record
    with pytest.raises(AssertionError, match="must not train"):
        run.get(CONFIG.replace(seed=1), "cpu")


def test_committed_records_come_first_and_are_never_overwritten(record):
    published = records.publish(record)
    bend(path := published.folder / f"{record.id}.json")
    content = path.read_bytes()
    assert run.get(CONFIG, "cpu").metrics != record.metrics
    again = run.get(CONFIG, "cpu", fresh=True)
    assert again.metrics == record.metrics
    assert again.folder == record.folder
    assert path.read_bytes() == content


def test_publishing_leaves_features_out_unless_asked(record, store, monkeypatch):
    name = f"{record.id}.features.npz"
    bare = records.publish(record)
    assert not (bare.folder / name).exists()
    assert "features" in bare.arrays()  # from the cache of this machine
    assert (records.publish(record, features=True).folder / name).exists()
    assert records.publish(bare) is bare
    (bare.folder / name).unlink()
    monkeypatch.setenv("SOFTLABELS_CACHE", str(store / "another"))
    assert set(bare.arrays()) == {"ids", "log_probs", "targets"}


def test_features_of_another_training_are_not_taken(committed, store):
    cached = store / "cache" / "runs" / f"{committed.id}.features.npz"
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(pack(features=np.zeros((20, 32), np.float16)))
    assert set(committed.arrays()) == {"ids", "log_probs", "targets"}


def test_several_runs_at_once(record, monkeypatch):
    other = CONFIG.replace(seed=1, epochs=1)
    assert run.get_all([CONFIG, other]) == {CONFIG.id: record}
    assert set(run.get_all([CONFIG, other], train=True, device="cpu")) == {CONFIG.id, other.id}
    assert {r.id for r in records.everything()} == {CONFIG.id, other.id}


def test_runs_without_data_are_left_out(record, monkeypatch):
    def unavailable(name, **options):
        raise DataUnavailable(f"{name} is not here")

    monkeypatch.setattr(datasets, "load", unavailable)
    assert set(run.get_all([CONFIG, CONFIG.replace(seed=1)], train=True)) == {CONFIG.id}


def test_a_failed_training_frees_its_lock(store, monkeypatch):
    def fail(*arguments):
        raise TrainingError("the loss became nan")

    monkeypatch.setattr(run, "train_in", fail)
    with pytest.raises(TrainingError) as caught:
        run.get(CONFIG, "cpu")
    with FileLock(store / "cache" / "runs" / f"{CONFIG.id}.lock", timeout=0):
        assert "nan" in str(caught.value)


def test_of_several_processes_one_trains_and_the_others_read(store):
    logs, gate = [store / f"log{i}" for i in range(3)], store / "gate"
    processes = [start(store, TINY, log, gate) for log in logs]

    def said(word):
        return sum(word in log.read_text() for log in logs if log.exists())

    # Training begins only when every process has found its part.
    wait_until(lambda: said("trains") + said("waiting for it") == 3)
    assert (said("trains"), said("waiting for it")) == (1, 2)
    gate.touch()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert said("trains") == 1
    given = {log.read_text().splitlines()[-1] for log in logs}
    assert given == {str(records.find(CONFIG).metrics)}
    assert not list((store / "cache" / "runs").glob("*.checkpoint"))
    assert not list((store / "cache" / "runs").glob(".*.partial"))


# Records


def test_a_record_reads_as_it_was_written(record):
    path = record.folder / f"{record.id}.json"
    again = records.read(path)
    assert again == record
    assert again.to_json() == path.read_text()


def test_arrays_hold_what_the_metrics_were_taken_from(record):
    arrays = record.arrays()
    n = record.data["n_test"]
    assert {name: (a.dtype, a.shape) for name, a in arrays.items()} == {
        "ids": (np.int64, (n,)),
        "log_probs": (np.float16, (n, 6)),
        "targets": (np.float16, (n, 6)),
        "features": (np.float16, (n, 32)),
    }
    assert len(set(arrays["ids"])) == n
    found = metrics.evaluate(arrays["log_probs"].astype(np.float32), arrays["targets"].astype(np.float32))
    for name in ("macro_accuracy", "kl", "brier"):
        assert found[name] == pytest.approx(record.metrics["test"][name], abs=0.01)


def test_equal_arrays_are_packed_to_equal_bytes():
    a = np.arange(1000.0)
    assert pack(x=a, y=a + 1) == pack(x=a, y=a + 1)


def text(content):
    return lambda path: path.write_text(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def without_metrics(path):
    body = json.loads(path.read_text())
    del body["metrics"]
    path.write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "not a run record"),
        (text(""), "not a run record"),
        (text("[1, 2]"), "not a run record"),
        (text("<html>not found</html>"), "not a run record"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00{"), "not a run record"),
        (without_metrics, "not a run record.*metrics"),
        (lambda path: edit(path, schema=99), "another version"),
        (lambda path: edit(path, id="0123456789ab"), "says 0123456789ab"),
        (lambda path: edit(path, config={**TINY, "seed": 3}), "its configuration gives"),
        (lambda path: edit(path, config={**TINY, "sed": 3}), "did you mean 'seed'"),
        (lambda path: edit(path, surprise=1), "not a run record.*surprise"),
    ],
)
def test_damaged_records_are_refused_by_name(damage, message, record):
    path = record.folder / f"{record.id}.json"
    damage(path)
    with pytest.raises(RecordError, match=message) as caught:
        records.find(CONFIG)
    assert str(path) in str(caught.value)


def test_a_record_under_another_name_is_refused(record):
    path = record.folder / "0123456789ab.json"
    shutil.copy(record.folder / f"{record.id}.json", path)
    with pytest.raises(RecordError, match="named 0123456789ab"):
        records.read(path)


@pytest.mark.parametrize("suffix", [".npz", ".features.npz"])
def test_damaged_arrays_are_refused_by_name(suffix, record):
    path = record.folder / f"{record.id}{suffix}"
    cut(path)
    with pytest.raises(RecordError, match="SHA-256") as caught:
        record.arrays()
    assert str(path) in str(caught.value)


def test_missing_arrays_are_refused_by_name(record):
    path = record.folder / f"{record.id}.npz"
    path.unlink()
    with pytest.raises(RecordError, match="cannot be read") as caught:
        record.arrays()
    assert str(path) in str(caught.value)


def test_a_record_never_stands_without_its_arrays(store, record, monkeypatch):
    def fail(path, content):
        raise OSError("no space left on device")

    target = replace(record, folder=store / "elsewhere")
    monkeypatch.setattr("softlabels.store.write_atomically", fail)
    with pytest.raises(OSError, match="no space"):
        records.write(target, b"arrays")

    def only_arrays(path, content):
        if path.suffix == ".json":
            raise OSError("no space left on device")
        write_atomically(path, content)

    monkeypatch.setattr("softlabels.store.write_atomically", only_arrays)
    with pytest.raises(OSError, match="no space"):
        records.write(target, b"arrays")
    assert not list(target.folder.glob("*.json"))


# Archives


@pytest.fixture
def packed(record, store):
    """An archive of two records, made elsewhere: no committed record here yet."""
    run.get(CONFIG.replace(seed=1, epochs=1), "cpu")
    assert records.export(store / "records.zip") == 2
    return store / "records.zip"


def published():
    return {path.name for path in records.SHELF.committed.glob("*")}


def test_archives_carry_records_over(packed, record, store, monkeypatch):
    monkeypatch.setenv("SOFTLABELS_CACHE", str(store / "another"))
    assert records.load(packed) == (2, 0)
    assert records.load(packed) == (0, 2)
    found = records.read(records.SHELF.committed / f"{record.id}.json")
    assert found == record
    np.testing.assert_array_equal(found.arrays()["log_probs"], record.arrays()["log_probs"])
    assert published() == {path.name for path in map(Path, zipfile.ZipFile(packed).namelist())}
    assert not any("features" in name for name in published())  # they are large


def test_archives_without_features_add_none(packed):
    records.load(packed)  # although the cache of this machine has them
    assert not any("features" in name for name in published())


def test_an_archive_brings_features_to_a_record_that_came_without(record, store, monkeypatch):
    records.export(store / "all.zip", features=True)
    records.publish(record)
    monkeypatch.setenv("SOFTLABELS_CACHE", str(store / "another"))
    assert records.load(store / "all.zip") == (0, 1)
    assert f"{record.id}.features.npz" in published()
    assert records.load(store / "all.zip") == (0, 1)


def test_chosen_records_are_packed_with_features(packed, record, store):
    assert records.export(store / "one.zip", [record.id], features=True) == 1
    assert records.load(store / "one.zip") == (1, 0)
    assert published() == {record.id + s for s in (".json", ".npz", ".features.npz")}
    assert not list(store.glob("*.partial"))


@pytest.mark.parametrize("ids", [["0123456789ab"], []])
def test_an_archive_of_nothing_is_refused(ids, packed, store):
    with pytest.raises(RecordError, match="none of the chosen runs"):
        records.export(store / "none.zip", ids)
    assert not (store / "none.zip").exists()


def test_a_contradiction_is_refused_and_nothing_is_added(packed, record):
    here = records.publish(record)
    bend(path := here.folder / f"{record.id}.json")
    before = path.read_bytes()
    with pytest.raises(RecordError, match=f"{record.id}.*differ from those of {path}"):
        records.load(packed)
    assert published() == {f"{record.id}.json", f"{record.id}.npz"}
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["../evil.json", "/evil.json", "a/b.json", "..\\evil.json", "evil.txt"])
def test_members_that_are_no_files_of_a_record_are_refused(name, packed, store):
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(name, "{}")
    with pytest.raises(RecordError, match="is not a file of a record"):
        records.load(packed)
    assert not published()
    assert not [*store.rglob("evil*"), *store.parent.glob("evil*")]


def test_members_that_are_too_large_are_refused(packed, monkeypatch):
    monkeypatch.setattr(records, "_LARGEST", 100)
    with pytest.raises(RecordError, match="is not a file of a record"):
        records.load(packed)


@pytest.mark.parametrize("keep", [0, 0.5, 0.999])
def test_truncated_archives_are_refused(keep, packed):
    content = packed.read_bytes()
    packed.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(RecordError, match=r"records\.zip: "):
        records.load(packed)
    assert not published()


def test_a_flipped_byte_is_noticed(packed):
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 1
    packed.write_bytes(content)
    with pytest.raises(RecordError):
        records.load(packed)
    assert not published()


def test_an_archive_without_arrays_is_refused(packed, record, store):
    path = store / "bare.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(record.folder / f"{record.id}.json", f"{record.id}.json")
    with pytest.raises(RecordError, match="cannot be read"):
        records.load(path)
    assert not published()


def test_an_empty_archive_and_a_missing_one_are_refused(store):
    zipfile.ZipFile(store / "empty.zip", "w").close()
    for name, message in (("empty.zip", "no records in it"), ("missing.zip", "no such file")):
        with pytest.raises(RecordError, match=message):
            records.load(store / name)


# Audit


def test_an_audit_in_the_same_setting_finds_every_bit(committed, store, capsys):
    (comparison,) = audit.audit(1, device="cpu")
    assert comparison.same_setting
    assert comparison.agrees
    assert audit.report([comparison])
    assert f"{CONFIG.id} ok   same setting: identical" in capsys.readouterr().out
    assert not list((store / "cache").rglob(f"{CONFIG.id}*"))  # it trains in a folder of its own


def test_an_audit_trains_in_the_precision_of_the_record(committed):
    other = "fp32" if committed.environment["precision"] == "bf16" else "bf16"
    path = committed.folder / f"{CONFIG.id}.json"
    body = json.loads(path.read_text())
    body["environment"]["precision"] = other
    path.write_text(json.dumps(body))
    (comparison,) = audit.audit(1, device="cpu")
    assert comparison.ours.environment["precision"] == other
    assert not comparison.agrees  # the record's numbers were made in the first precision


def test_an_audit_finds_altered_metrics(committed, capsys):
    bend(committed.folder / f"{CONFIG.id}.json")
    assert cli.main(["audit", "1", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert f"{CONFIG.id} FAIL same setting" in out
    assert "beyond the tolerance" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("metric", audit.METRICS)
@pytest.mark.parametrize(("share", "agrees"), [(0.0, True), (0.95, True), (1.05, False)])
def test_in_another_setting_differences_stay_within_the_tolerance(metric, share, agrees, record):
    ours = replace(record, metrics={**record.metrics, "test": {metric: 0.5, **record.metrics["test"]}})
    test = {**ours.metrics["test"]}
    size = max(1.0, test[metric]) if metric in audit.LOSSES else 1.0
    test[metric] += share * audit.UNMEASURED[metric] * size * (0.95 if agrees else 1.2)
    other = replace(
        record,
        metrics={**record.metrics, "test": test},
        environment={**record.environment, "machine": "another"},
    )
    comparison = audit.Comparison(other, ours)
    assert not comparison.same_setting
    assert comparison.agrees is agrees


def test_an_audit_without_records_says_so(store):
    with pytest.raises(RecordError, match="no records in"):
        audit.audit()


# Command line


def smoke_id():
    return grids.grid("table1", "smoke", [0])[0].config.id


def test_the_command_line_trains_one_run_and_counts_it(store, capsys):
    arguments = ["--chapter", "table1", "--profile", "smoke", "--seeds", "0", "--only", smoke_id()]
    assert cli.main(["train", *arguments, "--device", "cpu", "--publish"]) == 0
    assert f"[1/1] {smoke_id()} synthetic resnet9-tiny" in capsys.readouterr().out
    assert (store / "results" / "runs" / f"{smoke_id()}.json").exists()

    assert cli.main(["status", "--profile", "smoke", "--seeds", "0"]) == 0
    (line,) = (s for s in capsys.readouterr().out.splitlines() if s.startswith("table1"))
    total = len(grids.grid("table1", "smoke", [0]))
    assert line.split()[:5] == ["table1", "1", "of", str(total), "runs,"]
    assert cli.main(["status", "--chapter", "table1", "--profile", "smoke", "--seeds", "0"]) == 0
    assert capsys.readouterr().out.splitlines() == [line]


def test_the_command_line_moves_records(record, store, capsys):
    file = str(store / "all.zip")
    assert cli.main(["records", "export", file]) == 0
    assert cli.main(["records", "import", file]) == 0
    assert "1 records added, 0 were here already" in capsys.readouterr().out


def raise_unavailable(name, **options):
    raise DataUnavailable(f"{name} is not here")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "--profile", "laptpo"], "unknown profile 'laptpo'; did you mean 'laptop'"),
        (["train", "--chapter", "table"], "unknown chapter 'table'; did you mean 'table1'"),
        (["train", "--profile", "smoke", "--only", "0123456789ab"], "no run 0123456789ab in chapter table1"),
        (["train", "--profile", "smoke", "--seeds", "0", "--device", "tpu"], "device must be cpu"),
        (["train", "--profile", "smoke", "--seeds", "0", "--device", "cpu"], "runs left out.*is not here"),
        (["train", "--profile", "smoke", "--seeds", "-1"], "seed must lie in"),
        (["audit"], "no records in"),
        (["status", "--chapter", "table"], "unknown chapter 'table'; did you mean 'table1'"),
        (["records", "export", "x.zip"], "none of the chosen runs"),
        (["records", "export", "x.zip", "--dataset", "synthetic"], "--dataset chooses.*--chapter"),
        (["records", "import", "missing.zip"], "missing.zip: no such file; give what"),
        (
            ["train", "--chapter", "annot_mix", "--profile", "smoke", "--method", "annot-mx"],
            "unknown method of chapter annot_mix.*did you mean 'annot-mix'",
        ),
        (["status", "--method", "annot-mix"], "--method chooses.*--chapter"),
    ],
)
def test_mistakes_on_the_command_line_give_one_message(arguments, message, store, monkeypatch, capsys):
    monkeypatch.chdir(store)
    monkeypatch.setattr(datasets, "load", raise_unavailable)
    assert cli.main(arguments) == 1
    err = capsys.readouterr().err.replace("\n", " ")
    assert "Traceback" not in err
    assert re.search(f"softlabels: .*{message}", err), err


def test_runs_of_one_method_can_be_chosen(store, capsys):
    counts = []
    for more in ([], ["--method", "mv-base"]):
        assert (
            cli.main(["status", "--chapter", "annot_mix", "--profile", "smoke", "--seeds", "0", *more]) == 0
        )
        counts.append(int(capsys.readouterr().out.split()[3]))
    expected = [c.config.method for c in grids.grid("annot_mix", "smoke", [0])]
    assert counts == [len(expected), expected.count("mv-base")] and 0 < counts[1] < counts[0]


def test_a_damaged_record_stops_the_command_line_without_a_traceback(committed, store, capsys):
    config = grids.grid("table1", "smoke", [0])[0].config
    path = store / "results" / "runs" / f"{config.id}.json"
    path.write_text("{")
    assert cli.main(["status", "--profile", "smoke", "--seeds", "0"]) == 1
    assert f"softlabels: {path}" in capsys.readouterr().err


def test_a_reader_that_leaves_early_gets_no_traceback(store):
    read, write = os.pipe()
    os.close(read)
    program = "import sys; from softlabels.cli import main; sys.exit(main(['status', '--profile', 'smoke']))"
    done = subprocess.run([sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interruption_says_how_to_go_on(store, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "get", interrupt)
    assert cli.main(["train", "--profile", "smoke", "--only", smoke_id()]) == 130
    assert "goes on from the last finished epoch" in capsys.readouterr().err


def test_a_negative_zero_is_a_zero():
    assert RunConfig(weight_decay=-0.0).id == RunConfig(weight_decay=0.0).id


def test_a_record_without_checksums_is_refused(record):
    path = record.folder / f"{record.id}.json"
    body = json.loads(path.read_text())
    body["checksums"] = {}
    path.write_text(json.dumps(body))
    with pytest.raises(RecordError, match=f"{record.id}.json: not a run record"):
        records.read(path)


def test_a_copy_without_its_git_says_its_commit(monkeypatch):
    from softlabels.learning.hardware import hardware

    monkeypatch.setenv("SOFTLABELS_COMMIT", "0123456789")
    assert run.environment(hardware("cpu"))["commit"] == "0123456789"
