"""Loading FER+: decoding all faces into the cache, and opening what is there, each in a process of its own.

There is no peer to compare with, so it prints what the project promises, in seconds on two cores. The images
have to be in the data folder (``SOFTLABELS_DATA``); `--quick` writes and reads a few generated ones.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from softlabels.datasets import load

PROMISED = {"first": 60, "again": 1}


def measure(dataset: str, options: dict[str, Any], cache: str) -> float:
    """Seconds until the dataset is there, in a process that has loaded the library and nothing else."""
    os.environ["SOFTLABELS_CACHE"] = cache
    start = time.perf_counter()
    load(dataset, **options)
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    from common import parser, report  # PyTorch, which the measured processes do without

    top = parser(__doc__)
    top.add_argument("--rounds", type=int, default=1)
    options = top.parse_args(arguments)
    what: tuple[str, dict[str, Any]] = ("ferplus", {})
    if options.quick:
        what = ("micebone-standin", {"n_images": 20})
    times: dict[str, list[float]] = {name: [] for name in PROMISED}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name in PROMISED:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    times[name].append(pool.apply(measure, (*what, cache)))
    for name, limit in PROMISED.items():
        report(f"loading-{name}", times[name], limit_seconds=limit, dataset=what[0])


if __name__ == "__main__":
    main()
