"""The DCIC format (Schmarje et al. 2022): MiceBone, its nine siblings, and folders laid out like them.

A dataset is a folder with ``fold1`` to ``fold5``, PNG images in each, and ``annotations.json``: a list of
annotation sets, one for each session of an annotator. A label of null is no valid annotation and skipped.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from softlabels import errors
from softlabels.datasets import images as decoding
from softlabels.datasets import zenodo
from softlabels.datasets.base import Dataset, Source, checksum
from softlabels.datasets.collection import (
    Collection,
    Problem,
    Votes,
    common_problems,
    content_sha256,
    demand,
    image_files,
    normal,
    quoted,
)

# What is published of the ten datasets.


@dataclass(frozen=True)
class Known:
    """What is published of a dataset: pixels, classes with the images whose majority they are, fold sizes,
    and mean and standard deviation of the channels in [0, 1].
    """

    pixels: int
    classes: dict[str, int]
    folds: tuple[int, ...]
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    licence: str = "CC BY-SA 4.0"


_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_TREE = ("bark", "bud", "flower", "fruit", "leaf", "whole_plant")
_PLANKTON = {
    "bubbles": 514,
    "collodaria_black": 853,
    "collodaria_globule": 709,
    "cop": 1405,
    "det": 1057,
    "no_fit": 3710,
    "phyto_puff": 572,
    "phyto_tuft": 1602,
    "pro_rhizaria_phaeodaria": 1115,
    "shrimp": 743,
}
_BENTHIC = ("coral", "crustacean", "cucumber", "encrusting", "other_fauna", "sponge", "star", "worm")

# Facts of the benchmark's public code (github Emprime/dcic @ 4357451, src/datasets).
KNOWN: dict[str, Known] = {
    "MiceBone": Known(
        224,
        {"g": 1068, "nr": 5103, "ug": 1069},
        (1540, 1513, 1325, 1319, 1543),
        (0.4443,) * 3,
        (0.2463,) * 3,
    ),
    "Synthetic": Known(
        224,
        {"bc": 2320, "be": 2635, "gc": 2590, "ge": 2540, "rc": 2490, "re": 2425},
        (3000,) * 5,
        (0.1577, 0.1690, 0.1672),
        (0.3466, 0.3571, 0.3550),
    ),
    "CIFAR10H": Known(
        32,
        dict(zip(_CIFAR, (1003, 998, 999, 995, 981, 1004, 1005, 1015, 999, 1001), strict=True)),
        (1953, 1981, 2067, 1969, 2030),
        (0.4942, 0.4851, 0.4504),
        (0.2467, 0.2429, 0.2616),
        "CC BY-NC-SA 4.0",
    ),
    "Benthic": Known(
        112,
        dict(zip(_BENTHIC, (506, 471, 267, 1216, 856, 566, 465, 520), strict=True)),
        (907, 955, 958, 990, 1057),
        (0.3473, 0.4001, 0.4110),
        (0.1285, 0.1364, 0.1426),
    ),
    "Pig": Known(
        96,
        {"1_intact": 4221, "2_short": 3032, "3_fresh": 2183, "4_notVisible": 801},
        (1947, 2129, 2007, 2039, 2115),
        (0.6090, 0.5285, 0.5061),
        (0.2615, 0.2360, 0.2424),
    ),
    "Plankton": Known(96, _PLANKTON, (2444, 2462, 2468, 2457, 2449), (0.9663,) * 3, (0.1007,) * 3),
    "QualityMRI": Known(224, {"0": 108, "1": 202}, (60, 64, 62, 62, 62), (0.1490,) * 3, (0.1861,) * 3),
    "Treeversity#1": Known(
        224,
        dict(zip(_TREE, (990, 1928, 3014, 1135, 1539, 883), strict=True)),
        (1820, 1912, 1905, 1966, 1886),
        (0.4453, 0.4512, 0.3713),
        (0.2340, 0.2279, 0.2605),
    ),
    "Treeversity#6": Known(
        224,
        dict(zip(_TREE, (1011, 1839, 3072, 1170, 1872, 862), strict=True)),
        (1892, 1972, 1972, 2032, 1958),
        (0.4440, 0.4509, 0.3691),
        (0.2341, 0.2276, 0.2601),
    ),
    "Turkey": Known(
        192,
        {"head_injury": 875, "not_injured": 1059, "plumage_injury": 6106},
        (1384, 1761, 1672, 1431, 1792),
        (0.4210, 0.5411, 0.4240),
        (0.2131, 0.2504, 0.2498),
    ),
}


def official(name: str) -> str:
    """Return the benchmark's own spelling of a dataset's name; case and ``#`` may be left out.

    Raises
    ------
    ConfigError
        There is no such dataset.
    """
    plain = {known.replace("#", "").casefold(): known for known in KNOWN}
    found = plain.get(name.replace("#", "").casefold())
    if found is None:
        raise errors.unknown("dataset of the DCIC benchmark", name, KNOWN)
    return found


URL = "https://doi.org/10.5281/zenodo.7152309"
N_FOLDS = 5


def load(name: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return one of the ten datasets of the benchmark; it is downloaded on first use.

    Parameters
    ----------
    name : str
        Such as "MiceBone" or "Treeversity#1".
    image_size : int or None
        Pixels; None is the published size.
    slice : int
        1 to 5: which folds ``splits`` calls "validation" and "test"; see `fold_rows`.

    Returns
    -------
    Dataset
        ``ids`` are the places of the images in the order of their file names.

    Raises
    ------
    ConfigError
        Unknown name or slice, or an impossible size.
    DataError, DataUnavailable
        The archive or its content is damaged, or it is neither here nor to be downloaded.
    """
    own = official(name)
    known, root = KNOWN[own], zenodo.folder(own.replace("#", ""))
    found = read(root, own, tuple(known.classes))
    title = "micebone" if own == "MiceBone" else f"dcic:{own}"
    source = Source(title, known.licence, f"DCIC {own}", "", URL)
    return dataset(found, source, known.pixels if image_size is None else image_size, slice)


