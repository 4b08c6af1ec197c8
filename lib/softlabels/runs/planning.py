"""What a run needs, and many runs in few jobs: batches that are worth the start of a process.

A batch is a file with the configurations of its runs, named after their ids; ``softlabels train --from FILE``
trains it. The file holds all that a job on another machine has to know.
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from softlabels import paths
from softlabels.errors import ConfigError
from softlabels.learning.config import RunConfig
from softlabels.runs import records

# What a run needs, before it is trained. A run like an earlier one takes as long as that did; any other is
# scaled by its floating-point operations from what the records of this kind of device achieved; what no
# record says about a GPU is assumed, and stated here.

# Forward pass of one image of 64 px: GFLOP, and MB of activations kept for the backward pass. Both grow with
# the number of pixels; `tests/test_batches.py` counts them again.
NETWORKS = {
    "resnet9": (0.0790, 1.57),
    "resnet9-avg": (0.0790, 1.57),
    "resnet9-tiny": (0.0056, 0.43),
    "resnet9-cifar": (0.192, 3.58),
    "cifarnet-8": (0.0216, 0.926),
    "cifarnet-16": (0.0887, 1.9),
    "cifarnet-32": (0.211, 3.03),
    "cifarnet-64": (0.59, 5.28),
    "efficientnet-lite0": (0.0627, 6.51),
    "resnet20": (0.327, 5.99),
    "resnet18": (0.296, 1.75),
    "resnet18-nomaxpool": (1.127, 4.54),
    "wrn28-10": (41.95, 70.6),
    "densenet121-cifar": (7.107, 153.9),
    "densenet121": (0.463, 10.3),
    "resnet50v2": (0.667, 6.2),
}
# Images of a dataset; `RunConfig.limit` may take fewer.
IMAGES = {
    "synthetic": 15_000,
    "cifar10h": 10_000,
    "cifar10h-9500": 9_500,
    "cifar10": 59_500,
    "cifar10-jpeg-train": 59_500,
    "cifar10n-jpeg": 60_000,
    "cifar10h-crowd-jpeg": 60_000,
    "ferplus": 35_710,
    "labelme-64px": 2_688,
    "micebone": 7_240,
    "micebone-standin": 2_400,
}
UNKNOWN_IMAGES = 10_000
SHORT = 1.0  # minutes of a run on feature vectors where no record says how long such runs take
LEAST_RUN = 0.005  # minutes of any run: a network is made, evaluated and stored
CPU_RATE = 3e10  # FLOP/s of one core where no record says it
GPU_RATE = 5e12  # FLOP/s sustained by one GPU: an assumption, until there is a record of a GPU
GPU_FROM = 120.0  # minutes on one core above which a run asks for a GPU
LIBRARIES = 1500  # MB of a process that has loaded PyTorch
MARGIN, SLACK = 3.0, 15.0  # a limit of wall time is so many times the estimate, and so many minutes more


@dataclass(frozen=True)
class Needs:
    """What to ask a scheduler for: minutes expected on the device it runs on, memory in MB, a GPU or none."""

    minutes: float
    mem_mb: int
    gpu: bool

    @property
    def limit(self) -> int:
        """Wall time in minutes after which a job of this run may be stopped."""
        return round(MARGIN * self.minutes + SLACK)


Like = tuple[Any, ...]


@dataclass(frozen=True)
class Past:
    """What earlier runs took: minutes of every kind of run, and FLOP/s, on CPU and on GPU."""

    minutes: dict[tuple[Like, bool], list[float]] = field(default_factory=lambda: defaultdict(list))
    # Of records that have wall time only, beside other work: for kinds of runs that nobody has timed.
    clock: dict[tuple[Like, bool], list[float]] = field(default_factory=lambda: defaultdict(list))
    rates: dict[bool, list[float]] = field(default_factory=lambda: defaultdict(list))
    # Of runs on feature vectors: minutes for an example and an epoch.
    paces: list[float] = field(default_factory=list)
    again: dict[Like, float] = field(default_factory=dict)  # minutes on a core, timed since

    def add(self, config: RunConfig, seconds: float, gpu: bool, timed: bool = True) -> None:
        """Count one more run, by its processor seconds or (not `timed`) by the clock."""
        (self.minutes if timed else self.clock)[like(config), gpu].append(seconds / 60)
        if (done := flop(config)) and seconds > 0:
            self.rates[gpu].append(done / seconds)
        elif not done:
            self.paces.append(seconds / 60 / (config.epochs * images(config)))

    def rate(self, gpu: bool) -> float:
        """FLOP/s of the median run, else what is assumed."""
        return statistics.median(self.rates[gpu]) if self.rates.get(gpu) else (GPU_RATE if gpu else CPU_RATE)

    def expected(self, config: RunConfig, gpu: bool) -> float:
        """Minutes of a run: of one timed again, else the median of those like it, else by its size."""
        if not gpu and like(config) in self.again:
            return self.again[like(config)]
        key = like(config), gpu
        if same := self.minutes.get(key) or self.clock.get(key):
            return statistics.median(same)
        if done := flop(config):
            return max(done / self.rate(gpu) / 60, LEAST_RUN)
        if not self.paces:
            return SHORT
        return max(statistics.median(self.paces) * config.epochs * images(config), LEAST_RUN)


def like(config: RunConfig) -> Like:
    """Runs that differ in nothing of this take the same time."""
    c = config
    return c.dataset, c.network, c.image_size, c.epochs, c.limit, c.train_images, c.method


def images(config: RunConfig) -> int:
    """Images that a run uses, training, validation and test."""
    n = IMAGES.get(config.dataset, UNKNOWN_IMAGES)
    return min(n, config.limit) if config.limit else n


def flop(config: RunConfig) -> float:
    """Floating-point operations of a run on images; 0 for feature vectors, whose work does not count.

    An epoch passes over six tenths of the images forward and backward, which costs three forward passes,
    and over two tenths forward.
    """
    if config.network not in NETWORKS:
        return 0.0
    forward = NETWORKS[config.network][0] * 1e9 * (config.image_size / 64) ** 2
    n = images(config)
    trained = min(0.6 * n, config.train_images or n)
    return forward * config.epochs * (3 * trained + 0.2 * n)


def memory(config: RunConfig) -> int:
    """MB of main memory that a run on the CPU needs; on a GPU less, for its activations lie there."""
    if config.network not in NETWORKS:
        return LIBRARIES
    kept = NETWORKS[config.network][1] * (config.image_size / 64) ** 2 * config.batch_size
    stored = images(config) * config.image_size**2 * 3 / 2**20
    # Evaluation, gradients and the allocator's slack: twice the activations held the runs measured.
    return round(LIBRARIES + 2 * kept + stored)


def needs(config: RunConfig, past: Past, device: str | None = None) -> Needs:
    """Estimate what a run needs; without a `device` a long one asks for a GPU, a short one does not."""
    minutes = past.expected(config, gpu=False)
    gpu = minutes > GPU_FROM if device is None else device.startswith("cuda")
    if gpu:
        return Needs(past.expected(config, gpu=True), LIBRARIES + 2 * memory(config) // 3, True)
    return Needs(minutes, memory(config), False)


def _bodies(committed_only: bool = False) -> Iterator[dict[str, Any]]:
    for path in records.SHELF.files(committed_only=committed_only):
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            gpu = body["environment"]["device"] != "cpu"
            body["timed"] = gpu or all("cpu_seconds" in row for row in body["history"])
            body["seconds"] = records.cpu_seconds(body["history"], body["seconds"])
            body["config"], body["gpu"] = RunConfig.from_dict(body["config"]), gpu
        except (ValueError, KeyError, TypeError):
            records.read(path)  # which says what is wrong with it
            raise
        yield body


def seconds(committed_only: bool = False) -> dict[str, float]:
    """Processor seconds of every run that has a record, committed or cached, by its id.

    A run that was trained on a GPU, that has wall time alone, or whose kind was timed again since, counts as
    one like it does on a core.
    """
    known, found = past(committed_only), {}
    for body in _bodies(committed_only):
        own = body["timed"] and not body["gpu"] and like(body["config"]) not in known.again
        found[body["id"]] = body["seconds"] if own else 60 * known.expected(body["config"], gpu=False)
    return found


def hours(configs: Mapping[str, RunConfig], committed_only: bool = False) -> tuple[float, float]:
    """Processor hours spent on those of some runs, by id, that have a record, and left for the others."""
    spent, known = seconds(committed_only), past(committed_only)
    left = sum(known.expected(config, gpu=False) for name, config in configs.items() if name not in spent)
    return sum(spent[name] for name in configs if name in spent) / 3600, left / 60


def timed_file() -> Path:
    """Where ``benchmarks/seconds.py`` keeps what runs take whose records do not say what they would today."""
    return paths.results() / "seconds.json"


@cache
def past(committed_only: bool = False) -> Past:
    """Times of the records at hand, and of runs timed again; arrays are neither read nor checked."""
    found = Past()
    for body in _bodies(committed_only):
        found.add(body["config"], body["seconds"], body["gpu"], body["timed"])
    if timed_file().exists():
        for row in json.loads(timed_file().read_text(encoding="utf-8")):
            found.again[tuple(row["like"])] = row["seconds"] / 60
    return found


def minutes(configs: Iterable[RunConfig]) -> dict[str, float]:
    """What runs are expected to take on a core of this machine, by their ids."""
    return {config.id: past().expected(config, gpu=False) for config in configs}


TARGET = 15.0  # minutes: beside it the start of a job, some ten seconds on a cluster, does not count
MOST = 1000  # batches of a plan: more jobs than that no scheduler likes to see at once
SHARES = 2  # batches per place that can work, so that one slow batch does not keep everybody waiting …
LEAST = 2.0  # … unless they would be shorter than so many minutes


@dataclass(frozen=True)
class Batch:
    """Runs that one job trains, and what that job needs."""

    configs: tuple[RunConfig, ...]
    needs: Needs

    @property
    def id(self) -> str:
        """Twelve hex digits, from the ids of the runs."""
        return sha256(" ".join(c.id for c in self.configs).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of its file: the id after the kind of machine that it asks for."""
        return f"{'gpu' if self.needs.gpu else 'cpu'}-{self.id}"


