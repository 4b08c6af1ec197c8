"""Learning from several people: annot-mix and its competitors (AM), behind one interface.

A class network gives p(k | x); a method says what label annotator m would then give, and what to minimise
over the labelled pairs. Published hyperparameters are the defaults.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, normalize

from softlabels.errors import ConfigError, unknown
from softlabels.learning.annotators import aggregation
from softlabels.learning.config import METHODS, PUBLIC
from softlabels.learning.models import HalfDropout


class Network(Protocol):
    """A class network: inputs to logits [B, C] and embedding h [B, H]."""

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embedding in one pass."""
        ...


@dataclass(frozen=True)
class Batch:
    """Images with all their judgements."""

    x: Tensor  # float [B, ...], inputs of the class network
    target: Tensor  # float [B, C], one distribution an image; empty unless the method aggregates first
    # Labelled pairs, int64 [L] each; `sample` counts within the batch.
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
    """One way to learn a class network from several people."""

    aggregate: Callable[..., np.ndarray] | None = None  # judgements to one target per image, before training
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


# One confusion matrix per annotator, whatever the image: crowd-layer, trace-reg, geo-reg, union-net.


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


Regulariser = Callable[[Tensor, Tensor], Tensor]  # of log p [B, C] and A [M, C, C]


class Transition(Method):
    """trace-reg and geo-reg: a stochastic matrix per annotator, and a regulariser.

    Tanno et al. 2019 with the mean trace; Ibrahim et al. 2023 with a volume of the class outputs (F) or of
    the stacked matrices (W). They differ in regulariser and in the logits [C, C] that every matrix starts
    from.
    """

    def __init__(self, n_annotators: int, start: Tensor, regulariser: Regulariser, strength: float):
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


# How much of an annotator is in a label, image by image: conal and crowd-ar.


