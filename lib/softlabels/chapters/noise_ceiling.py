"""Chapter 13: how near to the noise ceiling the networks are, and two real panels for one image.

``python -m softlabels.chapters.noise_ceiling`` makes the committed ceilings and the comparison of panels.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from softlabels import datasets
from softlabels.analysis import table
from softlabels.chapters import descriptions, table1
from softlabels.datasets import ferplus
from softlabels.errors import DataUnavailable
from softlabels.labels import ceiling, votes
from softlabels.labels.ceiling import BOOTSTRAPS, Ceiling, split_half
from softlabels.runs.grids import grid
from softlabels.store import Shelf

GRIDS = ("table1", "human")
SHELF = Shelf("ceilings")
DATASETS = ("cifar10h-9500", "ferplus", "micebone-standin")
TWINS = "ferplus-twins"


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The runs of Table 1, and of CIFAR-10H those of chapter 6 that are fine-tuned on either label."""
    runs = table1.collect(profile, seeds, *how)
    people = [(GRIDS[1], cell) for cell in grid(GRIDS[1], profile, seeds) if cell.arm in table.ARMS]
    return pd.concat([runs[runs.grid == GRIDS[0]], table.of_cells(people, profile, *how)], ignore_index=True)


def get(name: str, n_boot: int = BOOTSTRAPS) -> Ceiling:
    """Return the ceiling of a dataset: the committed one, else estimated now from its annotations.

    Raises `DataUnavailable` if the dataset can be had neither here nor from the network.
    """

    def parse(body: dict[str, Any]) -> Ceiling:
        return Ceiling(**{**body, "panel": tuple(body["panel"])})

    found = descriptions.find(SHELF, f"{name}.json", "noise_ceiling", parse)
    return found or _estimated(name, n_boot)


def _estimated(name: str, n_boot: int = BOOTSTRAPS) -> Ceiling:
    return split_half(datasets.load(name).counts, np.random.default_rng(0), n_boot)


def of_profile(profile: str) -> dict[str, Ceiling]:
    """Return the ceilings that a chapter shows; a dataset that cannot be had here is left out."""
    wanted, n_boot = (DATASETS[-1:], 5) if profile == "smoke" else (DATASETS, BOOTSTRAPS)
    found = {}
    for name in wanted:
        with suppress(DataUnavailable):
            found[name] = get(name, n_boot)
    return found


def publish(name: str) -> Path:
    """Estimate a ceiling, or compare the twins, and write it into the committed results; returns the file."""
    found = compare(*pairs(), np.random.default_rng(0)) if name == TWINS else _estimated(name)
    return descriptions.write(SHELF, f"{name}.json", asdict(found))


# Two real panels for the same image: does splitting one panel in halves tell what a second panel would say?
# Some 1,500 images of FER+ occur twice, equal pixel for pixel, and the authors asked ten annotators for each
# copy. Their table of votes gives both copies the votes of one; the tables beside the images have what was
# collected.


@dataclass(frozen=True)
class Twins:
    """Pairs of panels, and what they would show if all their annotators were exchangeable."""

    n_pairs: int
    divergence: float  # mean Jensen-Shannon divergence of the two panels, in nats
    expected_divergence: float
    agreement: float  # share of the pairs with the same majority; ties are drawn
    expected_agreement: float


def compare(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Twins:
    """Compare pairs of panels, annotations [N, K] of the same images, with random halves of both together.

    If a second panel differs from the first only by chance, both are random parts of their union.
    """
    both, entropy = a + b, lambda counts: votes.entropy(votes.soft_labels(counts))
    apart = (entropy(a) + entropy(b)) / 2
    parts = [ceiling.panel_entropy(both, panel.sum(1).astype(np.int64)) for panel in (a, b)]
    return Twins(
        n_pairs=len(a),
        divergence=float((entropy(both) - apart).mean()),
        expected_divergence=float((entropy(both) - sum(parts) / 2).mean()),
        agreement=_agreement(a, b, rng),
        expected_agreement=_agreement(*ceiling.halves(both, rng), rng),
    )


def _agreement(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    return float((votes.hard_labels(a, rng)[0] == votes.hard_labels(b, rng)[0]).mean())


def pairs(least: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Votes of both panels for the images of FER+ that occur twice, float32 ``[N, 8]`` each.

    Each panel must have at least so many votes for an emotion. Raises as `fetch`.
    """
    data, collected = ferplus.load(), ferplus.collected_votes()
    rows: dict[bytes, list[int]] = {}
    for row, image in enumerate(data.images):
        rows.setdefault(image.tobytes(), []).append(row)
    chosen = np.array([copies[:2] for copies in rows.values() if len(copies) > 1])
    a, b = (np.array([collected[int(i)] for i in data.ids[side]], np.float32) for side in chosen.T)
    kept = np.minimum(a.sum(1), b.sum(1)) >= least
    return a[kept], b[kept]


def twins() -> Twins | None:
    """Return the committed comparison, or None."""
    return descriptions.find(SHELF, f"{TWINS}.json", "noise_ceiling", lambda body: Twins(**body))


if __name__ == "__main__":
    makers = {name: partial(publish, name) for name in (*DATASETS, TWINS)}
    sys.exit(descriptions.command("noise_ceiling", makers))
