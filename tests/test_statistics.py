"""Intervals against scipy, Holm against hand-worked examples and its defining properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, rankdata, ttest_rel
from softlabels.analysis import statistics

SEEDS = np.array([0.91, 0.93, 0.90, 0.95]), np.array([0.88, 0.91, 0.89, 0.90])


def test_mean_and_sample_standard_deviation():
    mean, sd = statistics.mean_sd([1.0, 2.0, 3.0, 6.0])
    assert (mean, sd) == pytest.approx((3.0, np.sqrt(14 / 3)))
    assert np.isnan(statistics.mean_sd([1.0])[1])


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_paired_interval_is_scipys(level):
    a, b = SEEDS
    mine, theirs = statistics.paired_interval(a, b, level), ttest_rel(a, b).confidence_interval(level)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))
    assert mine.n == 4 and mine.mean == pytest.approx((a - b).mean())


def test_an_interval_excludes_zero_exactly_where_p_is_below_alpha():
    a, b = SEEDS
    for shift in np.linspace(-0.06, 0.06, 25):
        found = statistics.paired_interval(a, b + shift, overlap=0.2)
        assert (found.sign != 0) == (found.p < 0.05)


def test_p_of_pairs_is_scipys():
    rng = np.random.default_rng(0)
    for n in (2, 3, 10):
        a, b = rng.normal(size=(2, n))
        assert statistics.paired_interval(a, b).p == pytest.approx(ttest_rel(a, b).pvalue, rel=1e-12)
    assert statistics.paired_interval([1, 2], [0, 1]).p == 0
    assert all(np.isnan(statistics.paired_interval(a, b).p) for a, b in (([1, 2], [1, 2]), ([1], [2])))


def test_ranks_share_ties_as_scipys_do():
    scores = np.random.default_rng(0).integers(0, 4, (20, 5)) / 4
    found = statistics.ranks(scores)
    np.testing.assert_allclose(found.mean, rankdata(-scores, axis=1).mean(0))
    theirs = friedmanchisquare(*scores.T)
    assert (found.statistic, found.p) == (pytest.approx(theirs.statistic), pytest.approx(theirs.pvalue))


def test_one_pair_has_no_interval_and_decides_nothing():
    alone = statistics.paired_interval([0.9], [0.5])
    assert (alone.low, alone.high, alone.sign) == (None, None, 0)


def test_images_in_common_widen_the_interval_to_cover_what_others_would_give():
    """Runs and images are drawn anew; the interval over runs alone misses the truth too often."""
    rng, plain, wide = np.random.default_rng(0), 0, 0
    for _ in range(400):
        images = rng.normal(0.0, 1.0, 500)  # what each image adds to the difference, in every run
        runs = images.mean() + rng.normal(0.0, 0.02, 3)
        groups = np.arange(500) % 20
        left_out = [images[groups != g].mean() + runs.mean() - images.mean() for g in range(20)]
        zero = np.zeros(3)
        plain += statistics.paired_interval(runs, zero).sign == 0
        wide += statistics.paired_interval(runs, zero, left_out=left_out).sign == 0
    assert plain < 0.85 * 400 and 0.93 * 400 <= wide <= 0.985 * 400


def test_without_spread_over_images_nothing_widens():
    plain, same = (statistics.paired_interval(*SEEDS, left_out=found) for found in ([], [0.02] * 20))
    assert (same.low, same.high, same.p) == pytest.approx((plain.low, plain.high, plain.p))
    assert statistics.paired_interval([1.0, 1.0], [1.0, 1.0], left_out=[0.0] * 20).sign == 0


def test_sign_of_an_interval():
    assert statistics.paired_interval([2.0, 2.1, 1.9], [1.0, 1.0, 1.0]).sign == 1
    assert statistics.paired_interval([1.0, 1.0, 1.0], [2.0, 2.1, 1.9]).sign == -1
    assert statistics.paired_interval([1.0, 3.0], [2.0, 2.0]).sign == 0


def test_pairs_are_needed():
    with pytest.raises(ValueError, match="found 2 and 1"):
        statistics.paired_interval([1.0, 2.0], [1.0])


def test_effect_size_by_hand():
    assert statistics.effect_size([2.0, 4.0], [1.0, 1.0]) == pytest.approx(2 / np.sqrt(2))
    assert np.isnan(statistics.effect_size([2.0, 3.0], [1.0, 2.0]))


def test_holm_by_hand():
    adjusted = statistics.holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_the_first_hypothesis_it_keeps():
    adjusted = statistics.holm([0.001, 0.03, 0.04])  # .03 · 2 > .05, so .04 · 1 must not be rejected either
    assert (adjusted <= 0.05).tolist() == [True, False, False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p):
    adjusted, p = statistics.holm(p), np.array(p)
    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
