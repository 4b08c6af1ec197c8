"""Image files of any size and kind as one memory-mapped array, decoded once, in bounded memory.

What is done to an image: its EXIF orientation is applied; grey becomes three equal channels; what is
transparent lies on white; 16 bits are scaled by the smallest depth (8, 10, 12, 14 or 16 bits) that holds all
values of the dataset, so that brightness stays comparable between its images; another size is resized with
antialiasing to a square, the whole image and nothing cut away, which changes the aspect of an oblong one.
"""

import io
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from softlabels import errors
from softlabels.datasets.cache import cached, in_order, read_array, read_checksum, write_images
from softlabels.datasets.collection import Problem

MAX_PIXELS = 1 << 26  # of one image, before it is decoded: a small file can claim to be a huge picture
MAX_BYTES = 1 << 30
MAX_PACKED = 1 << 24  # bytes of one image file in an archive
LARGEST = 4096  # pixels, of the edge
# Only these, whatever the file is called: some of Pillow's other readers start programs.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
Image.init()  # `formats` knows only what is loaded
DEEP_COLOUR = ("LA;16", "RGB;16", "RGBA;16")  # Pillow has no such modes, and drops the lower eight bits
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I", *DEEP_COLOUR)
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
DEPTHS = (8, 10, 12, 14, 16)
REMEDY = "replace the file"
T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What an image says of itself: (width, height), Pillow's mode, and the largest of its 16-bit values."""

    size: tuple[int, int]
    mode: str
    largest: int = 0


class Unreadable(Exception):
    """An image that cannot be decoded, and what was found."""


def examine(path: Path) -> Header:
    """Decode one image to see that it is whole; `Unreadable` says in a few words what was found."""
    with _opened(path) as image:
        if mode := deep_colour(path):
            return Header(image.size, mode, int(_deep_pixels(path).max()))
        if image.mode not in SIXTEEN_BIT:
            return Header(image.size, image.mode)
        values = np.asarray(image)
        least, largest = int(values.min()), int(values.max())
        if largest > 0xFFFF or least < 0:
            raise Unreadable(f"values of {least} to {largest}, outside of 16 bits")
        return Header(image.size, image.mode, largest)


def decode(path: Path, size: int, depth: int = 16) -> np.ndarray:
    """Return one image as uint8 ``[size, size, 3]``; `depth` is that of the dataset's 16-bit images."""
    with _opened(path) as image:
        if deep_colour(path):
            shallow = Image.fromarray(_scaled(_deep_pixels(path), depth))
            shallow.getexif()[0x0112] = image.getexif().get(0x0112, 1)  # the orientation
            image = shallow
        picture = _rgb(ImageOps.exif_transpose(image), depth)
        if picture.size != (size, size):
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)
        return np.asarray(picture, dtype=np.uint8)


