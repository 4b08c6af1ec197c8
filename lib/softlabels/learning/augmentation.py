"""Augmentation of whole batches as tensors, on the device they are on.

Images are float [B, C, H, W] in [0, 1]; every random number comes from the generator passed in,
drawn on the CPU so that a seed means the same on every device.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def _uniform(n: int, low: float, high: float, rng: Generator, like: Tensor) -> Tensor:
    return (torch.rand(n, generator=rng) * (high - low) + low).to(like.device).view(n, 1, 1, 1)


def flip(x: Tensor, rng: Generator, vertical: bool = False) -> Tensor:
    """Mirror each image left to right with probability one half, or top to bottom."""
    chosen = torch.rand(len(x), generator=rng).lt(0.5).to(x.device).view(-1, 1, 1, 1)
    return torch.where(chosen, x.flip(2 if vertical else 3), x)


def turn(x: Tensor, rng: Generator, flips: bool = False) -> Tensor:
    """Turn each square image by 0, 90, 180 or 270 degrees.

    With `flips` it is what `turn` makes of a `flip`, at the cost of one of them: every pixel moves once.
    """
    n, c, h, w = x.shape
    mirrored = torch.rand(n, generator=rng).lt(0.5) if flips else torch.zeros(n, dtype=torch.bool)
    kind = 4 * mirrored + torch.randint(4, (n,), generator=rng)
    place = torch.arange(h * w).view(h, w)
    moves = torch.stack([side.rot90(k).flatten() for side in (place, place.flip(1)) for k in range(4)])
    sources = (moves[kind] + h * w * torch.arange(n)[:, None]).flatten().to(x.device)
    pixels = x.permute(0, 2, 3, 1).reshape(n * h * w, c)  # a view of images that are channels-last
    return pixels.index_select(0, sources).view(n, h, w, c).permute(0, 3, 1, 2)


def colour(x: Tensor, rng: Generator) -> Tensor:
    """Shift hue (±.08), saturation (.6-1.6), brightness (±.2) and contrast (.5-1.5) per image.

    The ranges are those of the DCIC benchmark's public code. Hue and saturation act on the chroma
    plane of YIQ, where a hue shift is a rotation.
    """
    n = len(x)
    weights = x.new_tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    y, i, q = torch.einsum("rc,bchw->rbhw", weights, x).unsqueeze(2)  # each [B, 1, H, W]
    angle = 2 * torch.pi * _uniform(n, -0.08, 0.08, rng, x)
    scale = _uniform(n, 0.6, 1.6, rng, x)
    i, q = scale * (i * angle.cos() - q * angle.sin()), scale * (i * angle.sin() + q * angle.cos())
    out = torch.einsum("rc,bchw->brhw", torch.linalg.inv(weights), torch.cat((y, i, q), 1))
    out = out + _uniform(n, -0.2, 0.2, rng, x)
    middle = out.mean((2, 3), keepdim=True)
    return ((out - middle) * _uniform(n, 0.5, 1.5, rng, x) + middle).clamp(0, 1)


def zoom(x: Tensor, rng: Generator, probability: float = 0.3) -> Tensor:
    """Cut out a random 0.8-1.0 of the frame and enlarge it, for a share of the images."""
    n = len(x)
    size = _uniform(n, 0.8, 1.0, rng, x).view(n)
    size = torch.where(torch.rand(n, generator=rng).lt(probability).to(x.device), size, 1.0)
    shift = (torch.rand(n, 2, generator=rng) * 2 - 1).to(x.device) * (1 - size)[:, None]
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = size
    theta[:, :, 2] = shift
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="border")


def crop(x: Tensor, rng: Generator, padding: int = 4, mode: str = "constant") -> Tensor:
    """Shift each image by up to `padding` pixels (the CIFAR crop).

    Zeros move in, or with the mode "reflect" the image's own mirrored border.
    """
    n, _, h, w = x.shape
    padded = F.pad(x, (padding,) * 4, mode).permute(0, 2, 3, 1)  # [B, H + 2p, W + 2p, C]
    top, left = torch.randint(2 * padding + 1, (2, n), generator=rng).to(x.device)
    rows = (top[:, None] + torch.arange(h, device=x.device))[:, :, None]
    columns = (left[:, None] + torch.arange(w, device=x.device))[:, None, :]
    image = torch.arange(n, device=x.device)[:, None, None]
    return padded[image, rows, columns].permute(0, 3, 1, 2)


def augment(name: str, x: Tensor, rng: Generator, mirrored: Tensor | None = None) -> Tensor:
    """Apply the augmentation that a run's configuration names (`config.AUGMENTATIONS`).

    `mirrored`, bool [B], are the images that "shift-alternate" mirrors in this epoch; by default none.
    """
    if name == "none":
        return x
    if name == "shift-alternate":
        x = crop(x, rng, padding=2, mode="reflect")
        return x if mirrored is None else torch.where(mirrored.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)
    if name == "crop-flip":
        return flip(crop(x, rng), rng)
    x = turn(x, rng, flips=True)
    return zoom(colour(x, rng), rng) if name == "flips-turns-colour-zoom" else x


def mixup(x: Tensor, target: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mix each image [B, C, H, W] and its target [B, K] with a random partner's (Zhang et al. 2018, eq. 1).

    x̃ = λx + (1 - λ)x_π, l̃ = λl + (1 - λ)l_π, with λ ~ Beta(α, α) drawn for each image.
    """
    partner = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    share = torch.from_numpy(rng.beta(alpha, alpha, len(x)).astype(np.float32)).to(x.device)  # λ [B]
    image, label = share.view(-1, 1, 1, 1), share[:, None]
    return image * x + (1 - image) * x[partner], label * target + (1 - label) * target[partner]
