"""State of a training between two epochs, in one file that is either whole or not there."""

import contextlib
import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from softlabels.errors import StorageError

if TYPE_CHECKING:  # who only writes a file atomically need not load PyTorch, which takes two seconds
    import torch
    from torch import Tensor, nn

Weights = dict[str, "Tensor"]


@dataclass
class Progress:
    """What an interrupted training needs beside model and optimiser.

    Attributes
    ----------
    history : list of dict
        One row per finished epoch.
    best_epoch : int
        Counted from 1; 0 before the first.
    best : dict of tensors
        Weights of that epoch, on the CPU.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: Weights = field(default_factory=dict)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, nothing between.

    Raises
    ------
    StorageError
        If it cannot be written; the old content stays.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); make room or get permission and call "
            "again: what was finished before is kept"
        ) from error
    finally:
        _forget(partial)


def _forget(partial: Path) -> None:
    # Where nothing may be written nothing may be deleted either, and that is not the error to report.
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)


def snapshot(model: "nn.Module") -> Weights:
    """Copy a model's weights to the CPU."""
    return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in model.state_dict().items()}


def _momenta(model: "nn.Module", optimiser: "torch.optim.Optimizer") -> Weights:
    buffers = {k: optimiser.state[p].get("momentum_buffer") for k, p in model.named_parameters()}
    return {k: v.detach().cpu().contiguous() for k, v in buffers.items() if v is not None}


def store(
    path: Path, run: str, model: "nn.Module", optimiser: "torch.optim.Optimizer", done: Progress
) -> None:
    """Write model, momentum, best weights and history of run `run` to `path`, atomically."""
    from safetensors.torch import save

    parts = {"model": snapshot(model), "momentum": _momenta(model, optimiser), "best": done.best}
    tensors = {f"{part}/{k}": v for part, weights in parts.items() for k, v in weights.items()}
    state = {"run": run, "history": done.history, "best_epoch": done.best_epoch}
    write_atomically(path, save(tensors, metadata={"state": json.dumps(state)}))


def restore(path: Path, run: str, model: "nn.Module", optimiser: "torch.optim.Optimizer") -> Progress:
    """Bring model and optimiser to the stored state; a fresh `Progress` if there is none.

    A file that is damaged or of another run is set aside with a warning that names it.
    """
    if not path.exists():
        return Progress()
    try:
        state, parts = _read(path, run)
        model.load_state_dict(parts["model"])
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        warnings.warn(f"{path.name} cannot be resumed ({error}); set aside as {aside}", stacklevel=2)
        return Progress()
    for name, parameter in model.named_parameters():
        if name in parts["momentum"]:
            buffer = parameter.detach().clone().copy_(parts["momentum"][name])
            optimiser.state[parameter]["momentum_buffer"] = buffer
    return Progress(state["history"], state["best_epoch"], parts["best"])


def _read(path: Path, run: str) -> tuple[dict[str, Any], dict[str, Weights]]:
    parts: dict[str, Weights] = {"model": {}, "momentum": {}, "best": {}}
    with safe_open(path, "pt") as stream:
        state = json.loads((stream.metadata() or {})["state"])
        for key in stream.keys():  # noqa: SIM118 - not a dict
            part, name = key.split("/", 1)
            parts[part][name] = stream.get_tensor(key)
    if state["run"] != run:
        raise ValueError(f"it belongs to run {state['run']}")
    return state, parts