def _opened(path: Path) -> Image.Image:
    """An image, loaded, to be closed by ``with``; whatever goes wrong in decoding it becomes `Unreadable`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs and odd metadata; we decide
            if path.stat().st_size > MAX_BYTES:
                raise Unreadable(f"a file of more than {MAX_BYTES:,} bytes")
            image = Image.open(io.BytesIO(path.read_bytes()), formats=FORMATS)
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Unreadable(f"{width} x {height} pixels, more than {MAX_PIXELS:,} in all")
            if image.format == "TIFF" and image.mode not in SIXTEEN_BIT:
                bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
                if max(bits if isinstance(bits, tuple) else (bits,)) > 8 and image.mode != "F":
                    raise Unreadable("a TIFF of colours with more than 8 bits; save it as PNG")
            if image.mode == "F":
                raise Unreadable("floating-point intensities; save it with 8 or 16 bits")
            image.load()
            return image
    except Unreadable:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them
        raise Unreadable(_reason(error)) from error


def deep_colour(path: Path) -> str:
    """Mode of a PNG file of colours, or of grey with transparency, that has 16 bits; else empty."""
    with path.open("rb") as file:
        head = file.read(26)
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or len(head) < 26 or head[24] != 16:
        return ""
    return {2: "RGB;16", 4: "LA;16", 6: "RGBA;16"}.get(head[25], "")


def _deep_pixels(path: Path) -> np.ndarray:
    """Pixels of such a file as uint16 [H, W, C]: Pillow gives the higher and the lower eight bits apart."""
    with _opened(path) as image:
        high = np.asarray(image).astype(np.uint16)
    content = io.BytesIO(path.read_bytes())
    image = Image.open(content, formats=("PNG",))
    mode = image.tile[0][3]
    # The file has the higher byte first. Read the other way round, the lower one is what is kept; grey with
    # transparency has four bytes a pixel, which is what RGBA takes as they are.
    rest = "RGBA" if mode == "LA;16B" else str(mode).replace("16B", "16L")
    image.tile = [(*image.tile[0][:3], rest)]  # type: ignore[list-item]  # a plain tuple in older versions
    try:
        image.load()
    except Exception as error:
        raise Unreadable(_reason(error)) from error
    values = np.asarray(image).astype(np.uint16)
    if mode == "LA;16B":
        return values[..., ::2] << 8 | values[..., 1::2]
    return high << 8 | values


def _scaled(values: np.ndarray, depth: int) -> np.ndarray:
    return np.minimum(values.astype(np.float32) * (255 / (2**depth - 1)) + 0.5, 255).astype(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "no image that can be read"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return str(error) or type(error).__name__


def _rgb(image: Image.Image, depth: int) -> Image.Image:
    if image.mode in SIXTEEN_BIT:
        return Image.fromarray(_scaled(np.asarray(image), depth)).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def depth_of(largest: int) -> int:
    """Smallest depth of a camera that holds the value, in bits."""
    return next(depth for depth in DEPTHS if largest < 2**depth)


def headers(root: Path, files: Sequence[str], title: str) -> tuple[list[Header | None], list[Problem]]:
    """Decode all images once to learn their kinds and which of them cannot be read."""
    problems: dict[str, Problem] = {}

    def one(name: str) -> Header | None:
        try:
            return examine(root / name)
        except Unreadable as error:
            problems[name] = Problem("unreadable image", name, str(error), REMEDY)
            return None

    found = list(_with_bar(one, files, title))
    return found, [problems[name] for name in files if name in problems]


def median_size(sizes: Sequence[tuple[int, int]]) -> int:
    """Median over images of the geometric mean of their sides, in pixels; at least 8."""
    edges = np.sqrt(np.prod(np.array(sizes, np.float64), axis=1))
    return int(np.clip(round(float(np.median(edges))), 8, LARGEST))


def array(
    root: Path, files: Sequence[str], name: str, content: str, size: int | None
) -> tuple[np.ndarray, str]:
    """Return images as uint8 ``[N, size, size, 3]``, memory-mapped from the cache, and their SHA-256.

    `content` is a checksum of the files: others are decoded anew, under another name. The size is None for
    the median of the images. One that cannot be read raises `DataError`, an impossible size `ConfigError`.
    """
    if size is not None and (not isinstance(size, int | np.integer) or not 8 <= size <= LARGEST):
        raise errors.ConfigError(f"{name}: image_size must lie in [8, {LARGEST}], not {size!r}")

    def read(path: Path) -> tuple[np.ndarray, str] | None:
        """Images and checksum, or None unless shape and a sample are what the files say."""
        sha256, images = read_checksum(path), read_array(path)
        if sha256 is None or images is None or images.dtype != np.uint8 or images.ndim != 4:
            return None
        if images.shape[0] != len(files) or (size is not None and images.shape[1:] != (size, size, 3)):
            return None
        try:
            depth = int(path.with_suffix(".depth").read_text())
        except (OSError, ValueError):
            depth = 16
        try:
            for i in np.unique(np.linspace(0, len(files) - 1, 8).astype(int)):
                if not np.array_equal(images[i], decode(root / files[i], images.shape[1], depth)):
                    return None
        except Unreadable:
            return None
        return images, sha256

    def write(path: Path) -> None:
        edge, depth = _size_and_depth(root, files, size)
        path.with_suffix(".depth").write_text(str(depth))

        def one(name: str) -> np.ndarray:
            try:
                return np.ascontiguousarray(decode(root / name, edge, depth))
            except Unreadable as error:
                raise errors.DataError(f"{root / name}: {error}; {REMEDY}") from error

        write_images(path, (len(files), edge, edge, 3), _with_bar(one, files, "decoding"))

    return cached(f"{name}-{content[:16]}-{'own' if size is None else size}px", read, write)


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


def _with_bar(work: Callable[[str], T], files: Sequence[str], title: str) -> Iterator[T]:
    few = len(files) < 500
    return iter(tqdm(in_order(work, files), title, len(files), unit="image", leave=False, disable=few))


# Images of a known archive, all of one shape.
def read_images(
    path: Path, names: Sequence[str], shape: tuple[int, int, int], others: bool = False
) -> np.ndarray:
    """Decode these images of an archive, in this order, uint8 ``[N, H, W, C]``.

    `DataError` is raised where the file is no archive, or an image is missing, unknown (unless the archive
    may hold `others`), damaged or of another shape; C is 1 (grey) or 3 (RGB).
    """
    images = np.empty((len(names), *shape), np.uint8)
    try:
        with zipfile.ZipFile(path) as archive:
            there = {name for name in archive.namelist() if name.endswith((".png", ".jpg"))}
            if differ := set(names) - there if others else set(names) ^ there:
                raise errors.DataError(
                    f"{path}: expected {len(names)} known image names, found {len(differ)} missing or "
                    f"unknown, the first {min(differ)}; {REMEDY}"
                )
            for i, name in enumerate(tqdm(names, desc=f"decoding {path.name}", unit="image", leave=False)):
                if (size := archive.getinfo(name).file_size) > MAX_PACKED:
                    raise zipfile.BadZipFile(f"an image {name} of {size} bytes")
                images[i] = _decode(archive.read(name), shape, f"{path}: {name}")
    except BROKEN_ZIP as error:
        raise errors.DataError(f"{path}: expected a zip archive, found {error}; {REMEDY}") from None
    return images


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
