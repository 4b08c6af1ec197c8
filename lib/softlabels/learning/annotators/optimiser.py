"""RAdam on flat vectors: the steps of ``torch.optim.RAdam``, each in one pass over the memory."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim.adam import adam


class RAdam:
    """Rectified Adam (Liu et al. 2020) for small networks, where calls cost more than arithmetic.

    Parameters and gradients become views of flat vectors, one for each weight decay. A rectified step is one
    of Adam with other constants, and Adam's is there in one fused call. Weight decay is of the L2 kind.

    Parameters
    ----------
    groups : list of (parameters, weight decay)
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
    ALONE = 1e10  # an ε beside which √v is nothing

    def __init__(self, groups: Sequence[tuple[Iterable[nn.Parameter], float]]):
        self.steps = 0
        listed = [(list(parameters), decay) for parameters, decay in groups]
        self.groups = [_Group(parameters, decay) for parameters, decay in listed if parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.groups:
            group.grad.zero_()

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update all parameters with learning rate `lr`."""
        self.steps += 1
        factor, eps = self._constants()
        for group in self.groups:
            group.step(lr * factor, (self.BETA1, self.BETA2), eps)

    def _constants(self) -> tuple[float, float]:
        """Factor of Adam's rate, and its ε.

        Adam divides m by √v / √(1 - β₂ᵗ) + ε. RAdam wants r √(1 - β₂ᵗ) m / (√v + ε), or m alone while the
        variance of the adaptive rate is unbounded (ρ ≤ 5).
        """
        t, longest = self.steps, 2 / (1 - self.BETA2) - 1
        rest = 1 - self.BETA2**t
        rho = longest - 2 * t * self.BETA2**t / rest
        if rho <= 5:
            return self.ALONE, self.ALONE
        r = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
        return r, self.EPS / math.sqrt(rest)


class _Group:
    """Parameters with one weight decay, as one vector."""

    def __init__(self, parameters: list[nn.Parameter], decay: float):
        self.flat = torch.cat([p.detach().flatten() for p in parameters])
        self.grad, self.mean, self.square = (torch.zeros_like(self.flat) for _ in range(3))
        self.count, self.decay, start = self.flat.new_zeros(()), decay, 0
        for p in parameters:
            place = slice(start, start := start + p.numel())
            p.data, p.grad = self.flat[place].view_as(p), self.grad[place].view_as(p)

    def step(self, lr: float, betas: tuple[float, float], eps: float) -> None:
        """Take one step of Adam."""
        adam(
            [self.flat],
            [self.grad],
            [self.mean],
            [self.square],
            [],
            [self.count],
            fused=True,
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=lr,
            weight_decay=self.decay,
            eps=eps,
            maximize=False,
        )
