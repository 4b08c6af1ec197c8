"""A stranger's votes: are they in order, does keeping the distribution pay, what would more people bring?"""

from softlabels.owndata.benefit import (
    FEW,
    METRICS,
    PANEL,
    TIMES,
    OwnData,
    budget_table,
    cells,
    conspicuous,
    curve,
    doubling,
    facts,
    missing,
    noise_ceiling,
    study,
    summary,
)

__all__ = [
    "FEW",
    "METRICS",
    "PANEL",
    "TIMES",
    "OwnData",
    "budget_table",
    "cells",
    "conspicuous",
    "curve",
    "doubling",
    "facts",
    "missing",
    "noise_ceiling",
    "study",
    "summary",
]
