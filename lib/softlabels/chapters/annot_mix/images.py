"""Tables of chapter 11 for its rows of images, which profile `laptop` trains small."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from softlabels.analysis.formatting import interval, spread
from softlabels.analysis.results import Results, collect, paired
from softlabels.analysis.statistics import mean_sd
from softlabels.chapters.annot_mix.tables import percent, points, printed
from softlabels.runs import experiments_annotators, grids

PROFILE = "laptop"
ROWS = tuple(experiments_annotators.IMAGES[PROFILE])
PAIRED, SHUFFLED = "cifar10n", "cifar10n, shuffled workers"


def trained(seeds: Sequence[int]) -> Results:
    """Committed or cached runs of all rows of images; nothing is trained."""
    cells = grids.grid("annot_mix", PROFILE, seeds)
    return collect([cell for cell in cells if cell.dataset in ROWS])


def on_images(results: Results, row: str) -> pd.DataFrame:
    """Accuracy in %, published beside ours, and log loss of the methods that a row of images compares."""
    return pd.DataFrame([_line(results, row, m) for m in experiments_annotators.methods(PROFILE, row)])


def _line(results: Results, row: str, method: str) -> dict[str, str]:
    return {
        "method": method,
        "n": str(len(results.of(row, method))),
        "last epoch, published": spread(*printed(row, method, "last")[:2], 1),
        "last epoch, ours": spread(*percent(results, row, method)[:2], 1),
        "best epoch, ours": spread(*percent(results, row, method, "best")[:2], 1),
        "log loss, last epoch": spread(*results.summary(row, method, "cross_entropy")[:2], 3),
    }


def workers(results: Results) -> pd.DataFrame:
    """What the published pairing of labels and workers is worth: less judgements given to random workers."""
    return pd.DataFrame([_worth(results, m) for m in experiments_annotators.WORKER_METHODS])


def _worth(results: Results, method: str) -> dict[str, str]:
    a, b = (results.runs.get(row, {}).get(method, {}) for row in (PAIRED, SHUFFLED))
    seeds = sorted(set(a) & set(b))
    own, random = ([100 * side[s].metrics["last"]["accuracy"] for s in seeds] for side in (a, b))
    return {
        "method": method,
        "n": str(len(seeds)),
        "published pairing": spread(*mean_sd(own), 1),
        "workers shuffled": spread(*mean_sd(random), 1),
        "accuracy, difference": points(paired(a, b)),
        "log loss, difference": interval(paired(a, b, "cross_entropy"), 3),
    }


def workers_sentence(results: Results) -> str:
    """For how many methods the pairing is worth more than chance, in a sentence; empty without runs."""
    own, random = (results.runs.get(row, {}) for row in (PAIRED, SHUFFLED))
    found = [paired(own.get(m, {}), random.get(m, {})) for m in experiments_annotators.WORKER_METHODS]
    ends = [(v.low, v.high) for v in found if v and v.low is not None and v.high is not None]
    if not ends:
        return ""
    apart = sum(low > 0 or high < 0 for low, high in ends)
    return (
        f"The 95 % interval of the accuracy excludes zero for {apart} of {len(ends)} methods; no interval "
        f"reaches further than {100 * np.abs(ends).max():.1f} points from zero."
    )
