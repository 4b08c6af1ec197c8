"""Labelled pairs (image, annotator, label): the unit that every method here learns from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softlabels.datasets import Annotations
from softlabels.errors import ConfigError

if TYPE_CHECKING:  # who only describes annotators needs no PyTorch
    from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """Judgements sorted by image, so that a batch of images finds its own without a dense matrix.

    Attributes
    ----------
    annotator, label : int64 tensors [L]
    start : int64 tensor [N + 1]
        Judgements of image i are entries start[i] to start[i + 1].
    n_annotators, n_classes : int
    """

    annotator: "Tensor"
    label: "Tensor"
    start: "Tensor"
    n_annotators: int
    n_classes: int

    def of(self, rows: "Tensor") -> "tuple[Tensor, Tensor]":
        """Judgements of images `rows` [B]: place of the image in `rows` [L], index of the judgement [L]."""
        import torch

        first, n = self.start[rows], self.start[rows + 1] - self.start[rows]
        sample = torch.repeat_interleave(n)
        offset = first - (n.cumsum(0) - n)
        return sample, torch.arange(len(sample)) + offset[sample]

    def labelled(self, rows: np.ndarray) -> np.ndarray:
        """Those of images `rows` that have a judgement."""
        start = self.start.numpy()
        return rows[start[rows + 1] > start[rows]]


def pairs(found: Annotations, n_images: int, n_classes: int, n_annotators: int) -> Pairs:
    """Sort judgements by image.

    Raises
    ------
    ConfigError
        If there is nothing to learn: no judgement, or a single class.
    """
    import torch

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


def chosen(found: Annotations, rows: np.ndarray) -> Annotations:
    """Judgements of images `rows` only."""
    kept = np.isin(found.image, rows)
    return Annotations(found.image[kept], found.annotator[kept], found.label[kept])


def at_most(found: Annotations, n: int, rng: np.random.Generator) -> Annotations:
    """Keep `n` judgements of each image, drawn without replacement; fewer where an image has fewer."""
    order = np.lexsort((rng.random(len(found.image)), found.image))
    image = found.image[order]
    place = np.arange(len(image)) - np.searchsorted(image, image)  # 0 for the first of an image
    kept = np.sort(order[place < n])
    return Annotations(found.image[kept], found.annotator[kept], found.label[kept])


def shuffled(found: Annotations, rng: np.random.Generator) -> Annotations:
    """Give every judgement to the annotator of another one: images and labels stay, people mean nothing."""
    return Annotations(found.image, rng.permutation(found.annotator), found.label)
