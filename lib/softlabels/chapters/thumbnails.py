"""The test images of a run side by side in one small file, for pages that show any of thousands."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from softlabels.datasets.base import checksum
from softlabels.errors import DataError, DataUnavailable
from softlabels.learning import inputs
from softlabels.store import Shelf, write_atomically

if TYPE_CHECKING:
    from softlabels.runs.records import Record

SHELF = Shelf("atlas")
TILE = 32  # pixels
QUALITY = 70  # of WebP: 0.4 to 0.5 MB for two to three thousand tiles


def columns(n: int) -> int:
    """Tiles in a row of a sheet of `n`."""
    return int(np.ceil(np.sqrt(n)))


def sheet(images: np.ndarray) -> bytes:
    """Lay images uint8 ``[N, S, S, 3]`` side by side, row by row, and return them as one WebP file."""
    n, size, wide = len(images), images.shape[1], columns(len(images))
    high = -(-n // wide)
    tiles = np.zeros((high * wide, size, size, 3), np.uint8)
    tiles[:n] = images
    whole = tiles.reshape(high, wide, size, size, 3).swapaxes(1, 2).reshape(high * size, wide * size, 3)
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, "webp", quality=QUALITY, method=6)
    return buffer.getvalue()


def of_run(record: "Record") -> np.ndarray:
    """Test images of a run, in the order of its record, as uint8 ``[N, TILE, TILE, 3]``.

    Raises
    ------
    DataError, DataUnavailable
        If they must not be shown, or are neither here nor to be downloaded.
    """
    data = inputs.load(record.config)
    rows = np.searchsorted(data.ids, record.arrays()["ids"])
    small = [
        Image.fromarray(image.squeeze()).convert("RGB").resize((TILE, TILE), Image.Resampling.BOX)
        for image in data.pictures(rows)
    ]
    return np.stack([np.asarray(image) for image in small])


def find(record: "Record", draw: bool = False) -> bytes:
    """Return the stored sheet of a run's test images; if asked to, draw it; empty where there is none."""
    name = _name(record)
    if path := SHELF.find(name):
        return path.read_bytes()
    if not draw:
        return b""
    try:
        return _drawn(record, SHELF.cached / name)
    except (DataUnavailable, DataError):
        return b""


def publish(record: "Record") -> Path:
    """Draw the sheet of a run's test images among the committed results; returns the file."""
    path = SHELF.committed / _name(record)
    _drawn(record, path)
    return path


def _drawn(record: "Record", path: Path) -> bytes:
    content = sheet(of_run(record))
    write_atomically(path, content)
    return content


def _name(record: "Record") -> str:
    content, chosen = record.data["sha256"][:8], checksum(record.arrays()["ids"])[:8]
    return f"{record.config.dataset}-{content}-{chosen}-{TILE}px.webp"
