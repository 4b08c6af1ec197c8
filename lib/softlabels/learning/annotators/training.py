"""Training with several annotators: AM's protocol, on arrays in memory, one code path for all methods.

RAdam with cosine annealing once an epoch, no weight decay for the annotators' part, a batch of images with
all their judgements. Both the last epoch and the one with the best validation accuracy are tested.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from softlabels.datasets import Annotations, Dataset, simulated
from softlabels.errors import ConfigError
from softlabels.labels import metrics
from softlabels.labels import votes as labels
from softlabels.labels.agreement import auroc, confusion_error
from softlabels.labels.votes import at_most, chosen, shuffled
from softlabels.learning import inputs, models, training
from softlabels.learning.annotators.methods import Batch, Method, build
from softlabels.learning.augmentation import augment
from softlabels.learning.config import RunConfig, generator
from softlabels.learning.hardware import Hardware, hardware
from softlabels.learning.inputs import Task
from softlabels.learning.training import Progress, checked_mean, checked_row, learning_rate_factor, snapshot

# Labelled pairs (image, annotator, label), the unit that every method learns from; and a dataset as these.


@dataclass(frozen=True)
class Pairs:
    """Judgements sorted by image, so that a batch of images finds its own without a dense matrix."""

    annotator: Tensor  # int64 [L]
    label: Tensor  # int64 [L]
    start: Tensor  # int64 [N + 1]; judgements of image i are entries start[i] to start[i + 1]
    n_annotators: int
    n_classes: int

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Judgements of images `rows` [B]: place of the image in `rows` [L], index of the judgement [L]."""
        first, n = self.start[rows], self.start[rows + 1] - self.start[rows]
        sample = torch.repeat_interleave(n)
        offset = first - (n.cumsum(0) - n)
        return sample, torch.arange(len(sample)) + offset[sample]

    def labelled(self, rows: np.ndarray) -> np.ndarray:
        """Those of images `rows` that have a judgement."""
        start = self.start.numpy()
        return rows[start[rows + 1] > start[rows]]


def pairs(found: Annotations, n_images: int, n_classes: int, n_annotators: int) -> Pairs:
    """Sort judgements by image; `ConfigError` where there is no judgement, or a single class."""
    if not len(found.image):
        raise ConfigError("no image has a judgement; a method for annotators needs some")
    if n_classes < 2:
        raise ConfigError(f"{n_classes} class leaves nothing to learn; at least two are needed")
    order = np.argsort(found.image, kind="stable")
    start = np.concatenate([[0], np.bincount(found.image, minlength=n_images).cumsum()])
    annotator, label, begin = (
        torch.from_numpy(np.ascontiguousarray(a, np.int64))
        for a in (found.annotator[order], found.label[order], start)
    )
    return Pairs(annotator, label, begin, n_annotators, n_classes)


ANNOTATED = 6 / 7  # share of the annotated images that a random split trains on
VALIDATION = 1 / 4  # of what a random split does not train on, where only a part was annotated


@dataclass(frozen=True)
class CrowdTask(Task):
    """A dataset with judgements, seen through one configuration.

    It is tested against `soft`: the exact distribution where it is known, else the true class.
    """

    pairs: Pairs  # judgements to learn from; those of training images only
    truth: np.ndarray  # int64 [N]


def split(data: Dataset, config: RunConfig) -> dict[str, np.ndarray]:
    """Image indices of each part; a random split trains on annotated images only.

    Where a part of the dataset was annotated, the seed draws six sevenths of that part to train on, and
    a quarter of all other images for validation. Otherwise as `inputs.rows`.
    """
    assert data.annotations is not None
    annotated = np.unique(data.annotations.image)
    if config.split != "random" or len(annotated) == len(data):
        return inputs.fewer(inputs.rows(data, config), config)
    rng = generator(config.seed, "crowd split")
    train = rng.permutation(annotated)[: round(ANNOTATED * len(annotated))]
    rest = rng.permutation(np.setdiff1d(np.arange(len(data)), train))
    cut = round(VALIDATION * len(rest))
    found = {"train": train, "validation": rest[:cut], "test": rest[cut:]}
    return {name: np.sort(rows) for name, rows in found.items()}


def prepare(config: RunConfig) -> CrowdTask:
    """Load a dataset with judgements, split it, and make targets where the method aggregates.

    Raises `ConfigError` if it has no judgements or no true labels, or nothing can be learnt from them.
    """
    return of_dataset(inputs.load(config), config)


