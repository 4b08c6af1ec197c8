"""Several runs side by side on one device: a small network leaves most of a large GPU idle.

On a CPU one run for each core is faster than one run after the other on all cores, and gives the bits of the
committed records, which have one thread.

Training can also be cut into calls of bounded length. A unit is what must not be torn apart: both arms of a
pair. Further arms of the same setting, seed and fold are units of their own, each compared with the pair that
came before.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from softlabels import runs
from softlabels.errors import ConfigError, DataUnavailable, SoftlabelsError
from softlabels.learning import bars
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.runs import planning
from softlabels.runs.grids import Cell
from softlabels.runs.planning import Past
from softlabels.runs.records import Record, find

Outcome = Record | SoftlabelsError
WORTH = 2.0  # minutes of training from which on the start of processes pays


def on_all_cores(configs: Sequence[RunConfig], device: str | None = None) -> None:
    """Train what is missing with a process for each core, where that is worth it; nothing on a GPU.

    There are no more processes than half of the memory has room for. Runs whose data cannot be had here are
    left out; other errors are those of `train`.
    """
    missing = [config for config in configs if find(config) is None]
    bytes_here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    at_once = min(torch.get_num_threads(), _room(missing, bytes_here))
    if at_once < 2 or hardware(device).device.type != "cpu":
        return
    minutes = planning.minutes(missing)
    if sum(minutes.values()) >= WORTH:
        with suppress(DataUnavailable), bars.one_bar(minutes) as done:
            train(missing, device, at_once, lambda number, outcome: done(missing[number - 1]))


def _room(configs: Sequence[RunConfig], memory: float) -> int:
    """How many of these runs may stand side by side in half of a memory (bytes)."""
    largest = max((planning.memory(config) for config in configs), default=1)
    return min(len(configs), int(memory / 2 / 2**20 // largest))


def side_by_side(asked: str, configs: Sequence[RunConfig]) -> int:
    """How many runs stand side by side on a GPU: a number, or "auto", by its free memory and the cores.

    Anything else, or a number below one, raises `ConfigError`.
    """
    if asked == "auto":
        if not torch.cuda.is_available():
            return 1
        cores = 3 * len(os.sched_getaffinity(0)) // 4  # twelve on sixteen were measured (book/one_gpu.md)
        return max(1, min(cores, _room(configs, torch.cuda.mem_get_info()[0])))
    if not asked.isdecimal() or int(asked) < 1:
        raise ConfigError(f"--runs-per-gpu must be a number from 1 on, or auto, not {asked}")
    return int(asked)


def train(
    configs: Sequence[RunConfig],
    device: str | None = None,
    at_once: int = 1,
    tell: Callable[[int, Outcome], None] | None = None,
) -> list[Record]:
    """Return the records of some runs, trained where they are missing, `at_once` of them at a time.

    Each of the processes takes the next run as soon as it is done with one. Which runs stand side by side
    changes no number: nothing is shared but the device. `tell` is called with the number of each, counted
    from one, and its outcome; without it a line is printed.

    Raises `ConfigError` if `at_once` is below one, and `SoftlabelsError` if runs failed, after all others
    have been trained; it names them.
    """
    if at_once < 1:
        raise ConfigError(f"--runs-per-gpu must be at least 1, not {at_once}")
    found: list[Record] = []
    failed: list[SoftlabelsError] = []
    for number, outcome in enumerate(_outcomes(configs, device, at_once), 1):
        if tell:
            tell(number, outcome)
        else:
            words = f"{outcome.seconds:.1f} s" if isinstance(outcome, Record) else "left out"
            print(f"[{number}/{len(configs)}] {configs[number - 1].id} {words}", flush=True)
        found += [outcome] if isinstance(outcome, Record) else []
        failed += [] if isinstance(outcome, Record) else [outcome]
    if failed:
        kind = DataUnavailable if all(isinstance(e, DataUnavailable) for e in failed) else SoftlabelsError
        raise kind(f"{len(failed)} of {len(configs)} runs left out:\n" + "\n".join(map(str, failed)))
    return found


def _outcomes(configs: Sequence[RunConfig], device: str | None, at_once: int) -> Iterator[Outcome]:
    if at_once == 1:
        yield from (_one(config, device) for config in configs)
        return
    missing = [config for config in configs if find(config) is None]
    # Spawned, not forked: a process that has touched a GPU cannot be copied.
    pool = ProcessPoolExecutor(
        min(at_once, max(1, len(missing))),
        mp_context=get_context("spawn"),
        initializer=_share,
        initargs=(at_once,),
    )
    with _bars_in_a_terminal_only(), pool:
        yield from pool.map(_one, configs, [device] * len(configs))


@contextmanager
def _bars_in_a_terminal_only() -> Iterator[None]:
    """Let no process draw its bar into a notebook or a log, where each step of each bar would be a line."""
    before = os.environ.get("TQDM_DISABLE")
    if not sys.stderr.isatty():
        os.environ["TQDM_DISABLE"] = "1"  # for the processes: here the bars are loaded already
    try:
        yield
    finally:
        os.environ.pop("TQDM_DISABLE", None)
        if before is not None:
            os.environ["TQDM_DISABLE"] = before


def _share(at_once: int) -> None:
    """Divide the cores: every process would take all of them, and they would wait for each other."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // at_once))


