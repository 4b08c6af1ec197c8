"""An epoch of annot-mix as we train it against one of scikit-activeml's, on music genres and on letter.

Same network, annotator part but for its activation, batches, optimiser and schedule, one thread; seconds are
those of the processor, so that other programs on the machine count little. Beside them stands what both reach
on the test part, in the line of JSON: on music genres after the 50 epochs of the method, three seeds; on
letter, where that takes the peer an hour, after five epochs. Where a dataset is not at hand, random data of
its size take its place and there is no accuracy. Without scikit-activeml (and skorch) only ours is measured.
Products: the matrix products of such an epoch and nothing else, against the peer's whole epoch; what computes
the same with the same library takes longer, so their ratio bounds ours.
Memory: one epoch with 50,000 images and 10,000 annotators, whose dense matrix alone would take 2 GB at four
bytes an entry, in a process of its own (``--memory``).
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from common import in_turns, parser, report, seconds
from generator import peak_megabytes
from softlabels.datasets import Annotations, Dataset, Source
from softlabels.errors import DataUnavailable
from softlabels.learning.annotators import training
from softlabels.learning.annotators.methods import METHODS
from softlabels.learning.annotators.training import pairs
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.runs.profiles import CROWD_SETTINGS
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

EPOCHS = 5  # in one call: the peer's start is spread over them
ROWS = ("mv-base", "crowd-layer", "annot-mix")  # methods that the peer has too
SEEDS = 10  # of the table
JUDGED = {"mgc": (50, 3), "letter": (EPOCHS, 1)}  # epochs after which accuracies are compared, and seeds
# images, features, classes, annotators, judgements per image
SIZES = {"mgc": (700, 124, 10, 44, 4), "letter": (15_500, 16, 26, 20, 3)}


def task_of(size: tuple[int, int, int, int, int], config: RunConfig) -> training.CrowdTask:
    n, d, c, m, r = size
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)).astype(np.float32)
    image, annotator = np.repeat(np.arange(n), r), rng.integers(m, size=n * r)
    found = Annotations(image, annotator, rng.integers(c, size=n * r))
    soft, truth = np.full((n, c), 1 / c, np.float32), np.zeros(n, np.int64)
    source = Source("benchmark", "", "", "")
    data = Dataset("benchmark", x, soft, tuple(map(str, range(c))), source, np.arange(n), found, truth)
    rows = {part: np.arange(n) for part in ("train", "validation", "test")}
    tensors = torch.from_numpy(x), torch.from_numpy(soft[:0])
    zero, one = torch.zeros(d), torch.ones(d)
    return training.CrowdTask(data, *tensors, soft, rows, zero, one, 0, pairs(found, n, c, m), truth)


class Peer:
    """scikit-activeml's classifier on the same training part; a call trains all epochs of `config` anew."""

    def __init__(self, task: training.CrowdTask, config: RunConfig):
        from skactiveml.utils import majority_vote
        from skorch.callbacks import LRScheduler

        c, m, rows = task.pairs.n_classes, task.pairs.n_annotators, task.rows["train"]
        self.task, self.x, self.y = task, task.dataset.images[rows], np.full((len(rows), m), -1)
        image, which = task.pairs.of(torch.from_numpy(rows))
        self.y[image, task.pairs.annotator[which]] = task.pairs.label[which]
        if config.method == "mv-base":
            self.y = majority_vote(self.y, classes=range(c), missing_label=-1, random_state=config.seed)
        net = training.build_all(config, task, hardware("cpu", "fp32"))["network"]
        settings = {
            "max_epochs": config.epochs,
            "callbacks": [LRScheduler("CosineAnnealingLR", T_max=config.epochs)],
            "batch_size": config.batch_size,
            "lr": config.lr,
            "optimizer": torch.optim.RAdam,
            "train_split": None,
            "verbose": 0,
        }
        self.model = _classifier(config.method, net)(
            neural_net_param_dict=settings,
            classes=list(range(c)),
            missing_label=-1,
            random_state=config.seed,
        )

    def __call__(self) -> None:
        self.model.fit(self.x, self.y)

    def accuracy(self) -> float:
        """Share of test images that are right."""
        rows = self.task.rows["test"]
        return float((self.model.predict(self.task.dataset.images[rows]) == self.task.truth[rows]).mean())