def of_dataset(data: Dataset, config: RunConfig) -> CrowdTask:
    """The same of a dataset that is loaded already, whatever `config.dataset` says."""
    if data.annotations is None or data.truth is None:
        raise ConfigError(
            f"{config.dataset} has no annotators or no true labels; method '{config.method}' needs them"
        )
    rows, n_classes = split(data, config), len(data.classes)
    found = chosen(data.annotations, rows["train"])
    if config.annotations:
        found = at_most(found, config.annotations, generator(config.seed, "annotations"))
    if config.workers == "shuffled":
        found = shuffled(found, generator(config.seed, "shuffled workers"))
    sorted_pairs = pairs(found, len(data), n_classes, data.n_annotators)
    exact = not np.array_equal(data.counts, data.counts.round())
    soft = labels.soft_labels(data.counts) if exact else labels.one_hot(data.truth, n_classes)
    method, rng = build(config.method, 1, n_classes, 1), generator(config.seed, "labels")
    counts = labels.counts(found.image, found.label, len(data), n_classes)
    targets = method.aggregate(counts, found, data.truth, rng) if method.aggregate else soft[:0]
    if config.method != "true-base":
        rows["train"] = sorted_pairs.labelled(rows["train"])
    votes = counts[rows["train"]]
    ties = int(((votes == votes.max(1, keepdims=True)).sum(1) > 1).sum())
    mean, std = inputs.statistics(data.images, rows["train"])
    images = torch.from_numpy(np.asarray(data.images))
    return CrowdTask(
        data, images, torch.from_numpy(targets), soft, rows, mean, std, ties, sorted_pairs, data.truth
    )


# The optimiser and the loop.


class RAdam:
    """Rectified Adam (Liu et al. 2020) for small networks, where calls cost more than arithmetic.

    Parameters and gradients become views of flat vectors, one for each weight decay. A rectified step is one
    of Adam with other constants, and Adam's is there in one fused call. Weight decay is of the L2 kind.
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
    ALONE = 1e10  # an ε beside which √v is nothing

    def __init__(self, groups: Sequence[tuple[Iterable[nn.Parameter], float]]):
        self.steps = 0
        listed = [(list(parameters), decay) for parameters, decay in groups]
        self.groups = [_Group(parameters, decay) for parameters, decay in listed if parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.groups:
            group.grad.zero_()

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update all parameters with learning rate `lr`."""
        self.steps += 1
        factor, eps = self._constants()
        for group in self.groups:
            group.step(lr * factor, (self.BETA1, self.BETA2), eps)

    def _constants(self) -> tuple[float, float]:
        """Factor of Adam's rate, and its ε.

        Adam divides m by √v / √(1 - β₂ᵗ) + ε. RAdam wants r √(1 - β₂ᵗ) m / (√v + ε), or m alone while the
        variance of the adaptive rate is unbounded (ρ ≤ 5).
        """
        t, longest = self.steps, 2 / (1 - self.BETA2) - 1
        rest = 1 - self.BETA2**t
        rho = longest - 2 * t * self.BETA2**t / rest
        if rho <= 5:
            return self.ALONE, self.ALONE
        r = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
        return r, self.EPS / math.sqrt(rest)


class _Group:
    """Parameters with one weight decay, as one vector."""

    def __init__(self, parameters: list[nn.Parameter], decay: float):
        self.flat = torch.cat([p.detach().flatten() for p in parameters])
        self.grad, self.mean, self.square = (torch.zeros_like(self.flat) for _ in range(3))
        self.count, self.decay, start = self.flat.new_zeros(()), decay, 0
        for p in parameters:
            place = slice(start, start := start + p.numel())
            p.data, p.grad = self.flat[place].view_as(p), self.grad[place].view_as(p)

    def step(self, lr: float, betas: tuple[float, float], eps: float) -> None:
        """Take one step of Adam."""
        how: dict[str, Any] = {"fused": True, "amsgrad": False, "maximize": False, "lr": lr, "eps": eps}
        how |= {"beta1": betas[0], "beta2": betas[1], "weight_decay": self.decay}
        adam([self.flat], [self.grad], [self.mean], [self.square], [], [self.count], **how)


SHOWN = 64  # test images over which image-dependent confusion matrices are averaged
WHOLE = 10_000  # probabilities that a record keeps of its test part; of a larger part those of `KEPT` images,
KEPT = 300  # and of all images the most probable class


