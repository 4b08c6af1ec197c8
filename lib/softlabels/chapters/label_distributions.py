"""Chapter 2. Dataset cards: what a dataset looks like, in a small file, so that a chapter needs no download.

``python -m softlabels.chapters.label_distributions`` makes the committed ones.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from softlabels import datasets
from softlabels.analysis import names, published
from softlabels.analysis.formatting import NOTHING, number, signed
from softlabels.datasets.base import Dataset
from softlabels.errors import DataUnavailable, told, unknown
from softlabels.labels import votes
from softlabels.store import Shelf, pack, read, unpack, write

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
    """What `describe` found.

    Attributes
    ----------
    facts : dict
        Numbers and words, as they stand in the JSON file.
    examples : uint8 [24, H, W, C]
        Images from the least to the most ambiguous; none where they must not be shown.
    distributions : float32 [24, K]
        Their soft labels.
    entropies : float32 [N]
        Entropy of every image's soft label, in nats.
    """

    facts: dict[str, Any]
    examples: np.ndarray
    distributions: np.ndarray
    entropies: np.ndarray

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
    path = SHELF.find(_name(name, options), committed_only=True)
    if path is None:
        return None
    remedy = "`python -m softlabels.chapters.label_distributions` renews it"
    facts = read(path, json.loads, "a dataset card", remedy)
    arrays = read(path.with_suffix(".npz"), unpack, "the arrays of a dataset card", remedy)
    return Card(facts, arrays["examples"], arrays["distributions"], arrays["entropies"])


def of_profile(profile: str, fresh: bool = False) -> list[Card]:
    """Return the cards that a chapter shows: committed, or made now; what cannot be had here is left out.

    Parameters
    ----------
    fresh : bool
        Describe the datasets again, even where there is a card.
    """
    found = []
    for name, options in SMOKE if profile == "smoke" else COMMITTED:
        try:
            found.append((None if fresh else find(name, **options)) or describe(name, **options))
        except DataUnavailable:
            continue
    return found


def published_size(cards: Sequence[Card]) -> Card:
    """Return the card of the largest synthetic images: the published statistics are those at 224 px."""
    synthetic = [card for card in cards if card.facts["name"] == "synthetic"]
    return max(synthetic, key=lambda card: card.facts["image_shape"][0])


def _name(name: str, options: dict[str, Any]) -> str:
    suffix = "".join(f"-{key}{value}" for key, value in sorted(options.items()))
    return f"{name}{suffix}.json"


def publish(name: str, **options: Any) -> Path:
    """Describe a dataset and write its card into the committed results; returns the JSON file."""
    card, path = describe(name, **options), SHELF.committed / _name(name, options)
    arrays = {key: getattr(card, key) for key in ("examples", "distributions", "entropies")}
    facts = json.dumps(card.facts, indent=1, ensure_ascii=False) + "\n"
    write(path.parent, {path.with_suffix(".npz").name: pack(**arrays), path.name: facts.encode()})
    return path


def table(cards: Sequence[Card]) -> pd.DataFrame:
    """What the datasets hold, from their cards."""
    return pd.DataFrame([_card_row(card.facts) for card in cards])


def _card_row(facts: Mapping[str, Any]) -> dict[str, str]:
    counted, agree = facts["annotations_per_image"], facts["majority_is_truth"]
    return {
        "dataset": facts["name"],
        "images": f"{facts['n_images']:,}",
        "pixels": str(facts["image_shape"][0]),
        "classes": str(len(facts["classes"])),
        "annotations per image": f"{counted[0]}–{counted[1]}" if counted else "exact",
        "mean entropy [nats]": number(facts["mean_entropy"], 3),
        "unanimous": f"{100 * facts['unanimous']:.1f} %",
        "ties": str(facts["ties"]),
        "majority = truth": NOTHING if agree is None else f"{100 * agree:.2f} %",
        "variant": facts["source"]["variant"],
        "licence": facts["source"]["licence"],
    }


def statistics(card: Card) -> list[tuple[str, float, float]]:
    """Statistics of the generator: name, published value, ours."""
    theirs, ours = published.get("dcic_synthetic"), card.facts
    rows = [("mean label entropy [nats]", theirs["mean_entropy"], ours["mean_entropy"])]
    for key, word in (("channel_mean", "mean"), ("channel_sd", "sd")):
        colours = zip(("red", "green", "blue"), theirs[key], ours[key], strict=True)
        rows += [(f"{word} of {colour}", a, b) for colour, a, b in colours]
    ratio = "E[x²] / E[x], mean of channels"
    rows.append((ratio, _moment_ratio(theirs), _moment_ratio(ours)))
    total = sum(theirs["classes"].values()), sum(ours["class_counts"])
    for name, count in zip(ours["classes"], ours["class_counts"], strict=True):
        rows.append((f"share of class {name}", theirs["classes"][name] / total[0], count / total[1]))
    return rows


def _moment_ratio(facts: Mapping[str, Any]) -> float:
    """E[x²] / E[x]: black background scales both moments alike, so the size of the shapes drops out."""
    mean, sd = np.array(facts["channel_mean"]), np.array(facts["channel_sd"])
    return float(((sd**2 + mean**2) / mean).mean())


def reconstruction_table(rows: Sequence[tuple[str, float, float]]) -> pd.DataFrame:
    """Published statistics, ours and the deviation in percent."""
    return pd.DataFrame(
        {
            "statistic": [name for name, _, _ in rows],
            "published": [number(theirs) for _, theirs, _ in rows],
            "ours": [number(ours) for _, _, ours in rows],
            "deviation": [f"{signed(100 * (ours / theirs - 1), 1)} %" for _, theirs, ours in rows],
        }
    )


def deviations(rows: Sequence[tuple[str, float, float]]) -> str:
    """Largest deviation among (name, published, ours)."""
    name, theirs, ours = max(rows, key=lambda row: abs(row[2] / row[1] - 1))
    return f"the largest of {len(rows)} deviations is {signed(100 * (ours / theirs - 1), 1)} % ({name})"


def answer(cards: Sequence[Card]) -> str:
    """How divided people are about photographs and generated shapes, and how well these are rebuilt."""
    said = []
    for name in ("cifar10h-9500", "synthetic"):
        facts = next((card.facts for card in cards if card.facts["name"] == name), None)
        if facts:
            said.append(
                f"{names.dataset(name)}: {100 * facts['unanimous']:.0f} % of {facts['n_images']:,} images "
                f"have one class alone, and the mean entropy is {number(facts['mean_entropy'], 2)} nats."
            )
    return f"{' '.join(said)} The rebuilt generator: {deviations(statistics(published_size(cards)))}."


@told(2)
def main(arguments: list[str] | None = None) -> None:
    """Make the committed cards of the datasets that can be had here, and name those that cannot."""
    known = [name for name, _ in COMMITTED]
    parser = argparse.ArgumentParser(
        prog="python -m softlabels.chapters.label_distributions", description=main.__doc__
    )
    parser.add_argument(
        "names", nargs="*", help=f"some of {', '.join(dict.fromkeys(known))}; all if left out"
    )
    wanted = parser.parse_args(arguments).names or known
    for name in dict.fromkeys(wanted):
        if name not in known:
            raise unknown("dataset card", name, known)
    for name, options in COMMITTED:
        if name in wanted:
            try:
                print(publish(name, **options))
            except DataUnavailable as error:
                print(f"{name}: left out: {error}")


if __name__ == "__main__":
    sys.exit(main())
