"""Many small runs on one GPU: how much is gained when k of them share it, for k = 1, 2, 4, 8.

Ours is the wall time of eight runs on CIFAR-sized images, k at a time, as `softlabels train --runs-per-gpu k`
trains them, start of the processes included; the peer is the same with one at a time. The default of
`--runs-per-gpu` is one until this has been measured on a GPU. Without one there is nothing to measure: the
script says so, and `--device cpu` shows that it works.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from common import parser, report, seconds
from softlabels.learning.config import RunConfig
from softlabels.runs import parallel

TARGET = 1.0
SMALL = RunConfig(network="resnet9-cifar", image_size=32, epochs=10, augmentation="crop-flip")


def took(configs: Sequence[RunConfig], device: str, at_once: int) -> float:
    """Wall time of these runs in an empty cache, the images' generation left out."""
    with TemporaryDirectory() as scratch:
        (Path(scratch) / "runs").mkdir()
        data = Path(os.environ["SOFTLABELS_CACHE"]) / "datasets"
        if data.exists():
            (Path(scratch) / "datasets").symlink_to(data)
        before = os.environ["SOFTLABELS_CACHE"]
        os.environ["SOFTLABELS_CACHE"] = scratch
        try:
            with redirect_stdout(sys.stderr):  # progress: standard output has the result alone
                return seconds(lambda: parallel.train(configs, device, at_once))
        finally:
            os.environ["SOFTLABELS_CACHE"] = before


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--device", default="cuda")
    top.add_argument("--runs", type=int, default=8)
    options = top.parse_args(arguments)
    if options.quick:
        options.device, options.runs = "cpu", 2
    if options.device != "cpu" and not torch.cuda.is_available():
        print("runs-per-gpu: not measured; there is no GPU", file=sys.stderr)
        return
    base = (
        SMALL.replace(network="resnet9-tiny", limit=60, epochs=1, batch_size=16) if options.quick else SMALL
    )
    configs = [base.replace(seed=seed) for seed in range(options.runs)]
    with TemporaryDirectory() as scratch:
        os.environ["SOFTLABELS_CACHE"] = scratch
        with redirect_stdout(sys.stderr):
            parallel.train(configs[:1], options.device)  # generates the images, loads what is loaded once
        alone = took(configs, options.device, 1)
        for k in (2,) if options.quick else (2, 4, 8):
            shared = took(configs, options.device, k)
            report(f"runs-per-gpu-{k}", [shared], [alone], TARGET, device=options.device, runs=options.runs)


if __name__ == "__main__":
    main()
