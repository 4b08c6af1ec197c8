"""Votes of several readers apart: a file for each, or for each a folder with a folder for each class."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from softlabels.datasets import formats, votetable
from softlabels.datasets.collection import (
    Collection,
    Problem,
    file_sha256,
    image_files,
    normal,
    quoted,
)
from softlabels.datasets.formats.containers import Options, Reading, votes_of
from softlabels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Ends of file names that say "another version of the same", not "another reader".
VERSION = re.compile(
    r"(copy|backup|bak|old|new|final|v\d{1,2}|\(\d+\)|draft|raw|clean(ed)?|fixed|train|val|valid|test)", re.I
)
PREFIX = re.compile(
    r"^(via_project|via|annotations?|labels?|votes?|answers?|reader|rater|annotator)[ _\-]+", re.I
)


def tables(root: Path, name: str, files: Sequence[Path], options: Options | None) -> Collection | None:
    """Read files of one form as those of one reader each.

    A reader is who is named inside, where nobody is named in two of the files; else the file's own name.
    None where they are no such files: other forms, one reader in two, counts, or versions of one another.
    """
    import pandas as pd

    readings = [formats.read(path, options) for path in files]
    if len({(r.format, r.named) for r in readings}) > 1 or any(
        not len(r.votes) or r.classes for r in readings
    ):
        return None
    named = readings[0].named
    stems = [path.name.split(".")[0] for path in files]
    if not named and any(_repeats(r) for r in readings):
        return None
    if _versions(stems) and not named:
        return None
    people = [_reader(stem) for stem in stems]
    inside = [frozenset(r.votes["annotator"]) for r in readings]
    if named and len(frozenset().union(*inside)) < sum(map(len, inside)):
        return None
    if len(set(people)) < len(people):
        return None
    votes = [
        r.votes if named else r.votes.assign(annotator=who) for r, who in zip(readings, people, strict=True)
    ]
    problems = list(dict.fromkeys(p for r in readings for p in r.problems))
    problems += _twice(files, votes)
    first, shown = readings[0], ", ".join(map(quoted, people[:6]))
    note = "" if named else f"Each file is taken for one reader, called after it: {shown}."
    notes = dict.fromkeys(note for r in readings for note in r.notes)
    reading = Reading(
        f"{len(files)} files of one reader each ({first.format})",
        pd.concat(votes, ignore_index=True),
        True,
        (),
        first.taken if named else (*first.taken, ("name of the file", "annotator")),
        [*([note] if note else []), *notes],
        problems,
    )
    return votetable.gathered(root, name, files, reading)


def _twice(files: Sequence[Path], votes: "Sequence[pd.DataFrame]") -> list[Problem]:
    """Files that say the same of ten images or more without exception: one may be a copy of the other."""
    found = []
    for j, b in enumerate(votes):
        for i, a in enumerate(votes[:j]):
            both = a.merge(b, on="image")
            if len(a) == len(b) == len(both) >= 10 and (both["label_x"] == both["label_y"]).all():
                what = f"says the same as {quoted(files[i].name)} of every image: is it a copy?"
                remedy = "remove one, or write both into one table with a column annotator"
                found.append(Problem("two files alike", files[j].name, what, remedy))
    return found


def _repeats(reading: Reading) -> bool:
    """Whether one image has several lines: then a file holds more than one reader."""
    return bool(reading.votes["image"].map(normal).duplicated().any())


def _reader(stem: str) -> str:
    short = re.sub(PREFIX, "", stem)
    return normal(short or stem)


def _versions(stems: Sequence[str]) -> bool:
    """Whether names look like versions of one file: ``labels`` and ``labels_old``, ``train`` and ``test``."""
    if all(VERSION.fullmatch(stem) and not stem.isdigit() for stem in stems):
        return True
    rests = [
        b[len(a) :].strip(" _-.")
        for a in stems
        for b in stems
        if a != b and b.casefold().startswith(a.casefold())
    ]
    return any(VERSION.fullmatch(rest) and not rest.isdigit() for rest in rests)


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
