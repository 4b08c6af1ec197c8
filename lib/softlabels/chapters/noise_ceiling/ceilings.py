"""The noise ceilings that chapter 13 shows.

``python -m softlabels.chapters.noise_ceiling.ceilings`` makes the committed ones.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from softlabels import datasets, paths
from softlabels.command import told
from softlabels.errors import DataUnavailable, RecordError, unknown
from softlabels.labels.ceiling import BOOTSTRAPS, Ceiling, split_half
from softlabels.store import write_atomically

DATASETS = ("cifar10h-9500", "ferplus", "micebone-standin")


def get(name: str, n_boot: int = BOOTSTRAPS) -> Ceiling:
    """Return the ceiling of a dataset: the committed one, else estimated now from its annotations.

    Raises
    ------
    DataUnavailable
        The dataset can be had neither here nor from the network.
    """
    path = _path(name)
    if not path.exists():
        return split_half(datasets.load(name).counts, np.random.default_rng(0), n_boot)
    try:
        body = json.loads(path.read_text("utf-8"))
        return Ceiling(**{**body, "panel": tuple(body["panel"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "`python -m softlabels.chapters.noise_ceiling.ceilings` renews it"
        raise RecordError(f"{path}: not a noise ceiling ({error}); {remedy}") from error


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


def _path(name: str) -> Path:
    return paths.results() / "ceilings" / f"{name}.json"


def publish(name: str) -> Path:
    """Estimate the ceiling of a dataset and write it into the committed results; returns the file."""
    found = split_half(datasets.load(name).counts, np.random.default_rng(0), BOOTSTRAPS)
    body: dict[str, Any] = asdict(found)
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(body, indent=1) + "\n").encode())
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
