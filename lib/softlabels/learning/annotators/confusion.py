"""One confusion matrix per annotator, whatever the image: crowd-layer, trace-reg, geo-reg, union-net."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from softlabels.learning.annotators.base import Batch, Method, log_marginal


def product_score(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Σ_c p(c | x) q_m(c | x): P(label is right) if label and truth were independent given x."""
    return (log_p + log_q).exp().sum(1)


class CrowdLayer(Method):
    """crowd-layer: a free matrix per annotator on the class probabilities (Rodrigues & Pereira 2018)."""

    def __init__(self, n_annotators: int, n_classes: int):
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(n_classes).repeat(n_annotators, 1, 1))

    def log_labels(self, log_p: Tensor, annotator: Tensor) -> Tensor:
        """log q_m(c | x) [L, C], where q_m = softmax_c(Σ_k p(k | x) W^(m)_kc)."""
        return torch.bmm(log_p.exp()[:, None], self.matrix[annotator])[:, 0].log_softmax(1)

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """-(1/L) Σ log q_m(z | x)."""
        log_q = self.log_labels(log_p[batch.sample], batch.annotator)
        return nn.functional.nll_loss(log_q, batch.label)

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """Product score."""
        return product_score(log_p, self.log_labels(log_p, annotator))

    def confusions(self, h: Tensor) -> Tensor:
        """Label distributions where the class is certain: softmax of the rows of W."""
        return self.matrix.softmax(2)


class Transition(Method):
    """trace-reg and geo-reg: a stochastic matrix per annotator, and a regulariser.

    Tanno et al. 2019 with the mean trace; Ibrahim et al. 2023 with a volume of the class outputs (F) or of
    the stacked matrices (W). They differ in start and regulariser only.

    Parameters
    ----------
    start : Tensor [C, C]
        Logits every annotator's matrix starts from.
    regulariser : callable of (log p [B, C], A [M, C, C])
    strength : float
    """

    def __init__(
        self,
        n_annotators: int,
        start: Tensor,
        regulariser: Callable[[Tensor, Tensor], Tensor],
        strength: float,
    ):
        super().__init__()
        self.logits = nn.Parameter(start.repeat(n_annotators, 1, 1))
        self.regulariser, self.strength = regulariser, strength

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """-(1/L) Σ log Σ_k p(k | x) A^(m)_kz + λ R."""
        log_a = self.logits.log_softmax(2)
        log_q = log_marginal(log_p[batch.sample], log_a[batch.annotator, :, batch.label])
        return -log_q.mean() + self.strength * self.regulariser(log_p, log_a.exp())

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """Σ_k p(k | x) A^(m)_kk."""
        diagonal = self.logits.softmax(2).diagonal(dim1=1, dim2=2)
        return (log_p.exp() * diagonal[annotator]).sum(1)

    def confusions(self, h: Tensor) -> Tensor:
        """A^(m)."""
        return self.logits.softmax(2)


RIDGE = 1e-6  # keeps the volume finite where a batch holds fewer images than there are classes


def mean_trace(log_p: Tensor, a: Tensor) -> Tensor:
    """(1/M) Σ_m tr A^(m): annotators are made to look as unreliable as the data allow."""
    return a.diagonal(dim1=1, dim2=2).sum(1).mean()


def volume_of_outputs(log_p: Tensor, a: Tensor) -> Tensor:
    """-log det(FᵀF), F [B, C] the class probabilities of the batch."""
    return _minus_log_volume(log_p.exp())


def volume_of_matrices(log_p: Tensor, a: Tensor) -> Tensor:
    """-log det(WᵀW), W [M C, C] the transposed matrices of all annotators, stacked."""
    return _minus_log_volume(a.transpose(1, 2).reshape(-1, a.shape[1]))


def _minus_log_volume(f: Tensor) -> Tensor:
    # The public code drops the term where it exceeds 100: with 100 classes, from the first step on.
    return -torch.logdet(f.T @ f + RIDGE * torch.eye(f.shape[1], device=f.device))


class UnionNet(Method):
    """union-net: one transition from the class to the union of all annotators' labels (Wei et al. 2022, B).

    The loss is a mean over labelled pairs, as everywhere here; the public code divides by images, which
    RAdam cannot tell apart but for its ε.
    """

    def __init__(self, n_annotators: int, n_classes: int, epsilon: float = 1e-5):
        super().__init__()
        block = torch.full((n_classes, n_classes), epsilon / (n_classes - 1))
        block.fill_diagonal_(1 - epsilon)
        self.logits = nn.Parameter(block.repeat(n_annotators, 1, 1))  # [M, C (given), C (true)]

    def log_union(self) -> Tensor:
        """log T [M, C (given), C (true)]; for each true class a softmax over all annotators' labels."""
        return self.logits.flatten(0, 1).log_softmax(0).view_as(self.logits)

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """-(1/L) Σ log Σ_k T_(m,z),k p(k | x)."""
        log_t = self.log_union()[batch.annotator, batch.label]
        return -log_marginal(log_p[batch.sample], log_t).mean()

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """Product score with q_m = r_(m,·) / Σ_c r_(m,c)."""
        log_r = (self.log_union()[annotator] + log_p[:, None]).logsumexp(2)
        return product_score(log_p, log_r.log_softmax(1))

    def confusions(self, h: Tensor) -> Tensor:
        """T normalised over each annotator's labels."""
        return self.log_union().transpose(1, 2).softmax(2)
