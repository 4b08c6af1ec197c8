"""Learning from people who disagree: the shared library of the companion.

`metrics`, `selective` and `attacks` can be had from here, as ``from softlabels import metrics``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# What people type most, whatever wing it lies in; loaded when it is asked for.
PUBLIC = {"metrics": "labels.metrics", "selective": "labels.selective", "attacks": "learning.attacks"}


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{PUBLIC[name]}")
