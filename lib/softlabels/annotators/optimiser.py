"""RAdam on one flat vector: the same steps as ``torch.optim.RAdam`` at a fraction of the calls."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class RAdam:
    """Rectified Adam (Liu et al. 2020) for small networks, where calls cost more than arithmetic.

    Parameters and gradients become views of two flat vectors. Weight decay is of the L2 kind.

    Parameters
    ----------
    groups : list of (parameters, weight decay)
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

    def __init__(self, groups: Sequence[tuple[Iterable[nn.Parameter], float]]):
        listed = [(p, decay) for parameters, decay in groups for p in parameters]
        self.flat = torch.cat([p.detach().flatten() for p, _ in listed])
        self.grad = torch.zeros_like(self.flat)
        self.mean, self.square = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.decayed: list[tuple[slice, float]] = []
        self.steps = start = 0
        for p, decay in listed:
            place = slice(start, start := start + p.numel())
            p.data, p.grad = self.flat[place].view_as(p), self.grad[place].view_as(p)
            if decay:
                self.decayed.append((place, decay))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.grad.zero_()

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update all parameters with learning rate `lr`."""
        self.steps += 1
        for place, decay in self.decayed:
            self.grad[place].add_(self.flat[place], alpha=decay)
        self.mean.lerp_(self.grad, 1 - self.BETA1)
        self.square.mul_(self.BETA2).addcmul_(self.grad, self.grad, value=1 - self.BETA2)
        self.flat.addcmul_(self.mean, self._scale(), value=-lr / (1 - self.BETA1**self.steps))

    def _scale(self) -> Tensor:
        """r √(1 - β₂ᵗ) / (√v + ε), or 1 while the variance of the adaptive rate is unbounded (ρ ≤ 5)."""
        t, longest = self.steps, 2 / (1 - self.BETA2) - 1
        rest = 1 - self.BETA2**t
        rho = longest - 2 * t * self.BETA2**t / rest
        if rho <= 5:
            return torch.ones_like(self.flat)
        r = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
        return self.square.sqrt().add_(self.EPS).reciprocal_().mul_(r * math.sqrt(rest))
