"""Votes on what is no image: features by name or by order, frozen networks, and annot-mix's estimate."""

import importlib.util
import json
import pickle
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import vote_folders
from conftest import data_or_skip
from PIL import Image
from softlabels import cli, datasets, owndata
from softlabels.datasets import Annotations, Dataset, Source, features, folder
from softlabels.errors import ConfigError, DataError
from softlabels.labels import votes as votes_
from softlabels.learning import inputs, training
from softlabels.learning.annotators.aggregation import dawid_skene
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.owndata import OwnData, annotmix, answers, frozen
from softlabels.paths import PROJECT

VOTES = "image,annotator,label\nsong 10,ann,a\nsong 9,ann,b\nsong 10,ben,a\nsong 8,ben,b\n"
NAMES = ("song 10", "song 8", "song 9")  # sorted, as a dataset has them
VECTORS = {"song 10": [1, 0], "song 9": [2, 0], "song 8": [3, 0]}


@pytest.fixture
def votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(VOTES)
    return path


def rows(*names):
    return np.float32([VECTORS[name] for name in names])


def test_rows_of_an_array_are_in_the_order_of_the_votes(votes, tmp_path):
    np.save(tmp_path / "f.npy", rows("song 10", "song 9", "song 8"))
    assert np.array_equal(features.read(tmp_path / "f.npy", votes, NAMES), rows(*NAMES))


