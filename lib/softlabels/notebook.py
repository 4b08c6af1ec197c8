"""What notebooks import by name, beside their chapter: the table of runs, tables, figures, words."""

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from softlabels import figures
from softlabels.analysis import competence, published, tables, verdicts
from softlabels.analysis.formatting import NAMES, NOTHING, interval, number, show, signed, spread
from softlabels.analysis.table import (
    at,
    by_epoch,
    complete,
    curves,
    difference,
    gather,
    missing,
    recorded,
    settings,
    summary,
    unevaluated,
)
from softlabels.analysis.tables import sentence

__all__ = [
    "NAMES",
    "NOTHING",
    "at",
    "between",
    "by_epoch",
    "competence",
    "complete",
    "curves",
    "difference",
    "figures",
    "gather",
    "interval",
    "missing",
    "np",
    "number",
    "pd",
    "published",
    "recorded",
    "say",
    "sentence",
    "settings",
    "show",
    "signed",
    "spread",
    "summary",
    "tables",
    "unevaluated",
    "verdicts",
]
CERTAIN = 0.95  # largest share from which an image counts as certain


def say(*paragraphs: str) -> None:
    """Display words as Markdown, a paragraph each."""
    display(*(Markdown(words) for words in paragraphs))


def between(q: np.ndarray) -> str:
    """How many images lie between classes, for the text of a figure; `q` holds one distribution a row."""
    n = int((np.asarray(q).max(1) < CERTAIN).sum())
    return f"{n} of these {len(q)} images have no class with {CERTAIN:.0%} of their distribution"