def dataset(found: Collection, source: Source, image_size: int | None, slice: int = 1) -> Dataset:
    """Return a collection as a dataset, its images decoded; source and variant get checksum and pixels."""
    demand(found)
    if slice not in range(1, N_FOLDS + 1):
        raise errors.ConfigError(f"{source.name}: slice must lie in [1, {N_FOLDS}], not {slice!r}")
    content = content_sha256(found.root, (*found.files, *found.sources))
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", source.name)
    images, pixels = decoding.array(found.root, found.files, safe, content, image_size)
    votes = checksum(found.counts)
    variant = f"{source.variant}, {images.shape[1]} px"
    return Dataset(
        name=source.name,
        images=images,
        counts=found.counts,
        classes=found.classes,
        source=Source(source.name, source.licence, variant, checksum_of(pixels, votes), source.url),
        ids=np.arange(len(found)),
        annotations=found.annotations,
        splits=fold_rows(found.folds, slice) if set(found.folds) == set(range(1, N_FOLDS + 1)) else {},
    )


def checksum_of(*parts: str) -> str:
    """SHA-256 of several checksums."""
    return checksum(np.frombuffer("".join(parts).encode("ascii"), np.uint8))


def fold_rows(folds: np.ndarray, slice: int) -> dict[str, np.ndarray]:
    """Rows of "train", "validation" and "test" as the authors' code cuts them.

    For slice v, fold v + 1 validates and fold v + 2 tests, counted cyclically from 1; the other three train.
    (The benchmark's README says that slice 1 validates on fold 1 and tests on fold 2; its code does this.)
    """
    validation, test = slice % N_FOLDS + 1, (slice + 1) % N_FOLDS + 1
    rows = {"validation": folds == validation, "test": folds == test}
    rows["train"] = ~(rows["validation"] | rows["test"])
    return {name: np.flatnonzero(rows[name]) for name in ("train", "validation", "test")}


# The files: images in folders, and sets of annotations as JSON.


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
