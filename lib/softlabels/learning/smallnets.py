"""Networks for small images, without their classifying layer: each function gives a trunk and its width."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _conv(c_in: int, c_out: int, *, pool: bool = False, stride: int = 1) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True), *([nn.MaxPool2d(2)] if pool else []))


class _Residual(nn.Module):
    """x + body(x), through a 1 × 1 convolution where the shape changes."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1):
        super().__init__()
        self.body = nn.Sequential(
            _conv(c_in, c_out, stride=stride),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        same = stride == 1 and c_in == c_out
        project = (nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        self.skip = nn.Identity() if same else nn.Sequential(*project)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


def resnet9(width: int, stem_pool: bool = True) -> tuple[nn.Module, int]:
    """Nine layers; the pooled stem makes 64 px as cheap as 32 px are without it."""
    w = width
    trunk = nn.Sequential(
        _conv(3, w, pool=stem_pool),
        _conv(w, 2 * w, pool=True),
        _Residual(2 * w, 2 * w),
        _conv(2 * w, 4 * w, pool=True),
        _conv(4 * w, 8 * w, pool=not stem_pool),
        _Residual(8 * w, 8 * w),
    )
    return trunk, 8 * w


def resnet20() -> tuple[nn.Module, int]:
    """The CIFAR network of He et al. 2016 (section 4.2), n = 3."""
    blocks: list[nn.Module] = [_conv(3, 16)]
    for c_in, c_out, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        blocks += [_Residual(c_in, c_out, stride), _Residual(c_out, c_out), _Residual(c_out, c_out)]
    return nn.Sequential(*blocks), 64


class _PreActivation(nn.Module):
    """The pre-activation block of wide residual networks: normalise and rectify before each convolution."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(c_in), nn.ReLU(inplace=True))
        self.body = nn.Sequential(
            _conv(c_in, c_out, stride=stride), nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        )
        same = stride == 1 and c_in == c_out
        self.skip = nn.Identity() if same else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.first(x)
        return self.body(out) + (x if isinstance(self.skip, nn.Identity) else self.skip(out))


def wrn28_10() -> tuple[nn.Module, int]:
    """WRN-28-10 (Zagoruyko & Komodakis 2016): three groups of four blocks, ten times as wide."""
    blocks: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False)]
    for c_in, c_out, stride in ((16, 160, 1), (160, 320, 2), (320, 640, 2)):
        blocks += [_PreActivation(c_in, c_out, stride)] + [_PreActivation(c_out, c_out, 1) for _ in range(3)]
    return nn.Sequential(*blocks, nn.BatchNorm2d(640), nn.ReLU(inplace=True)), 640


class Whitening(nn.Module):
    """A fixed 2 × 2 convolution that whitens the patches of the training images: ± each principal axis.

    Twelve axes of a patch of three colours, both signs, make 24 channels; without `fit` they are the patch's
    own values (source: airbench, K. Jordan 2024, arXiv 2404.00498, section 3.1).
    """

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        axes = torch.eye(12).view(12, 3, 2, 2)
        self.register_buffer("weight", torch.cat((axes, -axes)))

    def fit(self, images: Tensor, floor: float = 5e-4) -> None:
        """Whiten the 2 × 2 patches of normalised images [B, 3, H, W]; `floor` is added to each variance."""
        patches = F.unfold(images.double(), 2).transpose(1, 2).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        # An eigenvector's sign is the solver's whim: the largest entry is made positive.
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        axes = ((vectors * largest.sign()) / (values + floor).sqrt()).T.reshape(12, 3, 2, 2).float()
        self.weight.copy_(torch.cat((axes, -axes)))

    def forward(self, x: Tensor) -> Tensor:
        """Whitened patches [B, 24, H - 1, W - 1] of normalised images [B, 3, H, W]."""
        return F.conv2d(x, self.weight)


def _dirac(c_in: int, c_out: int) -> nn.Conv2d:
    """A 3 × 3 convolution whose first filters pass their channel through, so that depth costs no start-up."""
    layer = nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(layer.weight[: min(c_in, c_out)])
    return layer


def cifarnet(*widths: int) -> tuple[nn.Module, int]:
    """A network for 32 px made for little compute: whitened patches, then blocks of two convolutions.

    The design is that of airbench94 (K. Jordan 2024, arXiv 2404.00498, section 3), with narrower blocks. The
    logits are divided by nine in `models`, as there.
    """
    layers: list[nn.Module] = [Whitening(), nn.GELU()]
    for c_in, c_out in pairwise((24, *widths)):
        layers += [_dirac(c_in, c_out), nn.MaxPool2d(2), nn.BatchNorm2d(c_out), nn.GELU()]
        layers += [_dirac(c_out, c_out), nn.BatchNorm2d(c_out), nn.GELU()]
    return nn.Sequential(*layers), widths[-1]
