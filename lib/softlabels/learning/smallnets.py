"""Networks for small images, without their classifying layer: each function gives a trunk and its width."""

import torch
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
