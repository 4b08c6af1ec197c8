"""Bars of progress: in a person's notebook or terminal; of a notebook that a program runs, on its terminal.

So a notebook that papermill has saved holds none of their lines.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from tqdm import auto, std

from softlabels.learning.config import RunConfig

PROGRAMS = ("papermill", "nbconvert", "softlabels.book")  # what runs notebooks without a person before them
FORMAT = "{desc}: {percentage:3.0f} % |{bar:30}| {elapsed} so far, {remaining} left"
Told = Callable[[RunConfig], None]
# What is called after each epoch where there is one bar for many trainings; none of these draws its own then.
_EPOCH: ContextVar[Told | None] = ContextVar("epoch", default=None)


@cache
def unattended() -> bool:
    """Does a program run this notebook, and no person? False elsewhere than on Linux."""
    try:
        command = Path(f"/proc/{os.environ['JPY_PARENT_PID']}/cmdline").read_bytes().decode(errors="replace")
    except (KeyError, OSError):
        return False
    return any(name in command for name in PROGRAMS)


@contextmanager
def one_for_all(epoch: Told = lambda config: None) -> Iterator[None]:
    """Draw no bar for each training: whoever trains many has one for all of them, and may count epochs."""
    told = _EPOCH.set(epoch)
    try:
        yield
    finally:
        _EPOCH.reset(told)


def tell(config: RunConfig) -> None:
    """Say that an epoch of a run is done."""
    if told := _EPOCH.get():
        told(config)


@cache
def terminal() -> TextIO | None:
    """Where the program that runs this notebook says things; a kernel's own streams go to the notebook."""
    try:
        return open(sys.stderr.fileno(), "w", closefd=False)
    except (AttributeError, OSError, ValueError):  # it kept none
        return sys.__stderr__


def bar(*arguments: Any, **options: Any) -> Any:
    """A bar of tqdm, where it belongs; nothing where a program has no terminal."""
    if not unattended():
        return auto.tqdm(*arguments, **options)
    there = terminal()
    shown = there is not None and there.isatty()
    return std.tqdm(*arguments, **options | ({"file": there} if shown else {"disable": True}))


@contextmanager
def one_bar(minutes: Mapping[str, float]) -> Iterator[Callable[[RunConfig], None]]:
    """Draw one bar for runs, as long as they are expected to take, with the time that is left.

    Yields what to call after each run. Epochs of runs that are trained in this process move the bar too.
    `minutes` has what each run is expected to take, by its id.
    """
    if not minutes:
        yield lambda config: None
        return
    done = 0.0
    words = f"{len(minutes)} run{'s' if len(minutes) > 1 else ''}"
    with bar(total=sum(minutes.values()), desc=words, bar_format=FORMAT, leave=False) as drawn:

        def epoch(config: RunConfig) -> None:
            drawn.update(minutes.get(config.id, 0.0) / config.epochs)

        def run(config: RunConfig) -> None:
            nonlocal done
            done += minutes.get(config.id, 0.0)
            drawn.update(done - drawn.n)  # not every epoch was told of, and a run may have ended early

        with one_for_all(epoch):
            yield run


def of_epochs(*arguments: Any, **options: Any) -> Any:
    """The bar of one training; none where there is one for all."""
    # tqdm reads TQDM_DISABLE only where nothing is said.
    own = _EPOCH.get() is None
    return bar(*arguments, **options) if own else std.tqdm(*arguments, **options | {"disable": True})
