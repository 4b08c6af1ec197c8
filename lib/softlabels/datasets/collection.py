"""A folder of images with what people said about them, as it lies on the disk and before it is decoded.

Readers gather every problem instead of stopping at the first, so that one pass shows all of them.
"""

import hashlib
import os
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from softlabels.datasets.base import Annotations, file_sha256
from softlabels.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MIN_IMAGES = 10  # 60/20/20 must leave two images for each part
MAX_CLASSES = 1000
SHOWN = 5  # kinds of problems that an error lists
EXAMPLES = 3  # of a kind of problems, where there are more
# Pictures that are not read, with what to do.
_AS_PNG = "save it as PNG, for instance by ImageMagick: magick NAME NAME.png"
_MEDICAL = "export it as PNG or TIFF of 8 or 16 bits"
UNREAD_SUFFIXES = {
    **dict.fromkeys((".gif", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".psd", ".tga"), _AS_PNG),
    **dict.fromkeys((".ppm", ".pgm", ".ico", ".svg", ".pdf", ".eps"), _AS_PNG),
    **dict.fromkeys((".dcm", ".nii", ".mha", ".raw", ".nef", ".cr2", ".dng", ".czi", ".svs"), _MEDICAL),
}


NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Problem:
    """Something that has to be put right: where it is, what was expected and found, and the remedy."""

    kind: str
    file: str
    found: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = printable(self.file) + (f", line {self.line}" if self.line else "")
        return f"{place}: {self.found}; {self.remedy}"


@dataclass(frozen=True)
class Collection:
    """What a reader found below `root`: N images, K classes."""

    name: str
    root: Path
    files: tuple[str, ...] = ()  # paths of the images, relative to `root`, with "/"
    classes: tuple[str, ...] = ()
    counts: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # float32 [N, K]
    annotations: Annotations | None = None  # None where no annotator is named
    annotators: tuple[str, ...] = ()
    # In the DCIC layout the number of the fold that an image lies in, int64 [N].
    folds: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sources: tuple[str, ...] = ()  # files that hold the annotations, relative to `root`
    problems: tuple[Problem, ...] = ()
    unreadable: bool = False  # there are no images, or no annotations, to speak of
    form: str = ""  # what the votes were read from, in words
    taken: tuple[tuple[str, str], ...] = ()  # each column and what it was taken for
    notes: tuple[str, ...] = ()  # what was left out or put together while reading

    def __len__(self) -> int:
        return len(self.files)


