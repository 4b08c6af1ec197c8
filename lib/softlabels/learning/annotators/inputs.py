"""Labelled pairs (image, annotator, label): the unit that every method here learns from."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from softlabels import datasets
from softlabels.datasets import Annotations
from softlabels.errors import ConfigError
from softlabels.labels import votes as labels
from softlabels.labels.votes import at_most, chosen, shuffled
from softlabels.learning import inputs
from softlabels.learning.annotators.methods import build
from softlabels.learning.config import RunConfig, generator
from softlabels.learning.inputs import Task


@dataclass(frozen=True)
class Pairs:
    """Judgements sorted by image, so that a batch of images finds its own without a dense matrix."""

    annotator: Tensor  # int64 [L]
    label: Tensor  # int64 [L]
    start: Tensor  # int64 [N + 1]; judgements of image i are entries start[i] to start[i + 1]
    n_annotators: int
    n_classes: int

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Judgements of images `rows` [B]: place of the image in `rows` [L], index of the judgement [L]."""
        first, n = self.start[rows], self.start[rows + 1] - self.start[rows]
        sample = torch.repeat_interleave(n)
        offset = first - (n.cumsum(0) - n)
        return sample, torch.arange(len(sample)) + offset[sample]

    def labelled(self, rows: np.ndarray) -> np.ndarray:
        """Those of images `rows` that have a judgement."""
        start = self.start.numpy()
        return rows[start[rows + 1] > start[rows]]


def pairs(found: Annotations, n_images: int, n_classes: int, n_annotators: int) -> Pairs:
    """Sort judgements by image; `ConfigError` where there is no judgement, or a single class."""
    if not len(found.image):
        raise ConfigError("no image has a judgement; a method for annotators needs some")
    if n_classes < 2:
        raise ConfigError(f"{n_classes} class leaves nothing to learn; at least two are needed")
    order = np.argsort(found.image, kind="stable")
    start = np.concatenate([[0], np.bincount(found.image, minlength=n_images).cumsum()])
    annotator, label, begin = (
        torch.from_numpy(np.ascontiguousarray(a, np.int64))
        for a in (found.annotator[order], found.label[order], start)
    )
    return Pairs(annotator, label, begin, n_annotators, n_classes)


ANNOTATED = 6 / 7  # share of the annotated images that a random split trains on
VALIDATION = 1 / 4  # of what a random split does not train on, where only a part was annotated


@dataclass(frozen=True)
class CrowdTask(Task):
    """A dataset with judgements, seen through one configuration.

    It is tested against `soft`: the exact distribution where it is known, else the true class.
    """

    pairs: Pairs  # judgements to learn from; those of training images only
    truth: np.ndarray  # int64 [N]


def split(data: datasets.Dataset, config: RunConfig) -> dict[str, np.ndarray]:
    """Image indices of each part; a random split trains on annotated images only.

    Where a part of the dataset was annotated, the seed draws six sevenths of that part to train on, and
    a quarter of all other images for validation. Otherwise as `inputs.rows`.
    """
    assert data.annotations is not None
    annotated = np.unique(data.annotations.image)
    if config.split != "random" or len(annotated) == len(data):
        return inputs.fewer(inputs.rows(data, config), config)
    rng = generator(config.seed, "crowd split")
    train = rng.permutation(annotated)[: round(ANNOTATED * len(annotated))]
    rest = rng.permutation(np.setdiff1d(np.arange(len(data)), train))
    cut = round(VALIDATION * len(rest))
    found = {"train": train, "validation": rest[:cut], "test": rest[cut:]}
    return {name: np.sort(rows) for name, rows in found.items()}


def prepare(config: RunConfig) -> CrowdTask:
    """Load a dataset with judgements, split it, and make targets where the method aggregates.

    Raises `ConfigError` if it has no judgements or no true labels, or nothing can be learnt from them.
    """
    return of_dataset(inputs.load(config), config)


def of_dataset(data: datasets.Dataset, config: RunConfig) -> CrowdTask:
    """The same of a dataset that is loaded already, whatever `config.dataset` says."""
    if data.annotations is None or data.truth is None:
        raise ConfigError(
            f"{config.dataset} has no annotators or no true labels; method '{config.method}' needs them"
        )
    rows, n_classes = split(data, config), len(data.classes)
    found = chosen(data.annotations, rows["train"])
    if config.annotations:
        found = at_most(found, config.annotations, generator(config.seed, "annotations"))
    if config.workers == "shuffled":
        found = shuffled(found, generator(config.seed, "shuffled workers"))
    sorted_pairs = pairs(found, len(data), n_classes, data.n_annotators)
    exact = not np.array_equal(data.counts, data.counts.round())
    soft = labels.soft_labels(data.counts) if exact else labels.one_hot(data.truth, n_classes)
    method, rng = build(config.method, 1, n_classes, 1), generator(config.seed, "labels")
    counts = labels.counts(found.image, found.label, len(data), n_classes)
    targets = method.aggregate(counts, found, data.truth, rng) if method.aggregate else soft[:0]
    if config.method != "true-base":
        rows["train"] = sorted_pairs.labelled(rows["train"])
    votes = counts[rows["train"]]
    ties = int(((votes == votes.max(1, keepdims=True)).sum(1) > 1).sum())
    mean, std = inputs.statistics(data.images, rows["train"])
    images = torch.from_numpy(np.asarray(data.images))
    return CrowdTask(
        data, images, torch.from_numpy(targets), soft, rows, mean, std, ties, sorted_pairs, data.truth
    )
