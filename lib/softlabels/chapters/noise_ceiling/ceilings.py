"""The noise ceilings that chapter 13 shows.

``python -m softlabels.chapters.noise_ceiling.ceilings`` makes the committed ones.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from softlabels import datasets
from softlabels.errors import DataUnavailable, told, unknown
from softlabels.labels.ceiling import BOOTSTRAPS, Ceiling, split_half
from softlabels.store import Shelf, read, write_atomically

SHELF = Shelf("ceilings")
DATASETS = ("cifar10h-9500", "ferplus", "micebone-standin")


def get(name: str, n_boot: int = BOOTSTRAPS) -> Ceiling:
    """Return the ceiling of a dataset: the committed one, else estimated now from its annotations.

    Raises
    ------
    DataUnavailable
        The dataset can be had neither here nor from the network.
    """
    path = SHELF.find(f"{name}.json", committed_only=True)
    if path is None:
        return split_half(datasets.load(name).counts, np.random.default_rng(0), n_boot)
    remedy = "`python -m softlabels.chapters.noise_ceiling.ceilings` renews it"
    return read(path, _parsed, "a noise ceiling", remedy)


def _parsed(content: bytes) -> Ceiling:
    body = json.loads(content)
    return Ceiling(**{**body, "panel": tuple(body["panel"])})


def of_profile(profile: str) -> dict[str, Ceiling]:
    """Return the ceilings that a chapter shows; a dataset that cannot be had here is left out."""
    names, n_boot = (DATASETS[-1:], 5) if profile == "smoke" else (DATASETS, BOOTSTRAPS)
    found = {}
    for name in names:
        try:
            found[name] = get(name, n_boot)
        except DataUnavailable:
            continue
    return found


def publish(name: str) -> Path:
    """Estimate the ceiling of a dataset and write it into the committed results; returns the file."""
    found = split_half(datasets.load(name).counts, np.random.default_rng(0), BOOTSTRAPS)
    path = SHELF.committed / f"{name}.json"
    write_atomically(path, (json.dumps(asdict(found), indent=1) + "\n").encode())
    return path


@told(2)
def main(arguments: list[str] | None = None) -> None:
    """Make the committed noise ceilings of the datasets that can be had here."""
    command = "python -m softlabels.chapters.noise_ceiling.ceilings"
    parser = argparse.ArgumentParser(prog=command, description=main.__doc__)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(DATASETS)}; all if left out")
    wanted = parser.parse_args(arguments).names or DATASETS
    for name in wanted:
        if name not in DATASETS:
            raise unknown("dataset", name, DATASETS)
        print(publish(name))


if __name__ == "__main__":
    sys.exit(main())
