"""Chapter 2. Dataset cards: what a dataset looks like, in a small file, so that a chapter needs no download.

``python -m softlabels.chapters.label_distributions`` makes the committed ones.
"""

import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from softlabels import datasets
from softlabels.chapters import descriptions
from softlabels.datasets.base import Dataset
from softlabels.errors import DataUnavailable
from softlabels.labels import votes
from softlabels.store import Shelf, pack, read, unpack, write_atomically

GRIDS = ()  # drawn from descriptions of datasets, not from runs
SHELF = Shelf("datasets")
# The cards that the chapters draw from. 224 px is the size of the published statistics.
COMMITTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("synthetic", {"image_size": 64}),
    ("synthetic", {"image_size": 224}),
    ("cifar10h-9500", {}),
    ("cifar10-jpeg", {}),
    ("ferplus", {}),
    ("micebone-standin", {}),
)
SMOKE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("synthetic", {"image_size": 32, "n_images": 600}),
    ("cifar10h-9500", {}),
)
EXAMPLES = 24


@dataclass(frozen=True)
class Card:
    """What `describe` found."""

    facts: dict[str, Any]  # numbers and words, as they stand in the JSON file
    # Images from the least to the most ambiguous, uint8 [24, H, W, C]; none where they must not be shown.
    examples: np.ndarray
    distributions: np.ndarray  # float32 [24, K], their soft labels
    entropies: np.ndarray  # float32 [N], of every image's soft label, in nats

    @property
    def title(self) -> str:
        """Name of the dataset with the size of its images."""
        return f"{self.facts['name']}, {self.facts['image_shape'][0]} px"


def describe(name: str, **options: Any) -> Card:
    """Load a dataset and describe it; options as for `datasets.load`."""
    data = datasets.load(name, **options)
    q = votes.soft_labels(data.counts)
    entropies = votes.entropy(q)
    spread = np.linspace(0, len(data) - 1, min(EXAMPLES, len(data))).astype(int)
    chosen = np.argsort(entropies, kind="stable")[spread]  # from certain to ambiguous
    facts = {
        "name": data.name,
        "options": options,
        "n_images": len(data),
        "image_shape": list(data.images.shape[1:]),
        "classes": list(data.classes),
        "source": asdict(data.source),
        "example_ids": data.ids[chosen].tolist(),
        **_label_facts(data, q, entropies),
        **_pixel_facts(data.images),
    }
    shown = data.pictures(chosen) if data.source.show else np.empty((0, *data.images.shape[1:]), np.uint8)
    return Card(facts, shown, q[chosen], entropies.astype(np.float32))


def _label_facts(data: Dataset, q: np.ndarray, entropies: np.ndarray) -> dict[str, Any]:
    top, total = q.max(1, keepdims=True), data.counts.sum(1)
    winner, counted = q.argmax(1), bool(total.max() > 1 + 1e-3)
    return {
        "class_counts": np.bincount(winner, minlength=q.shape[1]).tolist(),
        "class_mass": [round(float(m), 6) for m in q.mean(0, dtype=np.float64)],
        "mean_entropy": round(float(entropies.mean(dtype=np.float64)), 6),
        "ties": int(((q == top).sum(1) > 1).sum()),
        "unanimous": round(float((top > 1 - 1e-6).mean()), 6),
        # A generator gives exact distributions, which nobody counted.
        "annotations_per_image": [int(total.min()), int(total.max())] if counted else None,
        "annotations": int(total.sum()) if counted else None,
        "majority_is_truth": None if data.truth is None else round(float((winner == data.truth).mean()), 6),
    }


def _pixel_facts(images: np.ndarray) -> dict[str, Any]:
    """Mean and standard deviation of each channel, intensities in [0, 1]."""
    total, squares, n = np.zeros(images.shape[-1]), np.zeros(images.shape[-1]), 0
    for start in range(0, len(images), 256):
        pixels = images[start : start + 256].reshape(-1, images.shape[-1]).astype(np.float32) / 255
        total += pixels.sum(0, dtype=np.float64)
        squares += np.square(pixels).sum(0, dtype=np.float64)
        n += len(pixels)
    mean = total / n
    sd = np.sqrt(squares / n - mean**2)
    return {"channel_mean": mean.round(5).tolist(), "channel_sd": sd.round(5).tolist()}


def find(name: str, **options: Any) -> Card | None:
    """Return the committed card, or None."""
    file = _name(name, options)
    facts = descriptions.find(SHELF, file, "label_distributions", dict)
    if facts is None:
        return None
    path = SHELF.committed / file.replace(".json", ".npz")
    arrays = read(path, unpack, "the arrays of a dataset card", descriptions.remedy("label_distributions"))
    return Card(facts, arrays["examples"], arrays["distributions"], arrays["entropies"])


def of_profile(profile: str, fresh: bool = False) -> list[Card]:
    """Return the cards that a chapter shows: committed, or made now; what cannot be had here is left out.

    If `fresh`, the datasets are described again, even where there is a card.
    """
    found = []
    for name, options in SMOKE if profile == "smoke" else COMMITTED:
        with suppress(DataUnavailable):
            found.append((None if fresh else find(name, **options)) or describe(name, **options))
    return found


def _name(name: str, options: dict[str, Any]) -> str:
    suffix = "".join(f"-{key}{value}" for key, value in sorted(options.items()))
    return f"{name}{suffix}.json"


def publish(name: str, **options: Any) -> Path:
    """Describe a dataset and write its card into the committed results; returns the JSON file."""
    card, file = describe(name, **options), _name(name, options)
    arrays = {key: getattr(card, key) for key in ("examples", "distributions", "entropies")}
    write_atomically(SHELF.committed / file.replace(".json", ".npz"), pack(**arrays))
    return descriptions.write(SHELF, file, card.facts)


def _publish_all(name: str) -> str:
    return "\n".join(str(publish(name, **options)) for one, options in COMMITTED if one == name)


MAKERS = {name: partial(_publish_all, name) for name, _ in COMMITTED}

if __name__ == "__main__":
    sys.exit(descriptions.command("label_distributions", MAKERS))