def plan(
    configs: Iterable[RunConfig],
    past: Past,
    places: int = 1,
    device: str | None = None,
    target: float = TARGET,
) -> list[Batch]:
    """Cut runs into batches of about `target` minutes, at least so many that all `places` have work.

    Runs keep their order, which is the order in which they are worth training; those that ask for a GPU
    and those that do not are never in one batch.
    """
    needed = [(c, needs(c, past, device)) for c in configs]
    minutes = sum(n.minutes for _, n in needed)
    share = max(minutes / (SHARES * places), min(LEAST, minutes / places)) if places > 1 else target
    size = max(min(target, share), minutes / MOST)
    kinds = [[pair for pair in needed if pair[1].gpu == gpu] for gpu in (False, True)]
    return [
        Batch(
            tuple(config for config, _ in pairs),
            Needs(sum(n.minutes for _, n in pairs), max(n.mem_mb for _, n in pairs), pairs[0][1].gpu),
        )
        for kind in kinds
        for pairs in _cut(kind, size)
    ]


def _cut(needed: list[tuple[RunConfig, Needs]], size: float) -> Iterator[list[tuple[RunConfig, Needs]]]:
    batch: list[tuple[RunConfig, Needs]] = []
    minutes = 0.0
    for pair in needed:
        # Half of a run may stand over: cutting before every such run would leave batches of one.
        if batch and minutes + pair[1].minutes / 2 > size:
            yield batch
            batch, minutes = [], 0.0
        batch.append(pair)
        minutes += pair[1].minutes
    if batch:
        yield batch


def write(batch: Batch, folder: Path) -> Path:
    """Write a batch's file; a mark that such a batch is done is removed, since its runs are missing."""
    path = folder / f"{batch.name}.json"
    path.with_suffix(".done").unlink(missing_ok=True)
    n, configs = batch.needs, [c.meaning() for c in batch.configs]
    body = {"minutes": n.minutes, "limit": n.limit, "mem_mb": n.mem_mb, "runs": configs}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return path


def resource(path: Path, name: str) -> int:
    """Read what a batch needs ("limit" in minutes, "mem_mb") from its file."""
    return int(json.loads(path.read_text(encoding="utf-8"))[name])


def read(path: Path) -> list[RunConfig]:
    """Read the configurations of a batch; `ConfigError` if the file is not there or holds anything else."""
    try:
        return [RunConfig.from_dict(found) for found in json.loads(path.read_text(encoding="utf-8"))["runs"]]
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f'{path}: expected {{"runs": [{{setting: value, …}}, …]}} ({type(error).__name__}: {error})'
        ) from error
