"""The DCIC format (Schmarje et al. 2022): MiceBone, its nine siblings, and folders laid out like them.

A dataset is a folder with ``fold1`` to ``fold5``, PNG images in each, and ``annotations.json``: a list of
annotation sets, one for each session of an annotator. A label of null is no valid annotation and skipped.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from softlabels import errors
from softlabels.datasets import fetch
from softlabels.datasets import images as decoding
from softlabels.datasets.base import Annotations, Dataset, Source, checksum
from softlabels.datasets.collection import (
    Collection,
    Problem,
    common_problems,
    content_sha256,
    demand,
    image_files,
    normal,
    quoted,
)
from softlabels.datasets.containers import opened
from softlabels.labels.votes import counts as count

URL = "https://doi.org/10.5281/zenodo.7152309"
N_FOLDS = 5
ANNOTATIONS = "annotations.json"
FOLD = re.compile(r"fold([1-9][0-9]?)")
PATH = re.compile(r"(?!.*\.\./)(?:.*/)?fold[1-9][0-9]?/[^/]+", re.DOTALL)


@dataclass(frozen=True)
class Known:
    """What is published of a dataset: pixels, classes with the images whose majority they are, fold sizes,
    and mean and standard deviation of the channels in [0, 1].
    """

    pixels: int
    classes: dict[str, int]
    folds: Sequence[int]
    mean: Sequence[float]
    sd: Sequence[float]
    licence: str


# Facts of the benchmark's public code (github Emprime/dcic @ 4357451, src/datasets).
_FACTS = json.loads(resources.files("softlabels.datasets").joinpath("dcic.json").read_text("utf-8"))
KNOWN = {name: Known(**facts) for name, facts in _FACTS.items()}


def official(name: str) -> str:
    """Return the benchmark's own spelling of a dataset's name; case and ``#`` may be left out."""
    plain = {known.replace("#", "").casefold(): known for known in KNOWN}
    found = plain.get(name.replace("#", "").casefold())
    if found is None:
        raise errors.unknown("dataset of the DCIC benchmark", name, KNOWN)
    return found


