"""Spread over seeds, paired intervals, and what several comparisons cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean difference over n paired runs with its confidence interval.

    With one pair there is no interval: ``low`` and ``high`` are None and nothing is decided. ``p`` is that of
    the two-sided t test that the interval inverts; nan where there is none. ``images`` is the part of the
    mean's standard error that comes from the images of a test part which all runs share.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    level: float = 0.95
    p: float = np.nan
    images: float = 0.0

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of zero, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def times(self, factor: float) -> "Interval":
        """The same in another unit."""
        low, high = (None if end is None else factor * end for end in (self.low, self.high))
        return replace(self, mean=factor * self.mean, low=low, high=high, images=abs(factor) * self.images)


def mean_sd(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1); the latter is nan for fewer than two values."""
    array = np.asarray(values, np.float64)
    mean = float(array.mean()) if len(array) else float("nan")
    return mean, float(array.std(ddof=1)) if len(array) > 1 else float("nan")


def paired_interval(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    level: float = 0.95,
    overlap: float = 0.0,
    left_out: Sequence[float] | np.ndarray = (),
) -> Interval:
    """Student's t interval of the mean of a - b, where a[i] and b[i] come from the same seed.

    Random splits of one dataset share images, so their differences vary less than those on new images would.
    With `overlap`, the size of the test part over that of the training part, the variance of the mean is
    (1/n + overlap) s² instead of s²/n (Nadeau & Bengio 2003); it is 0 for folds and for data drawn anew.

    Runs with one test part in common do not vary at all in what other images would change. `left_out` is the
    mean of a - b without each of some groups of its images in turn: their jackknife variance is added, with
    Satterthwaite's degrees of freedom (1946), and the interval is the wider one of both. What varies from run
    to run *and* from image to image counts twice, so it is never too narrow for that.

    Raises ValueError if the lengths [n] differ or there is no pair.
    """
    d = np.asarray(a, np.float64) - np.asarray(b, np.float64) if len(a) == len(b) else np.empty(0)
    if not len(d):
        raise ValueError(f"pairs are needed; found {len(a)} and {len(b)} values")
    mean, sd = mean_sd(d)
    if len(d) == 1:
        return Interval(mean, None, None, 1, level)
    runs, images, groups = sd**2 * (1 / len(d) + overlap), 0.0, len(left_out)  # variances of the mean
    tests = [(runs, len(d) - 1.0)]  # variance and degrees of freedom
    if groups and (images := (groups - 1) * float(np.var(left_out))):
        degrees = (runs + images) ** 2 / (runs**2 / (len(d) - 1) + images**2 / (groups - 1))
        tests.append((runs + images, degrees))
    half = max(t_quantile((1 + level) / 2, degrees) * np.sqrt(variance) for variance, degrees in tests)
    p = float(np.fmax.reduce([_p(mean, *test) for test in tests]))
    return Interval(mean, float(mean - half), float(mean + half), len(d), level, p, float(np.sqrt(images)))


# The functions behind `scipy.stats`: importing that takes longer than drawing a chapter's tables.
def t_quantile(p: float, degrees: float) -> float:
    """The `p` quantile of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, p))


def _p(mean: float, variance: float, degrees: float) -> float:
    """Two-sided p value of Student's t test; nan where nothing differs at all."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        return float(2 * stdtr(degrees, -abs(np.float64(mean) / np.sqrt(variance))))


def effect_size(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Paired effect size d_z: the mean of a - b in units of its own standard deviation over seeds.

    nan for fewer than two pairs, or where every difference is the same.
    """
    mean, sd = mean_sd(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    return mean / sd if sd > 1e-15 else float("nan")


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust p values for testing several hypotheses (Holm 1979); reject where the result is <= α.

    The smallest p is multiplied by m, the next one by m - 1, and so on; a running maximum sees to it that
    nothing is rejected after the first hypothesis that is kept. float64 [m], in the order of the input.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


@dataclass(frozen=True)
class Ranks:
    """Methods ranked on several datasets, 1 for the best, ties sharing their mean (Demšar 2006)."""

    mean: np.ndarray  # float64 [k]
    statistic: float  # Friedman's χ² with ties corrected
    p: float  # of that
    n: int  # datasets

    @property
    def error(self) -> float:
        """Standard error of a difference of two mean ranks, √(k (k + 1) / 6n)."""
        k = len(self.mean)
        return float(np.sqrt(k * (k + 1) / (6 * self.n)))

    def against(self, control: int) -> np.ndarray:
        """p values of every method's difference to the control, Holm-adjusted; nan at the control itself."""
        from scipy.special import ndtr

        others = np.arange(len(self.mean)) != control
        z = np.abs(self.mean - self.mean[control]) / self.error
        p = np.full(len(self.mean), np.nan)
        p[others] = holm(2 * ndtr(-z[others]))
        return p

    def critical_difference(self, level: float = 0.95) -> float:
        """Nemenyi's smallest difference of mean ranks that is significant between any two methods."""
        from scipy.stats import studentized_range

        q = studentized_range.ppf(level, len(self.mean), np.inf) / np.sqrt(2)
        return float(q * self.error)


def ranks(scores: np.ndarray) -> Ranks:
    """Rank methods (columns) on datasets (rows) by scores [n, k]; higher is better.

    Raises ValueError with fewer than two datasets or three methods, where Friedman's test says nothing.
    """
    from scipy.special import chdtrc

    n, k = scores.shape
    if n < 2 or k < 3:
        raise ValueError(f"at least 2 datasets and 3 methods are needed; found {n} and {k}")
    one, other = scores[:, :, None], scores[:, None, :]
    r = (other > one).sum(2) + ((other == one).sum(2) + 1) / 2  # those that are better, and half of the ties
    # χ² = (k - 1) Σ_j (R_j - n (k + 1) / 2)² / (Σ_ij r_ij² - n k (k + 1)² / 4); ties shrink the divisor
    between = ((r.sum(0) - n * (k + 1) / 2) ** 2).sum()
    within = (r**2).sum() - n * k * (k + 1) ** 2 / 4
    statistic = float((k - 1) * between / within) if within > 0 else 0.0
    return Ranks(r.mean(0), statistic, float(chdtrc(k - 1, statistic)), n)


def ranks_as_published(mean: Sequence[float] | np.ndarray, n: int) -> Ranks:
    """Take mean ranks from print, where the scores behind them are not; Friedman's test without ties."""
    from scipy.special import chdtrc

    r = np.asarray(mean, np.float64)
    k = len(r)
    statistic = float(12 * n / (k * (k + 1)) * ((r - (k + 1) / 2) ** 2).sum())
    return Ranks(r, statistic, float(chdtrc(k - 1, statistic)), n)


def welch_p(a: tuple[float, float, int], b: tuple[float, float, int]) -> float:
    """Two-sided p value of Welch's test from mean, standard deviation and size of two samples; or nan."""
    from scipy.stats import ttest_ind_from_stats

    if min(a[2], b[2]) < 2 or not a[1] + b[1] > 0:
        return float("nan")
    return float(ttest_ind_from_stats(*a, *b, equal_var=False).pvalue)
