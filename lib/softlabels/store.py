"""How results are written: whole or not at all."""

import contextlib
import os
from pathlib import Path

from softlabels.errors import StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, nothing between.

    Raises
    ------
    StorageError
        If it cannot be written; the old content stays.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); make room or get permission and call "
            "again: what was finished before is kept"
        ) from error
    finally:
        _forget(partial)


def _forget(partial: Path) -> None:
    # Where nothing may be written nothing may be deleted either, and that is not the error to report.
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)
