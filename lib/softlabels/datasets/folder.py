"""Your own data: a folder in the DCIC layout, or of images with a CSV file of annotations.

A run is named after its data, not after the place where the data lies. `pin` turns ``folder:PATH`` into
``folder@CHECKSUM``, the SHA-256 over names and bytes of images and annotations, and notes the path in the
cache. So the same folder gives the same runs on every machine, and changed data gives others.
"""

import json
from pathlib import Path

from softlabels import errors, paths
from softlabels.datasets import dcic, dcic_files, votetable
from softlabels.datasets.base import Dataset, Source
from softlabels.datasets.collection import Collection, Problem, content_sha256, demand
from softlabels.learning.checkpoint import write_atomically

DIGITS = 32  # of the checksum, in a name
PATH_PREFIX, PIN_PREFIX = "folder:", "folder@"


def read(path: Path) -> Collection:
    """Read a folder in either layout, with every problem it has; nothing is decoded and nothing changed."""
    name = path.resolve().name or "folder"
    try:
        if not path.is_dir():
            found = "no such folder" if not path.exists() else "not a folder"
            return _unreadable(path, name, found, "give the path of a folder of images")
        tables = sorted(p for p in path.iterdir() if p.suffix.lower() == ".csv" and p.is_file())
        layout = (path / dcic_files.ANNOTATIONS).is_file()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        return _unreadable(path, name, f"cannot be read ({error})", "give the path of a folder of images")
    tables = [p for p in tables if p.name.lower() == "annotations.csv"] or tables
    if layout and not tables:
        return dcic_files.read(path, name)
    if len(tables) == 1 and not layout:
        return votetable.read(path, name, tables[0])
    if not tables:
        remedy = "put annotations.json (DCIC layout) or a CSV file with columns image and label there"
        return _unreadable(path, name, "no annotations", remedy)
    names = ", ".join([*(p.name for p in tables), *([dcic_files.ANNOTATIONS] if layout else [])])
    return _unreadable(path, name, f"several files of annotations: {names}", "keep one, as annotations.csv")


def _unreadable(path: Path, name: str, found: str, remedy: str) -> Collection:
    problem = Problem("nothing to read", str(path), found, remedy)
    return Collection(name, path, problems=(problem,), unreadable=True)


def pin(name: str) -> str:
    """Return the name by which a run knows a dataset: ``folder@CHECKSUM`` for ``folder:PATH``.

    Names of other datasets are returned as they are.

    Raises
    ------
    DataError
        The folder has problems; the first few are named.
    """
    if not name.startswith(PATH_PREFIX):
        return name
    root = Path(name.removeprefix(PATH_PREFIX)).expanduser().resolve()
    pinned = _checksum(demand(read(root)))
    _note(pinned).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(_note(pinned), json.dumps({"path": str(root)}).encode())
    return PIN_PREFIX + pinned


def load(path: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return the data of a folder.

    Parameters
    ----------
    path : str
    image_size : int or None
        Pixels; None is the median size of the images. All are made squares of this size.
    slice : int
        Which folds are official, as for `dcic.load`; without five folds there is no official split.

    Returns
    -------
    Dataset
        Named ``folder@CHECKSUM``; ``ids`` are the places of the images in the order of their names.

    Raises
    ------
    DataError
        The folder has problems; the first few are named.
    ConfigError
        An impossible size or slice.
    """
    return load_pinned(pin(PATH_PREFIX + path).removeprefix(PIN_PREFIX), image_size, slice)


def load_pinned(checksum: str, image_size: int | None = None, slice: int = 1) -> Dataset:
    """Return the data of a folder by its checksum; it must have been named on this machine before.

    Raises
    ------
    DataUnavailable
        No folder with this checksum is known here.
    DataError
        The folder has changed since.
    """
    root = _place(checksum)
    found = demand(read(root))
    now = _checksum(found)
    if now != checksum:
        raise errors.DataError(
            f"{root}: expected the data with checksum {checksum}, found {now}: the folder has changed; "
            f"name it again as {PATH_PREFIX}{root} to start runs of the new data"
        )
    words = f"{len(found)} images, {len(found.classes)} classes"
    source = Source(PIN_PREFIX + checksum, "its owner's", words, "")
    return dcic.dataset(found, source, image_size, slice)


def _checksum(found: Collection) -> str:
    return content_sha256(found.root, (*found.files, *found.sources))[:DIGITS]


def _note(checksum: str) -> Path:
    return paths.cache() / "folders" / f"{checksum}.json"


def _place(checksum: str) -> Path:
    """Return the folder that was noted for a checksum."""
    hexadecimal = len(checksum) == DIGITS and set(checksum) <= set("0123456789abcdef")
    try:
        if hexadecimal:
            return Path(json.loads(_note(checksum).read_text("utf-8"))["path"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise errors.DataUnavailable(
        f"{PIN_PREFIX}{checksum}: expected a folder that was named here before, found none; name it once as "
        f"{PATH_PREFIX}PATH, for instance by `softlabels check PATH`"
    )
