"""The hyperparameter search: a part of the published grid, for both arms, and what it says.

BHL (section 2) speak of one predefined grid and do not print it. The public code of the same authors'
benchmark has one (github Emprime/dcic @ 4357451): learning rate {0.1, 0.3, 1e-4, 1e-5}, dropout {0, .5}, six
networks, augmentation {none, all}, optimiser {SGD, SGDW, SGDW with warm restarts, Adam}, weight decay
{5e-4, 1e-3}, upsampling, class weights, ImageNet weights; 20 epochs while tuning, batch 128, selected by KL
on one fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softlabels.analysis.comparisons import HIGHER_IS_BETTER, Comparison
from softlabels.analysis.formatting import NAMES, NOTHING, number, signed
from softlabels.errors import unknown
from softlabels.runs.grids import ARMS, Cell, Row, cell

if TYPE_CHECKING:  # who only trains need not have it
    import pandas as pd

# Of the published rates 0.1 and 0.3, with the 0.01 and 0.03 that the public code's schedule makes of them;
# 1e-4 and 1e-5 belong to Adam and would leave SGD where it starts.
RATES = (0.3, 0.1, 0.03, 0.01)
# Schedule with weight decay: what BHL state for synthetic images, what they state for MiceBone, and one
# between, so that the effect of either can be told.
OPTIMISERS = (("cosine", 5e-4), ("warm-restarts", 5e-4), ("warm-restarts", 1e-3))
AUGMENTATIONS = ("none", "flips-turns-colour-zoom")


@dataclass(frozen=True)
class Space:
    """What is searched: one network on the synthetic images, over all combinations of the axes.

    Left out of the published space, to fit two cores: dropout (0), class weights (none), upsampling, ImageNet
    weights, Adam, and all networks but one.
    """

    row: Row
    changes: dict[str, Any]
    rates: tuple[float, ...] = RATES
    optimisers: tuple[tuple[str, float], ...] = OPTIMISERS
    augmentations: tuple[str, ...] = AUGMENTATIONS


SPACES = {
    "smoke": Space(Row("synthetic", "resnet9-tiny", 1), {}, RATES[:2], OPTIMISERS[:1], AUGMENTATIONS),
    # 3,000 training images; ten epochs at 46 steps each would be too few, so batches are half the published.
    "laptop": Space(Row("synthetic", "resnet9-tiny", 10), {"limit": 5000, "batch_size": 64}),
    "paper": Space(Row("synthetic", "densenet121", 20), {}),
}


def cells(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """List both arms of every combination, on the first seed only."""
    if profile not in SPACES:
        raise unknown("profile", profile, SPACES)
    space = SPACES[profile]
    return [
        _cell(profile, space, lr, schedule, decay, augmentation, arm, seeds[0])
        for lr in space.rates
        for schedule, decay in space.optimisers
        for augmentation in space.augmentations
        for arm in ARMS
    ]


def _cell(
    profile: str, space: Space, lr: float, schedule: str, decay: float, augmentation: str, arm: str, seed: int
) -> Cell:
    changes = {"lr": lr, "schedule": schedule, "weight_decay": decay, "augmentation": augmentation}
    found = cell(profile, space.row, "stated", arm, seed, **changes, **space.changes)
    recipe = f"lr {lr:g}, {schedule}, decay {decay:g}, {augmentation}"
    return Cell(found.dataset, found.network, recipe, arm, seed, found.config)


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
