"""What is committed hangs together; and `softlabels verify` notices when it does not."""

import json
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from softlabels import cli, paths
from softlabels.book import execute, stamps, verify
from softlabels.errors import RecordError
from softlabels.learning.config import RunConfig
from softlabels.runs import grids, records
from softlabels.store import pack

COMMITTED = sorted(records.SHELF.committed.glob("*.json"))


def kinds(part):
    return sorted({fault.kind for fault in part()[1]})


# What is committed


def test_committed_records_hang_together():
    words, faults = verify.of_records()
    assert [str(fault) for fault in faults] == []
    assert words.startswith(f"{len(COMMITTED)} records;")


def test_committed_evaluations_hang_together():
    assert [str(fault) for fault in verify.of_evaluations()[1]] == []


def test_committed_pages_hang_together(monkeypatch):
    monkeypatch.setattr(
        execute, "pages_with_parts", lambda: []
    )  # generated parts have their test in test_book
    assert [str(fault) for fault in verify.of_pages()[1]] == []


def test_committed_chapters_hang_together():
    """Whether tables still come out the same is what `softlabels.book compare` asks."""
    faults = verify.of_chapters()[1]
    if any(fault.kind == "stamp" for fault in faults):
        pytest.skip(f"{len(faults)} chapters were executed without a stamp: run `make publish`")
    assert [str(fault) for fault in faults if fault.kind != "library"] == []


# Records that do not


def record_of(folder, **changes):
    """A record of four images that hangs together but for the changes."""
    rng = np.random.default_rng(0)
    q = rng.dirichlet([1, 1, 1], 4).astype(np.float32)
    p = rng.dirichlet([1, 1, 1], 4).astype(np.float32)
    arrays = {"ids": np.arange(4), "log_probs": np.log(p).astype(np.float16), "targets": q.astype(np.float16)}
    packed = pack(**(arrays | changes.pop("arrays", {})))
    digest = verify.stamps.sha256(packed).hexdigest()
    last = {"epoch": 1, "validation_loss": 0.5}
    found = {"test": verify.metrics.evaluate(np.log(p), q), "validation": {"loss": 0.5}}
    body = {
        "config": RunConfig(epochs=1),
        "metrics": found,
        "history": [last],
        "best_epoch": 1,
        "labels": {},
        "data": {"name": "x", "variant": "", "sha256": "0" * 64, "n_test": 4},
        "environment": {"device": "cpu", "machine": "x", "precision": "fp32", "commit": "0123456789"},
        "seconds": 1.0,
        "checksums": {"arrays": digest, "features": "0" * 64},
        "folder": folder,
    }
    record = records.Record(**(body | changes))
    records.write(record, packed)
    return record


@pytest.fixture
def folder(store):
    return store / "results" / "runs"


def test_a_sound_record_has_no_faults(folder):
    record_of(folder)
    assert verify.of_records() == ("1 records; metrics of 1 computed again, none keeps a sample only", [])


ENVIRONMENT = {"device": "cpu", "machine": "x", "precision": "fp32"}
SHIFTED = {"log_probs": np.log(np.full((4, 3), 1 / 3)).astype(np.float16)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"environment": {**ENVIRONMENT, "commit": "0123456789+"}}, "no commit holds"),
        ({"environment": {**ENVIRONMENT, "commit": "unknown"}}, "no commit holds"),
        ({"config": RunConfig(epochs=2)}, "1 epochs in its history, 2 in"),
        ({"history": [{"epoch": 1, "validation_loss": 0.4}]}, "not that of epoch 1"),
        ({"arrays": {"ids": np.zeros(4, np.int64)}}, "some of them twice"),
        ({"arrays": {"ids": np.arange(5)}}, "5 image ids, of 4 test images"),
        ({"arrays": {"log_probs": np.zeros((4, 3), np.float16)}}, "predictions that are no distributions"),
        ({"arrays": {"targets": np.ones((4, 2), np.float16)}}, "arrays of shapes"),
        ({"arrays": SHIFTED}, "its arrays give test kl"),
    ],
)
def test_a_record_that_does_not_hang_together_is_named(changes, words, folder, monkeypatch, capsys):
    record = record_of(folder, **changes)
    monkeypatch.setattr(verify, "PARTS", (verify.of_records,))
    assert cli.main(["verify"]) == 1
    out, err = capsys.readouterr()
    assert words in out and f"results/runs/{record.id}.json: " in out and "take it from git" in out
    assert err.startswith("softlabels: ") and err.count("\n") == 1


