"""The noise ceiling: exact where it can be, and right on simulated panels whose truth is known."""

import itertools

import numpy as np
import pytest
from scipy.stats import multinomial
from softlabels.chapters import noise_ceiling
from softlabels.datasets import synthetic
from softlabels.errors import DataError, RecordError
from softlabels.labels import ceiling, metrics
from softlabels.labels import votes as labels


def ambiguous(n_images=3000):
    return synthetic.distributions(synthetic.scenes(0, n_images)).astype(np.float64)


def imbalanced(n_images=3000, n_classes=8, seed=0):
    """Eight classes, the last of them rare, more or less ambiguous: the shape of FER+."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(2.0 ** -np.arange(n_classes), n_images).clip(1e-9)
    return p / p.sum(1, keepdims=True)


def test_the_floor_is_the_mean_over_all_panels():
    """Against the definition: every panel of three annotations, weighted by its probability."""
    p = np.array([[0.5, 0.3, 0.2], [0.98, 0.01, 0.01], [1.0, 0.0, 0.0]])
    every = [c for c in itertools.product(range(4), repeat=3) if sum(c) == 3]
    expected = np.zeros(3)
    for counts in every:
        q = np.array(counts) / 3
        for i, row in enumerate(p):
            weight = multinomial.pmf(counts, 3, row)
            expected[i] += weight * metrics.kl_divergence(q[None], row[None]) if weight else 0
    assert ceiling.noise_floor(p, 3) == pytest.approx(expected, abs=1e-9)


def test_the_floor_tends_to_the_known_limit():
    """(K - 1) / 2n for many annotations."""
    p = np.array([[0.2, 0.3, 0.5]])
    assert ceiling.noise_floor(p, 2000) == pytest.approx([2 / 4000], rel=0.01)


def test_the_entropy_of_a_part_is_the_mean_over_all_parts():
    counts = np.array([[3, 1, 1]])
    votes = [0, 0, 0, 1, 2]
    parts = [np.bincount(part, minlength=3) for part in itertools.combinations(votes, 2)]
    expected = np.mean([labels.entropy(part[None] / 2)[0] for part in parts])
    assert ceiling.panel_entropy(counts, np.array([2])) == pytest.approx([expected])
    assert ceiling.panel_entropy(counts, np.array([5])) == pytest.approx(labels.entropy(counts / 5))


def test_halves_are_disjoint_parts_of_the_panel():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(9, [0.5, 0.3, 0.2], size=200)
    a, b = ceiling.halves(counts, rng)
    assert (a.sum(1) == 4).all() and (b.sum(1) == 4).all()
    assert (a + b <= counts).all() and ((counts - a - b).sum(1) == 1).all()


def test_each_vote_has_the_same_chance_to_be_in_a_half():
    counts = np.tile([6, 3, 1], (4000, 1))
    a, b = ceiling.halves(counts, np.random.default_rng(1))
    for half in (a, b):
        assert half.mean(0) == pytest.approx([3, 1.5, 0.5], abs=0.05)


@pytest.mark.parametrize("n", [8, 16, 50])
@pytest.mark.parametrize("p", [ambiguous(), imbalanced()], ids=["synthetic", "imbalanced"])
def test_the_estimates_cover_the_truth_of_simulated_panels(p, n):
    found = ceiling.simulate(p, n, np.random.default_rng(0), n_boot=5)
    assert 0.75 * found["true_kl"] < found["kl"] < 1.05 * found["true_kl"]
    assert found["true_kl"] < found["kl_above"]
    error = found["accuracy"] - found["true_accuracy"]
    assert 2 * found["accuracy"] - 1 < found["true_accuracy"]  # the agreement of halves is too low
    rare = p.shape[1] == 8  # too high there, as the docstring says
    assert 0 < error < 0.12 if rare else abs(error) < 0.03


def test_with_few_rare_classes_the_estimate_of_kl_is_close():
    found = ceiling.simulate(ambiguous(), 10, np.random.default_rng(3), n_boot=2)
    assert found["kl"] == pytest.approx(found["true_kl"], rel=0.05)


def test_a_perfect_model_scores_what_the_ceiling_says():
    p, rng = ambiguous(), np.random.default_rng(5)
    counts = rng.multinomial(20, p / p.sum(1, keepdims=True))
    realised = metrics.kl_divergence(counts / 20, p)
    found = ceiling.split_half(counts, rng, n_boot=40)
    assert found.kl_low < found.kl < found.kl_high < found.kl_above
    assert found.kl_low - 0.003 < realised < found.kl_high + 0.003
    assert found.accuracy_low <= found.accuracy <= found.accuracy_high
    assert found.panel == (20, 20, 20) and found.n_images == 3000


def test_more_annotators_raise_the_ceiling():
    p = imbalanced()
    few, many = (ceiling.simulate(p, n, np.random.default_rng(0), 3) for n in (8, 32))
    assert many["kl"] < few["kl"] and many["accuracy"] > few["accuracy"]


def test_people_who_always_agree_leave_no_noise():
    counts = 10 * np.eye(4)[np.arange(40) % 4]
    found = ceiling.split_half(counts, np.random.default_rng(0), 3)
    assert found.kl == pytest.approx(0, abs=1e-12) and found.accuracy == 1 and found.agreement == 1


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.array([[0.3, 0.7]]), "whole numbers"),
        (np.array([[2, 1], [4, 4]]), "panels of 3"),
        (np.array([[1, 0], [4, 4]]), "panels of 1"),
    ],
)
def test_what_cannot_be_answered_is_said(counts, words):
    with pytest.raises(DataError, match=words):
        ceiling.split_half(counts, np.random.default_rng(0), 1)


def test_a_committed_ceiling_is_read_and_a_damaged_one_named(store):
    path = noise_ceiling.publish("micebone-standin")
    found = noise_ceiling.get("micebone-standin")
    assert found.n_images == 2400 and 0 < found.kl < found.kl_above
    path.write_text("{}")
    with pytest.raises(RecordError, match=r"python -m softlabels\.chapters\.noise_ceiling` renews"):
        noise_ceiling.get("micebone-standin")
