"""What all methods share: a batch, the marginal over true classes, and mixup."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Network(Protocol):
    """A class network: inputs to logits [B, C] and embedding h [B, H]."""

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embedding in one pass."""
        ...


@dataclass(frozen=True)
class Batch:
    """Images with all their judgements.

    Attributes
    ----------
    x : float tensor [B, ...]
        Inputs of the class network.
    target : float tensor [B, C]
        One distribution per image, for methods that aggregate first; empty for all others.
    sample, annotator, label : int64 tensors [L]
        Labelled pairs; `sample` counts within the batch.
    """

    x: Tensor
    target: Tensor
    sample: Tensor
    annotator: Tensor
    label: Tensor


@dataclass(frozen=True)
class Mixing:
    """Mixup in one place: weights λ ~ Beta(α, α), one per row, and who is mixed with whom.

    α = 0 mixes nothing. With `within`, partners are pairs of the same image, so that only annotators and
    labels are mixed.
    """

    alpha: float = 0.0
    within: bool = False

    def draw(self, group: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Weights λ [L] and partners π [L] of rows that belong to images `group` [L], which is sorted."""
        n = len(group)
        weight = torch.from_numpy(rng.beta(self.alpha, self.alpha, n).astype(np.float32))
        if not self.within:
            return weight, torch.from_numpy(rng.permutation(n))
        order = np.lexsort((rng.random(n), group.numpy()))
        return weight, torch.from_numpy(order)


def blend(x: Tensor, weight: Tensor, partner: Tensor) -> Tensor:
    """Mix rows: λ x + (1 - λ) x_π."""
    weight = weight.view(-1, *[1] * (x.ndim - 1))
    return torch.lerp(x[partner], x, weight)


def log_marginal(log_p: Tensor, log_confusion: Tensor) -> Tensor:
    """Return log Σ_k p_k A_kc from log p [L, C] and log A_kc of the given labels [L, C (k)]."""
    return (log_p + log_confusion).logsumexp(1)


def diagonal_logits(n_classes: int, eta: float) -> Tensor:
    """Logits [C, C] whose row softmax is η on the diagonal: log(η (C - 1) / (1 - η)) there, 0 elsewhere."""
    return torch.eye(n_classes) * float(np.log(eta * (n_classes - 1) / (1 - eta)))


class Method(nn.Module):
    """One way to learn a class network from several people.

    Attributes
    ----------
    aggregate : callable or None
        For methods that turn judgements into one target per image before training.
    mixing : Mixing
    """

    aggregate: Callable[..., np.ndarray] | None = None
    mixing = Mixing()

    def loss(self, network: Network, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Mean loss of a batch, in nats per labelled pair (per image for methods that aggregate)."""
        logits, h = network.features(batch.x)
        return self.pair_loss(logits.log_softmax(1), h, batch)

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """Return the loss from class log-probabilities [B, C] and embeddings [B, H]."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Restore constraints after an update."""

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor | None:
        """P(label is right) of pairs with log p [L, C], h [L, H] and annotator [L]; None if not modelled."""
        return None

    def confusions(self, h: Tensor) -> Tensor | None:
        """Each annotator's P(label c | true class k) [M, C (k), C (c)], averaged over the images of h."""
        return None
