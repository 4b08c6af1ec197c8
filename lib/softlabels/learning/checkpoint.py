"""State of a training between two epochs, in one file that is either whole or not there."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from softlabels.store import set_aside, write_atomically

Weights = dict[str, Tensor]


@dataclass
class Progress:
    """What an interrupted training needs beside model and optimiser."""

    history: list[dict[str, float]] = field(default_factory=list)  # a row for each finished epoch
    best_epoch: int = 0  # counted from 1; 0 before the first
    best: Weights = field(default_factory=dict)  # of that epoch, on the CPU


def snapshot(model: nn.Module) -> Weights:
    """Copy a model's weights to the CPU."""
    return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in model.state_dict().items()}


def _momenta(model: nn.Module, optimiser: torch.optim.Optimizer) -> Weights:
    buffers = {k: optimiser.state[p].get("momentum_buffer") for k, p in model.named_parameters()}
    return {k: v.detach().cpu().contiguous() for k, v in buffers.items() if v is not None}


def store(path: Path, run: str, model: nn.Module, optimiser: torch.optim.Optimizer, done: Progress) -> None:
    """Write model, momentum, best weights and history of run `run` to `path`, atomically."""
    parts = {"model": snapshot(model), "momentum": _momenta(model, optimiser), "best": done.best}
    tensors = {f"{part}/{k}": v for part, weights in parts.items() for k, v in weights.items()}
    state = {"run": run, "history": done.history, "best_epoch": done.best_epoch}
    write_atomically(path, save(tensors, metadata={"state": json.dumps(state)}))


def restore(path: Path, run: str, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Bring model and optimiser to the stored state; a fresh `Progress` if there is none.

    A file that is damaged or of another run is set aside with a warning that names it.
    """
    if not path.exists():
        return Progress()
    try:
        state, parts = _read(path, run)
        model.load_state_dict(parts["model"])
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        set_aside([path], f"{path.name} cannot be resumed ({error})")
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
