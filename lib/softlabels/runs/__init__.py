"""Runs: their settings, grids and records; `get` and its kin are the public way to them.

    from softlabels import runs
    record = runs.get(runs.RunConfig())

They stand in `runs.run` and are loaded when they are asked for: reading records needs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softlabels.runs.run import Record, RunConfig, environment, find, get, get_all, restored, train_in

__all__ = ["Record", "RunConfig", "environment", "find", "get", "get_all", "restored", "train_in"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("softlabels.runs.run"), name)
