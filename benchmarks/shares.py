"""Where the time of a training and of `make book` goes, part by part, in seconds of the processor.

A training has one thread and a chapter is a fork of a process that has imported the library, as `make book`
executes it; so other programs on the machine count little. *What it costs* shows ``results/shares.json``.
"""

import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import parser
from softlabels import datasets, paths, runs
from softlabels.book import costs, engine, execute
from softlabels.learning import inputs, training
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import Hardware, hardware
from softlabels.store import write_atomically


class Stopwatch:
    """Adds up the processor's seconds of functions; what one of them calls counts for it alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.busy = False

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Time every call of ``owner.name`` as `part`."""
        function = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self.busy:
                return function(*args, **kwargs)
            self.busy, start = True, time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.busy = False
                self.spent[part] += time.process_time() - start

        setattr(owner, name, timed)


def of_training(config: RunConfig) -> dict[str, float]:
    """Seconds of the parts of one training, as runs are trained; its first epoch warms up."""
    torch.set_num_threads(1)
    task, hw, watch = inputs.prepare(config), hardware("cpu"), Stopwatch()
    build = training.build

    def built(*args: Any) -> Any:
        model, optimiser = build(*args)
        watch.wrap(model, "forward", "forward")
        watch.wrap(optimiser, "step", "update")
        return model, optimiser

    training.build = built
    watch.wrap(Hardware, "images", "choosing and converting images")
    watch.wrap(training, "augment", "augmentation")
    watch.wrap(torch.Tensor, "backward", "backward")
    watch.wrap(training, "_validate", "validation after each epoch")
    watch.wrap(training, "store", "checkpoint after each epoch")
    with tempfile.TemporaryDirectory() as folder:
        training.train(config.replace(epochs=1), task, hw, Path(folder) / "first")
        watch.spent.clear()
        start = time.process_time()
        training.train(config, task, hw, Path(folder) / "run")
        whole = time.process_time() - start
    return {**watch.spent, "all else": whole - sum(watch.spent.values())}


def of_fork(action: Callable[[], Any]) -> float:
    """Seconds of the processor that `action` takes in a process of its own, a fork of this one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = multiprocessing.get_context("fork").Process(target=action)
    child.start()
    child.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.exitcode:
        raise SystemExit("a chapter or the site failed; see above")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def of_book(notebooks: Sequence[Path]) -> dict[str, float]:
    """Seconds of every chapter and of the site, as `make book` makes them from records."""
    engine.ready()
    spent = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOFTLABELS_CACHE"] = f"{folder}/cache"
        for notebook in notebooks:
            out = Path(folder) / "book" / "chapters" / notebook.name
            drawn = {"train": False} if "train = " in notebook.read_text() else {}
            spent[notebook.stem] = of_fork(partial(execute.execute, notebook, out, drawn))
            print(f"{notebook.stem}: {spent[notebook.stem]:.1f} s", flush=True)
        if len(notebooks) > 1:
            spent["site"] = of_fork(lambda: sys.exit(execute.main(["build", f"{folder}/book"])))
    return spent


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    options = top.parse_args(arguments)
    config = RunConfig(
        network="resnet9-tiny" if options.quick else "resnet9",
        image_size=16 if options.quick else 64,
        limit=120 if options.quick else 3000,
        epochs=1 if options.quick else 2,
        augmentation="flips-turns",
    )
    datasets.load("synthetic", image_size=config.image_size)  # made before anything is timed
    notebooks = sorted((paths.PROJECT / "notebooks").glob("*.ipynb"))
    here = runs.environment(hardware("cpu"))
    # First: they are forks, and what has trained may have threads.
    book = of_book(notebooks[-1:] if options.quick else notebooks)
    found = {
        "commit": here["commit"],
        "machine": here["machine"],
        "precision": here["precision"],
        "training": of_training(config),
        "book": book,
    }
    print(json.dumps(found))
    if not options.quick:
        content = json.dumps(found, indent=1, ensure_ascii=False)
        write_atomically(costs.shares_file(), (content + "\n").encode())


if __name__ == "__main__":
    main()
