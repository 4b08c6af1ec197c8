"""Chapter 6: do networks generalise better from what people say of an image than from one label?"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from softlabels.analysis import names, table
from softlabels.analysis.competence import lacking
from softlabels.analysis.formatting import number, signed, spread
from softlabels.analysis.statistics import Interval
from softlabels.analysis.table import at, difference
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.runs.grids import continued

GRIDS = ("pretraining", "human", "human-rates", "human-scratch")  # the first is what the second starts from
KINDS = ("shift", "corruptions")  # what is measured with the trained networks
PEOPLE, LABEL = "soft", "truth"  # the two arms that the paper compares


def collect(profile: str, seeds: Sequence[int], *how: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The chapter's runs and what was measured with them: shift from random weights, corruptions tuned."""
    runs = table.gather(GRIDS[1:], profile, seeds, *how)
    starts = {"shift": "human-scratch", "corruptions": "human"}
    found = [table.evaluated(runs[runs.grid == starts[kind]], kind, *how) for kind in KINDS]
    return runs, pd.concat(found, ignore_index=True)


def starting(profile: str, seeds: Sequence[int]) -> str:
    """What the networks know that fine-tuning starts from, and what training on would add."""

    def known(runs: pd.DataFrame) -> str:
        return spread(*table.summary(runs, "truth.macro_accuracy")[:2])

    words = "Where fine-tuning starts, accuracy on the lossless test images is "
    words += f"{known(table.gather(['pretraining'], profile, seeds))}."
    cells = [("pretraining", cell) for cell in continued(profile)]
    if not cells or (more := table.of_cells(cells, profile)).record.isna().any():
        return words
    ends = [record.history[-1] for record in more.record]
    train, held_out = (
        number(fmean(end[f"{part}_loss"] for end in ends), 2) for part in ("train", "validation")
    )
    return (
        f"{words} Trained on for {ends[0]['epoch']:.0f} epochs, these networks reach {known(more)}; "
        f"their cross-entropy is then {train} on the training images and {held_out} on others."
    )


def tried(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs at other common learning rates, and on the same fold those at the chapter's; by rate and arm."""
    others = runs[(runs.grid == "human-rates") & runs.record.notna()]
    pairs = set(others[list(table.PAIR)].itertuples(index=False, name=None))
    own = runs[(runs.grid == "human") & runs.record.notna() & runs.arm.isin(others.arm)]
    own = own[[pair in pairs for pair in own[list(table.PAIR)].itertuples(index=False, name=None)]]
    every = pd.concat([others, own])
    return every.assign(lr=[c.lr for c in every.config]).sort_values(["lr", "arm"])


def rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Arms at other common learning rates, on one fold: validation loss, accuracy and KL."""
    measures = {"validation loss": "validation.loss", "accuracy": "truth.macro_accuracy", "KL": "test.kl"}
    return pd.DataFrame(
        [
            {"learning rate": f"{row.lr:g}", "arm": names.arm(row.arm)}
            | {name: number(row[measure], 3) for name, measure in measures.items()}
            for _, row in tried(runs).iterrows()
        ]
    )


def own_rates(runs: pd.DataFrame, base: str = LABEL) -> str:
    """What choosing each arm's rate by its own validation loss would have made of soft - base."""
    every, here = tried(runs), runs[(runs.grid == "human") & runs.record.notna()]
    common = every[every.lr.isin({c.lr for c in here.config})].set_index("arm")
    if every.empty or not {PEOPLE, base} <= set(common.index):
        return "No run at another rate is here yet."
    best = every.loc[every.groupby("arm", sort=False)["validation.loss"].idxmin()].set_index("arm")

    def gap(side: pd.DataFrame, measure: str) -> str:
        return signed(side.loc[PEOPLE, measure] - side.loc[base, measure], 3)

    said = [
        f"{gap(best, measure)} in {name} ({gap(common, measure)} at the common rate)"
        for name, measure in (("accuracy", "truth.macro_accuracy"), ("KL", "test.kl"))
    ]
    taken = "; ".join(f"{names.arm(arm)} {lr:g}" for arm, lr in best.lr.items())
    return (
        f"By its own least validation loss an arm would take: {taken}. On this fold, "
        f"{names.less(PEOPLE, base)} would then be {' and '.join(said)}."
    )


def compared(runs: pd.DataFrame, measure: str, relative: bool = False, base: str = LABEL) -> Interval | None:
    """The people's arm less another one."""
    return difference(runs, measure, PEOPLE, base, relative)


def verdicts(runs: pd.DataFrame, found: pd.DataFrame) -> list[Verdict]:
    """Judge the claims about generalisation, shift, and whether it is the people that help."""
    scratch, tuned = (runs[runs.grid == grid] for grid in ("human-scratch", "human"))
    lacks = lacking(scratch, (PEOPLE, LABEL))
    rows = (  # claim; measure, relative
        ("huc-loss", "truth.cross_entropy", True),
        ("huc-accuracy", "truth.macro_accuracy", False),
        ("huc-second", "test.second_best_accuracy", False),
        ("singh-kl", "test.kl", True),
        ("singh-entropy", "test.entropy_correlation", True),
    )
    # The other start decides nothing.
    held_out = []
    for name, measure, relative in rows:
        other = compared(tuned, measure, relative)
        way = {1: "higher", -1: "lower", 0: "not told from zero"}[other.sign if other else 0]
        said = f"fine-tuned: {way}" if other and other.n > 1 else ""
        held_out.append(judge(CLAIMS[name], compared(scratch, measure, relative), lacks, said))
    found_tuned = compared(tuned, "test.cross_entropy", True)
    fine = judge(CLAIMS["huc-fine-tuned"], found_tuned, lacking(tuned, (PEOPLE, LABEL)))
    case = "training images, JPEG copy"
    shift = [
        judge(CLAIMS["huc-shift-loss"], compared(at(found, case, "cross_entropy"), "value", True), lacks),
        judge(CLAIMS["huc-shift-accuracy"], compared(at(found, case, "macro_accuracy"), "value"), lacks),
    ]
    # Does the human, per-image information help, or any softening?
    controls = [
        judge(CLAIMS[name], compared(tuned, "test.kl", base=arm), lacking(tuned, (PEOPLE, arm)))
        for name, arm in (("people-smoothing", "smoothed"), ("people-permuted", "permuted"))
    ]
    return [*held_out, fine, *shift, *controls]
