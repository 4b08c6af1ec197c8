"""Training in calls of bounded length, as on a GPU that is lent for minutes: whole pairs, in their order.

A unit is what must not be torn apart: both arms of a pair. Further arms of the same setting, seed and fold
are units of their own, each compared with the pair that came before.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from softlabels.errors import DataUnavailable
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.runs import parallel
from softlabels.runs.grids import Cell
from softlabels.runs.records import Record, find
from softlabels.runs.workload import Past

Unit = tuple[Cell, ...]
SHARE = 0.9  # of the time that is left, which the next runs may be expected to take


@dataclass(frozen=True)
class Call:
    """What one call trains, and the minutes that it is expected to take."""

    units: tuple[Unit, ...]
    minutes: float

    @property
    def cells(self) -> list[Cell]:
        """Its runs."""
        return [cell for unit in self.units for cell in unit]


def units(cells: Sequence[Cell]) -> list[Unit]:
    """Cut a grid into what belongs together, in the grid's order; a run stands in one unit only."""
    groups: dict[tuple, list[Cell]] = {}
    for cell in cells:
        place = cell.dataset, cell.network, cell.recipe, cell.seed, cell.config.fold
        groups.setdefault(place, []).append(cell)
    found: list[Unit] = []
    for group in groups.values():
        soft = next((cell for cell in group[1:] if cell.arm in ("soft", "annot-mix")), None)
        pair = [group[0], *([soft] if soft else group[1:2])]
        found += [tuple(pair), *((cell,) for cell in group if cell not in pair)]
    return found


def missing(cells: Sequence[Cell]) -> list[Unit]:
    """Units without the runs that have a record."""
    left = (tuple(cell for cell in unit if find(cell.config) is None) for unit in units(cells))
    return [unit for unit in left if unit]


def plan(cells: Sequence[Cell], seconds: float, past: Past, gpu: bool, at_once: int = 1) -> list[Call]:
    """Calls of `seconds` each that train what is missing, by what runs are expected to take.

    A unit that takes longer than a call has one of its own.
    """
    calls: list[Call] = []
    taken: list[Unit] = []
    minutes = 0.0
    for unit in missing(cells):
        own = expected(unit, past, gpu) / at_once
        if taken and minutes + own > SHARE * seconds / 60:
            calls.append(Call(tuple(taken), minutes))
            taken, minutes = [], 0.0
        taken.append(unit)
        minutes += own
    return [*calls, Call(tuple(taken), minutes)] if taken else calls


def expected(unit: Unit, past: Past, gpu: bool) -> float:
    """Minutes that a unit is expected to take."""
    return sum(past.expected(cell.config, gpu) for cell in unit)


def train(
    cells: Sequence[Cell],
    seconds: float,
    past: Past,
    device: str | None = None,
    at_once: int = 1,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[Record], int]:
    """Train units until the next one is not expected to fit; records, and how many runs are left.

    The first `at_once` units are begun in any case. How long they took, against what was expected, corrects
    the expectation of the others.
    """
    gpu, start = hardware(device).device.type != "cpu", clock()
    left, found, hoped = missing(cells), [], 0.0
    size = at_once
    while left and size:
        now, left = left[:size], left[size:]
        found += _trained([cell.config for unit in now for cell in unit], device, at_once)
        hoped += sum(expected(unit, past, gpu) for unit in now)
        size = _fitting(left, SHARE * (seconds - (clock() - start)), (clock() - start) / hoped, past, gpu)
    return found, sum(map(len, left))


def _trained(configs: Sequence[RunConfig], device: str | None, at_once: int) -> list[Record]:
    try:
        return parallel.train(configs, device, at_once)
    except DataUnavailable as error:  # the others have been trained
        print(f"softlabels: {error}", file=sys.stderr)
        return list(filter(None, map(find, configs)))


def _fitting(left: Sequence[Unit], seconds: float, pace: float, past: Past, gpu: bool) -> int:
    """How many of the next units fit into a time, at `pace` seconds a minute expected."""
    for number, unit in enumerate(left):
        seconds -= pace * expected(unit, past, gpu)
        if seconds < 0:
            return number
    return len(left)