def test_altered_metrics_and_files_are_noticed(folder):
    path = folder / f"{record_of(folder).id}.json"
    whole = path.read_text()
    body = json.loads(whole)
    body["metrics"]["test"]["macro_accuracy"] += 0.25
    path.write_text(json.dumps(body))
    assert "it says" in str(verify.of_records()[1][0])
    path.write_text(whole.replace('"lr": 0.05', '"lr": 0.06'))
    assert "its configuration gives" in str(verify.of_records()[1][0])
    path.write_text(whole)
    arrays = path.with_suffix(".npz")
    arrays.write_bytes(arrays.read_bytes()[:-1])
    assert "SHA-256" in str(verify.of_records()[1][0])


def test_classes_of_all_images_are_held_against_the_accuracy(folder):
    """Of a large test part a record keeps the probabilities of a sample."""
    classes = {"all_predicted": np.array([0, 1, 2, 0, 1]), "all_truth": np.array([0, 1, 2, 2, 1])}
    data = {"name": "x", "variant": "", "sha256": "0" * 64, "n_test": 5}
    found = {"validation": {"loss": 0.5}}
    for accuracy, faults in ((0.8, 0), (0.81, 1)):
        record_of(folder, data=data, arrays=classes, metrics=found | {"test": {"accuracy": accuracy}})
        words, wrong = verify.of_records()
        assert len(wrong) == faults and "1 keep a sample's probabilities" in words
    assert "its 5 predictions give accuracy 0.8000, it says 0.8100" in str(wrong[0])


@pytest.mark.parametrize("name", ["0123456789ab.npz", ".0123456789ab.npz.7.partial", "notes.txt"])
def test_files_of_no_record_are_noticed(name, folder):
    record_of(folder)
    (folder / name).write_bytes(b"")
    assert [fault.kind for fault in verify.of_records()[1]] == ["stray"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("metrics",), []),
        (("metrics", "test", "kl"), "0.1"),
        (("metrics", "test", "kl"), True),
        (("metrics", "test", "kl"), float("nan")),
        (("metrics", "validation"), None),
        (("history",), []),
        (("history",), {"1": 2}),
        (("history", 0, "validation_loss"), float("inf")),
        (("best_epoch",), 2),
        (("best_epoch",), 1.0),
        (("data", "name"), 5),
        (("environment", "commit"), None),
        (("seconds",), "long"),
        (("labels",), "none"),
        (("checksums", "arrays"), "../../etc/passwd"),
        (("checksums",), [1]),
    ],
)
def test_a_record_of_another_form_is_refused(place, value, folder):
    path = folder / f"{record_of(folder).id}.json"
    body = json.loads(path.read_text())
    inner = body
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(body))
    with pytest.raises(RecordError, match=f"not a run record.*{place[0]}|not a run record.*second"):
        records.read(path)


