"""Pairs of texts with a hundred votes, and questions with simulated annotators: counts, order, features."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import data_or_skip
from softlabels.datasets import chaosnli, fetch, texts, trec
from softlabels.errors import ConfigError, DataError, DataUnavailable
from softlabels.labels import votes

# pairs, mean entropy in nats, pairs with published logits in the development and in the test half
KNOWN = {"snli": (1514, 0.553, (729, 785)), "mnli": (1599, 0.743, (780, 789)), "alpha": (1532, 0.287, ())}


def examples(name):
    data_or_skip("chaosnli:snli/logits")  # which needs nothing but the files
    return chaosnli.examples(name)


@pytest.mark.parametrize("name", KNOWN)
def test_a_hundred_votes_for_every_pair_with_the_published_entropy(name):
    found, (n, entropy, _) = examples(name), KNOWN[name]
    assert len(set(found.uids)) == len(found.first) == len(found.second) == n
    assert (found.counts.sum(1) == 100).all()
    assert votes.entropy(votes.soft_labels(found.counts)).mean() == pytest.approx(entropy, abs=5e-4)


@pytest.mark.parametrize("name", ["snli", "mnli"])
def test_the_label_of_before_is_the_majority_of_the_five_of_before(name):
    found = examples(name)
    assert ((found.old.sum(1) == 5) | (found.old.sum(1) == 4)).all()
    assert (found.old.argmax(1) == found.truth).mean() > 0.99  # four votes can tie


@pytest.mark.parametrize("name", ["snli", "mnli"])
def test_logits_belong_to_their_pairs(name):
    found = examples(name)
    z, rows = chaosnli.logits(name, found.uids)
    assert len(rows) == sum(KNOWN[name][2])
    right = (z.argmax(1) == found.counts[rows].argmax(1)).mean()
    moved = (z.argmax(1) == np.roll(found.counts[rows].argmax(1), 7)).mean()
    assert right > 1.5 * moved
    entropy = votes.entropy(votes.soft_labels(found.counts[rows]))
    own = votes.entropy(np.exp(z) / np.exp(z).sum(1, keepdims=True))
    assert np.corrcoef(own, entropy)[0, 1] > 0.1 > abs(np.corrcoef(np.roll(own, 7), entropy)[0, 1])


def test_each_half_of_the_logits_has_the_pairs_that_are_known():
    for name, (_, _, halves) in KNOWN.items():
        uids = set(examples(name).uids)
        paths = [fetch.fetch(f"chaosnli/{file}") for file in chaosnli.PARTS[name].logits]
        assert tuple(len(uids & {line["uid"] for line in chaosnli._lines(p)}) for p in paths) == halves


def test_a_pair_with_logits_keeps_its_id():
    data = data_or_skip("chaosnli:mnli/logits")
    found = examples("mnli")
    assert data.images.shape == (1569, 3) and len(data.ids) == 1569
    assert np.array_equal(data.counts, found.counts[data.ids])
    assert np.array_equal(data.truth, found.truth[data.ids])


def vectors_of_a_hundred(both):
    """Vectors of the first hundred pairs; of all others zeros, which take no time."""
    out, half = np.zeros((len(both), texts.N_FEATURES), np.float32), len(both) // 2
    rows = np.r_[:100, half : half + 100]
    out[rows] = texts._embedded([both[row] for row in rows])
    return out


@pytest.mark.parametrize("name", ["snli", "snli+logits", "alpha"])
def test_features_of_a_pair_are_both_vectors_their_distance_and_product(name, monkeypatch):
    monkeypatch.setattr(texts, "embed", vectors_of_a_hundred)
    data = data_or_skip(f"chaosnli:{name}")
    x = data.images[data.ids < 100]
    u, v, apart, product = np.split(x[:, :1536], 4, axis=1)
    assert len(x) > 90 and x.shape[1] == 1536 + 3 * name.endswith("logits") and x.dtype == np.float32
    assert np.allclose(np.linalg.norm(u, axis=1), 1, atol=1e-5)
    assert np.array_equal(apart, np.abs(u - v)) and np.array_equal(product, u * v)
    # A hypothesis is nearer to its own premise than to another pair's.
    assert (product.sum(1) > (u * np.roll(v, 1, 0)).sum(1)).mean() > 0.8  # chance is one half


def test_a_wrong_name_is_answered_with_the_nearest():
    from softlabels.datasets import load

    with pytest.raises(ConfigError, match="did you mean 'snli'"):
        load("chaosnli:snlu")
    with pytest.raises(ConfigError, match=r"features of chaosnli:alpha.*logits"):
        load("chaosnli:alpha/logits")


@pytest.mark.parametrize("line", ["{", "[1]", '{"uid": "a", "label_counter": {"x": 100}, "old_label": "e"}'])
def test_a_damaged_line_is_named(line, tmp_path, monkeypatch):
    path = tmp_path / "snli.jsonl"
    path.write_text("\n".join([line] * 1514))
    monkeypatch.setattr(fetch, "fetch", lambda key: path)
    with pytest.raises(DataError, match=r"snli\.jsonl, line 1: expected"):
        chaosnli.examples("snli")


def test_without_the_model_sentences_are_refused_by_the_name_of_the_extra(store, monkeypatch):
    monkeypatch.setattr(texts, "find_spec", lambda name: None)
    with pytest.raises(DataUnavailable, match=r"softlabels\[sentences\]"):
        texts.embed(["a film"])


def test_another_release_of_the_model_is_refused(store, monkeypatch, tmp_path):
    there = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(texts, "find_spec", lambda name: there)
    with pytest.raises(DataError, match="no such file"):
        texts.embed(["a film"])


def test_a_sentence_is_near_to_what_it_means_whatever_stands_beside_it(store):
    pytest.importorskip(texts.PACKAGE)
    said = ["A man is eating food.", "A man eats something.", "The weather is cold."]
    x = texts.embed(said)
    near = x @ x.T
    assert near[0, 1] > 0.7 > 0.2 > max(near[0, 2], near[1, 2])
    alone = texts.embed(said[:1])  # without padding
    assert np.abs(alone[0] - x[0]).max() < 1e-5


def test_vectors_are_computed_once(store, monkeypatch):
    calls = []
    monkeypatch.setattr(
        texts, "_embedded", lambda texts: calls.append(1) or np.ones((len(texts), 384), np.float32)
    )
    assert np.array_equal(texts.embed(["a"]), texts.embed(["a"])) and len(calls) == 1
    texts.embed(["b"])
    assert len(calls) == 2


@pytest.fixture
def questions(monkeypatch):
    """The questions without their vectors, which take half a minute."""
    monkeypatch.setattr(texts, "embed", lambda said: np.zeros((len(said), texts.N_FEATURES), np.float32))
    return data_or_skip("trec6")


def test_questions_are_counted_as_published(questions):
    data = questions
    first, last = trec.N.values()
    assert np.bincount(data.truth[:first]).tolist() == [86, 1162, 1250, 1223, 835, 896]
    assert np.bincount(data.truth[first:]).tolist() == [9, 138, 94, 65, 81, 113]
    assert {name: len(rows) for name, rows in data.splits.items()} == {
        "train": 4952,
        "validation": 500,
        "test": last,
    }


def test_questions_keep_two_to_four_answers_and_all_for_testing(questions):
    data = questions
    n = np.bincount(data.annotations.image, minlength=len(data))
    assert set(n[data.splits["train"]]) == {2, 3, 4}
    assert set(n[data.splits["test"]]) == {20} and set(n[data.splits["validation"]]) == {0}
