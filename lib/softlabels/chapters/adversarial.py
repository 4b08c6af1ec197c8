"""Chapter 7: attacks on networks that learnt from people and on those that learnt from labels."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from softlabels.analysis import names, published, table
from softlabels.analysis.competence import lacking
from softlabels.analysis.formatting import NOTHING, interval, number, spread
from softlabels.analysis.table import at, summary
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.chapters.human_uncertainty import LABEL, PEOPLE, compared

GRIDS = ("human",)
KINDS = ("attacks",)


def collect(profile: str, seeds: Sequence[int], *how: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fine-tuned networks and what attacks do to them."""
    runs = table.gather(GRIDS, profile, seeds, *how)
    return runs, table.evaluated(runs, KINDS[0], *how)


def steps(found: pd.DataFrame) -> pd.DataFrame:
    """Accuracy by number of PGD steps of 1/255 at radius 4/255: published, and ours on held-out images."""
    entry, rows = published.get("human_uncertainty", "pgd"), []
    every = at(found, "PGD by steps", level=None)
    for k, here in every.groupby("level"):
        row, place = {"steps": f"{k:g}"}, entry["steps"].index(int(k)) if int(k) in entry["steps"] else None
        for arm in ("hard", "soft"):
            row[f"published, {names.arm(arm)}"] = NOTHING if place is None else number(entry[arm][place])
        rows.append(row | _shown(here))
    return pd.DataFrame(rows)


def checks(found: pd.DataFrame, level: float = 1) -> pd.DataFrame:
    """Accuracy of all attacks and checks at one radius: every arm, and soft against hard."""
    rows = []
    for case in found.case.dropna().unique():
        here = at(found, case, level=level)
        if here.empty or case == "PGD by steps":
            continue
        row = {"attack": case} | _shown(here)
        rows.append(row | {names.less(PEOPLE, LABEL): interval(compared(here, "value"), 3)})
    return pd.DataFrame(rows).fillna(NOTHING)


def _shown(here: pd.DataFrame) -> dict[str, str]:
    by_arm = here.groupby("arm", sort=False)
    return {names.arm(arm): spread(*summary(of, "value")[:2], 3) for arm, of in by_arm}


def verdicts(runs: pd.DataFrame, found: pd.DataFrame) -> list[Verdict]:
    """Judge accuracy and cross-entropy under FGSM and PGD, targeted attacks, and the control."""
    lacks, smoothed = (lacking(runs, (PEOPLE, base)) for base in (LABEL, "smoothed"))
    steps, loss = "PGD by steps", "cross_entropy"
    last = max(at(found, steps, loss, None).level, default=9)
    return [
        judge(CLAIMS["huc-fgsm-accuracy"], compared(at(found, "FGSM", level=8), "value"), lacks),
        judge(CLAIMS["huc-fgsm-loss"], compared(at(found, "FGSM", loss, 8), "value", True), lacks),
        judge(CLAIMS["huc-pgd-accuracy"], compared(at(found, steps, level=2), "value"), lacks),
        judge(CLAIMS["huc-pgd-loss"], compared(at(found, steps, loss, last), "value", True), lacks),
        judge(CLAIMS["targeted"], compared(at(found, "PGD to random", level=1), "value"), lacks),
        judge(CLAIMS["people-pgd"], compared(at(found, "PGD", level=1), "value", base="smoothed"), smoothed),
    ]
