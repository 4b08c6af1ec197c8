"""CIFAR-10 with the votes of CIFAR-10H (Peterson et al. 2019), lossless and as a JPEG copy.

A dataset's name says which images it has, never where they were read from: the archive and the lossless
PNGs give the same pixels, and a checksum holds both to it.
"""

import hashlib
import tarfile
from collections.abc import Callable

import numpy as np

from softlabels import errors
from softlabels.datasets import fetch
from softlabels.datasets.base import Dataset, Source, checksum, demand_size
from softlabels.datasets.cache import arrays
from softlabels.datasets.images import read_images
from softlabels.labels.votes import one_hot

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE = 32
SHAPE = (SIZE, SIZE, 3)
N_TRAIN, N_TEST, N_LOSSLESS = 50_000, 10_000, 9_500
N_KEPT = 2_500  # training images that are kept for validation while a network is pretrained
LICENCE = "images: CIFAR-10 terms; votes: CC BY-NC-SA 4.0"
URL = "https://github.com/jcpeterson/cifar-10h"

# Of the bytes of test images 0-9499, uint8 [9500, 32, 32, 3], wherever they were read from.
LOSSLESS_SHA256 = "68f1fb84343b60338d6c7ed7626f0344d953a474c8d95246a5a809ceedca4e06"

# The binary form of the official archive: the same images as the Python form, without a pickle.
ARCHIVE = "cifar10/cifar-10-binary.tar.gz"
TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
PNGS = "cifar10/cifar10-test-9500-png.zip"
JPEGS = "cifar10/CIFAR-10-images-master.zip"
TEST_LABELS = "cifar10/cifar10_test_set_original_labels.npy"
TRAIN_LABELS = "cifar10n/cifar10n-labels.npz"
COUNTS = "cifar10h/cifar10h-counts.npy"

Decoded = tuple[np.ndarray, np.ndarray]  # images uint8 [N, 32, 32, 3], labels int64 [N]


def load_10h(image_size: int | None = None) -> Dataset:
    """Return CIFAR-10H: all 10,000 CIFAR-10 test images and people's votes; ids are test indices.

    As all loaders here it raises `ConfigError` for an image size other than 32, and as `fetch` does.
    """
    demand_size("cifar10h", image_size, SIZE)
    images, truth = _decoded("cifar10h", lambda: _batches("test_batch"))
    return _dataset("cifar10h", images, truth, votes(), "CIFAR-10 test images, lossless")


def load_10h_9500(image_size: int | None = None) -> Dataset:
    """Return test images 0-9499 of CIFAR-10H, pixel for pixel the same from the archive and from PNGs."""
    demand_size("cifar10h-9500", image_size, SIZE)
    images, truth = _decoded("cifar10h-9500", _lossless)
    variant = "CIFAR-10 test images 0-9499, lossless"
    return _dataset("cifar10h-9500", images, truth, votes()[:N_LOSSLESS], variant)


def load_jpeg(image_size: int | None = None) -> Dataset:
    """Return the lossy JPEG copy of all 60,000 images: ids 0-49999 train, 50000-59999 test, original order.

    The counts of test images are CIFAR-10H's votes. Train images have no votes: their count is a single
    one, for CIFAR-10's own label. ``splits`` holds the rows of "train" and "test".
    """
    demand_size("cifar10-jpeg", image_size, SIZE)
    images, truth = _decoded("cifar10-jpeg", _from_jpegs)
    counts = np.concatenate([one_hot(truth[:N_TRAIN], len(CLASSES)), votes()])
    rows_are = "test rows: CIFAR-10H votes, train rows: CIFAR-10's label as one vote"
    rows = np.arange(N_TRAIN + N_TEST)
    splits = {"train": rows[:N_TRAIN], "test": rows[N_TRAIN:]}
    variant = f"lossy JPEG copy of CIFAR-10; {rows_are}"
    return _dataset("cifar10-jpeg", images, truth, counts, variant, splits)


def load_pretraining(name: str, image_size: int | None = None) -> Dataset:
    """Return CIFAR-10 to pretrain on: 50,000 training images and test images 0-9499, these lossless.

    The training images of "cifar10" are those of the archive, of "cifar10-jpeg-train" the lossy JPEG copies.
    Ids are those of `load_jpeg`. Train images have a single count, for CIFAR-10's own label; ``splits`` holds
    the rows of "train", "validation" (the last 2,500 training images) and "test".
    """
    lossy = name == "cifar10-jpeg-train"
    variant = "lossy JPEG copy of CIFAR-10's training images" if lossy else "CIFAR-10 training images"
    demand_size(name, image_size, SIZE)
    test, labels = _decoded("cifar10h-9500", _lossless)

    def both() -> Decoded:
        train, own = _decoded("cifar10-jpeg", _from_jpegs) if lossy else _batches(*TRAIN_BATCHES)
        return np.concatenate((train[:N_TRAIN], test)), np.concatenate((own[:N_TRAIN], labels))

    (images, truth), _ = arrays(name, ("images", "labels"), both)
    counts = np.concatenate((one_hot(truth[:N_TRAIN], len(CLASSES)), votes()[:N_LOSSLESS]))
    parts = np.split(np.arange(N_TRAIN + N_LOSSLESS), [N_TRAIN - N_KEPT, N_TRAIN])
    splits = dict(zip(("train", "validation", "test"), parts, strict=True))
    return _dataset(name, images, truth, counts, f"{variant}; test images 0-9499, lossless", splits)


