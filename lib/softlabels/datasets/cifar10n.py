"""CIFAR-10N (Wei et al. 2022): the "worse" label of each training image, and who is said to have given it.

The released worker numbers do not fit the released labels; `people.heterogeneity` shows it. Use
the labels; a result "with annotators" is a result with shuffled ones.
"""

import csv

import numpy as np

from softlabels import errors
from softlabels.datasets import cifar10, fetch
from softlabels.datasets.base import Annotations, Dataset
from softlabels.datasets.crowds import crowd

N, N_VALIDATION, BATCH = cifar10.N_TRAIN, 1_000, 10
WORKERS = "cifar10n/side_info_cifar10N.csv"


def load(image_size: int | None = None) -> Dataset:
    """Return the lossy copy of CIFAR-10 with one "worse" label per training image, as AM use it.

    The label goes to the first of the image's three workers who gave it. ``splits``: 50,000 images to train
    on, 1,000 and 9,000 of the test images.

    Raises
    ------
    ConfigError
        An image size other than 32.
    DataError, DataUnavailable
        As for `fetch`.
    """
    base = cifar10.load_jpeg(image_size)
    assert base.truth is not None
    test = np.random.default_rng(0).permutation(cifar10.N_TEST) + N
    splits = {
        "train": np.arange(N),
        "validation": np.sort(test[:N_VALIDATION]),
        "test": np.sort(test[N_VALIDATION:]),
    }
    return crowd(
        "cifar10n-jpeg",
        base.images,
        base.truth,
        annotations(),
        base.classes,
        splits,
        variant="lossy JPEG copy of CIFAR-10; CIFAR-10N's worse labels, workers as in the side information",
        url="https://github.com/UCSC-REAL/cifar-10-100n",
        licence="images: CIFAR-10 terms; labels: CC BY-NC 4.0",
    )


def annotations() -> Annotations:
    """One judgement per training image: its worse label, by the first of its workers who gave it."""
    given, worse = answers()
    first = (given == worse[:, None]).argmax(1)
    worker = workers()[np.arange(N), first]
    return Annotations(np.arange(N), np.unique(worker, return_inverse=True)[1], worse)


def answers() -> tuple[np.ndarray, np.ndarray]:
    """The three labels of each training image, int64 [50000, 3], and the worse one, int64 [50000]."""
    with np.load(fetch.fetch(cifar10.TRAIN_LABELS), allow_pickle=False) as arrays:
        three = np.stack([arrays[f"random{i}"] for i in (1, 2, 3)], 1)
        return three.astype(np.int64), arrays["worse"].astype(np.int64)


def workers() -> np.ndarray:
    """Numbers of the three workers of each training image, in the Python order, int64 [50000, 3]."""
    path = fetch.fetch(WORKERS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [[int(row[f"Worker{i}-id"]) for i in (1, 2, 3)] for row in csv.DictReader(file)]
    if len(rows) * BATCH != N:
        raise errors.DataError(f"{path}: expected {N // BATCH} batches of ten images, found {len(rows)}")
    return np.repeat(np.array(rows), BATCH, axis=0)
