"""Training on images that do not fit into memory: peak and speed under a limit, against images in memory.

The data are a file of random pixels, by default four times larger than the limit. Ours reads it as every run
does, memory-mapped, in a process of a control group with that limit (cgroup v1 or v2): it counts the pages of
the file too, where a limit on the address space (RLIMIT_AS) would forbid the map itself, and Linux enforces
none on the resident set. The peer copies all images into memory first and has no limit. Where no control
group can be made (it takes root), nothing is imposed, and the anonymous memory alone is compared.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import parser, report, seconds
from softlabels import datasets, paths
from softlabels.datasets import Dataset, Source
from softlabels.datasets.cache import read_array
from softlabels.learning import inputs, training
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware

TARGET = 0.8
MB = 1 << 20
GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.max_usage_in_bytes"),  # v1
    (Path("/sys/fs/cgroup"), "memory.max", "memory.peak"),  # v2
)


def write_noise(path: Path, n: int, size: int) -> None:
    """Write `n` images of random pixels, a block at a time."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, size, size, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n, 2000):
            file.write(rng.bytes(min(2000, n - start) * size * size * 3))
        file.flush()
        os.fsync(file.fileno())


def forget(path: Path) -> None:
    """Drop a file from the page cache, where pages that another process has read are not counted again."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def noise(path: Path) -> Dataset:
    images = read_array(path)
    assert images is not None
    counts = np.random.default_rng(1).multinomial(10, [0.5, 0.3, 0.2], len(images)).astype(np.float32)
    source = Source("noise", "none", "random pixels", "")
    return Dataset("noise", images, counts, ("a", "b", "c"), source, np.arange(len(images)))


def anonymous_mb() -> float:
    """Memory of this process that no file stands behind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def child(kind: str, config: RunConfig, path: Path, steps: int) -> None:
    """Train some steps on all of the file and print seconds and memory."""
    datasets.LOADERS["noise"] = lambda image_size=None: noise(path)
    task, hw = inputs.prepare(config), hardware("cpu")
    if kind == "memory":
        images = task.images.clone()
        task = replace(task, images=images, dataset=replace(task.dataset, images=images.numpy()))
    before = anonymous_mb()
    model, optimiser = training.build(config, task, hw)
    rng = np.random.default_rng(2)

    def some_steps(n: int) -> None:
        chosen = rng.choice(task.rows["train"], n * config.batch_size, replace=False)
        part = replace(task, rows={**task.rows, "train": np.sort(chosen)})
        training._epoch(config, part, hw, model, optimiser, 0)

    some_steps(2)  # to warm up
    spent = seconds(lambda: some_steps(steps))
    print(json.dumps({"seconds": spent, "anonymous_mb": anonymous_mb(), "prepared_mb": before}))


@contextmanager
def control_group(limit: int):
    """A control group with a limit, or None where none can be made; it is removed at the end."""
    for root, name, peak in GROUPS:
        group = root / f"softlabels-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(limit))
            yield group, group / peak
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    yield None, None


def measure(kind: str, options, path: Path, limit: int = 0) -> dict[str, float]:
    """Run a child and return what it printed, with the peak of its control group in MB."""
    command = [sys.executable, __file__, "--child", kind, "--file", str(path), "--steps", str(options.steps)]
    command += ["--network", options.network, "--image-size", str(options.image_size)]
    forget(path)
    with control_group(limit) if limit else nothing() as (group, peak):
        join = (lambda: (group / "cgroup.procs").write_text(str(os.getpid()))) if group else None
        done = subprocess.run(command, preexec_fn=join, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"memory: the child {kind!r} ended with {done.returncode}")
        found = json.loads(done.stdout.splitlines()[-1])
        return found | {"peak_mb": int(peak.read_text()) / MB if peak and peak.exists() else None}


@contextmanager
def nothing():
    yield None, None


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--limit-mb", type=int, default=2048)
    top.add_argument("--times", type=float, default=4, help="how much larger than the limit the data are")
    top.add_argument("--network", default="resnet9")
    top.add_argument("--image-size", type=int, default=64)
    top.add_argument("--steps", type=int, default=40)
    top.add_argument("--rounds", type=int, default=3)
    top.add_argument("--child", choices=["limited", "memory"], help="for the script's own use")
    top.add_argument("--file", type=Path, help="for the script's own use")
    options = top.parse_args(arguments)
    if options.quick:
        options.network, options.image_size, options.steps, options.rounds = "resnet9-tiny", 16, 2, 1
    size = options.image_size
    config = RunConfig(dataset="noise", network=options.network, image_size=size)
    if options.child:
        child(options.child, config, options.file, options.steps)
        return
    n_images = 1500 if options.quick else int(options.times * options.limit_mb * MB / (size * size * 3))
    path = paths.cache() / "memory-benchmark.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_noise(path, n_images, size)
        limit = 0 if options.quick else options.limit_mb * MB
        rounds = [
            (measure("limited", options, path, limit), measure("memory", options, path))
            for _ in range(options.rounds)
        ]
    finally:
        path.unlink(missing_ok=True)
    ours, peer = ([r[side]["seconds"] for r in rounds] for side in (0, 1))
    peaks = [r[0]["peak_mb"] for r in rounds if r[0]["peak_mb"]]
    report(
        "memory",
        ours,
        peer,
        target=TARGET,
        n_images=n_images,
        data_mb=round(n_images * size * size * 3 / MB),
        promised_megabytes=options.limit_mb if peaks else None,
        megabytes=round(max(peaks)) if peaks else None,
        anonymous_mb=round(max(r[0]["anonymous_mb"] for r in rounds)),
        peer_anonymous_mb=round(max(r[1]["anonymous_mb"] for r in rounds)),
    )


if __name__ == "__main__":
    main()
