"""A stranger's votes: are they in order, does keeping the distribution pay, what would more people bring?"""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from softlabels import datasets
from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES, spread
from softlabels.analysis.statistics import Interval, mean_sd, paired_interval
from softlabels.analysis.table import complete, difference, of_cells, settings, values
from softlabels.datasets import Annotations, Dataset, folder
from softlabels.datasets.collection import printable
from softlabels.errors import DataError
from softlabels.labels import agreement, votes
from softlabels.labels.ceiling import Ceiling, split_half
from softlabels.learning.annotators.aggregation import dawid_skene
from softlabels.owndata import annotmix, frozen, tables
from softlabels.owndata.check import label_facts
from softlabels.runs import grids, profiles
from softlabels.runs.grids import seeds_of

METRICS = ("macro_accuracy", "kl")
PANEL, FEW, BOOTSTRAPS = 4, 50, 50  # of the noise ceiling
# KL of 2 n annotations is extrapolated, so it is shown for no more than this many times the data.
TIMES = 2
LEARNED = 0.2  # of the way from a constant guess to no error, below which accuracy shows no learning
CLOSE = 0.01  # nats of KL that fewer votes may cost, for them to be enough


@dataclass(frozen=True)
class OwnData:
    """A dataset, by the name that a run knows, with the runs that compare its labels.

    Attributes
    ----------
    runs : DataFrame
        A table of runs, all annotations first, then fewer; None before they were looked for.
    people : tuple of str
        Names of the annotators, where they are known.
    until : float
        What `time.monotonic` says when a budget of time is over, in seconds.
    """

    name: str
    data: Dataset
    runs: pd.DataFrame | None = None
    people: tuple[str, ...] = ()
    until: float = math.inf

    @property
    def item(self) -> str:
        """What was voted on, in a word: an image, or an item of which only features are known."""
        return "item" if self.data.images.ndim == 2 and not frozen.is_frozen(self.name) else "image"

    @property
    def annotations(self) -> int:
        """Annotations that the median image has."""
        return int(np.median(self.data.counts.sum(1).round()))

    @property
    def settings(self) -> list[pd.DataFrame]:
        """The runs cut by annotations kept; empty where nothing can be compared."""
        return [] if self.runs is None else [here for _, here in settings(self.runs, complete_only=False)]

    @property
    def overlap(self) -> float:
        """Test images per training image where splits are random, and so share images; else 0."""
        return 0.0 if self.runs is None else float(self.runs.overlap.max())

    @property
    def pairs(self) -> int:
        """Pairs of runs with all annotations."""
        return len(complete(self.settings[0])) // 2 if self.settings else 0

    def trained(self, here: pd.DataFrame, arm: str = "soft") -> pd.DataFrame:
        """Runs of one arm of a setting; of one annotation both arms are the same."""
        return here[here.arm == ("soft" if kept_in(here) == 1 else arm)]


def kept_in(here: pd.DataFrame) -> int:
    """Annotations of each image that the runs of a setting learn from; 0: all."""
    return here.config.iloc[0].annotations


def study(
    dataset: str,
    profile: str = "laptop",
    seeds: Sequence[int] = (0, 1, 2),
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
) -> OwnData:
    """Load a dataset and gather its runs; what has no record is trained only if `train`.

    The dataset is ``folder:PATH``, a name by `features.pin`, or any other annotated data that `datasets.load`
    takes. A folder with problems, or exact distributions in place of annotations, raise `DataError`.
    """
    name, chosen = frozen.pinned(dataset), seeds_of(seeds)
    data = _load(name, profile)
    found = OwnData(name, data, people=folder.people(name))
    planned = [("your_data", cell) for cell in runs_of(found, profile, chosen)]
    return replace(found, runs=of_cells(planned, profile, train, device, fresh))


def cells(dataset: str, profile: str, seeds: Sequence[int]) -> list[grids.Cell]:
    """List the runs of a dataset, for the command line."""
    name = frozen.pinned(dataset)
    return runs_of(OwnData(name, _load(name, profile)), profile, seeds_of(seeds))


def runs_of(own: OwnData, profile: str, seeds: Sequence[int], length: int | None = None) -> list[grids.Cell]:
    """The runs that answer, none where nothing can be; `length` in epochs, or by the number of images."""
    if unanswerable(own):
        return []
    if length is None and folder.is_pinned(own.name):
        length = grids.own_epochs(profile, len(own.data))
    return grids.your_data(profile, seeds, own.name, own.annotations, length, own.data.images.ndim == 2)


def unanswerable(own: OwnData) -> str:
    """Why hard and soft labels are the same on these data, in words; empty where they are not."""
    counts = own.data.counts
    several = counts.sum(1) >= 2
    share = f"{several.mean():.0%} of the {own.item}s have two or more"
    if own.annotations < 2:
        return f"The median {own.item} has {own.annotations} annotation; {share}"
    if not ((counts > 0).sum(1) > 1).any():
        return f"The votes on each {own.item} are unanimous, on all {len(counts):,} of them; {share}"
    return ""


