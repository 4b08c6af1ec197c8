"""The measures against independent implementations, by hand, and by what holds for any p and q."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import rel_entr
from scipy.stats import entropy
from sklearn.metrics import balanced_accuracy_score
from softlabels.labels import metrics
from torchmetrics.functional.classification import multiclass_calibration_error


def draw(n=400, k=6, seed=0, concentration=0.5):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(k, concentration), n), rng.dirichlet(np.full(k, concentration), n)


@st.composite
def pairs(draw_):
    n, k = draw_(st.integers(2, 12)), draw_(st.integers(2, 5))
    raw = draw_(hnp.arrays(np.float64, (2, n, k), elements=st.integers(0, 20).map(float)))
    raw[..., 0] += raw.sum(-1) == 0
    return tuple(raw / raw.sum(-1, keepdims=True))


def test_kl_is_scipys():
    p, q = draw(concentration=2.0)
    assert metrics.kl_divergence(q, p) == pytest.approx(rel_entr(q, p).sum(1).mean(), rel=1e-5)
    assert metrics.kl_divergence(q, p) == pytest.approx(entropy(q, p, axis=1).mean(), rel=1e-5)


def test_kl_of_a_confident_mistake_is_bounded_by_the_floor():
    p, q = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert metrics.kl_divergence(q, p) == pytest.approx(-np.log(metrics.FLOOR))
    assert metrics.cross_entropy(p, q) == pytest.approx(7 * np.log(10))


def test_cross_entropy_on_one_hot_is_torchs():
    logits, target = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 4
    mine = metrics.cross_entropy(logits.softmax(-1).numpy(), np.eye(4)[target.numpy()])
    assert mine == pytest.approx(torch.nn.functional.cross_entropy(logits, target).item(), rel=1e-5)


def test_macro_accuracy_is_sklearns_balanced_accuracy():
    p, q = draw()
    q[q.argmax(1) == 3] = np.eye(6)[0]  # a class without images does not count
    assert metrics.macro_accuracy(p, q) == pytest.approx(balanced_accuracy_score(q.argmax(1), p.argmax(1)))


def test_macro_accuracy_by_hand():
    q = np.eye(3)[[0, 0, 0, 0, 1, 1]]
    p = np.eye(3)[[0, 0, 0, 1, 1, 2]]
    assert metrics.macro_accuracy(p, q) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_a_tie_counts_for_each_tied_class():
    tied = np.array([[0.5, 0.5]])
    for p in ([[0.6, 0.4]], [[0.4, 0.6]]):
        assert metrics.macro_accuracy(np.array(p), tied) == 1.0, "either class is right"
    # Two images of class 0, of which one is missed, and one that is half 0 and half 1, called 1:
    # recall of 0 is (1 + 1/2) / (2 + 1/2), that of 1 is 1.
    q, p = np.array([[1, 0], [1, 0], [0.5, 0.5]]), np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    assert metrics.macro_accuracy(p, q) == pytest.approx((1.5 / 2.5 + 1) / 2)
    assert metrics.macro_accuracy(tied, np.array([[1.0, 0.0]])) == 0.5, (
        "an undecided prediction is half right"
    )
    assert metrics.macro_accuracy(np.array([[0.4, 0.6]]), tied, ties="first") == 0.0


def test_every_tied_second_choice_is_one():
    q = np.array([[0.6, 0.2, 0.2]])
    for p in ([[0.5, 0.4, 0.1]], [[0.5, 0.1, 0.4]]):
        assert metrics.second_best_accuracy(np.array(p), q) == 1.0
    assert metrics.second_best_accuracy(np.array([[0.2, 0.5, 0.3]]), np.array([[0.5, 0.5, 0.0]])) == 0.0
    assert metrics.second_best_accuracy(np.array([[0.5, 0.1, 0.4]]), q, ties="first") == 0.0


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_without_ties_the_older_rule_is_the_same(pair):
    p, q = pair
    single = [(np.diff(np.sort(x, 1), axis=1) > 0).all(1) for x in (p, q)]
    p, q = (x[single[0] & single[1]] for x in (p, q))
    for name in ("macro_accuracy", "second_best_accuracy"):
        new, old = (getattr(metrics, name)(p, q, ties=rule) for rule in ("each", "first"))
        assert new == pytest.approx(old, nan_ok=True, abs=1e-12)


@given(pairs(), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_classes_does_not_matter_where_they_tie(pair, seed):
    p, q = pair
    order = np.random.default_rng(seed).permutation(p.shape[1])
    for name in ("macro_accuracy", "second_best_accuracy"):
        here, there = (getattr(metrics, name)(a, b) for a, b in ((p, q), (p[:, order], q[:, order])))
        assert here == pytest.approx(there, nan_ok=True, abs=1e-12)


def test_rows_that_do_not_sum_to_one_are_refused():
    good = np.array([[0.5, 0.5], [0.2, 0.8]])
    with pytest.raises(ValueError, match=r"rows of q must sum to 1; row 1 sums to 1\.3"):
        metrics.macro_accuracy(good, np.array([[0.5, 0.5], [0.5, 0.8]]))
    with pytest.raises(ValueError, match="rows of p must sum to 1; row 0 sums to 4"):
        metrics.kl_divergence(good, np.array([[3.0, 1.0], [0.5, 0.5]]))


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_ece_on_hard_targets_is_torchmetrics(bins):
    p, q = draw(2000, seed=1)
    p[:20] = np.eye(6)[0]  # confidence 1 as well
    hard = q.argmax(1)
    theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(hard), num_classes=6, n_bins=bins)
    assert metrics.ece(p, np.eye(6)[hard], bins) == pytest.approx(theirs.item(), abs=1e-6)


def test_ece_on_soft_targets_is_the_expected_gap():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    q = np.array([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    assert metrics.ece(p, q) == pytest.approx((2 * 0.2 + 0.1) / 3)  # the first two share a bin
    assert metrics.ece(q, q) == pytest.approx(0)


def test_ece_on_soft_targets_is_the_hard_one_for_many_sampled_labels():
    p, q = draw(200_000, k=3, seed=2)
    sampled = (np.random.default_rng(3).random((len(q), 1)) > q.cumsum(1)).sum(1).clip(max=2)
    assert metrics.ece(p, q) == pytest.approx(metrics.ece(p, np.eye(3)[sampled]), abs=0.01)


def test_brier_by_hand():
    p, q = np.array([[0.7, 0.3], [0.0, 1.0]]), np.array([[0.5, 0.5], [1.0, 0.0]])
    assert metrics.brier(p, q) == pytest.approx((0.08 + 2) / 2)


def test_entropy_correlation():
    p, _ = draw()
    assert metrics.entropy_correlation(p, p) == pytest.approx(1)
    assert metrics.entropy_correlation(p[:, ::-1], p) == pytest.approx(1)
    assert np.isnan(metrics.entropy_correlation(p, np.eye(6)[p.argmax(1)]))


def test_second_best_accuracy_counts_images_with_a_second_choice():
    q = np.array([[0.6, 0.4, 0.0], [1.0, 0.0, 0.0], [0.1, 0.2, 0.7]])
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]])
    assert metrics.second_best_accuracy(p, q) == 0.5
    assert np.isnan(metrics.second_best_accuracy(p, np.eye(3)))


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_what_holds_for_any_two_distributions(pair):
    p, q = pair
    assert metrics.kl_divergence(q, p) >= -1e-5  # clipping p lifts its sum by at most K · 1e-7
    assert metrics.kl_divergence(q, q) == pytest.approx(0, abs=1e-12)
    assert 0 <= metrics.macro_accuracy(p, q) <= 1
    assert 0 <= metrics.brier(p, q) <= 2
    assert 0 <= metrics.ece(p, q) <= 1


@given(pairs(), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_images_does_not_matter(pair, seed):
    p, q = pair
    rows = np.random.default_rng(seed).permutation(len(p))
    with np.errstate(divide="ignore"):
        before, after = metrics.evaluate(np.log(p), q), metrics.evaluate(np.log(p[rows]), q[rows])
    assert before == pytest.approx(after, abs=1e-9)


def test_the_order_of_the_classes_does_not_matter():
    p, q = draw()
    order = np.random.default_rng(0).permutation(6)
    moved = metrics.evaluate(np.log(p[:, order]), q[:, order])
    assert moved == pytest.approx(metrics.evaluate(np.log(p), q), abs=1e-12)


def test_evaluate_leaves_out_what_is_undefined():
    p, q = draw()
    full = metrics.evaluate(np.log(p), q)
    names = "macro_accuracy kl cross_entropy brier ece entropy_correlation second_best_accuracy"
    assert list(full) == names.split()
    assert full["cross_entropy"] == pytest.approx(full["kl"] + entropy(q, axis=1).mean())
    hard = metrics.evaluate(np.log(p), np.eye(6)[q.argmax(1)])
    assert set(full) - set(hard) == {"entropy_correlation", "second_best_accuracy"}


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 2\)"):
        metrics.brier(np.ones((2, 3)), np.ones((2, 2)))
