"""Votes on what is no image, or on images that a network has seen already: a vector for each voted thing.

`pin` names votes and features together by their content, as `folder.pin` does a folder:
``features@CHECKSUM``. So sentences, songs, rows of a table or embeddings of anything are learnt from by the
networks for vectors.
"""

import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from softlabels.datasets import folder, formats
from softlabels.datasets.base import Dataset, Source, checksum, file_sha256
from softlabels.datasets.collection import Collection, demand, normal, printable, quoted
from softlabels.errors import DataError

READ = (".npy", ".npz", ".parquet", ".csv", ".tsv")
NAME = "image"  # column of a table that names what a row describes


def read(path: Path, votes: Path, names: Sequence[str]) -> np.ndarray:
    """Read the vectors of voted things, float32 [N, D], in the order of the N `names` that have votes.

    Raises `DataError` where the file cannot be read, a thing has no row or two, the number of rows does not
    fit, or a value is no finite number.

    Parameters
    ----------
    path : Path
        ``.npy``: an array [N, D] whose rows are in the order in which the file of votes first names the
        things. ``.npz`` with ``names`` [N] and ``features`` [N, D], or ``.parquet``, ``.csv``, ``.tsv`` with
        a column "image" and a number in every other: rows in any order, and those of nothing that has votes
        are left out.
    votes : Path
        The file of votes.
    """
    order, values = _arrays(path)
    if values.ndim != 2 or not values.shape[1]:
        raise DataError(f"{path}: expected a row of numbers for each thing, found shape {values.shape}")
    if order is None:
        if votes.is_dir():
            raise DataError(
                f"{votes}: rows of an array have no names, and a folder no order; give the file of votes in "
                f"place of the folder, or features as a table with a column {quoted(NAME)}"
            )
        # Readers go column by column where votes lie side by side: lines tell the order.
        lines = formats.read(votes).votes.sort_values(["file", "line"], kind="stable")
        order = list(dict.fromkeys(normal(str(name)) for name in lines["image"]))
        if len(values) != len(order):
            raise DataError(
                f"{path}: expected {len(order):,} rows, one for each thing that {votes.name} names, in the "
                f"order in which it first names them; found {len(values):,}. A table with a column "
                f"{quoted(NAME)} may have rows in any order, and more of them"
            )
    place = {name: row for row, name in enumerate(order)}
    if len(place) != len(order):
        twice = next(name for row, name in enumerate(order) if place[name] != row)
        raise DataError(f"{path}: {quoted(twice)} has two rows; keep one")
    absent = [name for name in names if name not in place]
    if absent:
        listed = ", ".join(map(quoted, absent[:3]))
        raise DataError(
            f"{path}: {len(absent):,} of {len(names):,} things with votes have no row, such as {listed}; add "
            "them"
        )
    found = values[[place[name] for name in names]]
    wrong = np.flatnonzero(~np.isfinite(found).all(1))
    if len(wrong):
        raise DataError(
            f"{path}: the row of {quoted(names[wrong[0]])} holds a value that is no finite number; "
            f"{len(wrong):,} rows do"
        )
    return found


def _arrays(path: Path) -> tuple[list[str] | None, np.ndarray]:
    """Names of the rows, where the file has them, and values, float32."""
    import pandas as pd

    kind = path.suffix.lower()
    if kind not in READ:
        raise DataError(f"{path}: expected features as {', '.join(READ)}; save them as one of these")
    try:
        if kind == ".npy":
            return None, np.load(path, allow_pickle=False).astype(np.float32)
        if kind == ".npz":
            with np.load(path, allow_pickle=False) as found:
                names = [normal(str(name)) for name in found["names"]]
                values = found["features"].astype(np.float32)
            if len(names) != len(values):
                raise ValueError(f"{len(names)} names for {len(values)} rows")
            return names, values
        comma = "\t" if kind == ".tsv" else ","
        if kind == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, sep=comma, dtype={NAME: str}, keep_default_na=False)
        if NAME not in table.columns:
            listed = ", ".join(quoted(str(name)) for name in table.columns[:5])
            raise ValueError(f"no column {quoted(NAME)}; call that of the names so; its columns are {listed}")
        numbers = table.drop(columns=NAME)
        words = [str(name) for name in numbers if not pd.api.types.is_numeric_dtype(numbers[name])]
        if words:
            cells = numbers[words[0]].astype(str)
            row = int(pd.to_numeric(cells, errors="coerce").isna().argmax())
            said = f"column {quoted(words[0])} is not numbers in every row"
            raise ValueError(f"{said}: {quoted(cells.iloc[row])} for {quoted(str(table[NAME].iloc[row]))}")
        return [normal(str(name)) for name in table[NAME]], numbers.to_numpy(np.float32)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as features ({printable(str(error), 200)})") from error
    except ImportError as error:
        remedy = 'pip install "softlabels[formats]", or save .npy'
        raise DataError(f"{path}: a library that reads parquet is not installed; {remedy}") from error


def pin(votes: Path, features: Path) -> str:
    """Name votes and features by their content, ``features@CHECKSUM``, and note where they lie.

    Raises `DataError` where the votes have problems or the features do not fit them.
    """
    votes, features = votes.expanduser().resolve(), features.expanduser().resolve()
    found = demand(folder.votes_of(votes))
    read(features, votes, found.files)
    pinned = _checksum(votes, found, features)
    folder.note(pinned, {"path": str(votes), "features": str(features)})
    return folder.FEATURES_PREFIX + pinned


def load(checksum_of_both: str, image_size: int | None = None) -> Dataset:
    """Return pinned votes with their features as ``images``, float32 [N, D]; a size means nothing here.

    Raises `DataUnavailable` where nothing with this checksum is known here, and `DataError` where votes or
    features have changed since they were named.
    """
    name = folder.FEATURES_PREFIX + checksum_of_both
    noted = folder.noted(name)
    votes, features = Path(noted["path"]), Path(noted["features"])
    found = demand(folder.votes_of(votes))
    now = _checksum(votes, found, features)
    if now != checksum_of_both:
        raise DataError(
            f"{votes} with {features}: expected the checksum {checksum_of_both}, found {now}: one of them "
            "has changed; name them again to start runs of the new data"
        )
    values = read(features, votes, found.files)
    words = f"{len(found)} rows of {values.shape[1]} features, {len(found.classes)} classes"
    return Dataset(
        name=name,
        images=values,
        counts=found.counts,
        classes=found.classes,
        source=Source(name, "its owner's", words, checksum(values, found.counts)),
        ids=np.arange(len(found)),
        annotations=found.annotations,
    )


def _checksum(votes: Path, found: Collection, features: Path) -> str:
    own = folder.checksum(found) if votes.is_dir() else file_sha256(votes)
    return sha256(f"{own}\0{file_sha256(features)}".encode("ascii")).hexdigest()[: folder.DIGITS]
