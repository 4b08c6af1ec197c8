"""Published numbers, each with its source; they stand in the JSON file beside this module."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from softlabels.errors import unknown
from softlabels.learning.config import METHODS


@cache
def numbers() -> dict[str, Any]:
    """Return everything that is published, as nested dictionaries with a ``source`` each."""
    return json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))


def get(*keys: str) -> Any:
    """Return one published entry, such as ``get("bhl", "synthetic", "soft", "kl")``.

    A key that does not exist raises `ConfigError`, which names the nearest one.
    """
    entry: Any = numbers()
    for key in keys:
        if not isinstance(entry, dict) or key not in entry:
            raise unknown("published number", key, entry if isinstance(entry, dict) else ())
        entry = entry[key]
    return entry


def bhl(dataset: str, arm: str, metric: str) -> tuple[float, float]:
    """Mean and standard deviation over three splits from BHL's Table 1; `arm` is "hard" or "soft"."""
    mean, sd = get("bhl", dataset, arm, metric)
    return mean, sd


def bhl_difference(dataset: str, metric: str) -> float:
    """Published mean of the soft arm minus that of the hard arm."""
    return bhl(dataset, "soft", metric)[0] - bhl(dataset, "hard", metric)[0]


# AM's twelve: what they rank. A method that is added has no published rank and stands beside them.
RANKED = tuple(m for m in METHODS if m in get("annotmix", "ranks")["last"])
