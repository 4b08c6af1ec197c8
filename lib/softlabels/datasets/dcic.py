"""The DCIC format (Schmarje et al. 2022): MiceBone, its nine siblings, and folders laid out like them.

A dataset is a folder with ``fold1`` to ``fold5``, PNG images in each, and ``annotations.json``: a list of
annotation sets, one for each session of an annotator. A label of null is no valid annotation and skipped.
"""

import re

import numpy as np

from softlabels import errors
from softlabels.datasets import images as decoding
from softlabels.datasets import zenodo
from softlabels.datasets.base import Dataset, Source, checksum
from softlabels.datasets.collection import Collection, content_sha256, demand
from softlabels.datasets.dcic_files import read
from softlabels.datasets.siblings import KNOWN, official

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