def _classifier(method: str, net: nn.Module) -> Callable[..., Any]:
    """The peer's class for one of our methods, with its settings."""
    from skactiveml.classifier import SkorchClassifier
    from skactiveml.classifier.multiannotator import AnnotMixClassifier, CrowdLayerClassifier

    if method == "mv-base":
        return partial(SkorchClassifier, net)
    if method == "crowd-layer":
        return partial(CrowdLayerClassifier, Whole(net))
    return partial(
        AnnotMixClassifier,
        Whole(net),
        alpha=1.0,
        sample_embed_dim=128,
        annotator_embed_dim=128,
        hidden_dim=128,
        n_hidden_layers=1,
        hidden_dropout=0.5,
    )


class Whole(nn.Module):
    """Logits and embedding from one call."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.net.features(x)


class Ours:
    """annot-mix as `training.train` trains it, epochs alone; a call goes on for all epochs of `config`."""

    def __init__(self, task: training.CrowdTask, config: RunConfig):
        self.task, self.config, self.hw = task, config, hardware("cpu", "fp32")
        self.both = training.build_all(config, task, self.hw)
        self.optimiser = training.optimiser_of(config, self.both)

    def __call__(self) -> None:
        for number in range(self.config.epochs):
            training.epoch(self.config, self.task, self.hw, self.both, self.optimiser, number)

    def accuracy(self) -> float:
        """Share of test images that are right."""
        rows = self.task.rows["test"]
        log_p = training.predict(self.both, self.task, rows, self.hw)[0].numpy()
        return float((log_p.argmax(1) == self.task.truth[rows]).mean())


class Products(TorchDispatchMode):
    """The matrix products that happen inside; a call does them again, on random numbers and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[Callable[..., Tensor], list[tuple[tuple[int, ...], tuple[int, ...]]]]] = []
        self.filled: dict[tuple[tuple[int, ...], tuple[int, ...]], Tensor] = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if operation in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default):
            self.found.append((operation, [(tuple(a.shape), a.stride()) for a in args]))
        return operation(*args, **(kwargs or {}))

    def fill(self) -> None:
        """Make one tensor of every shape and layout; to be called once, outside of what is timed."""
        for shape, strides in {form for _, forms in self.found for form in forms}:
            self.filled[shape, strides] = torch.empty_strided(shape, strides).normal_()

    def __call__(self) -> None:
        for operation, forms in self.found:
            operation(*(self.filled[form] for form in forms))


def products(task: training.CrowdTask, config: RunConfig) -> Products:
    """Matrix products of one epoch of annot-mix."""
    found = Products()
    with found:
        Ours(task, replace(config, epochs=1))()
    found.fill()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--rounds", type=int, default=7)
    top.add_argument("--memory", action="store_true", help="measure memory only, in this very process")
    top.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    options = top.parse_args(arguments)
    torch.set_num_threads(1)
    if options.memory:
        return memory(config_of("mgc", 1), options.quick)
    if options.quick:
        config = config_of("mgc", EPOCHS)
        speed("quick", task_of((64, 8, 3, 5, 2), config), config, 2)
    for name in () if options.quick else options.sizes:
        config = config_of(name, EPOCHS)
        try:
            task, found = training.prepare(config), accuracies(name)
        except DataUnavailable:
            task, found = task_of(SIZES[name], config), {"data": "random"}
        speed(name, task, config, options.rounds, **found)
    whole(1, 1) if options.quick else whole(SEEDS, JUDGED["mgc"][0])
    child = [sys.executable, __file__, "--memory", *(["--quick"] if options.quick else [])]
    subprocess.run(child, check=True)
    return None


