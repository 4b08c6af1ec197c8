"""Chapter 11: annot-mix beside eleven other ways to learn from several people, published and ours.

Chapters 19 and 20 look up runs and write them in the same way. In the table of runs "dataset" is a row of
the comparison or a change of annot-mix, "arm" a method. Where all seeds have one test part, intervals are
over its images as well; on random splits they are corrected for the overlap.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

import pandas as pd

from softlabels.analysis import competence, published, table
from softlabels.analysis.formatting import interval, spread
from softlabels.analysis.published import RANKED
from softlabels.analysis.statistics import Interval, paired_interval
from softlabels.analysis.table import recorded, summary, values
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.learning.config import METHODS
from softlabels.runs.profiles import FIRST

COMPARED, CHANGED = "annot_mix", "annot_mix_ablations"  # grids
# Rows of ours that a published row may stand beside, and why levels may differ.
BESIDE = {name: name for name in ("mgc", "labelme", "letter", "cifar10n", "cifar10h", "trec6")}
BESIDE |= {"mgc, random splits": "mgc", "labelme-64px": "labelme", "cifar10n, shuffled workers": "cifar10n"}
MAIN = "mgc"  # music genres: real annotators; data, features, network and protocol of the paper
OURS = "annot-mix"
GRIDS = (COMPARED,)
collect = partial(table.gather, GRIDS)


def of(runs: pd.DataFrame, row: str, method: str = OURS) -> pd.DataFrame:
    """Runs of one method on one row that have a record, seeds in order."""
    here = runs[(runs.dataset == row) & (runs.arm == method) & runs.record.notna()]
    return here.sort_values("seed", kind="stable")


def apart(a: pd.DataFrame, b: pd.DataFrame, metric: str = "accuracy", part: str = "last") -> Interval | None:
    """Mean difference of two groups of runs over common seeds with its interval, or None.

    Where seeds share their test part, the interval of the last epoch is over its images too; that of random
    splits is corrected for their overlap.
    """
    both = a.merge(b, on="seed").sort_values("seed")
    if both.empty:
        return None
    x, y = (both[f"{part}.{metric}_{side}"] for side in "xy")
    last = part == "last" and both.shared_x.all() and all(c.select == "last" for c in both.config_x)
    left_out = table.without_images(both.record_x, both.record_y, f"test.{metric}") if last else ()
    return paired_interval(x, y, overlap=float(both.overlap_x.max()), left_out=left_out)


def full_rows(runs: pd.DataFrame, methods: Collection[str] = RANKED) -> list[str]:
    """Rows that hold a run of each of these methods; of several rows of one dataset the first.

    Friedman's test and a count of datasets take rows for independent, which two splits of the same songs
    are not.
    """
    here = runs[(runs.grid == COMPARED) & runs.record.notna()]
    rows = [row for row, found in here.groupby("dataset", sort=False) if set(methods) <= set(found.arm)]
    data = [here[here.dataset == row].config.iloc[0].dataset for row in rows]
    return [row for i, row in enumerate(rows) if data[i] not in data[:i]]


def means(
    runs: pd.DataFrame, measure: str, rows: Sequence[str], methods: Iterable[str] = METHODS
) -> pd.DataFrame:
    """Mean of a measure over seeds, methods × rows; nan where there is no run."""
    found = {row: {m: summary(of(runs, row, m), measure)[0] for m in methods} for row in rows}
    return pd.DataFrame(found, index=list(methods))


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


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge the claims of AM about accuracy, on one of its datasets.

    "Most accurate" is held against the method that is second in print; whether annot-mix comes to the
    published accuracy only where data and protocol are the same.
    """
    row = FIRST[runs.profile.iloc[0]]
    lacks = competence.shortcoming(recorded(of(runs, row)))
    found = {name: apart(of(runs, name), of(runs, name, "madl")) for name in [row, *full_rows(runs)]}
    others = [d.sign for name, d in found.items() if name != row and d is not None]
    words = f"other datasets: {others.count(1)} of {len(others)} alike, {others.count(-1)} against"
    ours, mean = values(of(runs, row), "last.accuracy"), printed(MAIN, OURS)[0] / 100
    again = paired_interval(ours, [mean] * len(ours)) if row == MAIN and len(ours) else None
    best = judge(CLAIMS["am-best"], found[row], lacks, words if others else "")
    return [best, judge(CLAIMS["am-row"], again, lacks, "the songs are those in print, so over seeds alone")]
