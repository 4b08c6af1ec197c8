"""The training loop: SGD on soft or hard targets, resumable, one code path for CPU and GPU."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from softlabels.datasets.cache import prefetch
from softlabels.errors import TrainingError
from softlabels.labels import metrics
from softlabels.learning import bars, models, starts
from softlabels.learning.augmentation import augment, mixup
from softlabels.learning.config import RunConfig, generator
from softlabels.learning.hardware import Hardware
from softlabels.learning.inputs import Task
from softlabels.store import set_aside, write_atomically

WHITENED = 2000  # training images whose patches whiten the first layer of networks that have one


# State of a training between two epochs, in one file that is either whole or not there.


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


def store(path: Path, run: str, model: nn.Module, optimiser: torch.optim.Optimizer, done: Progress) -> None:
    """Write model, momentum, best weights and history of run `run` to `path`, atomically."""
    buffers = {k: optimiser.state[p].get("momentum_buffer") for k, p in model.named_parameters()}
    momenta = {k: v.detach().cpu().contiguous() for k, v in buffers.items() if v is not None}
    parts = {"model": snapshot(model), "momentum": momenta, "best": done.best}
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


# The loop.


def learning_rate_factor(schedule: str, t: float) -> float:
    """Learning rate at progress t in [0, 1), as a share of its peak.

    triangular: linear from .2 to 1 during the first fifth, then linear to .05. cosine: (1 + cos πt) / 2.
    warm-restarts: the same over periods of 1/5, 2/5 and the rest of the training (Loshchilov & Hutter 2017;
    first period as in the DCIC code). one-cycle: linear to the peak during the first fifth, then cosine.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "triangular":
        return 0.2 + 4 * t if t < 0.2 else 1 - 0.95 * (t - 0.2) / 0.8
    if schedule == "one-cycle":
        t = (t - 0.2) / 0.8
        if t < 0:
            return max(1 + 5 * t * 0.8, 0.01)
    if schedule == "warm-restarts":
        start, period = next((s, p) for s, p in ((0.6, 0.4), (0.2, 0.4), (0.0, 0.2)) if t >= s)
        t = (t - start) / period
    return 0.5 * (1 + math.cos(math.pi * t))


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Random stream of one epoch: a resumed training needs no stored generator."""
    return torch.Generator().manual_seed(int(generator(seed, "epoch", epoch).integers(2**62)))


def alternating(seed: int, epoch: int, n: int) -> Tensor:
    """Which of `n` images an epoch mirrors: each image at random in the first, then in turn (Jordan 2024)."""
    first = torch.from_numpy(generator(seed, "mirrored").random(n) < 0.5)
    return first if epoch % 2 == 0 else ~first


def class_weights(targets: Tensor) -> Tensor:
    """Weights N / (K n_k) [K], where n_k is the target mass of class k (scikit-learn's "balanced")."""
    mass = targets.sum(0)
    return len(targets) / (len(mass) * mass.clamp(min=1))


def build(config: RunConfig, task: Task, hw: Hardware) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Network, initialised from the seed and placed on the device, and its optimiser."""
    with torch.random.fork_rng():
        torch.manual_seed(int(generator(config.seed, "weights").integers(2**62)))
        model = _network(config, task)
    placed = hw.place(model)
    return placed, torch.optim.SGD(
        [p for p in placed.parameters() if p.requires_grad],
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.nesterov,
    )


def _network(config: RunConfig, task: Task) -> nn.Module:
    k = task.soft.shape[1]
    if task.images.ndim == 2:
        return models.build_for_vectors(config.network, k, task.mean, task.std, config.dropout)
    imagenet = config.start == "imagenet"
    model = models.build(config.network, k, task.mean, task.std, config.dropout, imagenet)
    if config.start == "scratch":
        model.whiten(task.images[torch.from_numpy(task.rows["train"][:WHITENED])])
    elif not imagenet:
        starts.take_over(model, config.start)
    return model


def _epoch(
    config: RunConfig,
    task: Task,
    hw: Hardware,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    epoch: int,
) -> float:
    """Train for one epoch (counted from 0); returns the mean training loss in nats."""
    rng, pairs = epoch_generator(config.seed, epoch), generator(config.seed, "mixup", epoch)
    train = torch.from_numpy(task.rows["train"])
    order = train[torch.randperm(len(train), generator=rng)]
    steps = max(1, len(order) // config.batch_size)
    weight = class_weights(task.targets[train]).to(hw.device) if config.balanced else None
    losses = []
    mirrored = alternating(config.seed, epoch, len(task.images))
    model.train()
    batches = order[: steps * config.batch_size].split(config.batch_size)
    for step, rows in enumerate(batches):
        prefetch(task.dataset.images, batches[min(step + 1, steps - 1)].tolist())
        factor = learning_rate_factor(config.schedule, (epoch + step / steps) / config.epochs)
        optimiser.param_groups[0]["lr"] = config.lr * factor
        x = augment(config.augmentation, hw.images(task.images[rows]), rng, mirrored[rows])
        target = task.targets[rows].to(hw.device)
        if config.mixup:
            x, target = mixup(x, target, config.mixup, pairs)
        with hw.autocast():
            logits = model(x)
        loss = F.cross_entropy(logits.float(), target, weight)  # -Σ_k l_k log p_k
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return checked_mean(torch.stack(losses).cpu(), config, epoch)


def checked_mean(losses: Tensor, config: RunConfig, epoch: int) -> float:
    """Mean of an epoch's losses; where one is not finite, `TrainingError` names batch and configuration."""
    # Checked once an epoch: asking a GPU after every batch would make it wait.
    wrong = (~losses.isfinite()).nonzero()
    if len(wrong):
        raise TrainingError(
            f"the loss became {losses[wrong[0, 0]].item()} in epoch {epoch + 1}, "
            f"batch {wrong[0, 0].item() + 1} of {len(losses)}; lower the learning rate. "
            f"Run {config.id}: {config.to_dict()}"
        )
    return losses.double().mean().item()


@torch.inference_mode()
def predict(
    model: nn.Module, task: Task, rows: np.ndarray, hw: Hardware, batch_size: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities [n, K] and averaged features [n, D] of images `rows`, float32."""
    model.eval()
    log_p, features = [], []
    for part in torch.from_numpy(rows).split(batch_size):
        with hw.autocast():
            logits, gap = model.features(hw.images(task.images[part]))  # type: ignore[operator]
        log_p.append(logits.float().log_softmax(-1).cpu())
        features.append(gap.float().cpu())
    return torch.cat(log_p).numpy(), torch.cat(features).numpy()


def _validate(model: nn.Module, task: Task, hw: Hardware) -> dict[str, float]:
    """Loss and accuracy against the arm's own labels; KL and macro accuracy against the people's."""
    rows = task.rows["validation"]
    log_p, _ = predict(model, task, rows, hw)
    target = task.targets[rows].numpy()
    loss = -(target * log_p).sum(1).mean(dtype=np.float64)
    accuracy = (log_p.argmax(1) == target.argmax(1)).mean()
    p, q = np.exp(log_p), task.soft[rows]
    return {
        "validation_loss": float(loss),
        "validation_accuracy": float(accuracy),
        "validation_kl": metrics.kl_divergence(q, p),
        "validation_macro_accuracy": metrics.macro_accuracy(p, q),
    }


def train(config: RunConfig, task: Task, hw: Hardware, path: Path) -> tuple[nn.Module, Progress]:
    """Train a run to its end, from the checkpoint at `path` if there is one.

    The network returned has the weights of the epoch that `config.select` names. That epoch is chosen by
    cross-entropy against the arm's *own* validation labels: whoever has hard labels only could not choose by
    anything else.
    """
    model, optimiser = build(config, task, hw)
    done = restore(path, config.id, model, optimiser)
    title = f"{config.network} {config.label} seed {config.seed}"
    left, n = range(len(done.history), config.epochs), len(done.history)
    bar = bars.of_epochs(left, title, initial=n, total=config.epochs)
    with torch.random.fork_rng():
        for epoch in bar:
            losses = [r["validation_loss"] for r in done.history]
            if config.patience and losses and epoch - 1 - int(np.argmin(losses)) >= config.patience:
                break
            start, used = time.perf_counter(), time.process_time()
            torch.manual_seed(epoch_generator(config.seed, epoch).initial_seed())  # for dropout
            row = {"epoch": epoch + 1, "train_loss": _epoch(config, task, hw, model, optimiser, epoch)}
            row |= _validate(model, task, hw)
            checked_row(config, row)
            done.history.append(row)
            if config.select == "last" or row["validation_loss"] < min(losses, default=math.inf):
                done.best_epoch, done.best = len(done.history), snapshot(model)
            row["seconds"] = round(time.perf_counter() - start, 3)
            row["cpu_seconds"] = round(time.process_time() - used, 3)
            store(path, config.id, model, optimiser, done)
            bars.tell(config)
            bar.set_postfix({k: f"{row[f'validation_{k}']:.3f}" for k in ("loss", "accuracy")})
    model.load_state_dict(done.best)
    return model, done


def checked_row(config: RunConfig, row: dict[str, float]) -> None:
    """Raise `TrainingError` if the validation loss is not finite: the last update spoiled the weights."""
    if not math.isfinite(row["validation_loss"]):
        raise TrainingError(
            f"the validation loss became {row['validation_loss']} in epoch {row['epoch']}; "
            f"lower the learning rate. Run {config.id}: {config.to_dict()}"
        )
