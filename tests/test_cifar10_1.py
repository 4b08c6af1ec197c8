"""CIFAR-10.1: shape, labels and checksum; on files made here, since the real ones are not at hand."""

import hashlib

import numpy as np
import pytest
from softlabels import datasets
from softlabels.datasets import fetch
from softlabels.errors import ConfigError, DataError


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files of the right form, registered with their own checksums."""
    (tmp_path / "cifar10.1").mkdir()
    monkeypatch.setenv("SOFTLABELS_DATA", str(tmp_path))

    def put(images, labels):
        for part, array in (("data", images), ("labels", labels)):
            key = f"cifar10.1/cifar10.1_v6_{part}.npy"
            np.save(tmp_path / key, array)
            digest = hashlib.sha256((tmp_path / key).read_bytes()).hexdigest()
            monkeypatch.setitem(fetch.FILES, key, fetch.File(digest))

    return put


def images(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def test_labels_become_single_counts(files):
    files(images(), np.array([3, 1, 4, 1, 5], np.int32))
    data = datasets.load("cifar10.1-v6")
    assert (data.counts.argmax(1) == data.truth).all() and (data.counts.sum(1) == 1).all()
    np.testing.assert_array_equal(data.images, images())
    assert data.source.variant == "CIFAR-10.1 v6"


def test_a_wrong_form_is_refused(files):
    files(images().astype(np.float32), np.zeros(5, np.int32))
    with pytest.raises(DataError, match="expected uint8 images"):
        datasets.load("cifar10.1-v6")


def test_another_size_is_refused():
    with pytest.raises(ConfigError, match="image_size"):
        datasets.load("cifar10.1-v4", image_size=64)


def test_a_file_with_another_checksum_is_refused(files, tmp_path):
    files(images(), np.zeros(5, np.int32))
    np.save(tmp_path / "cifar10.1" / "cifar10.1_v6_labels.npy", np.ones(5, np.int32))
    with pytest.raises(DataError, match="expected SHA-256"):
        datasets.load("cifar10.1-v6")
