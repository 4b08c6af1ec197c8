"""Checks for gradient masking: a network that only hides its gradient is not robust (Athalye et al. 2018)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from softlabels.errors import DataUnavailable
from softlabels.learning.attacks import frozen


def noise(x: Tensor, epsilon: float, rng: Generator | None = None) -> Tensor:
    """Move every pixel by +ε or -ε at random: as large as an l∞ attack can be, without aiming."""
    return (x + epsilon * (torch.randint(2, x.shape, generator=rng) * 2 - 1).to(x.device)).clamp(0, 1)


def correct(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 256) -> Tensor:
    """Which images are classified as `y`, bool [N] on the CPU."""
    with frozen(model), torch.no_grad():
        return torch.cat([model(part) for part in x.split(batch_size)]).argmax(1).eq(y).cpu()


def margins(model: nn.Module, x: Tensor, batch_size: int = 256) -> Tensor:
    """Distance between the two largest logits of each image: the scale that saturates a softmax; [N]."""
    with frozen(model), torch.no_grad():
        top = torch.cat([model(part).float().topk(2, dim=1).values for part in x.split(batch_size)])
    return (top[:, 0] - top[:, 1]).cpu()


def landscape(
    model: nn.Module, x: Tensor, y: Tensor, sizes: Sequence[float], rng: Generator | None = None
) -> dict[str, list[float]]:
    """Mean cross-entropy in nats along the sign of the gradient and along a random sign.

    Where gradients tell the truth, the first curve rises from the start and lies above the second.

    Parameters
    ----------
    sizes : list of float
        How far to go, in [0, 1] intensities.
    """
    with frozen(model):
        image = x.detach().requires_grad_()
        [gradient] = torch.autograd.grad(F.cross_entropy(model(image).float(), y, reduction="sum"), image)
        chance = (torch.randint(2, x.shape, generator=rng) * 2 - 1).to(x.device)
        found = {}
        with torch.no_grad():
            for name, way in (("gradient", gradient.sign()), ("random", chance)):
                logits = [model((x + size * way).clamp(0, 1)).float() for size in sizes]
                found[name] = [float(F.cross_entropy(values, y)) for values in logits]
    return found


def autoattack_class() -> Any:
    """The class `AutoAttack` of the extra "attacks"; `DataUnavailable` where that is not installed."""
    try:
        from pyautoattack import AutoAttack
    except ImportError as error:
        raise DataUnavailable(
            "AutoAttack needs the package pyautoattack: pip install 'softlabels[attacks]'"
        ) from error
    return AutoAttack


def autoattack(model: nn.Module, x: Tensor, y: Tensor, epsilon: float, norm: str, seed: int) -> Tensor:
    """Images that stand AutoAttack (Croce & Hein 2020), standard version; bool [N] on the CPU.

    Its targeted attacks aim at nine wrong classes, so the network has to tell ten or more.

    Raises
    ------
    DataUnavailable
        If the extra "attacks" (pyautoattack) is not installed.
    """
    kind, name = autoattack_class(), {"linf": "Linf", "l2": "L2"}[norm]
    with frozen(model):
        judge = kind(model, norm=name, eps=epsilon, seed=seed, device=x.device)
        moved, _ = judge.run_standard_evaluation(x.contiguous(), y, batch_size=250)
    return correct(model, moved, y)
