"""How well the rebuilt synthetic dataset matches what is published about the original."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import published
from softlabels.analysis.formatting import number, signed
from softlabels.chapters.label_distributions import Card


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


def table(rows: Sequence[tuple[str, float, float]]) -> pd.DataFrame:
    """Published statistics, ours and the deviation in percent."""
    return pd.DataFrame(
        {
            "statistic": [name for name, _, _ in rows],
            "published": [number(theirs) for _, theirs, _ in rows],
            "ours": [number(ours) for _, _, ours in rows],
            "deviation": [f"{signed(100 * (ours / theirs - 1), 1)} %" for _, theirs, ours in rows],
        }
    )