@pytest.mark.parametrize(
    "table",
    ["image,cat,dog\nz,0,3\na,2,1\nm,1,2\n", "image,label_1,label_2\nz,,dog\na,cat,dog\nm,cat,cat\n"],
)
def test_the_order_of_the_votes_is_that_of_their_lines(table, tmp_path):
    """Votes side by side are read column by column, and the first column leaves the first line out."""
    votes = tmp_path / "votes.csv"
    votes.write_text(table)
    np.save(tmp_path / "f.npy", np.float32([[26], [1], [13]]))
    assert features.read(tmp_path / "f.npy", votes, ("a", "m", "z")).ravel().tolist() == [1, 13, 26]


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "npz"])
def test_rows_with_names_may_have_any_order_and_company(kind, votes, tmp_path):
    path, order = tmp_path / f"f.{kind}", ("song 8", "song 10", "song 9")
    if kind == "npz":
        np.savez(path, names=np.array([*order, "other"]), features=np.vstack([rows(*order), [9, 9]]))
    else:
        import pandas as pd

        table = pd.DataFrame({"image": [*order, "other"], "x": [3, 1, 2, 9], "y": [0, 0, 0, 9]})
        table.to_parquet(path) if kind == "parquet" else table.to_csv(
            path, index=False, sep="\t" if kind == "tsv" else ","
        )
    assert np.array_equal(features.read(path, votes, NAMES), rows(*NAMES))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("image,x\nsong 10,1\nsong 9,2\n", r"1 of 3 things with votes have no row, such as .song 8."),
        ("image,x\nsong 10,1\nsong 10,1\nsong 9,2\nsong 8,1\n", r"song 10. has two rows"),
        ("image,x\nsong 10,1\nsong 9,inf\nsong 8,1\n", r"the row of .song 9. holds a value"),
        ("image,x\nsong 10,1\nsong 9,two\nsong 8,1\n", r"column .x. is not numbers.*: .two. for .song 9."),
        ("name,x\nsong 10,1\n", r"no column .image.; call that of the names so"),
        ("", r"cannot be read as features"),
    ],
)
def test_what_does_not_fit_is_named(content, said, votes, tmp_path):
    (tmp_path / "f.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        features.read(tmp_path / "f.csv", votes, NAMES)


def test_a_wrong_number_of_rows_is_refused_with_the_order_that_is_meant(votes, tmp_path):
    np.save(tmp_path / "f.npy", rows("song 10", "song 9"))
    with pytest.raises(
        DataError, match=r"expected 3 rows.*in the order in which it first names them; found 2"
    ):
        features.read(tmp_path / "f.npy", votes, NAMES)


def test_an_array_of_objects_is_not_unpickled(votes, tmp_path):
    (tmp_path / "f.npy").write_bytes(pickle.dumps(print))
    with pytest.raises(DataError, match="cannot be read as features"):
        features.read(tmp_path / "f.npy", votes, NAMES)
    np.save(tmp_path / "g.npy", np.array([print, print, print]), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read as features"):
        features.read(tmp_path / "g.npy", votes, NAMES)
    np.save(tmp_path / "h.npy", np.ones(3))
    with pytest.raises(DataError, match="a row of numbers for each thing"):
        features.read(tmp_path / "h.npy", votes, NAMES)
    with pytest.raises(DataError, match=r"expected features as \.npy"):
        features.read(votes.with_suffix(".txt"), votes, NAMES)


def test_pinned_features_are_a_dataset_until_they_change(votes, tmp_path):
    np.save(tmp_path / "f.npy", rows("song 10", "song 9", "song 8"))
    name = features.pin(votes, tmp_path / "f.npy")
    data = datasets.load(name)
    assert data.name == name and np.array_equal(data.images, rows(*NAMES))
    assert data.counts.tolist() == [[2, 0], [0, 1], [0, 1]]
    assert folder.people(name) == ("ann", "ben") and folder.files(name) == NAMES
    np.save(tmp_path / "f.npy", rows("song 10", "song 9", "song 8") + 1)
    assert features.pin(votes, tmp_path / "f.npy") != name
    with pytest.raises(DataError, match="one of them has changed"):
        datasets.load(name)


def test_few_images_are_seen_through_a_network_that_imagenet_trained(tmp_path, monkeypatch):
    root = vote_folders.write(tmp_path / "mine")
    name = frozen.pinned(f"folder:{root}")
    data = datasets.load(name)
    assert name.startswith("features@") and data.images.shape == (vote_folders.N, 1280)
    assert data.images.std(0).max() > 0 and data.annotations is not None
    assert frozen.pinned(f"folder:{root}") == name, "the features are made once"
    monkeypatch.setattr(frozen, "FEWER", vote_folders.N)
    assert frozen.pinned(f"folder:{root}").startswith("folder@"), "enough images learn to see"
    monkeypatch.undo()
    monkeypatch.setattr(frozen, "available", lambda: False)
    assert frozen.pinned(f"folder:{root}").startswith("folder@"), "nor without the weights"
    assert frozen.pinned("synthetic") == "synthetic"


def test_annot_mix_gets_features_of_images(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "FEWER", 0)  # the runs keep the images
    data = datasets.load(frozen.pinned(f"folder:{vote_folders.write(tmp_path / 'mine')}"), image_size=16)
    found = frozen.vectors(data)
    assert data.images.ndim == 4 and found.images.shape == (vote_folders.N, 1280)
    assert found.annotations is data.annotations and frozen.vectors(found) is found
    monkeypatch.setattr(frozen, "MOST", vote_folders.N - 1)
    assert frozen.vectors(data) is None
    assert frozen.vectors(datasets.load("synthetic", image_size=16, n_images=30)) is None


def test_a_training_stops_when_validation_stops_improving(tmp_path):
    config = RunConfig(
        dataset="synthetic",
        limit=60,
        image_size=16,
        network="resnet9-tiny",
        epochs=30,
        batch_size=8,
        patience=2,
    )
    task = inputs.prepare(config)
    done = training.train(config, task, hardware("cpu", "fp32"), tmp_path / "a")[1]
    losses = [row["validation_loss"] for row in done.history]
    assert 3 <= len(losses) < 30 and np.argmin(losses) == len(losses) - 3
    assert done.best_epoch == len(losses) - 2
    again = training.train(config, task, hardware("cpu", "fp32"), tmp_path / "a")[1]
    assert again.history == done.history, "a finished training that is resumed stays finished"
    assert RunConfig(patience=0).id == RunConfig().id != RunConfig(patience=2).id


def crowd(n=300, seed=0):
    """Two clouds of points, and five people of whom two are wrong nearly always: the majority often errs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    x = (rng.normal(0, 1, (n, 4)) + 2 * truth[:, None]).astype(np.float32)
    image, annotator = np.repeat(np.arange(n), 5), np.tile(np.arange(5), n)
    right = rng.random(n * 5) < np.array([0.95, 0.9, 0.7, 0.15, 0.1])[annotator]
    label = np.where(right, truth[image], 1 - truth[image])
    counts = np.zeros((n, 2), np.float32)
    np.add.at(counts, (image, label), 1)
    source = Source("crowd", "none", "made here", "0")
    given = Annotations(image, annotator, label)
    return Dataset("crowd", x, counts, ("a", "b"), source, np.arange(n), given), truth


def test_annot_mix_names_the_class_where_the_majority_errs():
    data, truth = crowd()
    found = annotmix.estimate(data)
    assert np.allclose(found.sum(1), 1) and found.min() >= 0
    majority = (data.counts.argmax(1) == truth).mean()
    assert (found.argmax(1) == truth).mean() > 0.9 > majority + 0.1


def test_annot_mix_does_not_learn_from_the_votes_that_it_adds():
    """Without its vote a thing has p(k | x); of both votes it could have, this is the mean: Σ_z A_kz = 1."""
    data, _ = crowd(60)
    given = data.annotations
    others = given.image != 0

    def says(label):
        image, annotator, labels = ([*v[others]] for v in (given.image, given.annotator, given.label))
        if label is not None:
            image, annotator, labels = [0, *image], [0, *annotator], [label, *labels]
        votes = Annotations(*(np.array(v, np.int64) for v in (image, annotator, labels)))
        return annotmix.estimate(replace(data, annotations=votes))[0, 0]

    nothing, first, second = says(None), says(0), says(1)
    assert first > nothing > second and first - second > 0.05


@pytest.fixture(scope="module")
def answered():
    """A crowd's votes and what is said of them."""
    own = OwnData("crowd", crowd()[0])
    return own, answers.of_votes(own)


def test_annot_mix_is_left_out_where_a_budget_has_no_time_for_it(answered):
    with pytest.raises(annotmix.OutOfTime):
        annotmix.estimate(crowd(60)[0], until=time.monotonic() - 1)
    own, said = answered
    assert "annot-mix" in said[-1] and "most votes here" in said[-1]
    hurried = answers.of_votes(replace(own, until=time.monotonic()))
    assert hurried[-1] == "annot-mix is left out for want of time; a longer `--budget` has room for it."


def test_what_has_features_only_is_not_called_an_image(answered):
    own, said = answered
    words = [owndata.summary(own), *said, answers.ceiling_in_words(own)]
    words += owndata.facts(own)["what"].tolist()
    assert any("items" in sentence for sentence in words)
    assert not [sentence for sentence in words if "image" in sentence]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": np.zeros((300, 8, 8, 3), np.uint8)}, "give them with --features"),
        ({"annotations": None}, "fewer than 2 are named"),
    ],
)
def test_annot_mix_says_what_it_needs(changes, said):
    with pytest.raises(DataError, match=said):
        annotmix.estimate(replace(crowd()[0], **changes))


