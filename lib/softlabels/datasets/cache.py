"""Arrays that are made once and read often: whole or not there, checked when read, safe for two processes."""

import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from softlabels import errors, paths
from softlabels.datasets.base import checksum
from softlabels.store import write_atomically

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
LARGE = 1 << 30  # bytes of an array from which on it may not stay in memory


def cached(name: str, read: Callable[[Path], T | None], write: Callable[[Path], None]) -> T:
    """Return what `read` finds at a path of the cache; where that is None, `write` makes it first.

    What was written and cannot be read back raises `DataError`.
    """
    folder = paths.cache() / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npy"
    with FileLock(folder / f"{name}.lock"):
        found = read(path)
        if found is None:
            write(path)
            found = read(path)
    if found is None:
        raise errors.DataError(
            f"{path}: expected the arrays just written, found others; check the disk or move SOFTLABELS_CACHE"
        )
    return found


def read_array(path: Path) -> np.ndarray | None:
    """Return the array at `path`, memory-mapped, or None where it is absent, cut off or no array."""
    try:
        return np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def prefetch(array: np.ndarray, rows: Iterable[int]) -> None:
    """Ask the system for some rows of a large memory-mapped array at once, before they are read.

    Read one after the other from the file, each row waits for itself and for what the system reads ahead in
    vain. Nothing is done for an array in memory, or for one below `LARGE`, which soon is.
    """
    if not isinstance(array, np.memmap) or array.nbytes < LARGE or not hasattr(mmap, "MADV_WILLNEED"):
        return
    for start, length in pages(array, rows):
        array._mmap.madvise(mmap.MADV_WILLNEED, start, length)  # type: ignore[attr-defined]


def pages(array: np.memmap, rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield where in its map each row lies: the first byte of its first page, and the bytes to its end."""
    begin = array.ctypes.data - np.frombuffer(array._mmap, np.uint8).ctypes.data  # type: ignore[attr-defined]
    for row in rows:
        start = begin + row * array.strides[0]
        page = start - start % mmap.PAGESIZE
        yield page, start + array.strides[0] - page


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array whole or not at all."""
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_checksum(path: Path) -> str | None:
    """Return the checksum kept beside the array at `path`, or None."""
    try:
        found = json.loads(path.with_suffix(".json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def write_checksum(path: Path, sha256: str) -> None:
    """Keep a checksum beside the array at `path`."""
    write_atomically(path.with_suffix(".json"), json.dumps({"sha256": sha256}).encode())


def arrays(
    name: str, parts: Sequence[str], make: Callable[[], Sequence[np.ndarray]]
) -> tuple[list[np.ndarray], str]:
    """Arrays of a dataset, the first memory-mapped, and their checksum; made where absent or damaged.

    `parts` says what each array is: the first has the dataset's own file, the others one beside it.
    """

    def files(path: Path) -> list[Path]:
        return [path, *(path.with_suffix(f".{part}.npy") for part in parts[1:])]

    def read(path: Path) -> tuple[list[np.ndarray], str] | None:
        found, stated = [array for file in files(path) if (array := read_array(file)) is not None], None
        if len(found) == len(parts):
            stated = read_checksum(path)
        if stated is None or stated != checksum(*found):
            return None
        return [found[0], *map(np.array, found[1:])], stated

    def write(path: Path) -> None:
        made = make()
        for file, array in zip(files(path), made, strict=True):
            write_array(file, array)
        write_checksum(path, checksum(*made))

    return cached(name, read, write)


def write_images(
    path: Path, shape: tuple[int, ...], blocks: Iterable[np.ndarray], *beside: np.ndarray
) -> None:
    """Write uint8 images block by block, in bounded memory, and then the checksum; the images come last.

    The checksum is that of the images and the arrays `beside`, taken while writing: reading back would map
    the whole file.
    """
    digest = hashlib.sha256(f"{shape}{np.dtype(np.uint8).str}".encode())
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            header = {"descr": np.dtype(np.uint8).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                file.write(block.data)
                digest.update(block.data)
            file.flush()
            os.fsync(file.fileno())
        for array in beside:
            little = array.astype(array.dtype.newbyteorder("<"))
            digest.update(f"{little.shape}{little.dtype.str}".encode() + little.tobytes())
        write_checksum(path, digest.hexdigest())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def whole_folder(target: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder that appears at `target` whole or not at all; for one process at a time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.part.*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.part."))
    try:
        write(part)
        part.chmod(0o755)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def in_order(work: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
    """Apply `work` on a few threads, in order, with a bounded number under way: writing may be slower."""
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future[B]]()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 4 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