def _one(config: RunConfig, device: str | None) -> Outcome:
    try:
        return runs.get(config, device)
    except SoftlabelsError as error:
        return type(error)(f"{config.id}: {error}")


# Calls of bounded length, as on a GPU that is lent for minutes: whole pairs, in their order.


Unit = tuple[Cell, ...]
SHARE = 0.9  # of the time that is left, which the next runs may be expected to take


@dataclass
class Call:
    """What one call trains, and the minutes that it is expected to take."""

    cells: list[Cell]
    minutes: float


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


def missing_units(cells: Sequence[Cell]) -> list[Unit]:
    """Units without the runs that have a record."""
    left = (tuple(cell for cell in unit if find(cell.config) is None) for unit in units(cells))
    return [unit for unit in left if unit]


def calls(cells: Sequence[Cell], seconds: float, past: Past, gpu: bool, at_once: int = 1) -> list[Call]:
    """Calls of `seconds` each that train what is missing, by what runs are expected to take.

    A unit that takes longer than a call has one of its own.
    """
    cut: list[Call] = []
    for unit in missing_units(cells):
        own = expected(unit, past, gpu) / at_once
        if not cut or cut[-1].minutes + own > SHARE * seconds / 60:
            cut.append(Call([], 0.0))
        cut[-1].cells.extend(unit)
        cut[-1].minutes += own
    return cut


def expected(unit: Unit, past: Past, gpu: bool) -> float:
    """Minutes that a unit is expected to take."""
    return sum(past.expected(cell.config, gpu) for cell in unit)


def train_within(
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
    left, found, hoped = missing_units(cells), [], 0.0
    size = at_once
    while left and size:
        now, left = left[:size], left[size:]
        configs = [cell.config for unit in now for cell in unit]
        try:
            found += train(configs, device, at_once)
        except DataUnavailable as error:  # the others have been trained
            print(f"softlabels: {error}", file=sys.stderr)
            found += filter(None, map(find, configs))
        hoped += sum(expected(unit, past, gpu) for unit in now)
        size = _fitting(left, SHARE * (seconds - (clock() - start)), (clock() - start) / hoped, past, gpu)
    return found, sum(map(len, left))


def _fitting(left: Sequence[Unit], seconds: float, pace: float, past: Past, gpu: bool) -> int:
    """How many of the next units fit into a time, at `pace` seconds a minute expected."""
    for number, unit in enumerate(left):
        seconds -= pace * expected(unit, past, gpu)
        if seconds < 0:
            return number
    return len(left)