def crowd_file(root):
    data, truth = crowd(120)
    lines = ["image,annotator,label"]
    given = data.annotations
    lines += [
        f"item {i},p{a},{'ab'[k]}" for i, a, k in zip(given.image, given.annotator, given.label, strict=True)
    ]
    (root / "votes.csv").write_text("\n".join(lines) + "\n")
    np.save(root / "f.npy", data.images)
    return root / "votes.csv", truth


def test_labels_with_annot_mix_from_a_file_of_votes(tmp_path, capsys):
    votes, truth = crowd_file(tmp_path)
    out = tmp_path / "labels.jsonl"
    arguments = ["labels", str(votes), "-o", str(out), "--annot-mix"]
    assert cli.main([*arguments, "--features", str(tmp_path / "f.npy")]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    place = [int(row["image"].split()[1]) for row in rows]
    found = np.array([row["annot_mix"] for row in rows])
    assert np.allclose(found.sum(1), 1, atol=1e-6)
    assert (found.argmax(1) == truth[place]).mean() > 0.85
    assert cli.main(arguments) == 1
    assert "name these with --features FILE" in capsys.readouterr().err


def test_an_answer_from_features_has_everything_but_pictures(tmp_path, capsys):
    votes, _ = crowd_file(tmp_path)
    page = tmp_path / "answer.html"
    arguments = ["answer", str(votes), "--features", str(tmp_path / "f.npy"), "--profile", "smoke"]
    assert cli.main([*arguments, "--seeds", "0", "1", "--html", str(page)]) == 0
    said = capsys.readouterr().out
    assert "annot-mix" in said and "p3" in said and "Dawid and Skene" in said
    assert "item " in page.read_text() and "<img" in page.read_text()


def test_features_cannot_be_named_as_a_folder():
    with pytest.raises(ConfigError):
        RunConfig(dataset="folder:somewhere")


def test_annot_mix_on_songs_whose_genre_is_known():
    """On the judged songs of mgc: annot-mix before Dawid and Skene, and these before most votes."""
    data = data_or_skip("mgc")
    rows = np.unique(data.annotations.image)
    image = np.searchsorted(rows, data.annotations.image)
    given = Annotations(image, data.annotations.annotator, data.annotations.label)
    counts = votes_.counts(image, given.label, len(rows), len(data.classes))
    judged = replace(
        data, images=data.images[rows], counts=counts, ids=data.ids[rows], annotations=given, truth=None,
        splits={},
    )  # fmt: skip
    found = {
        "most votes": counts,
        "Dawid and Skene": dawid_skene(given, *counts.shape).posterior,
        "annot-mix": annotmix.estimate(judged),
    }
    right = {}
    for name, scores in found.items():  # of classes that tie each has its share
        top = scores == scores.max(1, keepdims=True)
        right[name] = float((top[np.arange(len(rows)), data.truth[rows]] / top.sum(1)).mean())
    assert right["annot-mix"] > right["Dawid and Skene"] + 0.01 > right["most votes"] + 0.03, right


def test_the_page_names_the_sizes_that_decide():
    text = PAGE.read_text(encoding="utf-8")
    assert f"Under {frozen.FEWER:,} images" in text and f"up to {frozen.MOST:,} images" in text


PAGE = PROJECT / "book" / "your_votes.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: re.findall(r"(?:import|from) (\w+)", code)[-1])
def test_the_examples_of_the_page_run(code, tmp_path, monkeypatch):
    """Each block of Python on the page, where what it names is; without its library it is compiled only."""
    run = compile(code, str(PAGE), "exec")
    if not all(importlib.util.find_spec(name) for name in ("keras", "datasets") if f" {name}" in code):
        return
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("cat/0.png", "cat/1.png", "dog/2.png")):
        (tmp_path / "PATH" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)).save(tmp_path / "PATH" / name)
    lines = "image,annotator,label\ncat/0.png,a,cat\ncat/0.png,b,dog\ncat/1.png,a,cat\ndog/2.png,a,dog\n"
    for place in ("PATH/annotations.csv", "votes.csv"):
        (tmp_path / place).write_text(lines)
    for kind in ("csv", "jsonl"):
        assert cli.main(["labels", "PATH", "-o", f"labels.{kind}"]) == 0
    given = {
        "model": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)),
        "batch": torch.ones(2, 3, 8, 8),
        "rows": [0, 2],
        "embed": lambda names: np.ones((len(names), 4)),
    }
    if "keras" in code:
        import keras

        given["images"] = np.ones((3, 192), np.float32)
        given["model"] = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    exec(run, given)
    if "value" in given:
        assert float(given["value"].detach()) > 0
    if "target" in given:
        assert list(np.asarray(given["target"])) == [0.5, 0.5]
    if "targets" in given:
        assert np.asarray(given["targets"]).tolist() == [[0.5, 0.5], [1, 0], [0, 1]]
