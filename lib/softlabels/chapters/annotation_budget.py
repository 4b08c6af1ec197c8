"""Chapter 9: how many annotations does an image need?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from softlabels.analysis import table
from softlabels.analysis.competence import lacking
from softlabels.analysis.table import difference
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge

GRIDS = ("budget", "budget-total")
ALL = 50.0  # where all annotations (47 to 63) stand on the axis of their number


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The chapter's runs; "annotations" is how many each image has in training."""
    runs = table.gather(GRIDS, profile, seeds, *how)
    number = [1 if c.label == "sampled" else c.annotations or ALL for c in runs.config]
    return runs.assign(annotations=pd.Series(number, dtype=float))


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge whether two annotations are better than one."""
    budget = runs[runs.grid == "budget"]
    found = difference(budget, "test.kl", "n=2", "n=1")
    return [judge(CLAIMS["few-help"], found, lacking(budget, ("n=2", "n=1")))]