@dataclass(frozen=True)
class Result:
    """What a training left: predictions of `kept` test images, measures of all, both epochs' networks."""

    task: CrowdTask
    hw: Hardware
    progress: Progress
    kept: np.ndarray
    log_p: np.ndarray
    features: np.ndarray
    metrics: dict[str, dict[str, float]]
    labels: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def build_all(config: RunConfig, task: CrowdTask, hw: Hardware) -> nn.ModuleDict:
    """Class network and method, with initial weights that follow from the seed."""
    n_classes = task.soft.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(int(generator(config.seed, "weights").integers(2**62)))
        if task.images.ndim == 2:
            network: nn.Module = models.build_for_vectors(
                config.network, n_classes, task.mean, task.std, config.dropout
            )
        else:
            network = models.build(config.network, n_classes, task.mean, task.std, config.dropout)
        head = network.head
        assert isinstance(head, nn.Linear)
        sizes = task.pairs.n_annotators, n_classes, head.in_features
        method = build(config.method, *sizes, config.mix_alpha, config.eta, config.mix_within)
    return nn.ModuleDict({"network": hw.place(network), "method": method.to(hw.device)})


def optimiser_of(config: RunConfig, both: nn.ModuleDict) -> RAdam:
    """RAdam with two groups: weight decay is the class network's alone."""
    trained = [p for p in both["method"].parameters() if p.requires_grad]
    return RAdam([(both["network"].parameters(), config.weight_decay), (trained, 0.0)])


def epoch(
    config: RunConfig, task: CrowdTask, hw: Hardware, both: nn.ModuleDict, optimiser: RAdam, number: int
) -> float:
    """Train for one epoch (counted from 0); returns the mean loss in nats."""
    network, method = both["network"], both["method"]
    assert isinstance(method, Method)
    rng = generator(config.seed, "epoch", number)
    draws = torch.Generator().manual_seed(int(rng.integers(2**62)))
    order = torch.from_numpy(rng.permutation(task.rows["train"]))
    # AM step the schedule once an epoch.
    lr = config.lr * learning_rate_factor(config.schedule, number / config.epochs)
    both.train()
    losses = []
    for rows in order.split(config.batch_size):
        if len(rows) == 1 < len(order):
            continue  # batch norm has no statistics of a single image
        batch = _batch(config, task, hw, rows, draws)
        loss = method.loss(network, batch, rng)  # type: ignore[arg-type]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(lr)
        method.after_step()
        losses.append(loss.detach())
    return round(checked_mean(torch.stack(losses).cpu(), config, number), 5)


def _batch(config: RunConfig, task: CrowdTask, hw: Hardware, rows: Tensor, draws: torch.Generator) -> Batch:
    x = hw.images(task.images[rows])
    if x.ndim > 2:
        x = augment(config.augmentation, x, draws)
    if len(task.targets):
        nobody = torch.empty(0, dtype=torch.int64)
        return Batch(x, task.targets[rows].to(hw.device), nobody, nobody, nobody)
    sample, which = task.pairs.of(rows)
    found = (sample, task.pairs.annotator[which], task.pairs.label[which])
    return Batch(x, task.targets, *(v.to(hw.device) for v in found))


def predict(both: nn.ModuleDict, task: CrowdTask, rows: np.ndarray, hw: Hardware) -> tuple[Tensor, Tensor]:
    """Log-probabilities [n, C] and embeddings [n, H] of images `rows`, float32 on the CPU."""
    size = 4096 if task.images.ndim == 2 else 256
    log_p, h = training.predict(both["network"], task, rows, hw, size)
    return torch.from_numpy(log_p), torch.from_numpy(h)


def train(config: RunConfig, device: str | None = None) -> Result:
    """Train a run to its end and test its last epoch and its best one.

    Raises `ConfigError` as `prepare`, and `TrainingError` if the loss of a batch, or that of the validation
    part, is no longer finite.
    """
    task, hw = prepare(config), hardware(device, "fp32")
    both, done, best, best_epoch = fit(config, task, hw)
    last = snapshot(both)
    return _tested(config, task, hw, both, done, {"last": (last, config.epochs), "best": (best, best_epoch)})


def fit(
    config: RunConfig, task: CrowdTask, hw: Hardware
) -> tuple[nn.ModuleDict, Progress, dict[str, Tensor], int]:
    """Train for all epochs: both networks as they end, the history, weights and number of the best epoch."""
    both, done = build_all(config, task, hw), Progress()
    optimiser = optimiser_of(config, both)
    best, best_epoch, best_accuracy = snapshot(both), 0, -1.0
    with torch.random.fork_rng():
        for number in range(config.epochs):
            start, spent = time.perf_counter(), time.process_time()
            rng = generator(config.seed, "crowd dropout", number)
            torch.manual_seed(int(rng.integers(2**62)))
            row = {"epoch": number + 1, "train_loss": epoch(config, task, hw, both, optimiser, number)}
            row |= _validate(both, task, hw)
            checked_row(config, row)
            row["seconds"] = round(time.perf_counter() - start, 4)
            row["cpu_seconds"] = round(time.process_time() - spent, 4)
            done.history.append(row)
            if row["validation_accuracy"] > best_accuracy:  # the first highest, as AM
                best, best_accuracy, best_epoch = snapshot(both), row["validation_accuracy"], number + 1
    return both, done, best, best_epoch


