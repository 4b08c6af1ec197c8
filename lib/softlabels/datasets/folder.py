"""Your own data: a folder of images with the votes in any format that is read, or in the DCIC layout.

A run is named after its data, not after the place where the data lies. `pin` turns ``folder:PATH`` into
``folder@CHECKSUM``, the SHA-256 over names and bytes of images and annotations, and notes the path in the
cache. So the same folder gives the same runs on every machine, and changed data gives others.
"""

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from softlabels import errors, paths
from softlabels.datasets import dcic, formats, votetable
from softlabels.datasets.base import Dataset, Source
from softlabels.datasets.collection import Collection, Problem, content_sha256, demand, quoted
from softlabels.datasets.formats import Options
from softlabels.store import write_atomically

DIGITS = 32  # of the checksum, in a name
PATH_PREFIX, PIN_PREFIX = "folder:", "folder@"
FEATURES_PREFIX = "features@"  # votes with a vector for each voted thing; see `features`
FIRST = (votetable.PLAIN, "annotations")  # what is read though other tables lie there, best first
VOTES = ("annotation", "label", "vote", "answer", "judg", "rating", "classification", "result", "export")


def read(path: Path, options: Options | None = None) -> Collection:
    """Read a folder with every problem it has; nothing is decoded and nothing changed.

    Parameters
    ----------
    path : Path
        Images with a file of votes, one file for each reader, a folder for each class of each reader, or the
        DCIC layout.
    options : Options or None
        What a user says of the file of votes.
    """
    name = path.resolve().name or "folder"

    def unreadable(found: str, remedy: str = "give the path of a folder of images") -> Collection:
        problem = Problem("nothing to read", str(path), found, remedy)
        return Collection(name, path, problems=(problem,), unreadable=True)

    try:
        if not path.is_dir():
            return unreadable("not a folder" if path.exists() else "no such folder")
        there = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        return unreadable(f"cannot be read ({error})")
    every = [p for p in there if formats.suffix(p) in formats.OPENED and not _is_prose(p)]
    tables = _preferred(every)
    if not tables:
        return votetable.folders(path, name) or unreadable(*_nothing(there))
    if len(tables) > 1:
        if (of_readers := votetable.tables(path, name, tables, options)) is not None:
            return of_readers
        names = ", ".join(p.name for p in tables)
        return unreadable(f"several files of annotations: {names}", "keep one, as annotations.csv")
    [table] = tables
    # Where a JSON file is no export that is known, what is wrong with it is said for the DCIC layout.
    if table.name == dcic.ANNOTATIONS and formats.named(table) in ("", "records"):
        return dcic.read(path, name)
    found = votetable.read(path, name, table, options)
    others = ", ".join(quoted(p.name) for p in [p for p in every if p != table][:5])
    note = f"{quoted(table.name)} is read; {others} beside it is not."
    return replace(found, notes=(*found.notes, note)) if others else found


def votes_of(path: Path, options: Options | None = None) -> Collection:
    """Read a folder, or a file of votes alone, whose images are named as the file names them.

    Where nothing is there `DataError` is raised.
    """
    if path.is_dir():
        return read(path, options)
    if not path.exists():
        raise errors.DataError(
            f"{path}: expected a file of votes or a folder, found neither; give another path"
        )
    return votetable.without_images(path, formats.read(path, options))


def _preferred(every: list[Path]) -> list[Path]:
    """Of files that may hold votes the one that is preferred, else all."""
    for wanted in FIRST:
        chosen = [p for p in every if wanted in (p.name.lower(), p.name.lower().split(".")[0])]
        if chosen:
            return chosen
    return every


def _is_prose(path: Path) -> bool:
    """A text file that is not named after votes: a licence, notes, requirements."""
    name = path.name.lower()
    return formats.suffix(path) == ".txt" and name != "data.txt" and not any(word in name for word in VOTES)


