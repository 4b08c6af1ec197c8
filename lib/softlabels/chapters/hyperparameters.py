"""Chapter 14: does the better arm depend on the setting, or on the tuning?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import names, table
from softlabels.analysis.formatting import NAMES, NOTHING, number, signed
from softlabels.analysis.table import ARMS, HIGHER_IS_BETTER
from softlabels.chapters import table1

GRIDS = ("hyperparameters", "table1")


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The runs of the search, and those of Table 1 beside them, which are not trained here."""
    runs = table.gather(GRIDS[:1], profile, seeds, *how)
    beside = table1.collect(profile, seeds)
    return pd.concat([runs, beside[beside.grid == GRIDS[1]]], ignore_index=True)


def values(runs: pd.DataFrame, arm: str, metric: str, part: str = "test") -> pd.Series:
    """One value for each setting of the search, in its order; nan where run or measure is missing."""
    column, here = f"{part}.{metric}", runs[runs.arm == arm].set_index("recipe")
    known = here[column] if column in here else here["test.kl"] * np.nan
    return known.reindex(runs.recipe.unique()).astype(np.float64)


def advantage(runs: pd.DataFrame, metric: str) -> pd.Series:
    """By how much soft labels are better on the test part in each setting; negative where hard ones are."""
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    return sign * (values(runs, "soft", metric) - values(runs, "hard", metric))


def chosen(runs: pd.DataFrame, arm: str, metric: str) -> str:
    """The setting that is best for an arm by a measure of the validation part; empty without a run."""
    scores = values(runs, arm, metric, "validation") * (1 if HIGHER_IS_BETTER[metric] else -1)
    return str(scores.idxmax()) if scores.notna().any() else ""


def best_of(runs: pd.DataFrame, arm: str, metric: str) -> np.ndarray:
    """Expected test value after k random settings were tried and the best on validation taken, ``[S]``.

    Exact: with the settings ordered from best to worst on validation, the r-th of S is the best of k drawn
    without replacement with probability C(S - r, k - 1) / C(S, k).
    """
    validation, test = (values(runs, arm, metric, part).to_numpy() for part in ("validation", "test"))
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


def tuned_apart(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Does the answer depend on how well each arm is tuned? Soft - hard after k settings for either arm."""
    soft, hard = (best_of(runs, arm, metric) for arm in ("soft", "hard"))
    n = min(len(soft), len(hard))
    ks = sorted({k for k in (1, 2, 4, 8, 16, n) if 1 <= k <= n})
    rows = [
        {"settings tried, majority": str(h)}
        | {f"all votes, {s} tried": signed(float(soft[s - 1] - hard[h - 1]), 3) for s in ks}
        for h in ks
    ]
    return pd.DataFrame(rows)


def selection(runs: pd.DataFrame) -> pd.DataFrame:
    """The setting that each arm would choose by validation KL and by accuracy, and its test values."""
    rows = []
    for metric in ("kl", "macro_accuracy"):
        for arm in ARMS:
            best = chosen(runs, arm, metric)
            row = {"chosen by validation": NAMES[metric], "arm": names.arm(arm), "setting": best or NOTHING}
            for shown in ("macro_accuracy", "kl"):
                row[NAMES[shown]] = number(values(runs, arm, shown)[best], 3) if best else NOTHING
            rows.append(row)
    return pd.DataFrame(rows)


def sentence(runs: pd.DataFrame, metric: str) -> str:
    """Say in how much of the grid soft labels are better by a measure, and by how much."""
    found = advantage(runs, metric).dropna().to_numpy()
    if not len(found):
        return f"By {NAMES[metric]}: no pair of runs is here yet."
    low, middle, high = np.quantile(found, [0, 0.5, 1])
    return (
        f"By {NAMES[metric]}, all votes are better in {(found > 0).sum()} of {len(found)} settings; their "
        f"advantage has the median {signed(float(middle), 3)} and lies between {signed(float(low), 3)} and "
        f"{signed(float(high), 3)}."
    )


def depends(runs: pd.DataFrame, metric: str = "macro_accuracy") -> str:
    """Say whether the better arm by a measure changes with how many settings either arm may try."""
    soft, hard = (best_of(runs, arm, metric) for arm in ("soft", "hard"))
    if not (len(soft) and len(hard)):
        return "No runs of both arms are here yet."
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    equal = sign * (soft[: len(hard)] - hard[: len(soft)])
    worst, best = sign * (soft[0] - hard[-1]), sign * (soft[-1] - hard[0])
    same = names.arm("soft" if (equal > 0).all() else "hard" if (equal < 0).all() else "not always the same")
    turns = "depends" if worst < 0 < best else "does not depend"
    return (
        f"By {NAMES[metric]} and with equally many settings tried, better is: {same}; with one "
        f"setting tried for an arm and all for the other, the advantage of all votes lies between "
        f"{signed(float(worst), 3)} and {signed(float(best), 3)}, so its sign {turns} on unequal tuning."
    )


def axes(runs: pd.DataFrame) -> tuple[list[str], list[str], dict[str, tuple[str, str]]]:
    """Rows and columns of the landscape in words, and the place of each setting in it."""
    short = {"none": "plain", "warm-restarts": "restarts"}
    places = {}
    for row in runs.drop_duplicates("recipe").itertuples():
        c = row.config
        augmentation = "plain" if c.augmentation == "none" else "augmented"
        column = f"{short.get(c.schedule, c.schedule)}\ndecay\n{c.weight_decay:g}\n{augmentation}"
        places[row.recipe] = (f"lr {c.lr:g}", column)
    rows, columns = (list(dict.fromkeys(found)) for found in zip(*places.values(), strict=True))
    return rows, columns, places
