"""What the hyperparameter search says: whether the better arm depends on the setting, or on the tuning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis.comparisons import HIGHER_IS_BETTER, Comparison
from softlabels.analysis.formatting import NAMES, NOTHING, number, signed
from softlabels.runs.grids import ARMS

if TYPE_CHECKING:  # who only trains need not have it
    import pandas as pd


def values(comparisons: Sequence[Comparison], arm: str, metric: str, part: str = "test") -> np.ndarray:
    """One value for each setting, float64 ``[S]``; nan where the run or the measure is missing.

    Parameters
    ----------
    part : str
        "test" or "validation".
    """
    found = []
    for c in comparisons:
        record = next(iter(c.runs.get(arm, {}).values()), None)
        value = None if record is None else record.metrics[part].get(metric)
        found.append(np.nan if value is None else value)
    return np.array(found, np.float64)


def advantage(comparisons: Sequence[Comparison], metric: str) -> np.ndarray:
    """By how much soft labels are better on the test part, float64 ``[S]``; negative where hard ones are."""
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    return sign * (values(comparisons, "soft", metric) - values(comparisons, "hard", metric))


def chosen(comparisons: Sequence[Comparison], arm: str, metric: str) -> Comparison | None:
    """Return the setting that is best for an arm by a measure of the validation part, or None."""
    scores = values(comparisons, arm, metric, "validation") * (1 if HIGHER_IS_BETTER[metric] else -1)
    return comparisons[int(np.nanargmax(scores))] if np.isfinite(scores).any() else None


def best_of(comparisons: Sequence[Comparison], arm: str, metric: str) -> np.ndarray:
    """Expected test value after k random settings were tried and the best on validation taken, ``[S]``.

    Exact: with the settings ordered from best to worst on validation, the r-th of S is the best of k drawn
    without replacement with probability C(S - r, k - 1) / C(S, k).
    """
    validation, test = (values(comparisons, arm, metric, part) for part in ("validation", "test"))
    kept = np.isfinite(validation) & np.isfinite(test)
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    ordered = test[kept][np.argsort(sign * validation[kept], kind="stable")]
    n = len(ordered)
    chances = np.zeros((n, n))  # [k, r], both from 0
    if n:
        chances[:, 0] = np.arange(1, n + 1) / n
    for r in range(1, n):  # C(n-r-1, k-1) / C(n-r, k-1) = (n-r-k+1) / (n-r), r from 0
        chances[:, r] = chances[:, r - 1] * np.maximum(n - r - np.arange(n), 0) / (n - r)
    return chances @ ordered


def tuned_apart(comparisons: Sequence[Comparison], metric: str) -> "pd.DataFrame":
    """Does the answer depend on how well each arm is tuned? Soft - hard after k settings for either arm."""
    import pandas as pd

    soft, hard = (best_of(comparisons, arm, metric) for arm in ("soft", "hard"))
    n = min(len(soft), len(hard))
    ks = sorted({k for k in (1, 2, 4, 8, 16, n) if 1 <= k <= n})
    rows = [
        {"settings tried, hard": str(h)}
        | {f"soft, {s} tried": signed(float(soft[s - 1] - hard[h - 1])) for s in ks}
        for h in ks
    ]
    return pd.DataFrame(rows)


def selection(comparisons: Sequence[Comparison]) -> "pd.DataFrame":
    """The setting that each arm would choose by validation KL and by accuracy, and its test values."""
    import pandas as pd

    rows = []
    for metric in ("kl", "macro_accuracy"):
        for arm in ARMS:
            best = chosen(comparisons, arm, metric)
            row = {"chosen by validation": NAMES[metric], "arm": arm, "setting": NOTHING}
            row |= {NAMES["macro_accuracy"]: NOTHING, NAMES["kl"]: NOTHING}
            if best is not None:
                row["setting"] = best.recipe
                for shown in ("macro_accuracy", "kl"):
                    row[NAMES[shown]] = number(float(values([best], arm, shown)[0]))
            rows.append(row)
    return pd.DataFrame(rows)


def sentence(comparisons: Sequence[Comparison], metric: str) -> str:
    """Say in how much of the grid soft labels are better by a measure, and by how much."""
    found = advantage(comparisons, metric)
    found = found[np.isfinite(found)]
    if not len(found):
        return f"By {NAMES[metric]}: no pair of runs is here yet."
    low, middle, high = np.quantile(found, [0, 0.5, 1])
    return (
        f"By {NAMES[metric]}, soft labels are better in {(found > 0).sum()} of {len(found)} settings; their "
        f"advantage has the median {signed(float(middle))} and lies between {signed(float(low))} and "
        f"{signed(float(high))}."
    )


def depends(comparisons: Sequence[Comparison], metric: str = "macro_accuracy") -> str:
    """Say whether the better arm by a measure changes with how many settings either arm may try."""
    soft, hard = (best_of(comparisons, arm, metric) for arm in ("soft", "hard"))
    if not (len(soft) and len(hard)):
        return "No runs of both arms are here yet."
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    equal = sign * (soft[: len(hard)] - hard[: len(soft)])
    worst, best = sign * (soft[0] - hard[-1]), sign * (soft[-1] - hard[0])
    same = "soft" if (equal > 0).all() else "hard" if (equal < 0).all() else "not always the same arm"
    turns = "depends" if worst < 0 < best else "does not depend"
    return (
        f"By {NAMES[metric]} and with equally many settings tried, the better arm is {same}; with one "
        f"setting tried for an arm and all for the other, the advantage of soft labels lies between "
        f"{signed(float(worst))} and {signed(float(best))}, so its sign {turns} on unequal tuning."
    )


def recipes(comparisons: Sequence[Comparison], metric: str) -> "pd.DataFrame":
    """Put the recipes of the same dataset and network side by side: hard → soft, means over runs."""
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for c in comparisons:
        row = rows.setdefault((c.data, c.network), {"dataset": c.data, "network": c.network})
        hard, soft = (number(c.summary(arm, metric)[0]) for arm in ARMS)
        row[c.recipe] = f"{hard} → {soft}"
    return pd.DataFrame(list(rows.values())).fillna(NOTHING)
