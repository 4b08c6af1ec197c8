"""Votes of several readers apart: a file for each, or for each a folder with a folder for each class."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from softlabels.datasets import formats, votetable
from softlabels.datasets.collection import (
    Collection,
    Problem,
    file_sha256,
    image_files,
    normal,
    quoted,
)
from softlabels.datasets.formats.base import Options, Reading, votes_of
from softlabels.errors import DataError

# Ends of file names that say "another version of the same", not "another reader".
VERSION = re.compile(
    r"(copy|backup|old|new|final|v?\d{1,2}|\(\d+\)|draft|raw|clean(ed)?|fixed|test|train|val)", re.I
)


def tables(root: Path, name: str, files: Sequence[Path], options: Options | None) -> Collection | None:
    """Read files of one form, none of which names annotators, as one reader each, called after the file.

    None where they are no such files: other forms, named annotators, counts, or versions of one another.
    """
    readings = [formats.read(path, options) for path in files]
    if any(r.named or not len(r.votes) or r.classes or (r.votes["count"] != 1).any() for r in readings):
        return None
    if len({(r.format, r.taken) for r in readings}) > 1 or any(_repeats(r) for r in readings):
        return None
    people = [_reader(path) for path in files]
    if _versions(people) or len(set(people)) < len(people):
        return None
    import pandas as pd

    votes = [
        r.votes.assign(annotator=who, file=path.name)
        for r, who, path in zip(readings, people, files, strict=True)
    ]
    if any(_same(a, b) for i, a in enumerate(votes) for b in votes[:i]):
        return None
    shown = ", ".join(map(quoted, people[:6]))
    first = readings[0]
    reading = Reading(
        f"{len(files)} files of one reader each ({first.format})",
        pd.concat(votes, ignore_index=True),
        True,
        (),
        (*first.taken, ("name of the file", "annotator")),
        [f"Each file is taken for one reader, called after it: {shown}.", *first.notes],
        list({p: None for r in readings for p in r.problems}),
    )
    return votetable.gathered(root, name, files, reading)


def _repeats(reading: Reading) -> bool:
    """Whether one image has several lines: then a file holds more than one reader."""
    return bool(reading.votes["image"].map(normal).duplicated().any())


def _reader(path: Path) -> str:
    stem = formats.suffix(path) and path.name.split(".")[0]
    short = re.sub(
        r"^(annotations?|labels?|votes?|answers?|reader|rater|annotator)[ _\-]+", "", stem, flags=re.I
    )
    return normal(short or stem)


def _versions(people: Sequence[str]) -> bool:
    """Whether names look like versions of one file: ``labels`` and ``labels_old``, ``train`` and ``test``."""
    if all(VERSION.fullmatch(who) and not who.isdigit() for who in people):
        return True
    rests = [
        b[len(a) :].strip(" _-.()")
        for a in people
        for b in people
        if a != b and b.casefold().startswith(a.casefold())
    ]
    return any(VERSION.fullmatch(rest) and not rest.isdigit() for rest in rests)


def _same(a, b) -> bool:  # type: ignore[no-untyped-def]
    """Whether two readers say the same of ten images or more without exception: one file twice."""
    both = a.merge(b, on="image")
    return (
        len(both) >= 10 and bool((both["label_x"] == both["label_y"]).all()) and len(a) == len(b) == len(both)
    )


def folders(root: Path, name: str) -> Collection | None:
    """Read READER/CLASS/image, where every reader has sorted copies of the same images.

    None where the folder is not laid out like this.
    """
    files = image_files(root)
    parts = [tuple(file.split("/")) for file in files]
    if not files or any(len(part) != 3 for part in parts):
        return None
    readers = sorted({reader for reader, _, _ in parts})
    classes: dict[str, set[str]] = defaultdict(set)
    images: dict[str, list[str]] = defaultdict(list)
    for file, (reader, label, image) in zip(files, parts, strict=True):
        classes[reader].add(label)
        images[normal(image)].append(file)
    shared = len(set.intersection(*classes.values()))
    if len(readers) < 2 or shared < 2 or sum(len(copies) > 1 for copies in images.values()) < len(images) / 2:
        return None
    problems = _copies(root, images)
    rows = [
        (images[normal(image)][0], reader, label, 1, file, 0)
        for file, (reader, label, image) in zip(files, parts, strict=True)
    ]
    reading = Reading(
        "a folder for each class of each reader", votes_of(rows), True, (),
        (("first folder", "annotator"), ("second folder", "label"), ("name of the file", "image")),
        [f"{len(images):,} images in {len(files):,} copies, sorted by {len(readers)} readers."], problems,
    )  # fmt: skip
    found = votetable.gathered(root, name, [], reading, [copies[0] for copies in images.values()])
    return replace(found, sources=tuple(files))


def _copies(root: Path, images: dict[str, list[str]]) -> list[Problem]:
    """Images of one name that are not one file: these would be two images taken for one."""
    problems = []
    for copies in images.values():
        try:
            if len({file_sha256(root / file) for file in copies}) > 1:
                what = f"{quoted(copies[0])} and {quoted(copies[1])} have one name and differ"
                problems.append(
                    Problem("copies that differ", copies[1], what, "rename one, or copy it again")
                )
        except DataError:
            continue  # it is among the unreadable images
    return problems
