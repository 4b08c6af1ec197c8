"""Chapter 11: annot-mix beside eleven other ways to learn from several people, published and ours.

Chapters 19 and 20 look up runs and write them in the same way. In the table of runs "dataset" is a row of
the comparison or a change of annot-mix, "arm" a method. Intervals are over seeds and count them as
independent, as AM's do, on random splits too.
"""

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from softlabels.analysis import annotators, competence, published, table
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.formatting import interval, number, signed, spread
from softlabels.analysis.published import RANKED
from softlabels.analysis.statistics import Interval, paired_interval, welch_p
from softlabels.analysis.table import paired, recorded, summary, values
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.datasets import simulated, synthetic
from softlabels.learning.config import METHODS
from softlabels.runs.profiles import FIRST

if TYPE_CHECKING:
    from softlabels.runs.records import Record

COMPARED, CHANGED = "annot_mix", "annot_mix_ablations"  # grids
# Rows of ours that a published row may stand beside, and why levels may differ.
BESIDE = {"mgc": "mgc", "mgc, random splits": "mgc", "labelme": "labelme", "letter": "letter"}
BESIDE |= {"labelme-64px": "labelme", "cifar10n": "cifar10n", "cifar10n, shuffled workers": "cifar10n"}
BESIDE |= {"cifar10h": "cifar10h", "trec6": "trec6"}
MAIN = "mgc"  # music genres: real annotators, the paper's split
OURS = "annot-mix"
GRIDS = (COMPARED,)
COMPARABLE = (MAIN,)  # same data, features, network and protocol
collect = partial(table.gather, GRIDS)


def of(runs: pd.DataFrame, row: str, method: str = OURS) -> pd.DataFrame:
    """Runs of one method on one row that have a record, seeds in order."""
    here = runs[(runs.dataset == row) & (runs.arm == method) & runs.record.notna()]
    return here.sort_values("seed", kind="stable")


def apart(a: pd.DataFrame, b: pd.DataFrame, metric: str = "accuracy", part: str = "last") -> Interval | None:
    """Mean difference of two groups of runs over common seeds with its interval, or None."""
    x, y = paired(a, b, f"{part}.{metric}", ["seed"])
    return paired_interval(x, y) if len(x) else None


def over_images(a: pd.DataFrame, b: pd.DataFrame) -> Interval | None:
    """Mean difference of accuracy over the test images that records keep, common seeds averaged; or None.

    Seeds share their test part: an interval over seeds says what another training would give, this one what
    other images would. The latter is the wider one where the part is small.
    """
    both = a.merge(b, on="seed").sort_values("seed")
    sides = [[_right(record) for record in both[column]] for column in ("record_x", "record_y")]
    ids = [found for side in sides for found, _ in side]
    if not ids or any(not np.array_equal(ids[0], other) for other in ids):
        return None  # every seed has a test part of its own
    x, y = (np.mean([right for _, right in side], 0) for side in sides)
    return paired_interval(x.tolist(), y.tolist())


def _right(record: "Record") -> tuple[np.ndarray, np.ndarray]:
    """Ids of the images kept, and whether the network is right on each."""
    found = record.arrays()
    return found["ids"], found["log_probs"].argmax(1) == found["targets"].argmax(1)


def full_rows(runs: pd.DataFrame, methods: Collection[str] = RANKED) -> list[str]:
    """Rows that hold a run of each of these methods; of several rows of one dataset the first.

    Friedman's test and a count of datasets take rows for independent, which two splits of the same songs
    are not.
    """
    here = runs[(runs.grid == COMPARED) & runs.record.notna()]
    rows = [row for row, found in here.groupby("dataset", sort=False) if set(methods) <= set(found.arm)]
    data = [here[here.dataset == row].config.iloc[0].dataset for row in rows]
    return [row for i, row in enumerate(rows) if data[i] not in data[:i]]


def shown(here: pd.DataFrame, part: str = "last") -> str:
    """Accuracy in %, mean ± sd."""
    mean, sd, _ = summary(here, f"{part}.accuracy")
    return spread(100 * mean, 100 * sd, 1)


def points(value: Interval | None) -> str:
    """Write a difference of accuracies in percentage points."""
    return interval(value.times(100) if value else None, 1)


def printed(row: str, method: str, part: str = "last") -> tuple[float, float, int]:
    """Published accuracy in % (mean, sd, runs) beside a row of ours; nan where there is none."""
    entry = published.get("annotmix", part).get(BESIDE.get(row, ""), {})
    found = entry.get(method)
    mean, sd = found if isinstance(found, list) else (found, None)
    nan = float("nan")
    return (nan if mean is None else mean), (nan if sd is None else sd), published.get("annotmix", "runs")


def captioned(frame: pd.DataFrame, words: str) -> tuple[pd.DataFrame, str]:
    """A table without its numbers of seeds where all rows have the same, and a caption that says it."""
    counts = [c for c in frame if c == "n" or c.endswith(", n")]
    numbers = sorted({str(n) for c in counts for n in frame[c]})
    if len(numbers) != 1:
        return frame, words
    seeds = "one seed" if numbers[0] == "1" else f"{numbers[0]} seeds"
    return frame.drop(columns=counts), f"{words} Each number is of {seeds}."


