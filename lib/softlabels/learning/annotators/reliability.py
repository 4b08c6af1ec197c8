"""How much of an annotator is in a label, image by image: conal and crowd-ar."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, normalize

from softlabels.learning.annotators.base import Batch, Method
from softlabels.learning.annotators.confusion import CrowdLayer, product_score


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
