"""Chapter 1: two networks, trained and compared while the page is made."""

import pandas as pd

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES, interval, spread
from softlabels.analysis.table import ARMS, HIGHER_IS_BETTER, difference, summary
from softlabels.analysis.tables import sentence

GRIDS = ()  # it is drawn from no record: the page itself trains the grid "quickstart"


def both_arms(runs: pd.DataFrame) -> pd.DataFrame:
    """All measures of one setting: a row for each, both arms, and the paired difference with its interval."""
    rows = []
    for metric, name in NAMES.items():
        hard, soft = (summary(runs[runs.arm == arm], f"test.{metric}") for arm in ARMS)
        row = {"measure": names.measure(name), "better is": "higher" if HIGHER_IS_BETTER[metric] else "lower"}
        row |= {names.arm("hard"): spread(*hard[:2]), names.arm("soft"): spread(*soft[:2])}
        rows.append(row | {names.less("soft", "hard"): interval(difference(runs, f"test.{metric}"))})
    return pd.DataFrame(rows)


def answer(runs: pd.DataFrame) -> str:
    """What these pairs say by KL and accuracy, and how little that is."""
    n = int((runs.record.notna() & (runs.arm == "soft")).sum())
    little = "One pair proves nothing" if n == 1 else f"These {n} pairs of one tiny network prove little"
    said = [
        sentence(name, runs, f"test.{metric}", "soft", "hard")
        for name, metric in (("KL [nats]", "kl"), ("Accuracy", "macro_accuracy"))
    ]
    return f"{' '.join(said)} {little}."
