"""Image files of any size and kind as one memory-mapped array, decoded once, in bounded memory."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from softlabels import errors
from softlabels.datasets.cache import cached, read_array, read_checksum, write_checksum
from softlabels.datasets.collection import Problem
from softlabels.datasets.pictures import (
    FORMATS,
    SIXTEEN_BIT,
    Header,
    Unreadable,
    decode,
    deep_colour,
    depth_of,
    examine,
)

REMEDY = "replace the file"
LARGEST = 4096  # pixels, of the edge


def headers(root: Path, files: Sequence[str], title: str) -> tuple[list[Header | None], list[Problem]]:
    """Decode all images once to learn their kinds and which of them cannot be read."""
    found: list[Header | None] = []
    problems = []
    for name, result in zip(files, _in_order(lambda n: _tried(root / n), files, title), strict=True):
        if isinstance(result, str):
            problems.append(Problem("unreadable image", name, result, REMEDY))
        found.append(None if isinstance(result, str) else result)
    return found, problems


def _tried(path: Path) -> Header | str:
    try:
        return examine(path)
    except Unreadable as error:
        return str(error)


def median_size(sizes: Sequence[tuple[int, int]]) -> int:
    """Median over images of the geometric mean of their sides, in pixels; at least 8."""
    edges = np.sqrt(np.prod(np.array(sizes, np.float64), axis=1))
    return int(np.clip(round(float(np.median(edges))), 8, LARGEST))


def array(
    root: Path, files: Sequence[str], name: str, content: str, size: int | None
) -> tuple[np.ndarray, str]:
    """Return images as uint8 ``[N, size, size, 3]``, memory-mapped from the cache, and their SHA-256.

    Parameters
    ----------
    content : str
        Checksum of the files: other content is decoded anew, under another name.
    size : int or None
        Pixels; None is the median size of the images.

    Raises
    ------
    DataError
        An image cannot be read.
    """
    if size is not None and (not isinstance(size, int | np.integer) or not 8 <= size <= LARGEST):
        raise errors.ConfigError(f"{name}: image_size must lie in [8, {LARGEST}], not {size!r}")
    label = "own" if size is None else str(size)
    return cached(
        f"{name}-{content[:16]}-{label}px",
        read=lambda path: _read(path, root, files, size),
        write=lambda path: _write(path, root, files, size),
    )


def _read(path: Path, root: Path, files: Sequence[str], size: int | None) -> tuple[np.ndarray, str] | None:
    """Return images and checksum, or None unless shape and a sample are what the files say."""
    sha256, images = read_checksum(path), read_array(path)
    if sha256 is None or images is None or images.dtype != np.uint8 or images.ndim != 4:
        return None
    if images.shape[0] != len(files) or (size is not None and images.shape[1:] != (size, size, 3)):
        return None
    depth = _read_depth(path)
    for i in np.unique(np.linspace(0, len(files) - 1, 8).astype(int)):
        try:
            same = np.array_equal(images[i], decode(root / files[i], images.shape[1], depth))
        except Unreadable:
            same = False
        if not same:
            return None
    return images, sha256


def _read_depth(path: Path) -> int:
    try:
        return int(path.with_suffix(".depth").read_text())
    except (OSError, ValueError):
        return 16


def _write(path: Path, root: Path, files: Sequence[str], size: int | None) -> None:
    """Decode into `path` one image after another: no more than a few are in memory at a time."""
    size, depth = _size_and_depth(root, files, size)
    shape = (len(files), size, size, 3)
    digest = hashlib.sha256(f"{shape}{np.dtype(np.uint8).str}".encode())  # that of `checksum(images)`
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            header = {"descr": np.dtype(np.uint8).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for image in _decoded(root, files, size, depth):
                file.write(image.data)
                digest.update(image.data)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".depth").write_text(str(depth))
        write_checksum(path, digest.hexdigest())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _size_and_depth(root: Path, files: Sequence[str], size: int | None) -> tuple[int, int]:
    """Size and depth of the dataset; files are decoded beforehand only where something hangs on it."""
    if size is not None and not any(_may_be_deep(root / name) for name in files):
        return size, 16
    found, problems = headers(root, files, "examining")
    if problems:
        raise errors.DataError(f"{root / problems[0].file}: {problems[0].found}; {problems[0].remedy}")
    whole = [header for header in found if header is not None]
    deep = [header.largest for header in whole if header.mode in SIXTEEN_BIT]
    return size or median_size([header.size for header in whole]), depth_of(max(deep, default=0xFFFF))


def _may_be_deep(path: Path) -> bool:
    """Whether the header speaks of more than 8 bits; a file that cannot be read is dealt with later."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.mode in SIXTEEN_BIT or bool(deep_colour(path))
    except Exception:
        return False


def _decoded(root: Path, files: Sequence[str], size: int, depth: int) -> Iterator[np.ndarray]:
    def one(name: str) -> np.ndarray:
        try:
            return np.ascontiguousarray(decode(root / name, size, depth))
        except Unreadable as error:
            raise errors.DataError(f"{root / name}: {error}; {REMEDY}") from error

    return _in_order(one, files, "decoding")


def _in_order(work, files: Sequence[str], title: str) -> Iterator:  # type: ignore[no-untyped-def]
    """Apply `work` to every file on a few threads, in order, with a bounded number under way."""
    threads = min(4, os.cpu_count() or 1)
    bar = tqdm(total=len(files), desc=title, unit="image", leave=False, disable=len(files) < 500)
    with bar, ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future]()
        for name in files:
            waiting.append(pool.submit(work, name))
            if len(waiting) > 4 * threads:
                yield waiting.popleft().result()
                bar.update()
        while waiting:
            yield waiting.popleft().result()
            bar.update()
