"""RAdam on one flat vector: the same steps as ``torch.optim.RAdam`` at a fraction of the calls."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn


class RAdam:
    """Rectified Adam (Liu et al. 2020) for small networks, where calls cost more than arithmetic.

    Parameters and gradients become views of two flat vectors. Weight decay is of the L2 kind.

    Parameters
    ----------
    groups : list of (parameters, weight decay)
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
    BLOCK = 1 << 15

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
        size, scale = -lr / (1 - self.BETA1**self.steps), self._scale()
        # Block by block: all five vectors of a block stay in the processor's cache.
        parts = (v.split(self.BLOCK) for v in (self.flat, self.grad, self.mean, self.square))
        for flat, grad, mean, square in zip(*parts, strict=True):
            mean.lerp_(grad, 1 - self.BETA1)
            square.mul_(self.BETA2).addcmul_(grad, grad, value=1 - self.BETA2)
            step = torch.ones_like(mean)
            if scale is not None:
                torch.sqrt(square, out=step).add_(self.EPS).reciprocal_().mul_(scale)
            flat.addcmul_(mean, step, value=size)

    def _scale(self) -> float | None:
        """r √(1 - β₂ᵗ), or None while the variance of the adaptive rate is unbounded (ρ ≤ 5).

        A step is that by 1 / (√v + ε) then, and 1 else.
        """
        t, longest = self.steps, 2 / (1 - self.BETA2) - 1
        rest = 1 - self.BETA2**t
        rho = longest - 2 * t * self.BETA2**t / rest
        if rho <= 5:
            return None
        r = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
        return r * math.sqrt(rest)
