"""A real Ctrl-C while papermill trains: one sentence, nothing lost, no line of progress in what is saved."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from softlabels.book.execute import KERNEL
from softlabels.learning import bars
from softlabels.learning.config import RunConfig
from softlabels.runs import planning

EPOCHS = 100_000  # more than anybody waits for
TRAINS = f"""from softlabels import runs
from softlabels.notebook import say
config = runs.RunConfig(network="resnet9-tiny", image_size=32, limit=240, epochs={EPOCHS})
runs.get(config, "cpu")
say("It went on.")"""
# papermill as it is, but that it looks a hundred times as often whether its kernel lives: a kernel that ends
# before it has answered is seen each time, and not once in thirty.
PAPERMILL = """import asyncio
from nbclient.client import DeadKernelError, NotebookClient
from papermill.cli import papermill

async def looks(self):
    try:
        while True:
            await asyncio.sleep(0.01)
            await self._async_check_alive()
    except DeadKernelError:
        self.task_poll_for_reply.cancel()

NotebookClient._async_poll_kernel_alive = looks
papermill()"""
SENTENCE = "interrupted; the next call goes on from the last finished epoch"


def saved(path: Path) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(TRAINS)], metadata=KERNEL), path)
    return path


def until(found, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.2)


def read(terminal: int) -> str:
    """Everything that was written on a terminal."""
    text = b""
    try:
        while part := os.read(terminal, 65536):
            text += part
    except OSError:  # nobody has it open any more
        pass
    return text.decode(errors="replace")


def trained(store: Path, interrupt: Callable[[int], None]) -> tuple[str, nbformat.NotebookNode]:
    """What a papermill says on its terminal, and saves, that is interrupted while it trains."""
    notebook, out = saved(store / "long.ipynb"), store / "out.ipynb"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PAPERMILL, str(notebook), str(out), "-k", "python3"]
    heard = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # what runs in the background may not hear it
    # Where a test runs it, ipykernel leaves the kernel's streams alone, as nowhere else.
    env = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    running = subprocess.Popen(command, preexec_fn=heard, env=env, **terminal)
    os.close(theirs)
    try:
        until(lambda: list((store / "cache").rglob("*.checkpoint*")) or running.poll() is not None)
        time.sleep(1)
        interrupt(running.pid)
        said = read(ours)
        assert running.wait(60) != 0
    finally:
        running.kill()  # its kernel ends with it, and would train for hours otherwise
    assert list((store / "cache").rglob("*.checkpoint*")), "the finished epochs are kept"
    return said, nbformat.read(out, as_version=4)


def its_kernel(program: int) -> int:
    """The process that trains: the busiest one that a program started."""
    children = Path(f"/proc/{program}/task/{program}/children").read_text().split()
    return max(map(int, children), key=lambda pid: int(Path(f"/proc/{pid}/stat").read_text().split()[13]))


@pytest.mark.skipif(sys.platform != "linux", reason="the program that runs a notebook is read off /proc")
@pytest.mark.timeout(600)
def test_an_interrupted_papermill_says_one_sentence_and_keeps_every_epoch(store: Path) -> None:
    said, kept = trained(store, lambda pid: os.killpg(pid, signal.SIGINT))
    assert said.count(SENTENCE) == 1, said
    assert "Traceback" not in said and "resnet9-tiny" in said, "the bar is on the terminal"
    assert not [o for cell in kept.cells for o in cell.outputs if o.output_type == "stream"]


@pytest.mark.skipif(sys.platform != "linux", reason="the program that runs a notebook is read off /proc")
@pytest.mark.timeout(600)
def test_papermill_fails_if_only_its_kernel_is_interrupted(store: Path) -> None:
    said, kept = trained(store, lambda pid: os.kill(its_kernel(pid), signal.SIGINT))
    assert "Exception encountered" in said
    assert SENTENCE in "".join(o.get("text", "") for cell in kept.cells for o in cell.get("outputs", []))


def test_one_bar_counts_epochs_and_runs_by_the_time_they_take(monkeypatch, capsys) -> None:
    short, long = (RunConfig(epochs=e) for e in (1, 3))
    monkeypatch.setattr(planning.Past, "expected", lambda self, config, gpu: float(config.epochs))
    seen = []
    with bars.one_bar(planning.minutes([short, long])) as done:
        monkeypatch.setattr(
            "tqdm.std.tqdm.update", lambda self, n: seen.append(n) or setattr(self, "n", self.n + n)
        )
        bars.tell(short)
        done(short)
        bars.tell(long)
        done(long)  # it ended early
    assert seen == pytest.approx([1, 0, 1, 2])
    assert bars._EPOCH.get() is None and not bars.unattended()
    with bars.one_bar({}) as done:
        done(short)