def _validate(both: nn.ModuleDict, task: CrowdTask, hw: Hardware) -> dict[str, float]:
    """Loss and accuracy against the true classes: AM choose by them, so do we."""
    rows = task.rows["validation"]
    log_p = predict(both, task, rows, hw)[0].numpy()
    truth = task.truth[rows]
    loss = -log_p[np.arange(len(rows)), truth].mean(dtype=np.float64)
    return {
        "validation_loss": round(float(loss), 5),
        "validation_accuracy": float((log_p.argmax(1) == truth).mean()),
    }


def _tested(
    config: RunConfig,
    task: CrowdTask,
    hw: Hardware,
    both: nn.ModuleDict,
    done: Progress,
    states: dict[str, tuple[dict[str, Tensor], int]],
) -> Result:
    """Test both states; the one that `config.select` names comes last and stays in the networks."""
    chosen_state = "last" if config.select == "last" else "best"
    rows, found = task.rows["test"], {}
    for name in sorted(states, key=lambda name: name == chosen_state):
        both.load_state_dict(states[name][0])
        log_p, h = predict(both, task, rows, hw)
        found[name] = measures(log_p.numpy(), task.soft[rows], task.truth[rows])
    done.best, done.best_epoch = states[chosen_state]
    scored, arrays, facts = annotators(both, task, log_p, h)
    kept = np.arange(len(rows))
    if log_p.numel() > WHOLE and len(rows) > KEPT:
        kept = np.linspace(0, len(rows) - 1, KEPT).astype(int)
        arrays["all_predicted"] = log_p.numpy().argmax(1).astype(np.int16)
        arrays["all_truth"] = task.truth[rows].astype(np.int16)
    found |= {"test": found[chosen_state]} | ({"annotators": scored} if scored else {})
    facts |= {"judgements": len(task.pairs.label), "annotators": task.pairs.n_annotators}
    facts["best_epoch"] = states["best"][1]
    return Result(task, hw, done, rows[kept], log_p.numpy()[kept], h.numpy()[kept], found, facts, arrays)


def measures(log_p: np.ndarray, soft: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Compute the measures of `metrics.evaluate` and plain accuracy, which AM report."""
    return {"accuracy": float((log_p.argmax(1) == truth).mean()), **metrics.evaluate(log_p, soft)}


@torch.inference_mode()
def annotators(
    both: nn.ModuleDict, task: CrowdTask, log_p: Tensor, h: Tensor
) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, Any]]:
    """Measures, arrays and facts about what the trained method says of its annotators.

    P(label is right) is scored on the judgements of the test part where it has some, else on those that
    were learnt from: "scored" tells which. Where the true matrices are known, the error of the estimated
    ones stands beside.
    """
    method = both["method"].eval()
    matrices = method.confusions(h[:SHOWN].to(_device(both)))  # type: ignore[operator]
    if matrices is None:
        return {}, {}, {}
    estimate = matrices.cpu().numpy()
    assert task.dataset.annotations is not None
    for part in ("test", "train"):
        found = chosen(task.dataset.annotations, task.rows[part])
        if len(found.image):
            break
    score = _scores(both, task, found, log_p, h, part)
    right = found.label == task.truth[found.image]
    values = {"auroc": auroc(score, right), "brier": float(((score - right) ** 2).mean())}
    if task.dataset.name == "synthetic-crowd":
        values["confusion_error"] = confusion_error(estimate, simulated.confusions())
    kept = {name: value for name, value in values.items() if not np.isnan(value)}
    return kept, {"confusions": estimate.astype(np.float16)}, {"scored": part}


def _device(both: nn.ModuleDict) -> torch.device:
    return next(both.parameters()).device


def _scores(
    both: nn.ModuleDict, task: CrowdTask, found: Annotations, log_p: Tensor, h: Tensor, part: str
) -> np.ndarray:
    """P(label is right) of each judgement, in parts to bound memory."""
    rows, device = task.rows[part], _device(both)
    if part != "test":
        log_p, h = predict(both, task, rows, hardware(device.type, "fp32"))
    place = torch.from_numpy(np.searchsorted(rows, found.image))
    annotator = torch.from_numpy(found.annotator)
    scores = [
        both["method"].performance(log_p[i].to(device), h[i].to(device), a.to(device))  # type: ignore[operator]
        for i, a in zip(place.split(4096), annotator.split(4096), strict=True)
    ]
    return torch.cat(scores).cpu().numpy()
