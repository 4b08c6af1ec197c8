"""Errors a user can act on: what was expected, what was found, what to do."""

import difflib
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec


class SoftlabelsError(Exception):
    """Base of every error that the command line prints without a traceback."""


class ConfigError(SoftlabelsError):
    """A setting that does not exist or cannot hold the value it was given."""


class DataError(SoftlabelsError):
    """A data file that is damaged, inconsistent or not what its checksum says."""


class DataUnavailable(SoftlabelsError):
    """Data or weights that are neither here nor to be downloaded from here."""


class CheckError(SoftlabelsError):
    """A check of data that could not be made, or whose report could not be written."""


class RecordError(SoftlabelsError):
    """A run record that is damaged or contradicts another one."""


class StorageError(SoftlabelsError, OSError):
    """A file that could not be written: the disk is full, or nobody may write there."""


class TrainingError(SoftlabelsError):
    """A training that cannot go on, with the epoch, the batch and the configuration."""


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """Build the error for a misspelt name; it proposes the nearest known one.

    Examples
    --------
    >>> print(unknown("network", "resnet8", ["resnet9", "densenet121"]))
    unknown network 'resnet8'; did you mean 'resnet9'? Known: densenet121, resnet9
    """
    names, name = sorted(known), str(name)[:80]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return ConfigError(f"unknown {kind} '{name}'{hint} Known: {', '.join(names)}")


P = ParamSpec("P")


def told(status: int) -> Callable[[Callable[P, None]], Callable[P, int]]:
    """Make a function a command: it returns 0; a user's mistake is one line on stderr and `status`."""

    def decorate(work: Callable[P, None]) -> Callable[P, int]:
        @wraps(work)
        def command(*args: P.args, **kwargs: P.kwargs) -> int:
            try:
                work(*args, **kwargs)
            except SoftlabelsError as error:
                print(f"error: {error}", file=sys.stderr)
                return status
            return 0

        return command

    return decorate
