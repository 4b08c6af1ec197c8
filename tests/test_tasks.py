"""Who is trained on, who chooses, who is tested: splits that share no image and repeat."""

import numpy as np
import pytest
from softlabels import tasks
from softlabels.config import RunConfig
from softlabels.datasets import Dataset, Source
from softlabels.errors import ConfigError


def whole(rows, n):
    return np.array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(n))


@pytest.mark.parametrize("fold", range(10))
def test_a_fold_split_uses_every_image_once(fold):
    rows = tasks.fold_split(9500, 10, fold, seed=3)
    assert whole(rows, 9500)
    assert {name: len(part) for name, part in rows.items()} == {
        "train": 7600,
        "validation": 950,
        "test": 950,
    }


def test_folds_together_test_every_image_once_and_seeds_share_them():
    parts = [tasks.fold_split(103, 10, fold, seed=0)["test"] for fold in range(10)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(103))
    again = tasks.fold_split(103, 10, 4, seed=8)
    assert np.array_equal(again["test"], parts[4])
    assert not np.array_equal(again["validation"], tasks.fold_split(103, 10, 4, seed=0)["validation"])


def test_two_folds_leave_images_to_train_on():
    assert all(len(part) for part in tasks.fold_split(10, 2, 1, seed=0).values())


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
    rows = tasks.rows(data, RunConfig(split="official"))
    assert all(np.array_equal(rows[name], own[name]) for name in own)
    data.splits.pop("validation")
    with pytest.raises(ConfigError, match="no official validation part; use split='random'"):
        tasks.rows(data, RunConfig(split="official"))


def test_a_fold_must_exist():
    with pytest.raises(ConfigError, match=r"fold must lie in \[0, 4\], not 5"):
        RunConfig(split="folds", n_folds=5, fold=5)