class Baselines(NamedTuple):
    """KL of the mean label of all images, in nats, and macro accuracy of naming one class for every image."""

    kl: float
    accuracy: float


def baselines(own: OwnData) -> Baselines:
    """What can be had without looking at an image."""
    q = votes.soft_labels(own.data.counts).astype(np.float64)
    mean = q.mean(0)
    kl = float(votes.entropy(mean[None])[0] - votes.entropy(q).mean())
    present = (q == q.max(1, keepdims=True)).any(0).sum()
    return Baselines(kl, 1 / int(present))


def learned(own: OwnData) -> bool:
    """Whether one of the arms beats the baselines.

    In KL it has to be better than the mean label, by more than chance where there are several runs. In
    accuracy it has to close more than `LEARNED` of the gap between a constant guess and 1, since a network
    that confuses nearly everything still beats a guess, and has to beat a guess in each run: an interval over
    three splits says nothing where a test part has twenty images.
    """
    base = baselines(own)
    least = base.accuracy + LEARNED * (1 - base.accuracy)
    for arm in ("hard", "soft") if own.settings else ():
        trained = own.trained(own.settings[0], arm)
        kl, accuracy = values(trained, "test.kl"), values(trained, "test.macro_accuracy")
        if len(accuracy) and accuracy.mean() > least and accuracy.min() > base.accuracy:
            return True
        if len(kl):
            found = paired_interval(kl, [base.kl] * len(kl), overlap=own.overlap)
            if (found.sign if len(kl) > 1 else np.sign(found.mean)) < 0:
                return True
    return False


def enough(own: OwnData) -> tuple[int, Interval] | None:
    """The fewest annotations an image whose KL is within `CLOSE` of that with all of them, and its interval.

    The difference is that of the soft arm with fewer and with all annotations, seed by seed; None where the
    budgets are missing.
    """
    whole, *fewer = own.settings or [None]
    for here in sorted(fewer, key=kept_in):
        both = pd.concat([own.trained(here).assign(arm="few"), own.trained(whole).assign(arm="all")])
        found = difference(both, "test.kl", "few", "all")
        if found is None:
            continue
        if (found.mean if found.high is None else found.high) < CLOSE:
            return kept_in(here), found
    return None


def again(own: OwnData, names: Sequence[str], n: int = 10) -> list[tuple[str, float]]:
    """Images whose soft label would gain most from one more vote, with what it would gain."""
    gain = tables.posterior_and_gain(own.data.counts)[1]
    order = np.argsort(-gain, kind="stable")[:n]
    return [(names[i], float(gain[i])) for i in order.tolist()]


def dawid_skene_gain(own: OwnData) -> Interval | None:
    """What Dawid and Skene gain over the votes; see `gain`. None without four named annotators."""
    return gain(own, lambda half, given: dawid_skene(given, *half.counts.shape).posterior, 20)


def annot_mix_gain(own: OwnData, device: str | None = None) -> Interval | None:
    """What annot-mix gains over the votes, learnt from features; None where there are none, or as above.

    `annotmix.OutOfTime` is raised where its ten trainings do not fit into what is left of the budget.
    """
    if own.data.annotations is None or (data := frozen.vectors(own.data)) is None:
        return None
    return gain(replace(own, data=data), lambda half, _: annotmix.estimate(half, device, until=own.until), 2)


