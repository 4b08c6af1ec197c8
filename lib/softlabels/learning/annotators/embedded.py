"""A confusion matrix for each image and annotator, read from embeddings of both: madl and annot-mix."""

import numpy as np
import torch
from torch import Tensor, nn

from softlabels.learning.annotators.base import Batch, Method, Mixing, Network, blend, diagonal_logits
from softlabels.learning.models import HalfDropout


def log_marginal_of(log_p: Tensor, logits: Tensor, label: Tensor) -> Tensor:
    """Return log Σ_k p_k A_kc for some labels c, where A is the softmax of logits over c.

    Parameters
    ----------
    log_p : [L, C]
    logits : [C (k), C (c), L]
        Pairs come last: a sum over labels then runs along the memory, many pairs at once.
    label : int64 [L, n]

    Returns
    -------
    [L, n]
    """
    log_a = logits.log_softmax(1).gather(1, label.T.expand(len(logits), -1, -1))  # [C (k), n, L]
    return (log_p.T[:, None] + log_a).logsumexp(0).T


class Embedded(Method):
    """Methods with a matrix A(x, m) for each pair from `logits(h, e_a)`, where e_a embeds the annotator."""

    embed_a: nn.Linear
    out: nn.Linear
    n_classes: int

    def embedding(self, annotator: Tensor) -> Tensor:
        """Embed annotators: what the linear layer makes of their one-hot vectors, which are never built."""
        return self.embed_a.weight.T[annotator] + self.embed_a.bias

    def logits(self, h: Tensor, e_a: Tensor) -> Tensor:
        """Logits of A [C (true), C (given), L] from h [L, H] and embedded annotators [L, d]."""
        raise NotImplementedError

    def matrices(self, last: Tensor) -> Tensor:
        """What the layer `out` makes of its input [L, d], as logits of matrices [C, C, L]."""
        return torch.addmm(self.out.bias[:, None], self.out.weight, last.T).view(
            self.n_classes, self.n_classes, -1
        )

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """Σ_k p(k | x) P(k | x, a, k)."""
        a = self.logits(h, self.embedding(annotator)).softmax(1)
        return (log_p.exp() * a.diagonal(dim1=0, dim2=1)).sum(1)

    def confusions(self, h: Tensor) -> Tensor:
        """A(x, m), averaged over the images of h; annotators one by one, to bound memory."""
        rows = torch.arange(self.embed_a.in_features, device=h.device)
        return torch.stack(
            [self.logits(h, self.embedding(m.repeat(len(h)))).softmax(1).mean(2) for m in rows]
        )


class AnnotMix(Embedded):
    """annot-mix: images, annotators and labels mixed with the same weights (Herde et al. 2024)."""

    def __init__(
        self,
        n_annotators: int,
        n_classes: int,
        n_features: int,
        alpha: float = 1.0,
        eta: float = 0.9,
        within: bool = False,
        size: int = 128,
    ):
        super().__init__()
        self.mixing, self.n_classes = Mixing(alpha, within), n_classes
        self.embed_x, self.embed_a = nn.Linear(n_features, size), nn.Linear(n_annotators, size)
        self.hidden = nn.Sequential(HalfDropout(), nn.Linear(2 * size, size), nn.BatchNorm1d(size), nn.ReLU())
        self.out = nn.Linear(size, n_classes**2)
        with torch.no_grad():
            self.out.bias.copy_(diagonal_logits(n_classes, eta).flatten())

    def logits(self, h: Tensor, e_a: Tensor) -> Tensor:
        """Logits of A; h is detached, so that the class network learns through p(k | x) only."""
        e = torch.cat([self.embed_x(h.detach()), e_a], 1)
        return self.matrices(self.hidden(e))

    def loss(self, network: Network, batch: Batch, rng: np.random.Generator) -> Tensor:
        """-(1/L) Σ_i Σ_c z̃_ic log Σ_k p(k | x̃_i) P(c | x̃_i, ã_i, k), with x̃ = λx + (1-λ)x_π; so ã, z̃."""
        e_a = self.embedding(batch.annotator)
        if not self.mixing.alpha:
            logits, h = (v[batch.sample] for v in network.features(batch.x))
            return -log_marginal_of(logits.log_softmax(1), self.logits(h, e_a), batch.label[:, None]).mean()
        weight, partner = (v.to(e_a.device) for v in self.mixing.draw(batch.sample.cpu(), rng))
        # The embedding is linear: mixing embedded annotators is embedding mixed ones.
        x, e_a = blend(batch.x[batch.sample], weight, partner), blend(e_a, weight, partner)
        logits, h = network.features(x)
        both = torch.stack([batch.label, batch.label[partner]], 1)  # [L, 2]
        log_q = log_marginal_of(logits.log_softmax(1), self.logits(h, e_a), both)
        return -torch.lerp(log_q[:, 1], log_q[:, 0], weight).mean()