def tables(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Accuracy in % at the last epoch as `figures.relative` takes it: published, and ours.

    Methods stand in the order of our mean difference to annot-mix, those that are not ranked below; datasets
    with published values first. Of two splits of the same data the first stands for both.
    """
    rows = full_rows(runs)
    rows = sorted(rows, key=lambda row: not np.isfinite(printed(row, OURS)[0]))  # stable
    ours = pd.DataFrame(
        {row: {m: 100 * summary(of(runs, row, m), "last.accuracy")[0] for m in METHODS} for row in rows}
    )
    theirs = pd.DataFrame({row: {m: printed(row, m)[0] for m in METHODS} for row in rows})
    theirs = theirs.dropna(axis="columns", how="all")
    if ours.empty:
        return {}
    mean = (ours - ours.loc[OURS]).mean(axis="columns")
    order = sorted(METHODS, key=lambda m: (m != OURS, m not in RANKED, -mean[m]))
    found = {"published": theirs.reindex(order).dropna(how="all"), "ours": ours.loc[order]}
    return {who: frame for who, frame in found.items() if not frame.empty}


def answer(runs: pd.DataFrame) -> str:
    """What came out, in at most three sentences."""
    words = []
    here = values(of(runs, MAIN), "last.accuracy")
    if len(here):
        words.append(
            f"On {annotators.row(MAIN).lower()}, where data and protocol are the paper's, annot-mix names "
            f"the class of {100 * here.mean():.1f} % of the test songs; the paper prints "
            f"{printed(MAIN, OURS)[0]:.1f} %."
        )
    leads = {row: lead(runs, row) for row in full_rows(runs)}
    if leads:
        behind = {row: annotators.named(m) for row, (by, m) in leads.items() if by <= 0}
        others = ", ".join(f"on {annotators.row(row)} {method} is" for row, method in behind.items())
        words.append(
            f"It is the most accurate of the {len(RANKED)} methods on {len(leads) - len(behind)} of "
            f"{len(leads)} datasets{f' ({others})' if others else ''}."
        )
        gains = [apart(of(runs, row), of(runs, row, "mv-base")) for row in leads]
        words.append(
            f"In the median over datasets it is ahead of the best other method by "
            f"{np.median([by for by, _ in leads.values()]):.1f} points, and of the majority vote by "
            f"{np.median([100 * gain.mean for gain in gains if gain]):.1f}."
        )
    return " ".join(words) or "No dataset has runs of all methods yet."


def lead(runs: pd.DataFrame, row: str) -> tuple[float, str]:
    """Points by which annot-mix is ahead of the best other of AM's twelve, and that method."""
    found = {m: 100 * summary(of(runs, row, m), "last.accuracy")[0] for m in RANKED}
    best = max((m for m in RANKED if m != OURS), key=found.__getitem__)
    return found[OURS] - found[best], best


def in_print() -> str:
    """What AM print beside it, in words."""
    ranks, rows = published.get("annotmix", "ranks"), published.get("annotmix", "last")
    means = [{m: row[m][0] for m in RANKED if m in row} for row in rows.values()]
    first = sum(max(found, key=found.__getitem__) == OURS for found in means)
    return (
        f"The paper compares the same {len(RANKED)} methods on {len(rows)} datasets; annot-mix is the most "
        f"accurate on {first} of them, and its mean rank is {number(ranks['last'][OURS], 2)}."
    )


def accuracy(runs: pd.DataFrame, row: str) -> pd.DataFrame:
    """Accuracy in % of every method, last epoch and best validation epoch, published beside ours.

    Where data and protocol are the paper's, the difference is in bold where Welch's p is below 5 %.
    """
    rows = []
    for method in METHODS:
        here = of(runs, row, method)
        mean, sd, n = summary(here, "last.accuracy")
        theirs = printed(row, method)
        change = signed(100 * mean - theirs[0], 1)
        sure = welch_p((100 * mean, 100 * sd, n), theirs) < 0.05
        line = {"method": annotators.named(method), "n": str(len(here))}
        line |= {"published": spread(*theirs[:2], 1), "ours": shown(here)}
        line |= {"ours − published": f"**{change}**" if sure else change}
        line |= {"best epoch, published": spread(*printed(row, method, "best")[:2], 1)}
        rows.append(line | {"best epoch, ours": shown(here, "best")})
    frame = pd.DataFrame(rows)
    return frame if row in COMPARABLE else frame.drop(columns="ours − published")


def two_judgements(n_images: int = 120) -> tuple[np.ndarray, list[int], list[int], tuple[str, ...]]:
    """Two synthetic images that different annotators called different names, and the classes."""
    shapes = synthetic.load(n_images=n_images)
    found = simulated.load(n_images=n_images).annotations
    assert found is not None
    differs = (found.annotator != found.annotator[0]) & (found.label != found.label[0])
    pair = [0, int(np.flatnonzero(differs & (found.image != found.image[0]))[0])]
    images = np.asarray(shapes.images[found.image[pair]])
    return images, found.annotator[pair].tolist(), found.label[pair].tolist(), shapes.classes


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge the claims of AM about accuracy, on one of its datasets."""
    row = FIRST[runs.profile.iloc[0]]
    lacks = competence.shortcoming(recorded(of(runs, row)))
    return [_best(runs, row, lacks), _reproduced(runs, row, lacks)]


def _best(runs: pd.DataFrame, row: str, lacks: str) -> Verdict:
    """Judge "annot-mix is the most accurate" against the method that is second in print."""
    found = {name: apart(of(runs, name), of(runs, name, "madl")) for name in [row, *full_rows(runs)]}
    others = [d.sign for name, d in found.items() if name != row and d is not None]
    words = f"other datasets: {others.count(1)} of {len(others)} alike, {others.count(-1)} against"
    return judge(CLAIMS["am-best"], found[row], lacks, words if others else "")


def _reproduced(runs: pd.DataFrame, row: str, lacks: str) -> Verdict:
    """Judge whether annot-mix comes to the published accuracy where data and protocol are the same."""
    ours = values(of(runs, row), "last.accuracy")
    mean = printed(MAIN, OURS)[0] / 100
    found = paired_interval(ours, [mean] * len(ours)) if row == MAIN and len(ours) else None
    return judge(CLAIMS["am-row"], found, lacks)