def gain(
    own: OwnData, estimate: Callable[[Dataset, Annotations], np.ndarray], repeats: int
) -> Interval | None:
    """How much more often an estimate names the class that people not asked name, than the votes do.

    The annotators are split into halves; the class of one half, by the estimate and by most votes, is
    held against the votes of the other: the share that agrees, over images that both have judged. Mean over
    `repeats` splits, with the interval of a bootstrap over images. None without named annotators, or with
    fewer than four. `estimate` makes P(class) [N, K] of data with the counts and judgements of one half, and
    of the latter.
    """
    given, n = own.data.annotations, len(own.data)
    if given is None or len(np.unique(given.annotator)) < 4:
        return None
    rng, k = np.random.default_rng(0), own.data.counts.shape[1]
    sums, seen = np.zeros(n), np.zeros(n)
    for _ in range(repeats):
        half = rng.permutation(own.data.n_annotators) < own.data.n_annotators // 2
        mine = half[given.annotator]
        one = Annotations(given.image[mine], given.annotator[mine], given.label[mine])
        counts, others = (votes.counts(given.image[m], given.label[m], n, k) for m in (mine, ~mine))
        both = (counts.sum(1) > 0) & (others.sum(1) > 0)
        if not both.any():
            continue
        share = others / np.maximum(others.sum(1, keepdims=True), 1)
        posterior = estimate(replace(own.data, counts=counts, annotations=one, splits={}), one)
        picked = [x == x.max(1, keepdims=True) for x in (posterior, counts)]
        agree = [(share * p).sum(1) / p.sum(1) for p in picked]
        sums[both] += (agree[0] - agree[1])[both]
        seen += both
    kept = np.flatnonzero(seen)
    if len(kept) < FEW:
        return None
    each = sums[kept] / seen[kept]
    drawn = [float(each[rng.integers(0, len(each), len(each))].mean()) for _ in range(1000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(each.mean()), float(low), float(high), len(each))


def _load(name: str, profile: str) -> Dataset:
    own = profiles.chosen(profiles.OWN, profile)
    options = {"image_size": own.image_size}
    if "n_images" in datasets.options_of(name) and own.limit:  # as a run loads it
        options["n_images"] = own.limit
    data = datasets.load(name, **options).first(own.limit)
    if not np.array_equal(data.counts, data.counts.round()):
        raise DataError(f"{name}: expected annotations, found exact distributions, which no panel gave")
    return data


def summary(own: OwnData) -> str:
    """Say what the data are, in a sentence."""
    data, total = own.data, int(own.data.counts.sum())
    return (
        f"`{own.name}`: {len(data):,} {own.item}s, {len(data.classes)} classes, {total:,} annotations, "
        f"{own.annotations} of the median {own.item}."
    )


def facts(own: OwnData) -> pd.DataFrame:
    """Describe images, annotations and agreement in a table of words."""
    rows = [("dataset", own.name), (f"{own.item}s", f"{len(own.data):,}")]
    rows += label_facts(own.data.counts, own.data.classes, own.item)
    return pd.DataFrame(rows, columns=["what", "value"])


def conspicuous(own: OwnData) -> str:
    """Say which annotators stand out from the others, and why."""
    if own.data.annotations is None:
        return "The data name no annotators, so nothing can be said of single ones."
    people = agreement.annotators(own.data.annotations, own.data.counts)
    odd = [a for a in people if a.reason]
    if not odd:
        return f"None of the {len(people)} annotators stands out from the others."
    names = own.people or tuple(f"number {i + 1}" for i in range(own.data.n_annotators))
    listed = "; ".join(f"{printable(names[a.index], 60)} {a.reason}" for a in odd[:10])
    return f"{len(odd)} of {len(people)} annotators stand out: {listed}."


def curve(own: OwnData, arm: str, metric: str) -> list[tuple[int, float, float]]:
    """Annotations per image, mean and standard deviation over runs, from few to all; none where missing."""
    points = []
    for here in own.settings:
        known = values(own.trained(here, arm), f"test.{metric}")
        if len(known):
            points.append((kept_in(here) or own.annotations, *mean_sd(known)))
    return sorted(points)


def curves(own: OwnData) -> dict[str, dict[str, list[tuple[int, float, float]]]]:
    """The `curve` of both arms, by measure."""
    return {metric: {arm: curve(own, arm, metric) for arm in ("hard", "soft")} for metric in METRICS}


def budget_table(own: OwnData) -> pd.DataFrame:
    """Accuracy and KL of both arms by annotations per image: mean ± standard deviation."""
    rows = []
    for here in sorted(own.settings, key=lambda one: kept_in(one) or 10**9):
        kept = kept_in(here)
        row = {f"annotations per {own.item}": f"{own.annotations} (all)" if kept == 0 else str(kept)}
        for metric in METRICS:
            for arm in ("hard", "soft"):
                known = values(own.trained(here, arm), f"test.{metric}")
                row[f"{NAMES[metric]}, {names.arm(arm)}"] = spread(*mean_sd(known))
        rows.append(row)
    return pd.DataFrame(rows)


def doubling(own: OwnData) -> Interval | None:
    """KL of the soft arm that twice the annotations would change, extrapolated, with its interval over seeds.

    For each seed KL(n) = a + b / n is fitted to the budgets by least squares: the mean of n votes errs by
    about 1 / n. From n to 2 n it changes by -b / (2 n).
    """
    by_seed: dict[int, list[tuple[int, float]]] = {}
    for here in own.settings:
        kept = kept_in(here) or own.annotations
        for row in own.trained(here).dropna(subset="record").to_dict("records"):
            by_seed.setdefault(row["seed"], []).append((kept, row["test.kl"]))
    changes = []
    for points in by_seed.values():
        if len(points) >= 3:
            n, kl = np.array(points, np.float64).T
            slope = np.polyfit(1 / n, kl, 1)[0]
            changes.append(-slope * (1 - 1 / TIMES) / own.annotations)
    return paired_interval(changes, [0.0] * len(changes), overlap=own.overlap) if changes else None


def noise_ceiling(own: OwnData) -> Ceiling | None:
    """Estimate what a perfect model could show, from the images that have `PANEL` annotations or more.

    None where these are fewer than `FEW` images: halves and quarters of a panel are needed.
    """
    large = own.data.counts[own.data.counts.sum(1) >= PANEL]
    return split_half(large, np.random.default_rng(0), BOOTSTRAPS) if len(large) >= FEW else None


def missing(own: OwnData, dataset: str, profile: str) -> str | None:
    """Name the command that trains what is missing, or None."""
    lacks = [] if own.runs is None else sorted(set(own.runs.seed[own.runs.record.isna()]))
    seeds = " ".join(map(str, lacks))
    command = f"softlabels train --chapter your_data --profile {profile} --seeds {seeds}"
    return f"{command} --dataset {shlex.quote(dataset)}" if lacks else None
