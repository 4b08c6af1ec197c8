"""Processes of their own for tests of `runs.get`; a server imports torch once and forks them."""

import contextlib
import multiprocessing
import os
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["softlabels.runs", "timm", "tqdm.auto"])


def wait_until(condition, seconds: float = 60) -> None:
    """Return when `condition()` holds; fail the test when it has not after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def _get(store: Path, settings: dict[str, Any], log: Path, gate: Path | None) -> None:
    import torch
    from softlabels import runs

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
