"""Datasets by name: images with what people said about them."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from softlabels import errors
from softlabels.datasets import (
    chaosnli,
    cifar10,
    cifar10_crowds,
    crowds,
    dcic,
    features,
    ferplus,
    folder,
    letter,
    simulated,
    standin,
    synthetic,
    trec,
)
from softlabels.datasets.base import Annotations, Dataset, Source, checksum

__all__ = ["CLASSES", "LOADERS", "Annotations", "Dataset", "Source", "checksum", "load"]

LOADERS: dict[str, Callable[..., Dataset]] = {
    "synthetic": synthetic.load,
    "cifar10h": cifar10.load_10h,
    "cifar10h-9500": cifar10.load_10h_9500,
    "cifar10": partial(cifar10.load_pretraining, "cifar10"),
    "cifar10-jpeg": cifar10.load_jpeg,
    "cifar10-jpeg-train": partial(cifar10.load_pretraining, "cifar10-jpeg-train"),
    "ferplus": ferplus.load,
    "micebone": partial(dcic.load, "MiceBone"),
    "micebone-standin": standin.load,
    "cifar10.1-v4": partial(cifar10.load_new, "v4"),
    "cifar10.1-v6": partial(cifar10.load_new, "v6"),
    "mgc": crowds.load_mgc,
    "labelme": crowds.load_labelme,
    "labelme-64px": crowds.load_labelme_images,
    "letter": letter.load,
    "synthetic-crowd": simulated.load,
    "cifar10n-jpeg": cifar10_crowds.load_10n,
    "cifar10h-crowd-jpeg": cifar10_crowds.load_10h,
    "sentiment": crowds.load_sentiment,
    "trec6": trec.load,
}
# A name may go on: "dcic:Turkey", "chaosnli:snli", "folder:PATH".
PREFIXES: dict[str, Callable[..., Dataset]] = {
    "dcic:": dcic.load,
    "chaosnli:": chaosnli.load,
    folder.PATH_PREFIX: folder.load,
    folder.PIN_PREFIX: folder.load_pinned,
    folder.FEATURES_PREFIX: features.load,
}
# What a figure needs of datasets whose images it does not.
CLASSES: dict[str, tuple[str, ...]] = {
    "synthetic": synthetic.CLASSES,
    "cifar10h-9500": cifar10.CLASSES,
    "ferplus": ferplus.CLASSES,
    "micebone": standin.CLASSES,
    "micebone-standin": standin.CLASSES,
}


def load(name: str, **options: Any) -> Dataset:
    """Return the dataset `name`; it is downloaded or generated on first use and cached.

    Parameters
    ----------
    name : str
        One of `LOADERS`, or one of `PREFIXES` and what it loads: "dcic:Turkey", "folder:PATH".
    **options
        ``image_size`` (pixels; None for the dataset's own) is taken by every dataset, the rest by some:
        ``seed`` and ``n_images`` by generated ones, ``slice`` by those in the DCIC format.

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
    loader, known = loader_of(name), options_of(name)
    for option in options:
        if option not in known:
            raise errors.unknown(f"option of dataset {name}:", option, known)
    return loader(**options)


def loader_of(name: str) -> Callable[..., Dataset]:
    """Return the function that loads a dataset, still to be given its options."""
    for prefix, loader in PREFIXES.items():
        if name.startswith(prefix):
            return partial(loader, name.removeprefix(prefix))
    if name not in LOADERS:
        raise errors.unknown("dataset", name, [*LOADERS, *(f"{prefix}…" for prefix in PREFIXES)])
    return LOADERS[name]


def options_of(name: str) -> tuple[str, ...]:
    """Names of the options that a dataset takes."""
    return tuple(inspect.signature(loader_of(name)).parameters)
