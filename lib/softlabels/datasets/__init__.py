"""Datasets by name: images with what people said about them."""

import inspect
from collections.abc import Callable
from typing import Any

from softlabels import errors
from softlabels.datasets import cifar10, cifar10n, crowds, letter, simulated, synthetic
from softlabels.datasets.base import Annotations, Dataset, Source, checksum

__all__ = ["LOADERS", "Annotations", "Dataset", "Source", "checksum", "load"]

LOADERS: dict[str, Callable[..., Dataset]] = {
    "synthetic": synthetic.load,
    "cifar10h": cifar10.load_10h,
    "cifar10h-9500": cifar10.load_10h_9500,
    "cifar10-jpeg": cifar10.load_jpeg,
    "mgc": crowds.load_mgc,
    "labelme": crowds.load_labelme,
    "labelme-64px": crowds.load_labelme_images,
    "letter": letter.load,
    "synthetic-crowd": simulated.load,
    "cifar10n-jpeg": cifar10n.load,
}


def load(name: str, **options: Any) -> Dataset:
    """Return the dataset `name`; it is downloaded or generated on first use and cached.

    Parameters
    ----------
    name : str
        One of `LOADERS`.
    **options
        ``image_size`` (pixels; None for the dataset's own) is taken by every dataset, the rest by some:
        ``seed`` and ``n_images`` by "synthetic".

    Raises
    ------
    ConfigError
        Unknown name or option, or a value that the dataset does not have.
    DataError, DataUnavailable
        A file is damaged, or neither here nor to be downloaded.

    Examples
    --------
    >>> load("synthetic", image_size=64, n_images=300).images.shape
    (300, 64, 64, 3)
    """
    if name not in LOADERS:
        raise errors.unknown("dataset", name, LOADERS)
    loader = LOADERS[name]
    known = inspect.signature(loader).parameters
    for option in options:
        if option not in known:
            raise errors.unknown(f"option of dataset {name}:", option, known)
    return loader(**options)
