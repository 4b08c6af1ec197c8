"""Chapter 8: do networks doubt, and rightly so, when an image becomes hard to see?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from softlabels.analysis import table
from softlabels.analysis.competence import lacking
from softlabels.analysis.table import at, complete
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.chapters.human_uncertainty import LABEL, PEOPLE, compared

GRIDS = ("human",)
KINDS = ("blur",)


def collect(profile: str, seeds: Sequence[int], *how: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fine-tuned networks and what they say of blurred images."""
    runs = table.gather(GRIDS, profile, seeds, *how)
    return runs, table.evaluated(runs, KINDS[0], *how)


def together(found: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """One row for each of these arms that was evaluated, all of the first pair that they have in common."""
    each = found[found.evaluation.notna() & found.arm.isin(arms)].drop_duplicates(["arm", *table.PAIR])
    here = tuple(arm for arm in arms if (each.arm == arm).any())
    both = complete(each, here) if here else each
    return both.drop_duplicates("arm")


def verdicts(runs: pd.DataFrame, found: pd.DataFrame) -> list[Verdict]:
    """Judge whether the soft arm doubts where the hard one stays certain, and is better calibrated."""
    lacks = lacking(runs, (PEOPLE, LABEL))
    return [
        judge(CLAIMS["blur-doubt"], compared(at(found, "people", "entropy", 1), "value"), lacks),
        judge(CLAIMS["blur-calibration"], compared(at(found, "truth", "ece", 1), "value"), lacks),
    ]