def _dataset(
    name: str,
    images: np.ndarray,
    truth: np.ndarray,
    counts: np.ndarray,
    variant: str,
    splits: dict[str, np.ndarray] | None = None,
    licence: str = LICENCE,
    url: str = URL,
) -> Dataset:
    source = Source(name, licence, variant, checksum(images, counts, truth), url)
    ids = np.arange(len(images))
    return Dataset(name, images, counts, CLASSES, source, ids, truth=truth, splits=splits or {})


def votes() -> np.ndarray:
    """CIFAR-10H votes in test order, float32 ``[10000, 10]``."""
    return _array(COUNTS, (N_TEST, len(CLASSES))).astype(np.float32)


def _array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    path = fetch.fetch(key)
    array = np.load(path, allow_pickle=False)
    if array.shape != shape:
        raise errors.DataError(f"{path}: expected shape {shape}, found {array.shape}; replace the file")
    return array


def _decoded(name: str, decode: Callable[[], Decoded]) -> Decoded:
    """Images (memory-mapped) and labels from the cache; decoded where absent or damaged.

    Lossless images are held to the published pixels.
    """

    def checked() -> Decoded:
        images, labels = decode()
        found = hashlib.sha256(images[:N_LOSSLESS].tobytes()).hexdigest()
        if name != "cifar10-jpeg" and found != LOSSLESS_SHA256:
            raise errors.DataError(
                f"{name}: expected pixels 0-9499 with SHA-256 {LOSSLESS_SHA256}, found {found}; replace "
                f"{ARCHIVE} or {PNGS} in the data folder"
            )
        return images, labels

    (images, labels), _ = arrays(name, ("images", "labels"), checked)
    return images, labels


def _lossless() -> Decoded:
    """Test images 0-9499 from the archive where it is at hand, else from the PNGs, else downloaded."""
    if fetch.at_hand(ARCHIVE) is None and fetch.at_hand(PNGS) is not None:
        names = [f"{i:05d}.png" for i in range(N_LOSSLESS)]
        images = read_images(fetch.fetch(PNGS), names, SHAPE)
        return images, _array(TEST_LABELS, (N_TEST,))[:N_LOSSLESS].astype(np.int64)
    images, labels = _batches("test_batch")
    return images[:N_LOSSLESS], labels[:N_LOSSLESS]


def _batches(*names: str) -> Decoded:
    """Images and labels of named files of the archive, of which nothing is unpacked to the disk."""
    path = fetch.fetch(ARCHIVE)
    length = 10_000 * (1 + 3 * SIZE * SIZE)
    parts = []
    with tarfile.open(path, "r:gz") as archive:
        members = {member.name: member for member in archive}
        for name in names:
            member = members.get(f"cifar-10-batches-bin/{name}.bin")
            if member is None or not member.isfile() or member.size != length:
                found = "none" if member is None else f"{member.size} bytes"
                raise errors.DataError(
                    f"{path}: {name}.bin: expected a file of {length} bytes, found {found}"
                )
            content = archive.extractfile(member)
            assert content is not None
            parts.append(np.frombuffer(content.read(), np.uint8).reshape(10_000, -1))
    rows = np.concatenate(parts)  # [N, 3073]: label and planes
    images = rows[:, 1:].reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, 0].astype(np.int64)


def _from_jpegs() -> Decoded:
    """All images in the original order: file k of a class is its k-th image there."""
    path, labels = fetch.fetch(JPEGS), _labels()
    names = []
    for part, own in (("train", labels[:N_TRAIN]), ("test", labels[N_TRAIN:])):
        seen = [0] * len(CLASSES)
        for label in own:
            names.append(f"CIFAR-10-images-master/{part}/{CLASSES[label]}/{seen[label]:04d}.jpg")
            seen[label] += 1
    return read_images(path, names, SHAPE), labels


def _labels() -> np.ndarray:
    """CIFAR-10's labels in the original order, train before test, int64 ``[60000]``."""
    path = fetch.at_hand(TRAIN_LABELS)
    if path is None:
        return _batches(*TRAIN_BATCHES, "test_batch")[1]
    with np.load(path, allow_pickle=False) as arrays:
        train = arrays["clean"]
    return np.concatenate([train, _array(TEST_LABELS, (N_TEST,))]).astype(np.int64)


# CIFAR-10.1 (Recht et al. 2018): new photographs collected as CIFAR-10's were, in two versions.
def load_new(version: str, image_size: int | None = None) -> Dataset:
    """Return version "v4", 2,021 images, or "v6", 2,000 in balanced classes; a label is its single count."""
    name = f"cifar10.1-{version}"
    demand_size(name, image_size, SIZE)
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
    licence = "MIT; images: terms of the Tiny Images collection"
    url = "https://github.com/modestyachts/CIFAR-10.1"
    counts = one_hot(truth, len(CLASSES))
    return _dataset(name, images, truth, counts, f"CIFAR-10.1 {version}", licence=licence, url=url)
