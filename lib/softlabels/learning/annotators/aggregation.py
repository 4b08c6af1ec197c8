"""Judgements to one target per image before training: votes, shares, Dawid-Skene; and mixup of targets."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from softlabels.datasets import Annotations
from softlabels.labels import votes
from softlabels.learning.annotators.base import Batch, Method, Mixing, Network, blend
from softlabels.learning.annotators.dawid_skene import dawid_skene


class Aggregated(Method):
    """mv-base, mv-mixup, ds-mixup, true-base, soft-mixup: cross-entropy with one target per image.

    Zhang et al. 2018 for mixup, with one λ per image as in AM; α = 0 is plain training.
    """

    def __init__(self, aggregate: Callable[..., np.ndarray], alpha: float):
        super().__init__()
        self.aggregate, self.mixing = aggregate, Mixing(alpha)

    def loss(self, network: Network, batch: Batch, rng: np.random.Generator) -> Tensor:
        """-(1/B) Σ_n Σ_k t̃_nk log p(k | x̃_n), where x̃ = λx + (1-λ)x_π and t̃ = λt + (1-λ)t_π."""
        x, target = batch.x, batch.target
        if self.mixing.alpha:
            weight, partner = (v.to(x.device) for v in self.mixing.draw(torch.arange(len(x)), rng))
            x, target = blend(x, weight, partner), blend(target, weight, partner)
        log_p = network.features(x)[0].log_softmax(1)
        return -(target * log_p).sum(1).mean()


def majority(
    counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Majority vote as one-hot targets [N, C]; ties at random."""
    return votes.one_hot(votes.hard_labels(counts, rng)[0], counts.shape[1])


def shares(counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shares of the votes as targets [N, C]; images without a vote stay zero."""
    return (counts / np.maximum(counts.sum(1, keepdims=True), 1)).astype(np.float32)


def true_labels(
    counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """True classes as one-hot targets [N, C]: the upper reference."""
    return votes.one_hot(truth, counts.shape[1])


def weighted_votes(
    counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Most likely class of Dawid and Skene as one-hot targets [N, C]."""
    posterior = dawid_skene(found, *counts.shape).posterior
    return votes.one_hot(posterior.argmax(1), counts.shape[1])