def printable(text: str, longest: int = 120) -> str:
    """Text that a terminal shows as it is: control and direction characters as escapes, cut where long."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def quoted(text: str) -> str:
    """Text of the user in quotation marks, printable."""
    return f"'{printable(text, 60)}'"


def listed(names: Sequence[str], most: int) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(quoted, names[:most])) + more


def normal(text: str) -> str:
    """Text without spaces around it and with composed accents: file systems differ in both."""
    return unicodedata.normalize("NFC", text.strip())


def is_image(name: str) -> bool:
    """Whether the name or the address of a file ends like that of an image that is read."""
    return name.strip().split("?")[0].lower().endswith(SUFFIXES)


def image_files(root: Path) -> list[str]:
    """Paths of all images below `root`, relative and sorted; hidden folders are left out, links followed."""
    return sorted(name for name in _files(root) if name.lower().endswith(SUFFIXES))


def unread_images(root: Path) -> dict[str, tuple[str, str]]:
    """Pictures of kinds that are not read: their name, and that without its ending, to path and remedy."""
    found = {}
    for name in sorted(_files(root)):
        remedy = UNREAD_SUFFIXES.get(Path(name).suffix.lower())
        if remedy:
            last = normal(name.rpartition("/")[2])
            found[last] = found[last.rpartition(".")[0]] = (name, remedy)
    return found


def _files(root: Path) -> list[str]:
    found = []
    walked = {os.path.realpath(root)}
    for folder, folders, names in os.walk(root, followlinks=True):
        new = []
        for name in sorted(folders):
            place = os.path.realpath(Path(folder, name))
            if not name.startswith((".", "__MACOSX")) and place not in walked:  # links can lead in circles
                walked.add(place)
                new.append(name)
        folders[:] = new
        paths = (Path(folder, name) for name in names if not name.startswith("."))
        found += [path.relative_to(root).as_posix() for path in paths if path.is_file()]
    return found


def common_problems(
    files: Sequence[str], classes: Sequence[str], counts: np.ndarray, source: str
) -> list[Problem]:
    """Problems of any collection: images nobody annotated, too few images, one class, look-alikes."""
    # An image without annotation has no label to learn; leaving it out in silence would change the data.
    blank = counts.sum(1) == 0 if counts.size else np.ones(len(files), bool)
    what, remedy = f"no annotation in {source}", "annotate it or move it elsewhere"
    found = [
        Problem("image without annotation", files[i], what, remedy) for i in np.flatnonzero(blank).tolist()
    ]
    if len(files) < MIN_IMAGES:
        remedy = f"at least {MIN_IMAGES} are needed to train, to choose and to test"
        found.append(Problem("too few images", source, f"{len(files)} images", remedy))
    if not 2 <= len(classes) <= MAX_CLASSES:
        shown = f" ({quoted(classes[0])})" if len(classes) == 1 else ""
        remedy = f"2 to {MAX_CLASSES} are needed; is the right column taken for the label?"
        found.append(Problem("number of classes", source, f"{len(classes)} classes{shown}", remedy))
    return found + lookalikes(classes, source, "classes")


def lookalikes(names: Sequence[str], source: str, what: str) -> list[Problem]:
    """Classes or annotators that differ only in case or spaces, or are the same number."""
    groups: dict[str, list[str]] = {}
    for name in names:
        key = " ".join(name.split()).casefold()
        groups.setdefault(f"{float(key)}" if NUMBER.fullmatch(key) else key, []).append(name)
    remedy = "write them alike" + ("" if what == "classes" else ", or as different names if they are two")
    found = []
    for key, alike in groups.items():
        if len(alike) > 1:
            how = "are the same number" if NUMBER.fullmatch(key) else "differ only in case or spaces"
            words = f"{what} {' and '.join(map(quoted, alike[:5]))} {how}"
            found.append(Problem(f"{what} that look alike", source, words, remedy))
    return found


def summary(problems: Iterable[Problem]) -> list[str]:
    """Problems in a line for each cause: where there are many of a kind, their number and three examples."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.kind, problem.remedy), []).append(problem)
    same = Counter(kind for kind, _ in kinds)
    merged: dict[tuple[str, str], list[Problem]] = {}
    for (kind, remedy), found in kinds.items():  # remedies that name each image are one cause
        merged.setdefault((kind, "" if same[kind] > EXAMPLES else remedy), []).extend(found)
    lines = []
    for found in merged.values():
        if len(found) <= EXAMPLES:
            lines += [str(problem) for problem in found]
            continue
        files = {problem.file for problem in found}
        place = f"{printable(found[0].file)}: " if len(files) == 1 else ""
        shown = "; ".join(
            problem.found
            + (f" (line {problem.line})" if problem.line else "")
            + ("" if len(files) == 1 else f" ({printable(problem.file)})")
            for problem in found[:EXAMPLES]
        )
        lines.append(f"{place}{found[0].kind}, {len(found):,} times, such as: {shown}; {found[0].remedy}")
    return lines


def demand(collection: Collection) -> Collection:
    """Return a collection without problems; `DataError` names the first few and how to see all of them."""
    problems = collection.problems
    if not problems:
        return collection
    lines = summary(problems)
    listed = "\n".join(f"  {line}" for line in lines[:SHOWN])
    more = f"\n  and {len(lines) - SHOWN} more kinds" if len(lines) > SHOWN else ""
    number = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    raise DataError(
        f"{collection.root}: {number} in {collection.name}:\n{listed}{more}\n"
        f"All of them: softlabels check {shlex.quote(str(collection.root))}"
    )


def content_sha256(root: Path, files: Iterable[str]) -> str:
    """SHA-256 over names and bytes of files below `root`: the same wherever the folder lies."""
    digest = hashlib.sha256()
    for name in sorted(files):
        inner = file_sha256(root / name)
        digest.update(f"{unicodedata.normalize('NFC', name)}\0{inner}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