def _nothing(there: list[Path]) -> tuple[str, str]:
    """No file can be read as votes: what was found, such as files that were meant to be, and the remedy."""
    meant = [p for p in there if formats.suffix(p) in formats.NOT_READ or "annotation" in p.name.lower()][:5]
    if not meant:
        return "no annotations", (
            "put annotations.json (DCIC layout) or a CSV file with columns image and label there, or what a "
            "labelling tool exports; book/your_votes.md lists what is read"
        )
    remedies = (f"{p.name}: {formats.NOT_READ.get(formats.suffix(p), 'save it as .csv')}" for p in meant)
    return f"no annotations that are read ({', '.join(p.name for p in meant)})", "; ".join(remedies)


def pin(name: str) -> str:
    """Return the name by which a run knows a dataset: ``folder@CHECKSUM`` for ``folder:PATH``.

    Names of other datasets are returned as they are. Problems of the folder raise `DataError`, which names
    the first few.
    """
    if not name.startswith(PATH_PREFIX):
        return name
    root = Path(name.removeprefix(PATH_PREFIX)).expanduser().resolve()
    pinned = checksum(demand(read(root)))
    note(pinned, {"path": str(root)})
    return PIN_PREFIX + pinned


def load(path: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return the data of a folder, named ``folder@CHECKSUM``; raises as `pin` and `dcic.load`.

    Parameters
    ----------
    image_size : int or None
        Pixels; None is the median size of the images. All are made squares of this size.
    slice : int
        Which folds are official, as for `dcic.load`; without five folds there is no official split.
    """
    return load_pinned(pin(PATH_PREFIX + path).removeprefix(PIN_PREFIX), image_size, slice)


def load_pinned(pinned: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return the data of a folder by its checksum; it must have been named on this machine before.

    Raises `DataUnavailable` where it was not, and `DataError` where the folder has changed since.
    """
    root = Path(noted(PIN_PREFIX + pinned)["path"])
    found = demand(read(root))
    now = checksum(found)
    if now != pinned:
        raise errors.DataError(
            f"{root}: expected the data with checksum {pinned}, found {now}: the folder has changed; "
            f"name it again as {PATH_PREFIX}{root} to start runs of the new data"
        )
    words = f"{len(found)} images, {len(found.classes)} classes"
    source = Source(PIN_PREFIX + pinned, "its owner's", words, "")
    return dcic.dataset(found, source, image_size, slice)


def people(name: str) -> tuple[str, ...]:
    """Names of the annotators of pinned data; none for other datasets, or where nobody is named."""
    return votes_of(Path(noted(name)["path"])).annotators if is_pinned(name) else ()


def files(name: str) -> tuple[str, ...]:
    """Names of what was voted on in pinned data, in the order of the dataset; none for other datasets."""
    return votes_of(Path(noted(name)["path"])).files if is_pinned(name) else ()


def is_pinned(name: str) -> bool:
    """Whether a name is that of somebody's own data."""
    return name.startswith((PIN_PREFIX, FEATURES_PREFIX))


def checksum(found: Collection) -> str:
    """What a run calls a folder: from names and bytes of its images and votes."""
    return content_sha256(found.root, (*found.files, *found.sources))[:DIGITS]


def _note(pinned: str) -> Path:
    return paths.cache() / "folders" / f"{pinned}.json"


def note(pinned: str, places: dict[str, str]) -> None:
    """Note in the cache where pinned data lie."""
    write_atomically(_note(pinned), json.dumps(places).encode())


def noted(name: str) -> dict[str, str]:
    """Where pinned data lie: "path", and "features" where there are any."""
    prefix, _, pinned = name.partition("@")
    known = {"path", "features"} if f"{prefix}@" == FEATURES_PREFIX else {"path"}
    if re.fullmatch(f"[0-9a-f]{{{DIGITS}}}", pinned):
        with suppress(OSError, ValueError, TypeError):
            found = json.loads(_note(pinned).read_text("utf-8"))
            if set(found) == known and all(isinstance(place, str) for place in found.values()):
                return found
    raise errors.DataUnavailable(
        f"{name}: expected a folder that was named here before, found none; name it once as "
        f"{PATH_PREFIX}PATH, for instance by `softlabels check PATH`"
    )
