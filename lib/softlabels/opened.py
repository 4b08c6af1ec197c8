"""Which committed results a process opens, listed in a file where `SOFTLABELS_OPENED` names one."""

import os
import sys
from pathlib import Path
from typing import Any

VARIABLE = "SOFTLABELS_OPENED"


def listen(results: Path, file: str) -> None:
    """Append to `file` the names, below `results`, of the files that this process opens from now on."""
    root, seen = f"{os.path.abspath(results)}{os.sep}", set[str]()  # noqa: PTH100 - no link is followed

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.path.abspath(os.fspath(arguments[0]))  # noqa: PTH100
        if isinstance(path, str) and path.startswith(root) and path not in seen:
            seen.add(path)
            with Path(file).open("a") as stream:
                stream.write(Path(path).relative_to(root).as_posix() + "\n")

    sys.addaudithook(note)
