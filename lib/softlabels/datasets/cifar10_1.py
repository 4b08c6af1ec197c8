"""CIFAR-10.1 (Recht et al. 2018): new photographs collected as CIFAR-10's were, in two versions."""

import numpy as np

from softlabels import errors
from softlabels.datasets import fetch
from softlabels.datasets.base import Dataset, Source, checksum
from softlabels.datasets.cifar10 import CLASSES, SIZE

LICENCE = "MIT; images: terms of the Tiny Images collection"
URL = "https://github.com/modestyachts/CIFAR-10.1"


def load_v4(image_size: int | None = None) -> Dataset:
    """Return version v4, 2,021 images; the label of each is its single count. Raises as `fetch` does."""
    return _load("v4", image_size)


def load_v6(image_size: int | None = None) -> Dataset:
    """Return version v6, 2,000 images with balanced classes; as `load_v4`."""
    return _load("v6", image_size)


def _load(version: str, image_size: int | None) -> Dataset:
    name = f"cifar10.1-{version}"
    if image_size not in (None, SIZE):
        raise errors.ConfigError(f"{name}: image_size: expected {SIZE} (or None), found {image_size!r}")
    images, truth = (
        np.load(fetch.fetch(f"cifar10.1/cifar10.1_{version}_{part}.npy"), allow_pickle=False)
        for part in ("data", "labels")
    )
    if images.shape != (len(truth), SIZE, SIZE, 3) or images.dtype != np.uint8:
        raise errors.DataError(
            f"{name}: expected uint8 images [N, {SIZE}, {SIZE}, 3] with N labels, found {images.dtype} "
            f"{images.shape} with {truth.shape}; replace the files in cifar10.1/"
        )
    truth = truth.astype(np.int64)
    counts = np.eye(len(CLASSES), dtype=np.float32)[truth]
    source = Source(name, LICENCE, f"CIFAR-10.1 {version}", checksum(images, counts, truth), URL)
    return Dataset(name, images, counts, CLASSES, source, ids=np.arange(len(images)), truth=truth)
