"""FER+: 48 px faces, each judged by ten people (Barsoum et al. 2016, arXiv 1608.01041).

The images are of people who were not asked. They are for training only: the dataset's source says so, and
no card and no figure shows one.
"""

import csv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from softlabels import errors
from softlabels.datasets import fetch
from softlabels.datasets.base import Dataset, Source, demand_size
from softlabels.datasets.cache import arrays
from softlabels.datasets.images import read_images

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
NO_CLASS = ("unknown", "NF")  # "not a face"
SIZE = 48
IMAGES = "ferplus/ferplus-images.zip"
VOTES = "ferplus/fer2013new.csv"
# What the column "Usage" calls a part, and where the archive keeps its images.
PARTS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
COLUMNS = ["Usage", "Image name", *CLASSES, *NO_CLASS]


def load(image_size: int | None = None) -> Dataset:
    """Return FER+: 34,963 faces with the votes of ten annotators each; ids are the numbers in file names.

    Which images are kept is what the authors' public code keeps for training on distributions (`keeps`):
    of 35,887 rows, 173 name no image, 4 name one that an earlier row has named, and 747 more show
    nothing that people agree on, or no face. From the kept ones the votes for "unknown" and "NF" are taken
    away, as there; 6 to 10 votes for the eight emotions remain. The authors then also take away single votes
    and all but the leading classes. That is not done here: a soft label is the share of *all* annotations
    (BHL, section 2), and 7.5 % of the votes are single ones.

    The images are grey, ``[N, 48, 48, 1]``. They stand in a fixed mixed order, so that the first n of them
    are an even sample of all three official parts ("train", "validation", "test" in ``splits``). 1,803
    images are copies, equal pixel for pixel, of others, and the table gives them the same votes; 281 of the
    3,505 test images have a copy in the training part. The official parts are kept as they are: the copies
    make every model look better, in both arms.

    Raises `ConfigError` for an image size other than 48, else as `fetch` and `votes`.
    """
    demand_size("ferplus", image_size, SIZE)
    (images, counts, ids, parts), sha256 = arrays("ferplus", ("images", "counts", "ids", "part"), _decoded)
    source = Source(
        name="ferplus",
        licence="images: research use, shown nowhere; votes: MIT",
        variant="FER+ votes on the 48 px images of FER2013; unknown and NF left out",
        sha256=sha256,
        url="https://github.com/microsoft/FERPlus",
        show=False,
    )
    splits = {name: np.flatnonzero(parts == part) for part, name in enumerate(PARTS.values())}
    return Dataset("ferplus", images, counts, CLASSES, source, ids, splits=splits)


def votes(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the table of votes; a line that is not as the header says raises `DataError`.

    Returns
    -------
    usage : str [N]
        One of `PARTS`.
    ids : int64 [N]
        Numbers in the names of the images that are kept, in the fixed mixed order.
    counts : float32 [N, 8]
        Votes for the emotions.
    """
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        if (head := next(lines, [])) != COLUMNS:
            raise errors.DataError(f"{path}:1: expected the columns {COLUMNS}, found {head}")
        rows = [_row(line, f"{path}:{lines.line_num}") for line in lines]
    if not rows:
        raise errors.DataError(f"{path}: expected 35,887 lines of votes, found no line of votes; replace it")
    usage, ids, every = (np.array(column) for column in zip(*rows, strict=True))
    named = np.flatnonzero((ids >= 0) & keeps(every))
    first = named[np.unique(ids[named], return_index=True)[1]]
    # By Knuth's multiplicative hash the first n are spread evenly, the same with every version of numpy.
    mixed = ids[first].astype(np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    order = first[np.argsort(mixed, kind="stable")]
    return usage[order], ids[order], every[order, : len(CLASSES)].astype(np.float32)


def collected_votes() -> dict[int, list[int]]:
    """Return the votes for the emotions by image number, from the tables beside the images.

    They differ from the table of `votes` for copies of the same picture only: there each copy has the
    votes of its own panel. A table that is missing or damaged raises `DataError`.
    """
    path, found = fetch.fetch(IMAGES), {}
    with zipfile.ZipFile(path) as archive:
        for part, folder in FOLDERS.items():
            name = f"FERPlus/data/{folder}/label.csv"
            try:
                lines = list(csv.reader(archive.read(name).decode("utf-8").splitlines()))
            except KeyError:
                raise errors.DataError(f"{path}: {name} is missing; replace the file") from None
            for place, (file, _, *numbers) in enumerate(lines, 1):
                _, number, every = _row([part, file, *numbers], f"{path}: {name}:{place}")
                found[number] = every[: len(CLASSES)]
    return found


def _row(line: list[str], where: str) -> tuple[str, int, list[int]]:
    try:
        usage, name, *numbers = line
        found = [int(number) for number in numbers]
        number = int(name.removeprefix("fer").removesuffix(".png")) if name else -1
    except ValueError as error:
        raise errors.DataError(f"{where}: expected usage, image name and votes, found {line}") from error
    if usage not in PARTS or len(found) != len(CLASSES + NO_CLASS) or min(found) < 0:
        expected = f"one of {', '.join(PARTS)}, a name and ten numbers of votes"
        raise errors.DataError(f"{where}: expected {expected}, found {line}")
    return usage, number, found


def keeps(votes: np.ndarray) -> np.ndarray:
    """Which images the authors keep, bool [N] (microsoft/FERPlus, ``src/ferplus.py``, mode "crossentropy").

    Single votes are left out. Classes are taken from the most frequent one on, all of a tie together, until
    they hold three quarters of the rest, or are three, or "unknown" or "NF" is one of them; that one counts
    only where it comes first. An image is kept if what was taken is more than half of the votes, in at most
    three classes, and an emotion leads. Votes [N, 10] are for the eight emotions, "unknown" and "NF".
    """
    rows, back = np.unique(votes, axis=0, return_inverse=True)
    return np.array([_keeps(row) for row in rows])[back.ravel()]


def _keeps(votes: np.ndarray) -> bool:
    left = np.where(votes > 1, votes, 0)
    total, taken = left.sum(), np.zeros(len(left), int)
    n, emotions_only = 0, True
    while taken.sum() < 0.75 * total and n < 3 and emotions_only:
        for k in np.flatnonzero(left == (top := left.max())):
            taken[k], left[k], n = top, 0, n + 1
            if k >= len(CLASSES):
                emotions_only = False
                if taken.sum() > top:
                    taken[k], n = 0, n - 1
                break
    return bool(taken.sum() > 0.5 * total and n <= 3 and taken.argmax() < len(CLASSES))


def _decoded() -> Sequence[np.ndarray]:
    """Images uint8 [N, 48, 48, 1], votes, ids, and the number of each image's part."""
    usage, ids, counts = votes(fetch.fetch(VOTES))
    names = [f"FERPlus/data/{FOLDERS[u]}/fer{i:07d}.png" for u, i in zip(usage, ids, strict=True)]
    images = read_images(fetch.fetch(IMAGES), names, (SIZE, SIZE, 1), others=True)
    return images, counts, ids, np.array([list(PARTS).index(u) for u in usage])
