"""Making the synthetic dataset: seconds and peak memory, each size in a process of its own.

There is no peer to compare with, so it prints what the project promises: seconds on two cores, and
megabytes of peak resident memory.
"""

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from softlabels.datasets import load

# Image size -> at most so many seconds on two cores.
PROMISED = {64: 6, 224: 60}
PROMISED_MEGABYTES = 1500


def measure(image_size: int, n_images: int) -> tuple[float, float]:
    """Seconds, and megabytes of peak memory, of a process that makes the dataset and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOFTLABELS_CACHE"] = folder
        start = time.perf_counter()
        load("synthetic", image_size=image_size, n_images=n_images)
        took = time.perf_counter() - start
    return took, peak_megabytes()


def peak_megabytes() -> float:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux the portable figure starts at that of the process that started this one
        kilobytes = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(kilobytes.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    from common import parser, report  # PyTorch, which the measured processes do without

    top = parser(__doc__)
    top.add_argument("--images", type=int, default=15_000)
    top.add_argument("--rounds", type=int, default=1)
    options = top.parse_args(arguments)
    sizes = dict.fromkeys([16], 6) if options.quick else PROMISED
    images = 100 if options.quick else options.images
    for size, limit in sizes.items():
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            rounds = [pool.apply(measure, (size, images)) for _ in range(options.rounds)]
        report(
            f"generator-{size}px",
            [took for took, _ in rounds],
            images=images,
            limit_seconds=limit,
            megabytes=round(max(peak for _, peak in rounds)),
            promised_megabytes=PROMISED_MEGABYTES,
        )


if __name__ == "__main__":
    main()
