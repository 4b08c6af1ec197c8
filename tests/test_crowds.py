"""Datasets with named annotators: counts as published, rows aligned, nothing shuffled."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import data_or_skip
from softlabels.datasets import Annotations, cifar10_crowds, letter, simulated, texts
from softlabels.datasets.fetch import FILES
from softlabels.errors import DataError, DataUnavailable
from softlabels.labels import votes as labels
from softlabels.labels.agreement import facts, heterogeneity
from softlabels.labels.votes import chosen

# name: images, classes, annotators, judgements to train on, accuracy of these, sizes of the parts (AM)
KNOWN = {
    "mgc": (1000, 10, 44, 2945, 0.560, (700, 100, 200)),
    "labelme": (2688, 8, 59, 2547, 0.740, (1000, 500, 1188)),
    "labelme-64px": (2688, 8, 59, 2547, 0.740, (1000, 500, 1188)),
    "sentiment": (8998, 2, 203, 27746, 0.789, (4999, 500, 3499)),
    "letter": (20000, 26, 20, 46567, 0.504, (15500, 500, 4000)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_counts_are_the_published_ones(name):
    data = data_or_skip(name)
    n, k, m, judged, right, sizes = KNOWN[name]
    assert (len(data), len(data.classes), data.n_annotators) == (n, k, m)
    assert tuple(len(data.splits[p]) for p in ("train", "validation", "test")) == sizes
    assert np.array_equal(np.sort(np.concatenate(list(data.splits.values()))), np.arange(n))
    found = chosen(data.annotations, data.splits["train"])
    assert len(found.image) == judged
    assert 1 - facts(found, data.truth)["noise"] == pytest.approx(right, abs=1e-3)


@pytest.mark.parametrize("name", KNOWN)
def test_counts_are_votes_or_else_the_truth(name):
    data = data_or_skip(name)
    votes = labels.counts(data.annotations.image, data.annotations.label, len(data), len(data.classes))
    seen = votes.sum(1) > 0
    assert np.array_equal(data.counts[seen], votes[seen])
    assert np.array_equal(data.counts[~seen].argmax(1), data.truth[~seen])
    assert (data.counts[~seen].sum(1) == 1).all()


@pytest.mark.parametrize("name", ["mgc", "labelme", "sentiment"])
def test_features_and_truth_belong_together(name):
    """Nearest class mean, learnt on the training part, is far better than chance on the test part."""
    data = data_or_skip(name)
    train, test = data.splits["train"], data.splits["test"]
    x = (data.images - data.images[train].mean(0)) / (data.images[train].std(0) + 1e-6)
    means = np.stack([x[train][data.truth[train] == k].mean(0) for k in range(len(data.classes))])
    near = ((x[test, None] - means) ** 2).sum(2).argmin(1)
    assert (near == data.truth[test]).mean() > {"mgc": 0.5, "labelme": 0.8, "sentiment": 0.62}[name]


@pytest.mark.parametrize("name", ["mgc", "labelme", "letter", "sentiment"])
def test_answers_belong_to_their_images_and_people(name):
    data = data_or_skip(name)
    found = chosen(data.annotations, data.splits["train"])
    moved = Annotations((found.image + 7) % len(data.splits["train"]), found.annotator, found.label)
    agree = (found.label == data.truth[found.image]).mean()
    assert agree > 1.4 * (moved.label == data.truth[moved.image]).mean()
    assert heterogeneity(found, data.truth)["p"] < 1e-3  # people differ


def test_both_labelme_sets_are_the_same_photographs():
    a, b = data_or_skip("labelme"), data_or_skip("labelme-64px")
    assert np.array_equal(a.truth, b.truth) and np.array_equal(a.counts, b.counts)
    assert b.images.shape == (2688, 64, 64, 3) and b.images.dtype == np.uint8


def test_without_the_encoder_sentences_are_refused_by_the_name_of_the_extra(monkeypatch):
    monkeypatch.setattr(texts, "find_spec", lambda name: None)
    with pytest.raises(DataUnavailable, match=r"softlabels\[text\]"):
        texts.encode(["a film"])


def test_another_release_of_the_encoder_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(
        texts, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    )
    with pytest.raises(DataError, match="no such file"):
        texts.encode(["a film"])


def test_a_sentence_is_the_mean_of_its_tokens_wherever_it_stands():
    pytest.importorskip("wordllama")
    a, b, nothing = texts.encode(["a dull film .", "a gem", ""])
    assert np.array_equal(texts.encode(["a gem"])[0], b)
    assert not np.allclose(a, b) and not nothing.any()


def test_the_published_split_of_music_genres_is_scikit_learns():
    model_selection = pytest.importorskip("sklearn.model_selection")
    data = data_or_skip("mgc")
    found, _ = model_selection.train_test_split(
        np.arange(300), train_size=100, random_state=0, stratify=data.truth[700:]
    )
    assert np.array_equal(data.splits["validation"], np.sort(found) + 700)


def test_letters_keep_two_to_four_answers_and_all_for_testing():
    data = data_or_skip("letter")
    n = np.bincount(data.annotations.image, minlength=len(data))
    assert set(n[data.splits["train"]]) == {2, 3, 4}
    assert set(n[data.splits["test"]]) == {20} and set(n[data.splits["validation"]]) == {0}
    shares = [np.bincount(data.truth[rows], minlength=26) / len(rows) for rows in data.splits.values()]
    assert np.abs(np.diff(shares, axis=0)).max() < 0.005


def test_kept_answers_are_unequally_many_per_annotator():
    kept = letter.keep(3000, np.random.default_rng(0))
    assert np.ptp(kept.mean(0)) > 0.1


def test_simulated_annotators_answer_by_their_matrices():
    p = np.eye(6, dtype=np.float32)[np.arange(6000) % 6]
    found = simulated.annotate(p, np.random.default_rng(0))
    assert len(found.image) == 3 * len(p)
    pairs = set(zip(found.image.tolist(), found.annotator.tolist(), strict=True))
    assert len(pairs) == len(found.image)  # nobody judges an image twice
    seen = np.zeros((simulated.N_ANNOTATORS, 6, 6))
    np.add.at(seen, (found.annotator, p[found.image].argmax(1), found.label), 1)
    assert np.abs(seen / seen.sum(2, keepdims=True) - simulated.confusions()).max() < 0.15
    assert np.allclose(simulated.confusions().sum(2), 1) and len(simulated.kinds()) == simulated.N_ANNOTATORS


def test_measurements_tell_colour_and_shape(store):
    data = simulated.load(n_images=600)
    sure = data.counts.max(1) > 0.95
    x, truth = data.images[sure], data.truth[sure]
    assert np.array_equal(x[:, :3].argmax(1), np.array([2, 2, 1, 1, 0, 0])[truth])  # b, b, g, g, r, r
    circle = np.isin(truth, [0, 2, 4])
    assert x[circle, 5].mean() > x[~circle, 5].mean() + 0.15


def test_workers_of_cifar10n_carry_nothing():
    try:
        (given, worse), columns = cifar10_crowds.answers(), cifar10_crowds.workers()
    except DataUnavailable as error:
        pytest.skip(str(error))
    from softlabels.chapters.annot_mix_people import worker_tests

    assert given.shape == columns.shape == (50_000, 3) and (worse[:, None] == given).any(1).all()
    tests = list(worker_tests().values())
    assert tests[0] < 1.2 and tests[3] < 1.2  # chance
    assert tests[1] > 2 and tests[2] == pytest.approx(tests[1], rel=0.05)  # made by the rule of pairing


def test_every_file_of_the_crowds_is_registered():
    folders = {key.split("/")[0] for key in FILES}
    assert {"music", "labelme", "letter", "cifar10n", "sentiment"} <= folders
