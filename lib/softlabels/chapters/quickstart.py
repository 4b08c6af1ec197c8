"""Chapter 1: two networks, trained and compared while the page is made."""

import pandas as pd

from softlabels.analysis.formatting import NAMES, NOTHING, spread
from softlabels.analysis.table import ARMS, HIGHER_IS_BETTER, summary

GRIDS = ()  # it is drawn from no record: the page itself trains the grid "quickstart"


def both_arms(runs: pd.DataFrame) -> pd.DataFrame:
    """All measures of one setting: a row for each, a column for each arm, and which arm is better."""
    rows = []
    for metric, name in NAMES.items():
        hard, soft = (summary(runs[runs.arm == arm], f"test.{metric}") for arm in ARMS)
        better, apart = HIGHER_IS_BETTER[metric], soft[0] - hard[0]
        row = {"measure": name, "better is": "higher" if better else "lower"}
        row |= {"hard labels": spread(*hard[:2]), "soft labels": spread(*soft[:2])}
        # Equal, or undefined in one arm: none is ahead.
        ahead = NOTHING if not abs(apart) > 0 else "soft" if (apart > 0) == better else "hard"
        rows.append(row | {"ahead": ahead})
    return pd.DataFrame(rows)
