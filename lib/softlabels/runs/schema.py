"""The form of a run record: which entries its JSON has, of which type, and that its numbers are numbers."""

import math
import re
from collections.abc import Iterable
from typing import Any

DIGEST = re.compile("[0-9a-f]{64}")
TEXTS = {
    "data": ("name", "variant", "sha256"),
    "environment": ("device", "machine", "precision", "commit"),
}


def check(body: dict[str, Any]) -> None:
    """Hold the entries of a record (`records.Record` describes them) to their form.

    Raises
    ------
    KeyError, TypeError, ValueError
        Naming the first entry that is missing or not of its form.
    """
    metrics, history = _names("metrics", body["metrics"]), body["history"]
    for part in ("test", "validation", *metrics):
        _numbers(f"metrics.{part}", metrics[part])
    if not isinstance(history, list) or not history:
        raise TypeError("history: expected a list of epochs")
    for number, row in enumerate(history, 1):
        _numbers(f"history of epoch {number}", row)
    if type(body["best_epoch"]) is not int or not 1 <= body["best_epoch"] <= len(history):
        raise ValueError(f"best_epoch: expected one of {len(history)}")
    _numbers("the record", {"seconds": body["seconds"]})
    _names("labels", body["labels"])
    for name, keys in TEXTS.items():
        entry = _names(name, body[name])
        for key in keys:
            if not isinstance(entry[key], str):
                raise TypeError(f"{name}.{key}: expected text")
    check_digests(body["checksums"], ("arrays", "features"))


def check_digests(found: Any, names: Iterable[str]) -> None:
    """Raise as `check` does unless these checksums are there, each of 64 hexadecimal digits."""
    for name in names:
        if not DIGEST.fullmatch(str(_names("checksums", found)[name])):
            raise ValueError(f"checksums.{name}: expected 64 hexadecimal digits")


def _names(where: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError(f"{where}: expected names with values")
    return found


def _numbers(where: str, found: Any) -> None:
    for name, value in _names(where, found).items():
        limit = 2**63 if type(value) is int else math.inf  # as NumPy takes them
        if type(value) not in (int, float) or not abs(value) < limit:
            raise TypeError(f"{name} of {where}: expected a number")
