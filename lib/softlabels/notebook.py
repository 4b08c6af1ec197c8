"""What notebooks import by name, beside their chapter: the table of runs, tables, figures, words."""

import os
import sys
from typing import Any

import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.display import Markdown, display

from softlabels import figures
from softlabels.analysis import competence, names, published, tables, verdicts
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
from softlabels.learning import bars

CERTAIN = 0.95  # largest share from which an image counts as certain


def _interrupted(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """Say in one sentence what an interruption leaves; end the kernel where its program is interrupted."""
    words = "interrupted; the next call goes on from the last finished epoch"
    if bars.unattended():
        # The program has gone by now: a reply to it would fail, with a traceback.
        print(f"\nsoftlabels: {words}", file=sys.__stderr__, flush=True)
        os._exit(130)
    print(f"softlabels: {words}", file=sys.stderr)


if shell := get_ipython():
    shell.set_custom_exc((KeyboardInterrupt,), _interrupted)


def say(*paragraphs: str) -> None:
    """Display words as Markdown, a paragraph each; one without words is left out."""
    display(*(Markdown(words) for words in paragraphs if words))


def between(q: np.ndarray) -> str:
    """How many images lie between classes, for the text of a figure; `q` holds one distribution a row."""
    n = int((np.asarray(q).max(1) < CERTAIN).sum())
    return f"{n} of these {len(q)} images have no class with {CERTAIN:.0%} of their distribution"
