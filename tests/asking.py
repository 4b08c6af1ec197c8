"""A process that executes chapters in forks of itself, as `make book` has one, while a test asks it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from children import wait_until
from softlabels import paths
from softlabels.book import engine

CHAPTER = str(paths.PROJECT / "workflow" / "chapter.py")
STATUS = 3  # of the command beside which it runs
Ask = Callable[..., subprocess.CompletedProcess]


@contextmanager
def executor(folder: Path) -> Iterator[Ask]:
    """A function that asks for what `python -m softlabels.book` would do with the same words.

    Chapters are executed with the environment of now. What the process itself says is added to `stderr`; at
    the end it has to hand on the status of its command.
    """
    place, log = folder / "place", folder / "said"
    command = ["sh", "-c", f'echo "${engine.ASKED_AT}" > "$0"; cat; exit {STATUS}', str(place)]
    with (
        log.open("w") as said,
        subprocess.Popen(
            [sys.executable, "-m", "softlabels.book.engine", *command],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=paths.PROJECT,
        ) as process,
    ):
        wait_until(lambda: place.exists() and place.read_text().endswith("\n"))

        def ask(*words: str) -> subprocess.CompletedProcess:
            before = log.stat().st_size
            environment = os.environ | {engine.ASKED_AT: place.read_text().strip()}
            asked = [sys.executable, CHAPTER, *words]
            done = subprocess.run(asked, capture_output=True, text=True, env=environment)
            done.stderr += log.read_text()[before:]
            return done

        yield ask
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == STATUS, log.read_text()
