"""Zip archives from the network: images read inside one, or all of it unpacked with care."""

import io
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from softlabels import errors
from softlabels.datasets.images import FORMATS
from softlabels.errors import DataError

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


# Whole archives: nothing outside of the target, no links, no bombs.


MAX_TOTAL = 64 << 30  # bytes unpacked
MAX_RATIO = 200  # unpacked to packed; images hardly shrink, and JSON by a factor of about 20
MAX_FILES = 2_000_000
SLACK = 1 << 20  # bytes below which a ratio says nothing


def unpack(archive: Path, target: Path) -> Path:
    """Unpack a zip file; the folder `target` appears whole or not at all. One process at a time.

    Raises
    ------
    DataError
        It is no zip file or damaged, or a member would lie outside of `target`, is a link, occurs twice, or
        is out of all proportion to its packed size.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.unpacking.*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.unpacking."))
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in tqdm(_checked(archive, opened), desc=archive.name, unit="file", leave=False):
                _extract(archive, opened, member, part)
        part.chmod(0o755)
        part.rename(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive}: damaged ({error}); remove it and try again") from error
    except OSError as error:  # a full disk, or names that this file system cannot hold
        raise DataError(f"{archive}: cannot be unpacked to {target} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _checked(archive: Path, opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Members of an archive, after a look at all of them and before anything is written."""
    members = opened.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > MAX_FILES or total > MAX_TOTAL:
        raise _refused(archive, "the archive", f"{len(members)} files of {total} bytes in all")
    seen = set()
    for member in members:
        _check_path(archive, member)
        if member.filename in seen:
            raise _refused(archive, member.filename, "it occurs twice")
        seen.add(member.filename)
        if member.file_size > SLACK and member.file_size > MAX_RATIO * max(1, member.compress_size):
            found = f"{member.compress_size} bytes that unpack to {member.file_size}"
            raise _refused(archive, member.filename, found)
    return members


def _check_path(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise _refused(archive, name, "it would lie outside of the target folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "no plain file"
        raise _refused(archive, name, f"it is {what}")


def _refused(archive: Path, name: str, found: str) -> DataError:
    return DataError(f"{archive}: {name!r} is refused: {found}; get the archive from its authors")


def _extract(archive: Path, opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = folder / member.filename
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Zipfile reads no more than the size stated in the archive, and that was checked.
    with opened.open(member) as source, path.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
