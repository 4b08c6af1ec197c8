"""Images inside a zip archive, decoded in memory; nothing is unpacked."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from softlabels import errors

KINDS = (".png", ".jpg")


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
                images[i] = _decode(archive.read(name), shape, f"{path}: {name}")
    except zipfile.BadZipFile as error:
        raise errors.DataError(f"{path}: expected a zip archive, found {error}; replace the file") from None
    return images


def _check_names(path: Path, found: set[str], names: Sequence[str], others: bool) -> None:
    differ = set(names) - found if others else set(names) ^ found
    if differ:
        raise errors.DataError(
            f"{path}: expected {len(names)} known image names, found {len(differ)} missing or unknown, "
            f"the first {min(differ)}; replace the file"
        )


def _decode(content: bytes, shape: tuple[int, int, int], where: str) -> np.ndarray:
    height, width, channels = shape
    mode, kind = ("L", "a grey") if channels == 1 else ("RGB", "an RGB")
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.mode == mode and image.size == (width, height):
                return np.asarray(image).reshape(shape)
            found = f"{image.mode} {image.size}"
    except OSError as error:
        found = str(error)
    raise errors.DataError(f"{where}: expected {kind} image of {width} x {height} pixels, found {found}")
