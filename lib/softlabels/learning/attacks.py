"""FGSM and PGD on images in [0, 1], many radii in one pass over the data; and checks for gradient masking.

The network normalises inside itself, so ε is a distance between images. The loss is taken in float32 at
least: a gradient's sign is what an attack consists of. Images are float [N, C, H, W]; random numbers come
from a generator on the CPU, so that a seed means the same on every device.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from softlabels.errors import ConfigError, DataUnavailable, unknown

NORMS = ("linf", "l2")
LOSSES = ("cross-entropy", "margin")
TARGETS = ("none", "most-likely", "least-likely", "random")


@dataclass(frozen=True)
class Attack:
    """Settings of an attack; the default is FGSM (Goodfellow et al. 2015, eq. in section 4).

    Attributes
    ----------
    norm : str
        One of `NORMS`.
    steps : int
        1 for FGSM, more for PGD (Madry et al. 2018, section 2.1).
    step : float
        Length of a step as a share of ε; 0: the whole of it for one step, 2.5 / steps for several.
    restarts : int
        Tries from different random starts; an image has to stand all of them.
    random_start : bool
        Begin at a random point of the ball.
    loss : str
        One of `LOSSES`; "margin" is max_{k≠y} z_k - z_y, which does not saturate.
    target : str
        One of `TARGETS`: which wrong class is aimed at, by the network's own ranking on the clean image.
    temperature : float
        Logits are divided by it before the loss, which undoes saturation.
    """

    norm: str = "linf"
    steps: int = 1
    step: float = 0.0
    restarts: int = 1
    random_start: bool = False
    loss: str = "cross-entropy"
    target: str = "none"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name, known in (("norm", NORMS), ("loss", LOSSES), ("target", TARGETS)):
            if getattr(self, name) not in known:
                raise unknown(f"{name} of an attack:", getattr(self, name), known)
        if self.steps < 1 or self.restarts < 1 or self.temperature <= 0 or self.step < 0:
            raise ConfigError(f"an attack needs at least one step, one restart, T > 0, step ≥ 0: {self}")

    def length(self, epsilon: float) -> float:
        """Length of one step in [0, 1] intensities."""
        return epsilon * (self.step or (1.0 if self.steps == 1 else 2.5 / self.steps))


FGSM = Attack()
PGD = Attack(steps=10, random_start=True)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, with gradients for the input only; the model is left as it was found."""
    was_training, flags = model.training, [p.requires_grad for p in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        model.train(was_training)
        for parameter, flag in zip(model.parameters(), flags, strict=True):
            parameter.requires_grad_(flag)


def perturb(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    attack: Attack = FGSM,
    rng: Generator | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Attack every image with every step and return the last iterate, in the ball and in [0, 1].

    Parameters
    ----------
    y : int64 [N]
        Labels whose loss is raised; with a target, the labels that the target has to differ from.
    start : [N, C, H, W], optional
        Where to begin; otherwise as `attack.random_start` says. Restarts are not made here.
    """
    with frozen(model):
        aim = _aim(model(x), y, attack, rng)
        moved = _start(x, epsilon, attack, rng) if start is None else start
        for _ in range(attack.steps):
            moved, _logits = _step(model, moved, x, y, aim, epsilon, attack)
    return moved


def standing(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    attack: Attack = FGSM,
    rng: Generator | None = None,
    batch_size: int = 256,
) -> dict[float, Tensor]:
    """Which images are classified correctly and stay so, for each radius, in one pass over the data.

    Radii are tried in ascending order on the images that still stand: an image that fell at one radius is in
    every larger ball too. An image has fallen when any iterate is misclassified, or, with a target, takes the
    target. So the share of standing images falls with the radius, and that at radius 0 is clean accuracy.

    Returns
    -------
    dict of float to bool [N], on the CPU
    """
    found: dict[float, list[Tensor]] = {epsilon: [] for epsilon in sorted(epsilons)}
    with frozen(model):
        for images, labels in zip(x.split(batch_size), y.split(batch_size), strict=True):
            for epsilon, up in _standing(model, images, labels, list(found), attack, rng):
                found[epsilon].append(up.cpu())
    return {epsilon: torch.cat(parts) for epsilon, parts in found.items()}


def _standing(
    model: nn.Module, x: Tensor, y: Tensor, epsilons: list[float], attack: Attack, rng: Generator | None
) -> Iterator[tuple[float, Tensor]]:
    one_step = attack.steps == 1 and not attack.random_start
    direction, logits = _ascent(model, x, y, None, attack) if one_step else (None, model(x))
    aim, up = _aim(logits, y, attack, rng), logits.argmax(1) == y
    if one_step and attack.target != "none":
        direction, _ = _ascent(model, x, y, aim, attack)
    for epsilon in epsilons:
        for _ in range(attack.restarts if epsilon else 0):
            rows = up.nonzero()[:, 0]
            if not len(rows):
                break
            goal = None if aim is None else aim[rows]
            if direction is not None:  # the gradient at the clean image serves every radius
                moved = (x[rows] + attack.length(epsilon) * direction[rows]).clamp(0, 1)
                kept = rows[~_fallen(model(moved), y[rows], goal)]
            else:
                kept = rows[_survivors(model, x[rows], y[rows], goal, epsilon, attack, rng)]
            up = torch.zeros_like(up).index_fill(0, kept, True)
        yield epsilon, up


def _survivors(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    aim: Tensor | None,
    epsilon: float,
    attack: Attack,
    rng: Generator | None,
) -> Tensor:
    """Rows of the images that no iterate has brought down; the others are not computed any further."""
    rows, moved = torch.arange(len(x), device=x.device), _start(x, epsilon, attack, rng)
    for _ in range(attack.steps):
        goal = None if aim is None else aim[rows]
        stepped, logits = _step(model, moved, x[rows], y[rows], goal, epsilon, attack)
        kept = ~_fallen(logits, y[rows], goal)  # logits of the iterate before the step come for free
        rows, moved = rows[kept], stepped[kept]
        if not len(rows):
            return rows
    return rows[~_fallen(model(moved), y[rows], None if aim is None else aim[rows])]


def _step(
    model: nn.Module,
    moved: Tensor,
    x: Tensor,
    y: Tensor,
    aim: Tensor | None,
    epsilon: float,
    attack: Attack,
) -> tuple[Tensor, Tensor]:
    """One step from `moved`, projected; with the logits at `moved`."""
    direction, logits = _ascent(model, moved, y, aim, attack)
    return _project(moved + attack.length(epsilon) * direction, x, epsilon, attack.norm), logits


def _ascent(
    model: nn.Module, x: Tensor, y: Tensor, aim: Tensor | None, attack: Attack
) -> tuple[Tensor, Tensor]:
    """Direction of steepest ascent of the loss in the attack's norm, of length one, and the logits."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # bfloat16 ends here
        [gradient] = torch.autograd.grad(_loss(logits / attack.temperature, y, aim, attack.loss), x)
    if attack.norm == "linf":
        return gradient.sign(), logits.detach()
    size = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
    return gradient / size.view(-1, 1, 1, 1), logits.detach()


def _loss(logits: Tensor, y: Tensor, aim: Tensor | None, kind: str) -> Tensor:
    """What the attack raises, summed over images."""
    if kind == "cross-entropy":
        if aim is None:
            return F.cross_entropy(logits, y, reduction="sum")
        return -F.cross_entropy(logits, aim, reduction="sum")
    one = F.one_hot(y if aim is None else aim, logits.shape[1]).bool()
    margin = logits[one] - logits.masked_fill(one, -torch.inf).amax(1)  # z_y - max_{k≠y} z_k
    return (-margin if aim is None else margin).sum()


def _project(moved: Tensor, x: Tensor, epsilon: float, norm: str) -> Tensor:
    shift = moved - x
    if norm == "linf":
        shift = shift.clamp(-epsilon, epsilon)
    else:
        size = shift.flatten(1).norm(dim=1).clamp(min=1e-12)
        shift = shift * (epsilon / size).clamp(max=1).view(-1, 1, 1, 1)
    return (x + shift).clamp(0, 1)


def _start(x: Tensor, epsilon: float, attack: Attack, rng: Generator | None) -> Tensor:
    if not attack.random_start:
        return x
    if attack.norm == "linf":
        shift = (torch.rand(x.shape, generator=rng) * 2 - 1) * epsilon
    else:  # uniform in the ball: a direction, and a radius with density r^(d-1)
        shift = torch.randn(x.shape, generator=rng)
        radius = epsilon * torch.rand(len(x), generator=rng) ** (1 / x[0].numel())
        shift = shift * (radius / shift.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)
    return (x + shift.to(x.device)).clamp(0, 1)


def _aim(logits: Tensor, y: Tensor, attack: Attack, rng: Generator | None) -> Tensor | None:
    """Wrong class that is aimed at, int64 [N]; None without a target."""
    if attack.target == "none":
        return None
    n, k = logits.shape
    if attack.target == "random":
        return (y + torch.randint(1, k, (n,), generator=rng).to(y.device)) % k
    liked = logits if attack.target == "most-likely" else -logits
    return liked.masked_fill(F.one_hot(y, k).bool(), -torch.inf).argmax(1)


def _fallen(logits: Tensor, y: Tensor, aim: Tensor | None) -> Tensor:
    return logits.argmax(1) != y if aim is None else logits.argmax(1) == aim


# Checks for gradient masking: a network that only hides its gradient is not robust (Athalye et al. 2018).


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
