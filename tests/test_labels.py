"""Labels: hand-worked examples, and properties that hold for any annotations."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from softlabels.errors import DataError
from softlabels.labels import votes as labels

# Three images, three classes: a clear majority, a draw, one annotator.
COUNTS = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 1]], np.float32)


def rng(seed=0):
    return np.random.default_rng(seed)


def tables(least=0):
    """Annotation counts [N, K] in which every image has at least `least` annotations."""
    shape = st.tuples(st.integers(1, 8), st.integers(1, 6))
    whole = hnp.arrays(np.int64, shape, elements=st.integers(0, 20))
    return whole.filter(lambda c: (c.sum(1) >= least).all()).map(lambda c: c.astype(np.float32))


annotated = tables(least=1)
distributions = annotated.map(labels.soft_labels)
seeds = st.integers(0, 2**32 - 1)


# counts


def test_counts_by_hand():
    image, label = np.array([0, 0, 1, 0, 2]), np.array([1, 1, 0, 2, 2])
    found = labels.counts(image, label, 3, 3)
    np.testing.assert_array_equal(found, [[0, 2, 1], [1, 0, 0], [0, 0, 1]])
    assert found.dtype == np.float32


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=60))
def test_counts_equal_a_loop(pairs):
    expected = np.zeros((5, 3))
    for i, k in pairs:
        expected[i, k] += 1
    image, label = np.array(pairs, np.int64).reshape(-1, 2).T
    np.testing.assert_array_equal(labels.counts(image, label, 5, 3), expected)


@pytest.mark.parametrize(
    ("image", "label", "named"),
    [([0, 5], [0, 0], "annotation 1: image 5"), ([0, 1], [-1, 0], "annotation 0: label -1")],
)
def test_annotations_outside_are_refused(image, label, named):
    with pytest.raises(DataError, match=named):
        labels.counts(np.array(image), np.array(label), 5, 3)


# soft labels


def test_soft_labels_by_hand():
    np.testing.assert_array_equal(
        labels.soft_labels(COUNTS), np.array([[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 1]], np.float32)
    )


@given(annotated)
def test_soft_labels_are_distributions(counts):
    soft = labels.soft_labels(counts)
    assert soft.dtype == np.float32
    assert (soft >= 0).all()
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(soft * counts.sum(1, keepdims=True), counts, atol=1e-4)
    np.testing.assert_allclose(labels.soft_labels(soft), soft, atol=1e-6)


@pytest.mark.parametrize("row", [[0, 0, 0], [1, -1, 3], [1, np.nan, 0], [np.inf, 1, 1]])
def test_soft_labels_of_impossible_counts_are_refused(row):
    with pytest.raises(DataError):
        labels.soft_labels(np.array([[1, 0, 0], row], np.float32))


def test_the_image_without_annotations_is_named():
    with pytest.raises(DataError, match="image 1 has no annotation"):
        labels.soft_labels(np.array([[1, 0], [0, 0]], np.float32))


# hard labels


def test_hard_labels_by_hand():
    hard, n_ties = labels.hard_labels(COUNTS, rng())
    assert (hard[0], hard[2], n_ties) == (0, 2, 1)
    assert hard[1] in (0, 1)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), seeds)
def test_one_annotator_gives_the_hard_label(votes, seed):
    votes = np.array(votes)
    counts = labels.counts(np.arange(len(votes)), votes, len(votes), 5)
    hard, n_ties = labels.hard_labels(counts, rng(seed))
    np.testing.assert_array_equal(hard, votes)
    assert n_ties == 0


@given(annotated, seeds)
def test_hard_labels_are_most_frequent_classes(counts, seed):
    hard, n_ties = labels.hard_labels(counts, rng(seed))
    np.testing.assert_array_equal(counts[np.arange(len(counts)), hard], counts.max(1))
    assert n_ties == sum(list(row).count(row.max()) > 1 for row in counts)


def test_ties_are_broken_evenly_among_the_tied_classes():
    counts = np.tile(np.array([[2, 0, 2, 1, 2]], np.float32), (3, 1))
    drawn = np.concatenate([labels.hard_labels(counts, rng(seed))[0] for seed in range(1000)])
    n = np.bincount(drawn, minlength=5)
    assert n[[1, 3]].sum() == 0
    assert (abs(n[[0, 2, 4]] - 1000) < 4 * np.sqrt(3000 * (1 / 3) * (2 / 3))).all()


# sampled labels


@given(annotated, seeds)
def test_sampled_labels_were_annotated(counts, seed):
    drawn = labels.sampled_labels(counts, rng(seed))
    assert drawn.dtype == np.int64
    assert (counts[np.arange(len(counts)), drawn] > 0).all()
    np.testing.assert_array_equal(drawn, labels.sampled_labels(counts, rng(seed)))


def test_sampled_labels_follow_the_distribution():
    p, n = np.array([0.5, 0.3, 0.0, 0.15, 0.05]), 20_000
    drawn = labels.sampled_labels(np.tile(p.astype(np.float32), (n, 1)), rng(1))
    bound = 4 * np.sqrt(n * p * (1 - p))
    assert (abs(np.bincount(drawn, minlength=5) - n * p) <= bound).all()


# subsampling


@given(annotated, st.integers(1, 30), seeds)
def test_a_subsample_is_a_part_of_the_annotations(counts, n, seed):
    kept = labels.subsample(counts, n, rng(seed))
    assert (kept <= counts).all()
    assert (kept >= 0).all()
    np.testing.assert_array_equal(kept.sum(1), np.minimum(counts.sum(1), n))


def test_a_subsample_of_all_annotations_is_all_of_them():
    np.testing.assert_array_equal(labels.subsample(COUNTS, 4, rng()), COUNTS)


def test_a_subsample_is_hypergeometric():
    counts, n = np.tile(np.array([[6, 3, 1]], np.float32), (5000, 1)), 4
    kept = labels.subsample(counts, n, rng(2))
    exact = scipy.stats.hypergeom(10, np.array([6, 3, 1]), n)
    bound = 4 * exact.std() / np.sqrt(len(counts))
    assert (abs(kept.mean(0) - exact.mean()) < bound).all()
    assert kept[:, 2].max() == 1  # with replacement it would exceed the single annotation


def test_an_exact_distribution_stands_for_unlimited_annotators():
    exact = np.tile(np.array([[0.7, 0.3, 0.0]], np.float32), (4000, 1))
    kept = labels.subsample(exact, 10, rng(3))
    np.testing.assert_array_equal(kept.sum(1), 10)
    assert kept[:, 2].max() == 0
    assert abs(kept[:, 0].mean() - 7) < 4 * np.sqrt(10 * 0.7 * 0.3 / len(exact))


def test_a_distribution_whose_float32_sum_is_off_by_rounding_is_drawn_from():
    exact = np.random.default_rng(0).dirichlet(np.ones(6), 5000).astype(np.float32)
    assert (exact.astype(np.float64)[:, :-1].sum(1) + exact[:, -1] > 1 + 1e-9).any()
    np.testing.assert_array_equal(labels.subsample(exact, 3, rng(1)).sum(1), 3)
    certain = np.tile(np.array([[0.1, 0.2, 0.7, 0.0]], np.float32), (10, 1))
    assert labels.subsample(certain, 5, rng(1))[:, 3].max() == 0


def test_a_subsample_of_nothing_is_refused():
    with pytest.raises(DataError, match="at least 1"):
        labels.subsample(COUNTS, 0, rng())


# transformations


def test_one_hot_by_hand():
    found = labels.one_hot(np.array([2, 0]), 3)
    np.testing.assert_array_equal(found, [[0, 0, 1], [1, 0, 0]])
    assert found.dtype == np.float32


def test_smoothing_by_hand():
    found = labels.smoothed(np.array([[1, 0, 0, 0]], np.float32), 0.2)
    np.testing.assert_allclose(found, [[0.85, 0.05, 0.05, 0.05]], atol=1e-7)


@given(distributions, st.floats(0, 1))
def test_smoothing_keeps_mass_and_order(p, epsilon):
    q = labels.smoothed(p, epsilon)
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(q.max(1), (1 - epsilon) * p.max(1) + epsilon / p.shape[1], atol=1e-6)
    assert (np.take_along_axis(q, p.argmax(1)[:, None], 1)[:, 0] >= q.max(1) - 1e-7).all()
    np.testing.assert_array_equal(labels.smoothed(p, 0), p)
    np.testing.assert_allclose(labels.smoothed(p, 1), 1 / p.shape[1], atol=1e-7)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, np.nan])
def test_impossible_smoothing_is_refused(epsilon):
    with pytest.raises(DataError, match="smoothing"):
        labels.smoothed(np.eye(3, dtype=np.float32), epsilon)


def test_temperature_by_hand():
    p = np.array([[0.8, 0.2, 0]], np.float32)
    np.testing.assert_allclose(labels.at_temperature(p, 0.5), [[16 / 17, 1 / 17, 0]], atol=1e-6)
    np.testing.assert_allclose(labels.at_temperature(p, 2), [[2 / 3, 1 / 3, 0]], atol=1e-6)


@given(distributions, st.floats(0.05, 50))
def test_temperature_keeps_mass_support_and_order(p, temperature):
    q = labels.at_temperature(p, temperature)
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-6)
    assert (q[p == 0] == 0).all()
    assert (np.take_along_axis(q, p.argmax(1)[:, None], 1)[:, 0] >= q.max(1) - 1e-7).all()
    np.testing.assert_allclose(labels.at_temperature(p, 1), p, atol=1e-6)


@given(distributions, st.floats(0.2, 1), st.floats(1, 5))
def test_temperature_orders_the_entropies(p, cold, hot):
    entropies = [labels.entropy(labels.at_temperature(p, t)) for t in (cold, 1, hot)]
    assert (np.diff(entropies, axis=0) >= -1e-5).all()


@given(distributions, st.floats(0.3, 3), st.floats(0.3, 3))
def test_temperatures_multiply(p, first, second):
    twice = labels.at_temperature(labels.at_temperature(p, first), second)
    np.testing.assert_allclose(twice, labels.at_temperature(p, first * second), atol=1e-4)


def test_the_coldest_temperature_gives_the_majority_without_underflow():
    p = np.array([[0.4, 0.35, 0.25]], np.float32)
    np.testing.assert_allclose(labels.at_temperature(p, 1e-3), [[1, 0, 0]], atol=1e-7)


@pytest.mark.parametrize("temperature", [0, -1, np.nan])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(DataError, match="temperature"):
        labels.at_temperature(np.eye(3, dtype=np.float32), temperature)


# entropy


def test_entropy_by_hand():
    p = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(labels.entropy(p), [0, np.log(2), np.log(4)])


@given(distributions)
def test_entropy_is_scipy_s(p):
    p = p.astype(np.float64)
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(labels.entropy(p), scipy.stats.entropy(p, axis=1), atol=1e-12)