def config_of(name: str, epochs: int, seed: int = 0) -> RunConfig:
    """Settings of chapter 11."""
    return RunConfig.from_dict(
        {**CROWD_SETTINGS[name], "method": "annot-mix", "epochs": epochs, "seed": seed}
    )


def accuracies(name: str) -> dict[str, float]:
    """What both reach on the test part, means over seeds."""
    n, seeds = JUDGED[name]
    sides = {"accuracy": Ours} | ({"peer_accuracy": Peer} if has_peer() else {})
    found: dict[str, list[float]] = {side: [] for side in sides}
    for seed in range(seeds):
        config = config_of(name, n, seed)
        task = training.prepare(config)
        for side, kind in sides.items():
            model = kind(task, config)
            model()
            found[side].append(model.accuracy())
    return {side: round(float(np.mean(values)), 4) for side, values in found.items()}


def has_peer() -> bool:
    return importlib.util.find_spec("skactiveml") is not None


def speed(name: str, task: training.CrowdTask, config: RunConfig, rounds: int, **more: object) -> None:
    """Report seconds per epoch, of both where the peer is here, and of our matrix products alone."""
    clock, sides = time.process_time, [Ours(task, config), *([Peer(task, config)] if has_peer() else [])]
    in_turns(sides[0], sides[-1], 1)  # to warm up
    both = in_turns(sides[0], sides[-1], rounds, clock)
    per_epoch = [[t / EPOCHS for t in side] for side in both[: len(sides)]]
    report(f"annotators-{name}", *per_epoch, clock="processor", **more)
    alone = products(task, config)
    times = [seconds(alone, clock) for _ in range(rounds)]
    report(f"annotators-{name}-products", times, *per_epoch[1:], clock="processor")


def whole(seeds: int, epochs: int) -> None:
    """Report seconds of one seed of the table on music genres: of the peer's rows, and of ours all."""
    ours: dict[str, list[float]] = {method: [] for method in METHODS}
    peer: list[float] = []
    for seed in range(seeds):
        configs = {m: replace(config_of("mgc", epochs, seed), method=m) for m in METHODS}
        tasks = {method: _task(config) for method, config in configs.items()}
        for method, config in configs.items():
            ours[method].append(seconds(partial(_tested, tasks[method], config), time.process_time))
        if has_peer():
            models = [Peer(tasks[method], configs[method]) for method in ROWS]
            peer.append(sum(seconds(partial(_peer_tested, model), time.process_time) for model in models))
    rows = [sum(some) for some in zip(*(ours[method] for method in ROWS), strict=True)]
    table = [sum(some) for some in zip(*ours.values(), strict=True)]
    report("annotators-rows", rows, peer or None, clock="processor")
    each = {method: round(float(np.median(times)), 2) for method, times in ours.items()}
    report("annotators-table", table, clock="processor", seeds=seeds, each=each)


def _task(config: RunConfig) -> training.CrowdTask:
    try:
        return training.prepare(config)
    except DataUnavailable:
        return task_of(SIZES["mgc"], config)


def _tested(task: training.CrowdTask, config: RunConfig) -> None:
    """Train one of our runs and predict its test part."""
    hw = hardware("cpu", "fp32")
    training.predict(training.fit(config, task, hw)[0], task, task.rows["test"], hw)


def _peer_tested(peer: Peer) -> None:
    peer()
    peer.accuracy()


def memory(config: RunConfig, quick: bool) -> None:
    """Report the peak of this process, imports included, after one epoch of a large problem."""
    large = (640, 8, 10, 1000, 1) if quick else (50_000, 32, 10, 10_000, 2)
    took = seconds(Ours(task_of(large, config), config), time.process_time)
    megabytes = round(peak_megabytes())
    report("annotators-memory", [took], megabytes=megabytes, promised_megabytes=2000, clock="processor")


if __name__ == "__main__":
    main()
