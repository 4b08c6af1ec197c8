"""Processes of their own for tests of `runs.get`; a server imports torch once and forks them."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.imported"])  # found from the project's root; elsewhere it is slower


def wait_until(condition, seconds: float = 60) -> None:
    """Return when `condition()` holds; fail the test when it has not after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def _get(store: Path, settings: dict[str, Any], log: Path, gate: Path | None) -> None:
    import torch
    from softlabels.runs import run as runs

    os.environ |= {"SOFTLABELS_CACHE": str(store / "cache"), "SOFTLABELS_RESULTS": str(store / "results")}
    torch.set_num_threads(1)
    train_in = runs.train_in

    def counted(*arguments: Any) -> runs.Record:
        print("trains", flush=True)
        if gate:
            wait_until(gate.exists)
        return train_in(*arguments)

    runs.train_in = counted
    with log.open("w") as stream, contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        record = runs.get(runs.RunConfig(**settings), "cpu")
        print(record.metrics, flush=True)


def start(store: Path, settings: dict[str, Any], log: Path, gate: Path | None = None) -> BaseProcess:
    """Ask for a run in another process, with its own store; its training waits for the file `gate`.

    `log` gets what the process prints: "trains" when it trains, and the metrics it was given.
    """
    process = _context.Process(target=_get, args=(store, settings, log, gate), daemon=True)
    process.start()
    return process


def _doomed(store: Path, work: Callable, arguments: tuple, moment: int | None, count: Path) -> None:
    import torch

    os.environ |= {"SOFTLABELS_CACHE": str(store / "cache"), "SOFTLABELS_RESULTS": str(store / "results")}
    torch.set_num_threads(1)
    events = 0

    def tick(*_: Any) -> None:
        nonlocal events
        events += 1
        if events == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    with (store / "said").open("a") as stream, contextlib.redirect_stderr(stream):
        sys.setprofile(tick)  # each call of a function and each return from one, those of C included
        work(*arguments)
        sys.setprofile(None)
    count.write_text(str(events))


def killed(store: Path, work: Callable, arguments: tuple, moment: int | None = None) -> int | None:
    """Do `work` in a process that kills itself (SIGKILL) at its event number `moment`, in its own store.

    Returns the number of events when it came to its end, None when it was killed.
    """
    store.mkdir(parents=True, exist_ok=True)
    count = store / "count"
    count.unlink(missing_ok=True)
    process = _context.Process(target=_doomed, args=(store, work, arguments, moment, count), daemon=True)
    process.start()
    process.join(240)
    assert process.exitcode in (0, -signal.SIGKILL), (store / "said").read_text()[-2000:]
    return int(count.read_text()) if process.exitcode == 0 else None