class Conal(Method):
    """conal: a confusion matrix common to all, one of each annotator's own, and a gate (Chu et al. 2021)."""

    def __init__(
        self, n_annotators: int, n_classes: int, n_features: int, size: int = 20, weight: float = 1e-5
    ):
        super().__init__()
        self.common = nn.Parameter(2 * torch.eye(n_classes))
        self.own = nn.Parameter(2 * torch.eye(n_classes).repeat(n_annotators, 1, 1))
        self.embed_x = nn.Linear(n_features, size)
        self.embed_a = nn.Linear(n_annotators, size)
        self.weight = weight

    def log_labels(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """log softmax(ω Gᵀp + (1 - ω) W^(m)ᵀp) [L, C], gate ω = σ(E_x h/|·| · E_a e_m/|·|)."""
        e_a = self.embed_a.weight.T[annotator] + self.embed_a.bias
        gate = (normalize(self.embed_x(h)) * normalize(e_a)).sum(1, keepdim=True).sigmoid()
        p = log_p.exp()
        own = torch.bmm(p[:, None], self.own[annotator])[:, 0]
        return (gate * (p @ self.common) + (1 - gate) * own).log_softmax(1)

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """-(1/L) Σ log q_m(z | x) - λ Σ_m |W^(m) - G|: own matrices are pushed away from the common one."""
        log_q = self.log_labels(log_p[batch.sample], h[batch.sample], batch.annotator)
        apart = (self.own - self.common).flatten(1).norm(dim=1).sum()
        return nn.functional.nll_loss(log_q, batch.label) - self.weight * apart

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """Product score."""
        return product_score(log_p, self.log_labels(log_p, h, annotator))

    def confusions(self, h: Tensor) -> Tensor:
        """Label distributions where the class is certain, at the gate's mean over the images of h."""
        e_x = normalize(self.embed_x(h))
        e_a = normalize(self.embed_a.weight.T + self.embed_a.bias)
        gate = (e_a @ e_x.T).sigmoid().mean(1).view(-1, 1, 1)
        return (gate * self.common + (1 - gate) * self.own).softmax(2)


class CrowdAR(CrowdLayer):
    """crowd-ar: crowd-layer with labels softened by an estimated reliability (Cao et al. 2023)."""

    def __init__(self, n_annotators: int, n_classes: int, n_features: int, weight: float = 0.9):
        super().__init__(n_annotators, n_classes)
        self.skill = nn.Parameter(nn.init.xavier_normal_(torch.empty(n_annotators, n_classes)))
        self.difficulty = nn.Sequential(
            nn.Linear(n_features, 128), nn.Sigmoid(), nn.Linear(128, n_classes), nn.Sigmoid()
        )
        self.read = nn.Linear(n_classes, 1)
        self.weight = weight

    def reliability(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """ρ = σ(D₃[(σ(θ_m) - δ(x)) ∘ p]) [L]; the difficulty δ reads h but does not shape it."""
        margin = self.skill[annotator].sigmoid() - self.difficulty(h.detach())
        return self.read(margin * log_p.exp())[:, 0].sigmoid()

    def pair_loss(self, log_p: Tensor, h: Tensor, batch: Batch) -> Tensor:
        """(1/L) Σ λ H(τ, q_m) + (1 - λ) H([z = ŷ], ρ), with τ = ρ onehot(z) + (1 - ρ)/C."""
        log_p, h = log_p[batch.sample], h[batch.sample]
        rho = self.reliability(log_p, h, batch.annotator)
        log_q = self.log_labels(log_p, batch.annotator)
        given = log_q.gather(1, batch.label[:, None])[:, 0]
        softened = rho * given + (1 - rho) * log_q.mean(1)  # Σ_c τ_c log q_c
        agrees = (log_p.argmax(1) == batch.label).float()
        return -self.weight * softened.mean() + (1 - self.weight) * binary_cross_entropy(rho, agrees)

    def after_step(self) -> None:
        """A skill above the difficulty may not lower the reliability: weights of D₃ stay positive."""
        with torch.no_grad():
            self.read.weight.clamp_(min=0)

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """ρ."""
        return self.reliability(log_p, h, annotator)


# A confusion matrix for each image and annotator, read from embeddings of both: madl and annot-mix.


def log_marginal_of(log_p: Tensor, logits: Tensor, label: Tensor) -> Tensor:
    """Return log Σ_k p_k A_kc [L, n] for labels c int64 [L, n], where A is the softmax over c of logits.

    log p is [L, C]. In the logits [C (k), C (c), L] pairs come last: a sum over labels then runs along the
    memory, many pairs at once.
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
        found = torch.addmm(self.out.bias[:, None], self.out.weight, last.T)
        return found.view(self.n_classes, self.n_classes, -1)

    def performance(self, log_p: Tensor, h: Tensor, annotator: Tensor) -> Tensor:
        """Σ_k p(k | x) P(k | x, a, k)."""
        a = self.logits(h, self.embedding(annotator)).softmax(1)
        return (log_p.exp() * a.diagonal(dim1=0, dim2=1)).sum(1)

    def confusions(self, h: Tensor) -> Tensor:
        """A(x, m), averaged over the images of h; annotators one by one, to bound memory."""
        rows = torch.arange(self.embed_a.in_features, device=h.device)
        each = [self.logits(h, self.embedding(m.repeat(len(h)))).softmax(1).mean(2) for m in rows]
        return torch.stack(each)


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


# One target per image, made before training; and every method by its name.


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


def build(
    name: str,
    n_annotators: int,
    n_classes: int,
    n_features: int,
    alpha: float = 1.0,
    eta: float = 0.9,
    within: bool = False,
) -> Method:
    """Build a method by name; initial weights come from PyTorch's current generator.

    It is one of `METHODS`, or of `PUBLIC` without the parameters that the public code never trains; any other
    name raises `ConfigError`. `n_features` is the width of the class network's embedding; alpha, eta and
    within are `mix_alpha`, `eta` and `mix_within` of a run, for which methods without mixup have no use.
    """
    m, c, h = n_annotators, n_classes, n_features
    if name in PUBLIC:
        plain, untrained = PUBLIC[name]
        method = build(plain, m, c, h)
        for parameter in untrained:
            getattr(method, parameter).requires_grad_(False)
        return method
    makers: dict[str, Callable[[], Method]] = {
        "true-base": lambda: Aggregated(aggregation.true_labels, 0.0),
        "mv-base": lambda: Aggregated(aggregation.majority, 0.0),
        "mv-mixup": lambda: Aggregated(aggregation.majority, alpha),
        "ds-mixup": lambda: Aggregated(aggregation.weighted_votes, alpha),
        "crowd-layer": lambda: CrowdLayer(m, c),
        "trace-reg": lambda: Transition(m, 6 * torch.eye(c) - 5, mean_trace, 0.01),
        "conal": lambda: Conal(m, c, h),
        "union-net": lambda: UnionNet(m, c),
        "madl": lambda: Madl(m, c, h),
        "geo-reg-f": lambda: Transition(m, torch.eye(c), volume_of_outputs, 1e-3),
        "geo-reg-w": lambda: Transition(m, torch.eye(c), volume_of_matrices, 1e-3),
        "crowd-ar": lambda: CrowdAR(m, c, h),
        "annot-mix": lambda: AnnotMix(m, c, h, alpha, eta, within),
        "soft-mixup": lambda: Aggregated(aggregation.shares, alpha),
    }
    if name not in METHODS:
        raise unknown("method", name, (*METHODS, *PUBLIC))
    if name not in makers:
        raise ConfigError(f"{name} is in METHODS, but nothing builds it: add it to `build`")
    return makers[name]()
