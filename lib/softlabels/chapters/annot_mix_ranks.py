"""Chapter 19: what the ranks of annot-mix and its competitors are worth, and which part of it does it."""

from functools import partial

import pandas as pd

from softlabels.analysis import competence, table
from softlabels.analysis.table import recorded
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.chapters.annot_mix import CHANGED, COMPARED, apart, of
from softlabels.runs.profiles import FIRST, UNMIXED

GRIDS = (COMPARED, CHANGED)
collect = partial(table.gather, GRIDS)
SHUFFLED = "shuffled workers"  # the change that gives every judgement to a random annotator


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge the claim of AM about mixing, on one of its datasets."""
    row = FIRST[runs.profile.iloc[0]]
    lacks = competence.shortcoming(recorded(of(runs, row)))
    return [mixing_verdict(runs, row, lacks)]


def mixing_verdict(runs: pd.DataFrame, row: str, lacks: str) -> Verdict:
    """Judge "mixing is what makes the difference": annot-mix against itself without mixup."""
    base, other = of(runs, row), of(runs, UNMIXED)
    return judge(CLAIMS["am-mixing"], apart(base, other), lacks)