def load(name: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return one of the ten datasets of the benchmark; it is downloaded on first use.

    Raises `ConfigError` for an unknown name or slice or an impossible size, `DataError` or `DataUnavailable`
    where the archive is damaged, or neither here nor to be downloaded.

    Parameters
    ----------
    name : str
        Such as "MiceBone" or "Treeversity#1".
    image_size : int or None
        Pixels; None is the published size.
    slice : int
        1 to 5: which folds ``splits`` calls "validation" and "test"; see `fold_rows`.
    """
    own = official(name)
    known, root = KNOWN[own], fetch.unpacked(own.replace("#", ""))
    found = read(root, own, tuple(known.classes))
    title = "micebone" if own == "MiceBone" else f"dcic:{own}"
    source = Source(title, known.licence, f"DCIC {own}", "", URL)
    return dataset(found, source, known.pixels if image_size is None else image_size, slice)


def dataset(found: Collection, source: Source, image_size: int | None, slice: int = 1) -> Dataset:
    """Return a collection as a dataset, its images decoded; source and variant get checksum and pixels.

    ``ids`` are the places of the images in the order of their file names.
    """
    demand(found)
    if slice not in range(1, N_FOLDS + 1):
        raise errors.ConfigError(f"{source.name}: slice must lie in [1, {N_FOLDS}], not {slice!r}")
    content = content_sha256(found.root, (*found.files, *found.sources))
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", source.name)
    images, pixels = decoding.array(found.root, found.files, safe, content, image_size)
    sha256 = checksum(np.frombuffer(f"{pixels}{checksum(found.counts)}".encode("ascii"), np.uint8))
    variant = f"{source.variant}, {images.shape[1]} px"
    return Dataset(
        name=source.name,
        images=images,
        counts=found.counts,
        classes=found.classes,
        source=Source(source.name, source.licence, variant, sha256, source.url),
        ids=np.arange(len(found)),
        annotations=found.annotations,
        splits=fold_rows(found.folds, slice) if set(found.folds) == set(range(1, N_FOLDS + 1)) else {},
    )


def fold_rows(folds: np.ndarray, slice: int) -> dict[str, np.ndarray]:
    """Rows of "train", "validation" and "test" as the authors' code cuts them.

    For slice v, fold v + 1 validates and fold v + 2 tests, counted cyclically from 1; the other three train.
    (The benchmark's README says that slice 1 validates on fold 1 and tests on fold 2; its code does this.)
    """
    validation, test = folds == slice % N_FOLDS + 1, folds == (slice + 1) % N_FOLDS + 1
    parts = {"train": ~(validation | test), "validation": validation, "test": test}
    return {name: np.flatnonzero(rows) for name, rows in parts.items()}


# The files: images in folders, and sets of annotations as JSON.
def image_id(path: str) -> str:
    """Return the id of an image: its file name without ".png"; a legacy suffix from "-[" on is dropped."""
    name = path.rpartition("/")[2]
    return normal((name[:-4] if name[-4:].lower() == ".png" else name).split("-[")[0])


def read(root: Path, name: str, classes: tuple[str, ...] = ()) -> Collection:
    """Read a folder in this format with every problem it has; nothing is decoded and nothing changed.

    `classes` are those that there may be; empty: whatever the labels say.
    """
    problems: list[Problem] = []
    index = _index(root, problems)
    files = tuple(index.values())
    file = opened(root / ANNOTATIONS)
    problems += file.problems
    entries = [] if file.problems else list(_annotations(file.content, problems))
    if not files:
        remedy = "put PNG images into fold1 to fold5"
        problems.append(Problem("no images", str(root), "no image in any folder", remedy))
    if not files or (not entries and problems):
        return Collection(name, root, files, problems=tuple(problems), unreadable=True)
    rows = {known: i for i, known in enumerate(index)}
    votes: list[tuple[int, str, str]] = []  # image, annotator, label
    for where, session, entry in entries:
        problem = _wrong(where, entry, rows, classes)
        if problem is not None:
            problems.append(problem)
        elif entry["class_label"] is not None:
            row = rows[image_id(entry["image_path"])]
            votes.append((row, session, normal(entry["class_label"])))
    found = classes or tuple(sorted({label for _, _, label in votes}))
    annotators = tuple(sorted({who for _, who, _ in votes}))
    person, number = ({name: i for i, name in enumerate(names)} for names in (annotators, found))
    numbered = [(i, person[who], number[label]) for i, who, label in votes]
    annotations = Annotations(*np.array(numbered, np.int64).reshape(-1, 3).T)
    counts = count(annotations.image, annotations.label, len(files), max(1, len(found)))[:, : len(found)]
    problems += common_problems(files, found, counts, ANNOTATIONS)
    return Collection(
        name=name,
        root=root,
        files=files,
        classes=found,
        counts=counts,
        annotations=annotations,
        annotators=annotators,
        folds=np.array([_fold(file) for file in files], np.int64),
        sources=(ANNOTATIONS,),
        problems=tuple(problems),
    )


def _index(root: Path, problems: list[Problem]) -> dict[str, str]:
    """Image files by id, sorted by id."""
    found: dict[str, str] = {}
    for file in image_files(root):
        own = image_id(file)
        if not file.lower().endswith(".png") or not _fold(file):
            what, remedy = (
                "not a PNG file in a folder fold<number>",
                "move it into fold1 to fold5, as a PNG file",
            )
            problems.append(Problem("misplaced image", file, what, remedy))
        elif own in found:
            what = f"id {quoted(own)} is also that of {quoted(found[own])}"
            remedy = "the file name without .png is the id of an image; rename or remove one"
            problems.append(Problem("duplicate id", file, what, remedy))
        else:
            found[own] = file
    return dict(sorted(found.items()))


def _fold(file: str) -> int:
    match = FOLD.fullmatch(PurePosixPath(file).parent.name)
    return int(match[1]) if match else 0


def _annotations(sets: Any, problems: list[Problem]) -> Iterator[tuple[str, str, Any]]:
    """Yield (place, annotator, entry) of everything that looks like an annotation."""
    if not isinstance(sets, list):
        problems.append(_shape("a list of annotation sets", sets, ""))
        return
    for i, session in enumerate(sets):
        place = f"[{i}]"
        if not isinstance(session, dict) or not isinstance(session.get("annotations"), list):
            problems.append(_shape("an annotation set with a list of annotations", session, place))
        elif not isinstance(name := session.get("name"), str) or not name.strip():
            problems.append(_shape("a set with a name, the annotator's", name, f"{place}.name"))
        else:
            for j, entry in enumerate(session["annotations"]):
                yield f"{place}.annotations[{j}]", normal(name), entry


def _wrong(where: str, entry: Any, rows: dict[str, int], classes: tuple[str, ...]) -> Problem | None:
    """What is wrong with an annotation."""
    if not isinstance(entry, dict) or "class_label" not in entry:
        return _shape("image_path and class_label", entry, where)
    path, label = entry.get("image_path"), entry["class_label"]
    if not isinstance(path, str):
        return _shape("image_path and class_label", entry, where)
    if not PATH.fullmatch(path):
        return _shape("a path such as Name/fold1/image.png", path, f"{where}.image_path")
    if image_id(path) not in rows:
        what, remedy = f"there is no image {quoted(path)}", "add the image or remove the annotation"
        return Problem("missing image", ANNOTATIONS + where, what, remedy)
    if label is None:
        return None
    if not isinstance(label, str) or not label.strip():
        return _shape("a class name or null", label, f"{where}.class_label")
    if classes and normal(label) not in classes:
        what = f"unknown class {quoted(label)}, expected one of {', '.join(classes)}"
        return Problem("unknown class", ANNOTATIONS + where, what, "correct or remove it")
    return None


def _shape(expected: str, found: Any, place: str) -> Problem:
    shown = type(found).__name__ if isinstance(found, dict | list) else quoted(repr(found))
    what = f"expected {expected}, found {shown}"
    return Problem("wrong structure", ANNOTATIONS + place, what, "see book/data.md for the format")
