"""Does keeping the distribution pay on this data, how sure is that, and what would more annotators bring?"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softlabels import datasets
from softlabels.analysis.comparisons import Comparison, gather, missing_command
from softlabels.analysis.formatting import NAMES, spread
from softlabels.analysis.statistics import Interval, paired_interval
from softlabels.datasets import Dataset, folder
from softlabels.errors import DataError
from softlabels.labels import agreement
from softlabels.labels.ceiling import Ceiling, split_half
from softlabels.owndata.check import label_facts
from softlabels.runs import experiments_own, grids

if TYPE_CHECKING:  # who only trains need not have it
    import pandas as pd

METRICS = ("macro_accuracy", "kl")
PANEL, FEW, BOOTSTRAPS = 4, 50, 50  # of the noise ceiling
# KL of 2 n annotations is extrapolated, so it is shown for no more than this many times the data.
TIMES = 2


@dataclass(frozen=True)
class OwnData:
    """A dataset with the runs that compare its labels.

    Attributes
    ----------
    name : str
        As a run knows it.
    data : Dataset
    settings : list of Comparison
        All annotations first, then fewer; empty where nothing can be compared.
    """

    name: str
    data: Dataset
    settings: list[Comparison]

    @property
    def annotations(self) -> int:
        """Annotations that the median image has."""
        return int(np.median(self.data.counts.sum(1).round()))

    @property
    def whole(self) -> Comparison | None:
        """The comparison with all annotations."""
        return self.settings[0] if self.settings else None


def study(
    dataset: str,
    profile: str = "laptop",
    seeds: Sequence[int] = (0, 1, 2),
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
) -> OwnData:
    """Load a dataset and gather its runs; what has no record is trained only if `train`.

    Parameters
    ----------
    dataset : str
        ``folder:PATH``, or the name of any other annotated images that `datasets.load` takes.

    Raises
    ------
    DataError
        The folder has problems; `softlabels check PATH` lists all of them. Or the dataset has no images, or
        exact distributions in place of annotations.
    """
    name = folder.pin(dataset)
    data = _load(name, profile)
    found = OwnData(name, data, [])
    cells = grids.your_data(profile, seeds, name, found.annotations)
    return OwnData(name, data, gather(cells, train, device, fresh))


def cells(dataset: str, profile: str, seeds: Sequence[int]) -> list[grids.Cell]:
    """List the runs of a dataset, for the command line."""
    name = folder.pin(dataset)
    return grids.your_data(profile, seeds, name, OwnData(name, _load(name, profile), []).annotations)


def _load(name: str, profile: str) -> Dataset:
    own, known = experiments_own.numbers(profile), datasets.options_of(name)
    options = {"image_size": own.image_size}
    if "n_images" in known and own.limit:  # as a run loads it
        options["n_images"] = own.limit
    data = datasets.load(name, **options).first(own.limit)
    if data.images.ndim != 4:
        raise DataError(
            f"{name}: expected images, found vectors; the networks of this chapter read images only"
        )
    if not np.array_equal(data.counts, data.counts.round()):
        raise DataError(f"{name}: expected annotations, found exact distributions, which no panel gave")
    return data


def summary(own: OwnData) -> str:
    """Say what the data are, in a sentence."""
    data, total = own.data, int(own.data.counts.sum())
    return (
        f"`{own.name}`: {len(data):,} images, {len(data.classes)} classes, {total:,} annotations, "
        f"{own.annotations} of the median image."
    )


def facts(own: OwnData) -> "pd.DataFrame":
    """Describe images, annotations and agreement in a table of words."""
    import pandas as pd

    rows = [("dataset", own.name), ("images", f"{len(own.data):,}")]
    return pd.DataFrame([*rows, *label_facts(own.data.counts, own.data.classes)], columns=["what", "value"])


def conspicuous(own: OwnData) -> str:
    """Say which annotators stand out from the others, and why."""
    if own.data.annotations is None:
        return "The data name no annotators, so nothing can be said of single ones."
    people = agreement.annotators(own.data.annotations, own.data.counts)
    odd = [a for a in people if a.reason]
    if not odd:
        return f"None of the {len(people)} annotators stands out from the others."
    listed = "; ".join(f"number {a.index + 1} {a.reason}" for a in odd[:10])
    return f"{len(odd)} of {len(people)} annotators stand out: {listed}."


def curve(own: OwnData, arm: str, metric: str) -> list[tuple[int, float, float]]:
    """Annotations per image, mean and standard deviation over runs, from few to all; none where missing."""
    points = []
    for setting in own.settings:
        kept = setting.config.annotations
        values = setting.values("soft" if kept == 1 else arm, metric)
        if len(values):
            sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            points.append((kept or own.annotations, float(values.mean()), sd))
    return sorted(points)


def budget_table(own: OwnData) -> "pd.DataFrame":
    """Accuracy and KL of both arms by annotations per image: mean ± standard deviation."""
    import pandas as pd

    rows = []
    for setting in sorted(own.settings, key=lambda s: s.config.annotations or 10**9):
        kept = setting.config.annotations
        row = {"annotations per image": f"{own.annotations} (all)" if kept == 0 else str(kept)}
        for metric in METRICS:
            for arm in ("hard", "soft"):
                values = setting.summary("soft" if kept == 1 else arm, metric)
                row[f"{NAMES[metric]}, {arm}"] = spread(*values[:2])
        rows.append(row)
    return pd.DataFrame(rows)


def doubling(own: OwnData) -> Interval | None:
    """KL of the soft arm that twice the annotations would change, extrapolated, with its interval over seeds.

    For each seed KL(n) = a + b / n is fitted to the budgets by least squares: the mean of n votes errs by
    about 1 / n. From n to 2 n it changes by -b / (2 n).
    """
    by_seed: dict[int, list[tuple[int, float]]] = {}
    for setting in own.settings:
        for seed, record in setting.runs.get("soft", {}).items():
            kept = setting.config.annotations or own.annotations
            by_seed.setdefault(seed, []).append((kept, record.metrics["test"]["kl"]))
    changes = []
    for points in by_seed.values():
        if len(points) >= 3:
            n, kl = np.array(points, np.float64).T
            slope = np.polyfit(1 / n, kl, 1)[0]
            changes.append(-slope * (1 - 1 / TIMES) / own.annotations)
    return paired_interval(changes, [0.0] * len(changes)) if changes else None


def noise_ceiling(own: OwnData) -> Ceiling | None:
    """Estimate what a perfect model could show, from the images that have `PANEL` annotations or more.

    None where these are fewer than `FEW` images: halves and quarters of a panel are needed.
    """
    large = own.data.counts[own.data.counts.sum(1) >= PANEL]
    return split_half(large, np.random.default_rng(0), BOOTSTRAPS) if len(large) >= FEW else None


def missing(own: OwnData, dataset: str, profile: str) -> str | None:
    """Name the command that trains what is missing, or None."""
    command = missing_command(own.settings, "your_data", profile)
    return f"{command} --dataset {shlex.quote(dataset)}" if command else None
