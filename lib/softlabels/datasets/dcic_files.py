"""The files of a dataset in the DCIC format: images in folds, and sets of annotations as JSON."""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from softlabels.datasets.collection import (
    Collection,
    Problem,
    Votes,
    common_problems,
    image_files,
    normal,
    quoted,
)

ANNOTATIONS = "annotations.json"
FOLD = re.compile(r"fold([1-9][0-9]?)")
PATH = re.compile(r"(?!.*\.\./)(?:.*/)?fold[1-9][0-9]?/[^/]+", re.DOTALL)
_BROKEN = object()  # what cannot be read; null can


def image_id(path: str) -> str:
    """Return the id of an image: its file name without ".png"; a legacy suffix from "-[" on is dropped."""
    name = path.rpartition("/")[2]
    return normal((name[:-4] if name[-4:].lower() == ".png" else name).split("-[")[0])


def read(root: Path, name: str, classes: tuple[str, ...] = ()) -> Collection:
    """Read a folder in this format with every problem it has; nothing is decoded and nothing changed.

    Parameters
    ----------
    root : Path
        The folder that holds ``annotations.json``.
    classes : tuple of str
        The classes that there may be; empty: whatever the labels say.
    """
    problems: list[Problem] = []
    index = _index(root, problems)
    entries = list(_annotations(root / ANNOTATIONS, problems))
    if not index or (not entries and problems):
        return _unreadable(root, name, index, problems)
    votes, rows = Votes(), {known: i for i, known in enumerate(index)}
    for where, session, entry in entries:
        _vote(where, session, entry, rows, classes, votes, problems)
    found, counts, annotations, annotators = votes.arrays(len(index), named=True)
    if classes and found != classes:
        counts = _columns(counts, found, classes)
        annotations = annotations and type(annotations)(
            annotations.image,
            annotations.annotator,
            np.array([classes.index(found[k]) for k in annotations.label], np.int64),
        )
        found = classes
    files = tuple(index.values())
    problems += common_problems(files, found, counts, ANNOTATIONS)
    return Collection(
        name=name,
        root=root,
        files=files,
        ids=tuple(index),
        classes=found,
        counts=counts,
        annotations=annotations,
        annotators=annotators,
        folds=np.array([_fold(file) for file in files], np.int64),
        sources=(ANNOTATIONS,),
        problems=tuple(problems),
    )


def _columns(counts: np.ndarray, found: tuple[str, ...], classes: tuple[str, ...]) -> np.ndarray:
    wide = np.zeros((len(counts), len(classes)), np.float32)
    wide[:, [classes.index(name) for name in found]] = counts
    return wide


def _unreadable(root: Path, name: str, index: dict[str, str], problems: list[Problem]) -> Collection:
    if not index:
        remedy = "put PNG images into fold1 to fold5"
        problems.append(Problem("no images", str(root), "no image in any folder", remedy))
    return Collection(
        name, root, tuple(index.values()), tuple(index), problems=tuple(problems), unreadable=True
    )


def _index(root: Path, problems: list[Problem]) -> dict[str, str]:
    """Image files by id, sorted by id."""
    found: dict[str, str] = {}
    for file in image_files(root):
        own = image_id(file)
        if not file.lower().endswith(".png") or not FOLD.fullmatch(PurePosixPath(file).parent.name):
            remedy = "move it into fold1 to fold5, as a PNG file"
            problems.append(
                Problem("misplaced image", file, "not a PNG file in a folder fold<number>", remedy)
            )
        elif own in found:
            remedy = "the file name without .png is the id of an image; rename or remove one"
            problems.append(
                Problem(
                    "duplicate id", file, f"id {quoted(own)} is also that of {quoted(found[own])}", remedy
                )
            )
        else:
            found[own] = file
    return dict(sorted(found.items()))


def _fold(file: str) -> int:
    match = FOLD.fullmatch(PurePosixPath(file).parent.name)
    return int(match[1]) if match else 0


def _annotations(path: Path, problems: list[Problem]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (place, annotator, entry) of everything that looks like an annotation."""
    sets = _json(path, problems)
    if sets is _BROKEN:
        return
    if not isinstance(sets, list):
        problems.append(_shape("a list of annotation sets", sets, ""))
        return
    for i, session in enumerate(sets):
        place = f"[{i}]"
        if not isinstance(session, dict) or not isinstance(session.get("annotations"), list):
            problems.append(_shape("an annotation set with a list of annotations", session, place))
            continue
        if not isinstance(session.get("name"), str) or not session["name"].strip():
            problems.append(
                _shape("a set with a name, the annotator's", session.get("name"), place + ".name")
            )
            continue
        for j, entry in enumerate(session["annotations"]):
            yield f"{place}.annotations[{j}]", normal(session["name"]), entry


def _json(path: Path, problems: list[Problem]) -> Any:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return json.loads(text)
    except json.JSONDecodeError as error:
        found = f"broken JSON: {error.msg} at column {error.colno}"
        problems.append(Problem("broken JSON", path.name, found, "repair or replace it", error.lineno))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        problems.append(
            Problem("not UTF-8", path.name, f"byte {error.start} is no UTF-8", "save as UTF-8", line)
        )
    except (RecursionError, ValueError) as error:
        found = f"JSON that cannot be read ({type(error).__name__})"
        problems.append(Problem("broken JSON", path.name, found, "repair or replace it"))
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
        problems.append(Problem("no annotations", path.name, found, "put it beside the folds"))
    return _BROKEN


def _shape(expected: str, found: Any, place: str) -> Problem:
    shown = type(found).__name__ if isinstance(found, dict | list) else quoted(repr(found))
    file = ANNOTATIONS + place
    return Problem(
        "wrong structure", file, f"expected {expected}, found {shown}", "see book/data.md for the format"
    )


def _vote(
    where: str,
    session: str,
    entry: Any,
    rows: dict[str, int],
    classes: tuple[str, ...],
    votes: Votes,
    problems: list[Problem],
) -> None:
    """Add one annotation to the votes, or its problem to the problems."""
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("image_path"), str)
        or "class_label" not in entry
    ):
        problems.append(_shape("image_path and class_label", entry, where))
        return
    path, label = entry["image_path"], entry["class_label"]
    if not PATH.fullmatch(path):
        problems.append(_shape("a path such as Name/fold1/image.png", path, f"{where}.image_path"))
        return
    row = rows.get(image_id(path))
    if row is None:
        remedy = "add the image or remove the annotation"
        problems.append(
            Problem("missing image", ANNOTATIONS + where, f"there is no image {quoted(path)}", remedy)
        )
    elif label is None:
        return
    elif not isinstance(label, str) or not label.strip():
        problems.append(_shape("a class name or null", label, f"{where}.class_label"))
    elif classes and normal(label) not in classes:
        known = f"one of {', '.join(classes)}"
        found = f"unknown class {quoted(label)}, expected {known}"
        problems.append(Problem("unknown class", ANNOTATIONS + where, found, "correct or remove it"))
    else:
        votes.add(row, session, normal(label))