# Chapters and pages


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A little chapter, executed from a notebook that reads one committed result."""
    source, done = (tmp_path / name for name in ("source.ipynb", "done.ipynb"))
    monkeypatch.setenv("SOFTLABELS_RESULTS", str(tmp_path / "results"))
    (tmp_path / "results" / "datasets").mkdir(parents=True)
    (tmp_path / "results" / "datasets" / "a.json").write_text("{}")
    code = nbformat.v4.new_code_cell("from softlabels.labels import agreement\nprint(1)")
    nbformat.write(nbformat.v4.new_notebook(cells=[code]), source)
    executed = nbformat.read(source, 4)
    executed.cells[0].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    executed.metadata[stamps.NAME] = stamps.stamp(source, executed)
    nbformat.write(executed, done)
    assert list(stamps.faults(done, source)) == []
    return SimpleNamespace(source=source, done=done, result=tmp_path / "results" / "datasets" / "a.json")


def edited(path, change):
    notebook = nbformat.read(path, 4)
    change(notebook)
    nbformat.write(notebook, path)


def test_a_changed_notebook_is_noticed(chapter):
    edited(chapter.source, lambda n: n.cells.append(nbformat.v4.new_markdown_cell("more")))
    assert [kind for kind, _ in stamps.faults(chapter.done, chapter.source)] == ["notebook"]


def test_a_number_typed_into_an_output_is_noticed(chapter):
    edited(chapter.done, lambda n: n.cells[0].outputs[0].update(text="2\n"))
    assert [kind for kind, _ in stamps.faults(chapter.done, chapter.source)] == ["chapter"]


def test_a_changed_or_missing_result_is_noticed(chapter):
    chapter.result.write_text("{ }")
    assert [kind for kind, _ in stamps.faults(chapter.done, chapter.source)] == ["results"]
    chapter.result.unlink()
    assert "a.json" in next(stamps.faults(chapter.done, chapter.source))[1]


def test_a_changed_library_is_noticed(chapter, monkeypatch):
    monkeypatch.setattr(stamps, "of_library", lambda: "another")
    assert [kind for kind, _ in stamps.faults(chapter.done, chapter.source)] == ["library"]


def test_a_chapter_without_a_stamp_is_noticed(chapter):
    edited(chapter.done, lambda n: n.metadata.pop(stamps.NAME))
    assert [kind for kind, _ in stamps.faults(chapter.done, chapter.source)] == ["stamp"]


def test_normalising_keeps_the_stamp(chapter):
    notebook = nbformat.read(chapter.done, 4)
    assert execute.normalised(notebook).metadata[stamps.NAME]["results"] == {
        "datasets/a.json": stamps.of_result("datasets/a.json")
    }


def test_a_chapter_names_the_records_of_its_grids_and_what_is_kept_beside_records():
    found = stamps.results(paths.PROJECT / "notebooks" / "04_figure1.ipynb")
    runs = {cell.config.id for cell in grids.grid("figure1", "laptop")}
    assert {Path(name).stem for name in found if name.startswith("runs/")} >= runs
    assert len([name for name in found if name.startswith("runs/")]) < 100
    assert any(name.startswith("embeddings/") for name in found)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Accuracy rose to .957 in our runs.", 1),
        ("| KL | 0.083 |", 1),
        ("The KL is 12 % smaller. Version 1.5 is needed.", 1),
        ("With the paired 95 % interval of the accuracy.", 0),
        ("See arXiv:2207.06224 for accuracy and KL.", 0),
        ("The accuracy is `0.5` and $p = 0.5$.", 0),
        ("Learning rate 0.05.", 0),
    ],
)
def test_typed_numbers_beside_a_measure_are_found(text, n):
    assert len(list(verify.typed(text))) == n


def test_a_page_out_of_step_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.setattr(execute, "PARTS", {"t": lambda: "new"})
    (tmp_path / "README.md").write_text("<!-- t -->\nold accuracy .957\n<!-- /t -->\n")
    (fault,) = verify.of_pages()[1]
    assert fault.file == "README.md" and "make publish" in fault.remedy
    (tmp_path / "README.md").write_text("<!-- t -->\nnew\n<!-- /t -->\nAn accuracy of .957.\n")
    assert "no record stands behind" in str(verify.of_pages()[1][0])
