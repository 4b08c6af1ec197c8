"""CIFAR-10 with named annotators: CIFAR-10H (Peterson et al. 2019) on its test images, CIFAR-10N on others.

The raw file of CIFAR-10H has a row for each trial of 2,571 people: 200 images, ten attention checks. Its
authors' counts leave sixteen of them out (they hold 511,000 labels, not the 511,400 of the paper); which ones
follows from the counts. Without them the labels must add up to the counts, which is checked.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from softlabels import errors
from softlabels.datasets import cifar10, fetch
from softlabels.datasets.base import Annotations, Dataset
from softlabels.datasets.crowds import crowd
from softlabels.labels import votes

RAW, TABLE = "cifar10h/cifar10h-raw.zip", "cifar10h-raw.csv"
PEOPLE, EACH = 2_571, 200
WORST, N_VALIDATION = 100, 500  # AM
COLUMNS = ("annotator_id", "is_attn_check", "chosen_label", "cifar10_test_test_idx")
LARGEST = 1 << 28  # bytes of the table


def load_10h(image_size: int | None = None) -> Dataset:
    """Return the lossy copy of CIFAR-10 with the labels of the 100 least accurate people, as AM use them.

    ``splits``: the test images that one of them labelled to train on; of the training images 500, as many of
    each class, for validation and the rest to test on. Raises as `cifar10.load_jpeg` and `judgements`.
    """
    from sklearn.model_selection import train_test_split

    base = cifar10.load_jpeg(image_size)
    assert base.truth is not None
    tested = base.truth[cifar10.N_TRAIN :]
    found = least_accurate(judgements(), tested, WORST)
    image = found.image + cifar10.N_TRAIN
    rows = np.arange(cifar10.N_TRAIN)
    # The call of AM's code, so that the parts are theirs.
    kept, rest = train_test_split(rows, train_size=N_VALIDATION, random_state=0, stratify=base.truth[rows])
    return crowd(
        "cifar10h-crowd-jpeg",
        base.images,
        base.truth,
        Annotations(image, found.annotator, found.label),
        base.classes,
        {"train": np.unique(image), "validation": np.sort(kept), "test": np.sort(rest)},
        variant="lossy JPEG copy of CIFAR-10; CIFAR-10H's labels by its 100 least accurate people",
        url=cifar10.URL,
        licence=cifar10.LICENCE,
    )


def judgements() -> Annotations:
    """All 514,200 labels of test images, without attention checks; annotators as numbered in the file.

    Raises as `fetch`, and `DataError` where the archive or a row is not what it should be, or the labels do
    not add up to the authors' counts.
    """
    path = fetch.fetch(RAW)
    annotator, check, label, image = _table(path).T
    trials = check == 0
    found = Annotations(image[trials], annotator[trials], label[trials])
    people, n = np.unique(found.annotator, return_counts=True)
    if len(people) != PEOPLE or set(n) != {EACH}:
        raise errors.DataError(
            f"{path}: expected {PEOPLE} annotators with {EACH} images each, found {len(people)} with "
            f"{n.min(initial=EACH)} to {n.max(initial=0)}; replace the file"
        )
    counts = cifar10.votes()
    kept = ~np.isin(found.annotator, left_out(found, counts))
    differ = (_added(found.image[kept], found.label[kept], len(counts)) != counts).any(1)
    if differ.any():
        raise errors.DataError(
            f"{path}: the labels of {differ.sum()} images, the first {differ.argmax()}, do not add up to "
            f"{cifar10.COUNTS}; replace the file"
        )
    return found


def left_out(found: Annotations, counts: np.ndarray) -> np.ndarray:
    """Annotators whom counts [N, C] leave out: all their labels were given more often than counted."""
    surplus = _added(found.image, found.label, len(counts)) > counts
    counted = ~surplus[found.image, found.label]
    return np.setdiff1d(found.annotator, found.annotator[counted])


def _added(image: np.ndarray, label: np.ndarray, n_images: int) -> np.ndarray:
    return votes.counts(image, label, n_images, len(cifar10.CLASSES))


def least_accurate(found: Annotations, truth: np.ndarray, n: int) -> Annotations:
    """Judgements of the `n` annotators with the smallest share of right labels, numbered from the worst.

    Of equally accurate ones, those with the lower number count as worse.
    """
    people, who = np.unique(found.annotator, return_inverse=True)
    right = np.bincount(who, found.label == truth[found.image]) / np.bincount(who)
    place = np.empty(len(people), np.int64)
    place[np.argsort(right, kind="stable")] = np.arange(len(people))
    kept = place[who] < n
    return Annotations(found.image[kept], place[who][kept], found.label[kept])


def _table(path: Path) -> np.ndarray:
    """Read `COLUMNS` of the table inside the archive, int64 [rows, 4]; attention checks have no image."""
    import pandas as pd

    try:
        with zipfile.ZipFile(path) as archive:
            if (size := archive.getinfo(TABLE).file_size) > LARGEST:
                raise zipfile.BadZipFile(f"a table of {size} bytes")
            with archive.open(TABLE) as raw:
                table = pd.read_csv(raw, dtype=str, keep_default_na=False)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError) as error:  # pandas' are the last
        raise errors.DataError(f"{path}: expected an archive with {TABLE}; {error}; replace it") from None
    place = f"{path}: {TABLE}"
    if absent := [name for name in COLUMNS if name not in table]:
        raise errors.DataError(f"{place}: expected a column {absent[0]}, found {', '.join(table)}")
    cells = table[list(COLUMNS)]
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if len(wrong := np.argwhere(~np.isfinite(numbers))):
        row, k = wrong[0]
        found = f"no number in one of {', '.join(COLUMNS)} ({cells.iloc[row, k]!r})"
        raise errors.DataError(f"{place}, line {row + 2}: {found}")
    _, check, label, image = numbers.astype(np.int64).T
    known = (label >= 0) & (label < len(cifar10.CLASSES)) & (image >= 0) & (image < cifar10.N_TEST)
    if len(outside := np.flatnonzero((check == 0) & ~known)):
        row = outside[0]
        found = f"class {label[row]} or image {image[row]} is not one of CIFAR-10's test part"
        raise errors.DataError(f"{place}, line {row + 2}: {found}")
    return numbers.astype(np.int64)


# CIFAR-10N (Wei et al. 2022): the "worse" label of each training image, and who is said to have given it.
#
# The released worker numbers do not fit the released labels; `agreement.heterogeneity` shows it. Use the
# labels; a result "with annotators" is a result with shuffled ones.


N, N_CHOOSING, BATCH = cifar10.N_TRAIN, 1_000, 10
WORKERS = "cifar10n/side_info_cifar10N.csv"


def load_10n(image_size: int | None = None) -> Dataset:
    """Return the lossy copy of CIFAR-10 with one "worse" label per training image, as AM use it.

    The label goes to the first of the image's three workers who gave it. ``splits``: 50,000 images to train
    on, 1,000 and 9,000 of the test images. Raises as `cifar10.load_jpeg`.
    """
    base = cifar10.load_jpeg(image_size)
    assert base.truth is not None
    rows = np.random.default_rng(0).permutation(cifar10.N_TEST) + N
    choosing, test = (np.sort(part) for part in np.split(rows, [N_CHOOSING]))
    splits = {"train": np.arange(N), "validation": choosing, "test": test}
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
    import pandas as pd

    path = fetch.fetch(WORKERS)
    rows = pd.read_csv(path, encoding="utf-8-sig")[[f"Worker{i}-id" for i in (1, 2, 3)]].to_numpy(np.int64)
    if len(rows) * BATCH != N:
        raise errors.DataError(f"{path}: expected {N // BATCH} batches of ten images, found {len(rows)}")
    return np.repeat(rows, BATCH, axis=0)
