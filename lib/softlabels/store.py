"""Stored results: one way to find, read, write and set aside what runs, evaluations, maps and cards leave.

Each kind has a `Shelf`: a folder among the committed results, and one of the same name in the cache. A file
is written whole or not at all. One that has a checksum is held to it, and one that is damaged is an error
that names it and its remedy.
"""

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np

from softlabels import paths
from softlabels.errors import RecordError, SoftlabelsError, StorageError

LARGEST = 1 << 30  # bytes that the arrays of one file unpack to
T = TypeVar("T")


@dataclass(frozen=True)
class Shelf:
    """One kind of stored results, by the name of its folders."""

    name: str

    @property
    def committed(self) -> Path:
        """Folder among the committed results."""
        return paths.results() / self.name

    @property
    def cached(self) -> Path:
        """Folder of what was made here."""
        return paths.cache() / self.name

    def find(self, file: str, committed_only: bool = False) -> Path | None:
        """Where a file lies: among the committed ones, else in the cache, else nowhere."""
        folders = (self.committed,) if committed_only else (self.committed, self.cached)
        return next((folder / file for folder in folders if (folder / file).is_file()), None)

    def files(self, pattern: str = "*.json", committed_only: bool = False) -> Iterator[Path]:
        """Each file once, ordered by name; committed ones first."""
        seen: set[str] = set()
        for folder in (self.committed,) if committed_only else (self.committed, self.cached):
            fresh = [path for path in sorted(folder.glob(pattern)) if path.name not in seen]
            seen.update(path.name for path in fresh)
            yield from fresh


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, nothing between.

    If it cannot be written, `StorageError` is raised and the old content stays.
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
        # Where nothing may be written nothing may be deleted either, and that is not the error to report.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files in their order: the one that names the others comes last, and never stands without them."""
    for name, content in files.items():
        write_atomically(folder / name, content)


def read(path: Path, parse: Callable[[bytes], T], what: str, remedy: str) -> T:
    """Parse a file; whatever damaged bytes make of that raises `RecordError` with the file and the remedy."""
    try:
        return parse(path.read_bytes())
    except SoftlabelsError as error:
        raise RecordError(f"{path}: {error}") from error
    except Exception as error:  # json, numpy and zlib raise whatever damaged bytes make them
        raise RecordError(f"{path}: not {what} ({type(error).__name__}: {error}); {remedy}") from error


def checked_bytes(path: Path, stated: str) -> bytes:
    """Content of a file whose SHA-256 is `stated`; anything else raises `RecordError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: arrays of the record cannot be read ({error.strerror})") from error
    found = sha256(content).hexdigest()
    if found != stated:
        raise RecordError(
            f"{path}: SHA-256 is {found}, its record says {stated}; take both from git again, or delete both "
            "to train again"
        )
    return content


def read_arrays(path: Path, stated: str) -> dict[str, np.ndarray]:
    """Arrays of an npz file whose SHA-256 is `stated`; anything else raises `RecordError`."""
    content = checked_bytes(path, stated)
    try:
        return unpack(content)
    except Exception as error:  # numpy and zlib raise whatever damaged bytes make them
        raise RecordError(f"{path}: not the arrays of a record ({type(error).__name__}: {error})") from error


def unpack(content: bytes) -> dict[str, np.ndarray]:
    """Arrays from the bytes of an npz file; ValueError where they would not fit into memory."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        if (size := sum(member.file_size for member in archive.zip.infolist())) > LARGEST:
            raise ValueError(f"it unpacks to {size} bytes, more than {LARGEST}")
        return dict(archive)


def pack(**arrays: np.ndarray) -> bytes:
    """Arrays as the bytes of an npz file; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def set_aside(files: Sequence[Path], why: str) -> None:
    """Rename damaged files, so that they can be made again, and warn of it."""
    kept = [path.replace(path.with_name(f"{path.name}.damaged")) for path in files]
    warnings.warn(f"{why}. Set aside as {', '.join(map(str, kept))}, to be made again", stacklevel=4)
