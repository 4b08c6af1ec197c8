"""Images inside a zip archive, decoded in memory; nothing is unpacked."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from softlabels import errors
from softlabels.datasets.pictures import FORMATS

KINDS = (".png", ".jpg")
LARGEST = 1 << 24  # bytes of one image file


def read_images(
    path: Path, names: Sequence[str], shape: tuple[int, int, int], others: bool = False
) -> np.ndarray:
    """Decode these images of an archive, in this order, uint8 ``[N, H, W, C]``.

    Parameters
    ----------
    shape : (H, W, C)
        What every image must have; C is 1 (grey) or 3 (RGB).
    others : bool
        The archive may hold more images than these.

    Raises
    ------
    DataError
        The file is no archive, an image is missing, unknown or damaged, or of another shape.
    """
    images = np.empty((len(names), *shape), np.uint8)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_names(path, {name for name in archive.namelist() if name.endswith(KINDS)}, names, others)
            for i, name in enumerate(tqdm(names, desc=f"decoding {path.name}", unit="image", leave=False)):
                images[i] = _decode(_content(archive, name), shape, f"{path}: {name}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise errors.DataError(f"{path}: expected a zip archive, found {error}; replace the file") from None
    return images


def _check_names(path: Path, found: set[str], names: Sequence[str], others: bool) -> None:
    differ = set(names) - found if others else set(names) ^ found
    if differ:
        raise errors.DataError(
            f"{path}: expected {len(names)} known image names, found {len(differ)} missing or unknown, "
            f"the first {min(differ)}; replace the file"
        )


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    if (size := archive.getinfo(name).file_size) > LARGEST:
        raise zipfile.BadZipFile(f"an image {name} of {size} bytes")
    return archive.read(name)


def _decode(content: bytes, shape: tuple[int, int, int], where: str) -> np.ndarray:
    height, width, channels = shape
    mode, kind = ("L", "a grey") if channels == 1 else ("RGB", "an RGB")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.mode == mode and image.size == (width, height):
                return np.asarray(image).reshape(shape)
            found = f"{image.mode} {image.size}"
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them
        found = str(error)
    raise errors.DataError(f"{where}: expected {kind} image of {width} x {height} pixels, found {found}")
