"""What notebooks import by name, beside their chapter: the table of runs, tables, figures, words."""

import os
import sys
from threading import Event, Timer
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
_ASKED, _IDLE = Event(), Event()  # that this kernel shall end; that it runs no cell


def _interrupted(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """Say in one sentence what an interruption leaves: on the terminal if the program that runs this goes."""
    words = "softlabels: interrupted; the next call goes on from the last finished epoch"
    if bars.unattended() and _ASKED.wait(5):  # a program that was interrupted ends its kernel right after
        print(f"\n{words}", file=bars.terminal(), flush=True)
    else:
        print(words, file=sys.stderr)


def _ending(change: Any) -> None:
    _ASKED.set()
    _IDLE.wait(5)  # an interrupted cell is answered first, or the program would report a dead kernel


def _done(result: Any) -> None:
    if _ASKED.is_set() and isinstance(getattr(result, "error_in_exec", None), KeyboardInterrupt):
        # Nobody awaits the answer, and an error would be reported with a traceback.
        result.error_in_exec = None
        Timer(0.1, os._exit, (130,)).start()  # when the answer is sent
    else:
        _IDLE.set()


if shell := get_ipython():
    shell.set_custom_exc((KeyboardInterrupt,), _interrupted)
    if bars.unattended():
        shell.observe(_ending, "exit_now")
        shell.events.register("pre_run_cell", lambda info: _IDLE.clear())
        shell.events.register("post_run_cell", _done)


def say(*paragraphs: str) -> None:
    """Display words as Markdown, a paragraph each; one without words is left out."""
    display(*(Markdown(words) for words in paragraphs if words))


def between(q: np.ndarray) -> str:
    """How many images lie between classes, for the text of a figure; `q` holds one distribution a row."""
    n = int((np.asarray(q).max(1) < CERTAIN).sum())
    return f"{n} of these {len(q)} images have no class with {CERTAIN:.0%} of their distribution"
