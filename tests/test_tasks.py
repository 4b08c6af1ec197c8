"""Who is trained on, who chooses, who is tested: splits that share no image and repeat."""

import mmap

import numpy as np
import pytest
from softlabels import datasets
from softlabels.datasets import Dataset, Source, cache
from softlabels.errors import ConfigError
from softlabels.learning import inputs, training
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware


def whole(rows, n):
    return np.array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(n))


@pytest.mark.parametrize("fold", range(10))
def test_a_fold_split_uses_every_image_once(fold):
    rows = inputs.fold_split(9500, 10, fold, seed=3)
    assert whole(rows, 9500)
    assert {name: len(part) for name, part in rows.items()} == {
        "train": 7600,
        "validation": 950,
        "test": 950,
    }


def test_folds_together_test_every_image_once_and_seeds_share_them():
    parts = [inputs.fold_split(103, 10, fold, seed=0)["test"] for fold in range(10)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(103))
    again = inputs.fold_split(103, 10, 4, seed=8)
    assert np.array_equal(again["test"], parts[4])
    assert not np.array_equal(again["validation"], inputs.fold_split(103, 10, 4, seed=0)["validation"])


def test_two_folds_leave_images_to_train_on():
    assert all(len(part) for part in inputs.fold_split(10, 2, 1, seed=0).values())


def test_an_official_split_is_the_datasets_own():
    n, own = 6, {"train": np.array([0, 1]), "validation": np.array([2, 3]), "test": np.array([4, 5])}
    data = Dataset(
        "mine",
        np.zeros((n, 8, 8, 3), np.uint8),
        np.eye(2, dtype=np.float32)[[0, 1] * 3],
        ("a", "b"),
        Source("mine", "none", "made here", "0"),
        np.arange(n),
        splits=own,
    )
    rows = inputs.rows(data, RunConfig(split="official"))
    assert all(np.array_equal(rows[name], own[name]) for name in own)
    data.splits.pop("validation")
    with pytest.raises(ConfigError, match="no official validation part; use split='random'"):
        inputs.rows(data, RunConfig(split="official"))


def test_a_fold_must_exist():
    with pytest.raises(ConfigError, match=r"fold must lie in \[0, 4\], not 5"):
        RunConfig(split="folds", n_folds=5, fold=5)


def test_rows_of_a_large_map_are_asked_for_before_they_are_read(tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(256, size=(60, 20, 50, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", values)
    images = cache.read_array(tmp_path / "images.npy")
    for part in (images, images[7:]):
        for row, (start, length) in zip((0, 5, 52), cache.pages(part, (0, 5, 52)), strict=True):
            assert start % mmap.PAGESIZE == 0 and length < part[row].nbytes + mmap.PAGESIZE
            assert images._mmap[start : start + length].endswith(part[row].tobytes())
    asked = []
    monkeypatch.setattr(cache, "pages", lambda array, rows: asked.append(list(rows)) or [])
    cache.prefetch(images, [3])  # small, so it will be in memory soon
    monkeypatch.setattr(cache, "LARGE", 1)
    cache.prefetch(values, [3])  # in memory already
    assert not asked
    cache.prefetch(images, [3, 59])
    assert asked == [[3, 59]]
    monkeypatch.undo()
    monkeypatch.setattr(cache, "LARGE", 1)
    cache.prefetch(images, [59, 0])
    assert np.array_equal(images, values)


def vectors(image_size=None):
    x = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    counts = np.stack([3 + (x[:, 0] > 0), np.ones(60)], 1).astype(np.float32)
    source = Source("vectors", "none", "made here", "0")
    truth = (x[:, 0] < 0).astype(np.int64)
    return Dataset("vectors", x, counts, ("a", "b"), source, np.arange(60), truth=truth)


def test_vectors_are_taken_as_they_are(monkeypatch):
    monkeypatch.setitem(datasets.LOADERS, "vectors", vectors)
    task = inputs.prepare(RunConfig(dataset="vectors", network="linear", augmentation="none"))
    assert np.array_equal(task.images.numpy(), vectors().images)
    train = vectors().images[task.rows["train"]]
    assert np.allclose(task.mean, train.mean(0), atol=1e-6) and np.allclose(task.std, train.std(0), atol=1e-6)


def test_vectors_are_not_augmented(monkeypatch):
    monkeypatch.setitem(datasets.LOADERS, "vectors", vectors)
    with pytest.raises(ConfigError, match="use augmentation='none', not 'flips-turns'"):
        inputs.prepare(RunConfig(dataset="vectors", network="linear"))


@pytest.mark.parametrize("network", ["linear", "mlp-128"])
@pytest.mark.parametrize("label", ["hard", "soft", "smoothed", "permuted"])
def test_a_network_for_vectors_learns_every_arm(label, network, monkeypatch, tmp_path):
    monkeypatch.setitem(datasets.LOADERS, "vectors", vectors)
    config = RunConfig(
        dataset="vectors", network=network, label=label, augmentation="none", epochs=5, batch_size=8
    )
    task, hw = inputs.prepare(config), hardware("cpu", "fp32")
    model, done = training.train(config, task, hw, tmp_path / "checkpoint")
    assert done.history[-1]["train_loss"] < done.history[0]["train_loss"]
    log_p, features = training.predict(model, task, task.rows["test"], hw)
    assert log_p.shape == (12, 2) and features.shape == (12, 128 if network == "mlp-128" else 5)
