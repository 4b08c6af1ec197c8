"""Agreement against published, hand-worked examples and against slow definitions; who is conspicuous."""

import numpy as np
import pytest
from softlabels.datasets import Annotations
from softlabels.labels import agreement
from softlabels.labels.votes import counts as count

# Ten subjects, fourteen raters, five categories: the worked example of the encyclopaedia's article.
FLEISS = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip
# Four observers, twelve units, with missing values (Krippendorff 2011, section C).
OBSERVERS = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]


def krippendorff_counts():
    table = np.zeros((12, 5))
    for row in OBSERVERS:
        for unit, value in enumerate(row.split()):
            if value != ".":
                table[unit, int(value) - 1] += 1
    return table


def test_fleiss_worked_example():
    assert agreement.fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


def test_krippendorff_worked_example():
    assert agreement.krippendorff_alpha(krippendorff_counts()) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_what_its_coincidences_say():
    table = np.random.default_rng(0).integers(0, 4, (30, 3))
    pairs = np.zeros((3, 3))
    for row in table[table.sum(1) >= 2]:
        values = np.repeat(np.arange(3), row)
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                if i != j:
                    pairs[a, b] += 1 / (len(values) - 1)
    n, of_class = pairs.sum(), pairs.sum(1)
    expected = (np.outer(of_class, of_class) - np.diag(of_class)) / (n - 1)
    off = ~np.eye(3, dtype=bool)
    alpha = 1 - pairs[off].sum() / expected[off].sum()
    assert agreement.krippendorff_alpha(table) == pytest.approx(alpha)


def test_kappa_is_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater", reason="extra crowds")
    table = np.random.default_rng(1).multinomial(7, [0.5, 0.3, 0.2], 40)
    assert agreement.fleiss_kappa(table) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-12)


def test_alpha_is_crowd_kits():
    data = pytest.importorskip("crowdkit.metrics.data", reason="extra crowds")
    pandas = pytest.importorskip("pandas")
    table = np.random.default_rng(2).integers(0, 4, (25, 3))
    said = [(i, k) for i, row in enumerate(table) for k in np.repeat(np.arange(3), row)]
    rows = [{"task": task, "worker": worker, "label": label} for worker, (task, label) in enumerate(said)]
    theirs = data.alpha_krippendorff(pandas.DataFrame(rows))
    assert agreement.krippendorff_alpha(table) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("measure", [agreement.fleiss_kappa, agreement.krippendorff_alpha])
def test_limits(measure):
    assert measure(np.array([[3, 0], [0, 3], [3, 0]])) == pytest.approx(1)
    assert np.isnan(measure(np.array([[1, 0], [0, 1]]))), "one annotation an image"
    assert np.isnan(measure(np.array([[4, 0], [2, 0]]))), "one class"
    rng = np.random.default_rng(0)
    assert measure(rng.multinomial(10, [0.5, 0.3, 0.2], 4000)) == pytest.approx(0, abs=0.01)
    assert measure(np.vstack([FLEISS, [[1, 0, 0, 0, 0]]])) == measure(FLEISS), (
        "single annotations say nothing"
    )


def people(errors, n=200, seed=0):
    """Annotators who err at given rates; an error of 2 answers at random, of 3 always class 0."""
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 3, n), []
    for rate in errors:
        wrong = (truth + rng.integers(1, 3, n)) % 3
        own = np.where(rng.random(n) < rate, wrong, truth)
        said.append(rng.integers(0, 3, n) if rate == 2 else np.zeros(n, int) if rate == 3 else own)
    image, annotator = np.tile(np.arange(n), len(errors)), np.repeat(np.arange(len(errors)), n)
    label = np.concatenate(said)
    return agreement.annotators(Annotations(image, annotator, label), count(image, label, n, 3))


def test_careless_and_monotonous_annotators_are_conspicuous():
    found = people([0.05, 0.1, 0.1, 0.2, 2, 3])
    assert [bool(a.reason) for a in found] == [False] * 4 + [True] * 2
    assert "one label only" in found[5].reason and found[4].kappa == pytest.approx(0, abs=0.1)
    assert found[0].agreement > found[3].agreement and found[0].n == found[0].shared == 200


@pytest.mark.parametrize("seed", range(8))
def test_nobody_is_conspicuous_among_equals(seed):
    assert not [a for a in people([0.2] * 8, seed=seed) if a.reason]


def test_little_is_said_of_who_did_little():
    found = people([0.1, 2], n=6)
    assert all(np.isnan(a.kappa) and not a.reason for a in found)
