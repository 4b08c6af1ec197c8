"""An epoch of annot-mix as we train it against one of scikit-activeml's, on data of the size of music genres.

Same network, annotator part, batches and optimiser, one thread; seconds are those of the processor, so that
other programs on the machine count little. Without scikit-activeml (and skorch) only ours is measured.
Memory: one epoch with 50,000 images and 10,000 annotators, whose dense matrix alone would take 2 GB at four
bytes an entry, in a process of its own (``--memory``).
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch
from common import in_turns, parser, report, seconds
from generator import peak_megabytes
from softlabels.annotators import learning, pairs
from softlabels.config import RunConfig
from softlabels.datasets import Annotations, Dataset, Source
from softlabels.hardware import hardware
from torch import nn

TARGET = 5.0
EPOCHS = 5  # of the peer in one call: its start is spread over them
# images, features, classes, annotators, judgements per image
SIZES = {"mgc": (700, 124, 10, 44, 4), "letter": (15_500, 16, 26, 20, 3)}


def task_of(size: tuple[int, int, int, int, int], config: RunConfig) -> learning.CrowdTask:
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
    return learning.CrowdTask(data, *tensors, soft, rows, zero, one, 0, pairs(found, n, c, m), truth)


class Peer:
    """scikit-activeml's classifier on the same data; a call trains `EPOCHS` epochs."""

    def __init__(self, task: learning.CrowdTask, config: RunConfig):
        from skactiveml.classifier.multiannotator import AnnotMixClassifier

        c, m = task.pairs.n_classes, task.pairs.n_annotators
        self.x, self.y = task.dataset.images, np.full((len(task.images), m), -1)
        found = task.dataset.annotations
        self.y[found.image, found.annotator] = found.label
        both = learning.build_all(config, task, hardware("cpu", "fp32"))
        settings = {
            "max_epochs": EPOCHS,
            "batch_size": config.batch_size,
            "lr": config.lr,
            "optimizer": torch.optim.RAdam,
            "train_split": None,
            "verbose": 0,
        }
        self.model = AnnotMixClassifier(
            Whole(both["network"]),
            alpha=1.0,
            sample_embed_dim=128,
            annotator_embed_dim=128,
            hidden_dim=128,
            n_hidden_layers=1,
            hidden_dropout=0.5,
            neural_net_param_dict=settings,
            classes=list(range(c)),
            missing_label=-1,
            random_state=0,
        )

    def __call__(self) -> None:
        self.model.fit(self.x, self.y)


class Whole(nn.Module):
    """Logits and embedding from one call."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.net.features(x)


def epochs(task: learning.CrowdTask, config: RunConfig, n: int):
    hw = hardware("cpu", "fp32")
    both = learning.build_all(config, task, hw)
    optimiser = learning.optimiser_of(config, both)

    def run() -> None:
        for number in range(n):
            learning.epoch(config, task, hw, both, optimiser, number)

    return run


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--rounds", type=int, default=7)
    top.add_argument("--memory", action="store_true", help="measure memory only, in this very process")
    top.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    options = top.parse_args(arguments)
    torch.set_num_threads(1)
    config = RunConfig(
        method="annot-mix", network="mlp-256-128", dropout=0.5, batch_size=64, lr=0.01, weight_decay=0.0
    )
    if options.memory:
        return memory(config, options.quick)
    sizes = {"quick": (64, 8, 3, 5, 2)} if options.quick else {name: SIZES[name] for name in options.sizes}
    for name, size in sizes.items():
        speed(name, task_of(size, config), config, 2 if options.quick else options.rounds)
    child = [sys.executable, __file__, "--memory", *(["--quick"] if options.quick else [])]
    subprocess.run(child, check=True)
    return None


def speed(name: str, task: learning.CrowdTask, config: RunConfig, rounds: int) -> None:
    """Report seconds per epoch, of both where the peer is here."""
    ours, clock = epochs(task, config, EPOCHS), time.process_time
    if importlib.util.find_spec("skactiveml") is None:
        ours()
        times = [seconds(ours, clock) / EPOCHS for _ in range(rounds)]
        return report(f"annotators-{name}", times, clock="processor")
    peer = Peer(task, config)
    in_turns(ours, peer, 1)  # to warm up
    both = in_turns(ours, peer, rounds, clock)
    per_epoch = [[t / EPOCHS for t in side] for side in both]
    return report(f"annotators-{name}", *per_epoch, target=TARGET, clock="processor")


def memory(config: RunConfig, quick: bool) -> None:
    """Report the peak of this process, imports included, after one epoch of a large problem."""
    large = (640, 8, 10, 1000, 1) if quick else (50_000, 32, 10, 10_000, 2)
    took = seconds(epochs(task_of(large, config), config, 1), time.process_time)
    megabytes = round(peak_megabytes())
    report("annotators-memory", [took], megabytes=megabytes, promised_megabytes=2000, clock="processor")


if __name__ == "__main__":
    main()
