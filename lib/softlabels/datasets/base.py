"""The one shape that all datasets have."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from softlabels.errors import ConfigError, DataError
from softlabels.labels.votes import Annotations as Annotations


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from: name, licence, variant, and the SHA-256 of its decoded content.

    ``show`` is False where the images must not be shown, such as faces of people who were not asked.
    """

    name: str
    licence: str
    variant: str
    sha256: str
    url: str = ""
    show: bool = True


@dataclass(frozen=True)
class Dataset:
    """Images with what people said about them.

    Attributes
    ----------
    name : str
        The name that `load` takes, as it stands in every table.
    images : uint8 [N, H, W, C], or float32 [N, D]
        Memory-mapped when large. Datasets of songs, of texts or of ready-made features hold one vector each.
    counts : float32 [N, K]
        Annotations per class; for generated data the exact distribution. Where only a part was annotated,
        the rest counts its own label once.
    classes : tuple of K str
    source : Source
    annotations : Annotations or None
        Single judgements, where they are published.
    truth : int64 [N] or None
        The dataset's own label, where it has one beside the annotations.
    ids : int64 [N]
        Image ids, stable across variants of the same dataset.
    splits : dict of str to int64 arrays
        Official splits, where there are any.
    factors : dict of str to float32 [N]
        What a generator knows beyond the label, e.g. hue and axis ratio.
    """

    name: str
    images: np.ndarray
    counts: np.ndarray
    classes: tuple[str, ...]
    source: Source
    ids: np.ndarray
    annotations: Annotations | None = None
    truth: np.ndarray | None = None
    splits: dict[str, np.ndarray] = field(default_factory=dict)
    factors: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, k = self.counts.shape
        if len(self.images) != n or len(self.ids) != n:
            raise DataError(
                f"{self.name}: {len(self.images)} images, {n} rows of counts, {len(self.ids)} ids"
            )
        if k != len(self.classes):
            raise DataError(
                f"{self.name}: counts have {k} columns, but there are {len(self.classes)} classes"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_annotators(self) -> int:
        """One more than the largest annotator's number; 0 without annotations."""
        return 0 if self.annotations is None else int(self.annotations.annotator.max(initial=-1)) + 1

    def pictures(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return images to look at, uint8 ``[n, H, W, C]``; training takes ``images``.

        Those of a dataset that must not be shown raise `DataError`.
        """
        if not self.source.show:
            raise DataError(f"{self.name}: its images must not be shown; show distributions or embeddings")
        return np.asarray(self.images[rows])

    def first(self, n: int) -> "Dataset":
        """Return the first `n` images as a dataset of its own (annotations and splits cut to match)."""
        if not 0 < n < len(self):
            return self
        kept = self.annotations
        if kept is not None:
            inside = kept.image < n
            kept = Annotations(kept.image[inside], kept.annotator[inside], kept.label[inside])
        return replace(
            self,
            images=self.images[:n],
            counts=self.counts[:n],
            ids=self.ids[:n],
            annotations=kept,
            truth=None if self.truth is None else self.truth[:n],
            splits={name: rows[rows < n] for name, rows in self.splits.items()},
            factors={name: values[:n] for name, values in self.factors.items()},
        )


def demand_size(name: str, image_size: int | None, only: int) -> None:
    """Refuse, by `ConfigError`, every size of a dataset whose images have one; None is the dataset's own."""
    if image_size not in (None, only):
        raise ConfigError(f"{name}: image_size: expected {only} (or None), found {image_size!r}")


def demand_integer(name: str, option: str, value: object, least: int) -> None:
    """Refuse, by `ConfigError`, what is no whole number of at least `least`."""
    if not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name}: {option} must be an integer of at least {least}, not {value!r}")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file; one that cannot be read raises `DataError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def checksum(*arrays: np.ndarray) -> str:
    """SHA-256 over shape, type and bytes of each array, the same on every platform; 16 MB at a time."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.newbyteorder('<').str}".encode())
        rows = max(1, (16 << 20) // max(1, array[:1].nbytes))
        for start in range(0, len(array), rows):
            block = np.ascontiguousarray(array[start : start + rows])
            digest.update(block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()