class Madl(Embedded):
    """madl: confusion matrices from an outer product, similar annotators counted less (Herde et al. 2023)."""

    SHAPE, RATE = 1.25, 0.25  # of the Gamma prior on the kernel's bandwidth; its mode is 1

    def __init__(self, n_annotators: int, n_classes: int, n_features: int, eta: float = 0.8, size: int = 16):
        super().__init__()
        self.n_classes = n_classes
        self.embed_x, self.embed_a = nn.Linear(n_features, size), nn.Linear(n_annotators, size)
        self.outer = nn.Parameter(nn.init.xavier_uniform_(torch.empty(size, size, size)))
        self.hidden = nn.Sequential(
            nn.Linear(3 * size, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Linear(128, size),
            nn.BatchNorm1d(size),
        )
        self.out = nn.Linear(size, n_classes**2)
        self.bandwidth = nn.Parameter(torch.tensor((self.SHAPE - 1) / self.RATE))
        with torch.no_grad():
            self.out.bias.copy_(diagonal_logits(n_classes, eta).flatten())

    def logits(self, h: Tensor, e_a: Tensor) -> Tensor:
        """Logits of A from e_x, e_a and o_j = gᵀQ_j g with g = e_x + e_a."""
        e_x = self.embed_x(h)
        g = e_a + e_x
        size = g.shape[1]
        gq = (g @ self.outer.permute(1, 0, 2).reshape(size, -1)).view(-1, size, size)  # [L, j, b]
        o = (gq * g[:, None]).sum(2)
        b = self.hidden(torch.cat([e_a, e_x, o], 1))
        return self.matrices((b + e_a).relu())

    def weights(self) -> Tensor:
        """w_m = M (1/Σ_i K_im) / Σ_j (1/Σ_i K_ij), K_ij = exp(-γ |e_i - e_j|²); they sum to M."""
        e = (self.embed_a.weight.T + self.embed_a.bias).detach()
        square = (e * e).sum(1)
        distance = (square[:, None] + square - 2 * e @ e.T).clamp(min=0)
        rare = 1 / (-self.bandwidth * distance).exp().sum(0)
        return len(e) * rare / rare.sum()

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """-(1/L) Σ w_m log Σ_k p(k | x) A(x, m)_kz - log Gamma(γ; 1.25, 0.25)."""
        logits = self.logits(h[batch.sample], self.embedding(batch.annotator))
        log_q = log_marginal_of(log_p[batch.sample], logits, batch.label[:, None])[:, 0]
        prior = torch.distributions.Gamma(self.SHAPE, self.RATE, validate_args=False)
        return -(self.weights()[batch.annotator] * log_q).mean() - prior.log_prob(self.bandwidth)

    def after_step(self) -> None:
        """Keep the bandwidth positive."""
        with torch.no_grad():
            self.bandwidth.clamp_(min=1e-3)
