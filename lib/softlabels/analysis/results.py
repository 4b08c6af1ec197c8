"""Records of chapter 11 put side by side: rows of the table, methods, seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis import comparisons, published
from softlabels.analysis.statistics import (
    Interval,
    Ranks,
    holm,
    mean_sd,
    paired_interval,
    paired_p,
    ranks,
    ranks_as_published,
)
from softlabels.learning.config import METHODS

if TYPE_CHECKING:
    from softlabels.runs.grids import Cell
    from softlabels.runs.records import Record

# AM's twelve: what they rank. A method that is added has no published rank and stands beside them.
RANKED = tuple(m for m in METHODS if m in published.get("annotmix", "ranks")["last"])


@dataclass(frozen=True)
class Results:
    """Records by row, method and seed, and what has none.

    Attributes
    ----------
    runs : dict
        ``runs[row][method][seed]`` is a record.
    missing : tuple of Cell
    """

    runs: "dict[str, dict[str, dict[int, Record]]]" = field(default_factory=dict)
    missing: "tuple[Cell, ...]" = ()

    @property
    def records(self) -> "list[Record]":
        """All records, in the order of the grid."""
        return [r for methods in self.runs.values() for seeds in methods.values() for r in seeds.values()]

    def of(self, row: str, method: str) -> "list[Record]":
        """Records of one method, seeds in order."""
        found = self.runs.get(row, {}).get(method, {})
        return [found[seed] for seed in sorted(found)]

    def values(self, row: str, method: str, metric: str, part: str = "last") -> np.ndarray:
        """One measure of every seed; `part` is "last", "best" (epoch) or "annotators"."""
        found = (r.metrics.get(part, {}).get(metric) for r in self.of(row, method))
        return np.array([v for v in found if v is not None], np.float64)

    def summary(self, row: str, method: str, metric: str, part: str = "last") -> tuple[float, float, int]:
        """Mean, standard deviation and number of runs."""
        values = self.values(row, method, metric, part)
        return *mean_sd(values), len(values)

    def difference(
        self, row: str, a: str, b: str, metric: str = "accuracy", part: str = "last"
    ) -> Interval | None:
        """Mean of method a - method b over the seeds that have both, with its interval; None without."""
        runs = self.runs.get(row, {})
        return paired(runs.get(a, {}), runs.get(b, {}), metric, part)

    def complete(self, methods: Sequence[str] = RANKED) -> list[str]:
        """Rows that hold a run of each of these methods; of several rows of one dataset the first.

        Friedman's test and a count of datasets take rows for independent, which two splits of the same songs
        are not.
        """
        full = [row for row in self.runs if all(self.of(row, m) for m in methods)]
        first = {self.of(row, methods[0])[0].config.dataset: row for row in reversed(full)}
        return [row for row in full if row in first.values()]


def paired(
    a: "dict[int, Record]", b: "dict[int, Record]", metric: str = "accuracy", part: str = "last"
) -> Interval | None:
    """Mean difference over common seeds with its paired interval, or None."""
    seeds = sorted(set(a) & set(b))
    if not seeds:
        return None
    x, y = ([side[s].metrics[part][metric] for s in seeds] for side in (a, b))
    return paired_interval(x, y)


def over_images(a: "dict[int, Record]", b: "dict[int, Record]") -> Interval | None:
    """Mean difference of accuracy over the test images that records keep, common seeds averaged; or None.

    Seeds share their test part: an interval over seeds says what another training would give, this one what
    other images would. The latter is the wider one where the part is small.
    """
    seeds = sorted(set(a) & set(b))
    sides = [[_right(side[s]) for s in seeds] for side in (a, b)]
    ids = [found for side in sides for found, _ in side]
    if not ids or any(not np.array_equal(ids[0], other) for other in ids):
        return None  # every seed has a test part of its own
    x, y = (np.mean([right for _, right in side], 0) for side in sides)
    return paired_interval(x.tolist(), y.tolist())


def _right(record: "Record") -> tuple[np.ndarray, np.ndarray]:
    """Ids of the images kept, and whether the network is right on each."""
    found = record.arrays()
    return found["ids"], found["log_probs"].argmax(1) == found["targets"].argmax(1)


def collect(
    cells: "Iterable[Cell]",
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> Results:
    """Look up the record of every cell; train what has none only if `train`."""
    runs: dict[str, dict[str, dict[int, Record]]] = {}
    missing = []
    for cell in cells:
        record = comparisons.record_of(cell, train, device, fresh, committed_only)
        if record is None:
            missing.append(cell)
        else:
            runs.setdefault(cell.dataset, {}).setdefault(cell.arm, {})[cell.seed] = record
    return Results(runs, tuple(missing))


def corrected(results: Results, ablations: Results, names: Sequence[str], row: str) -> dict[str, float]:
    """p of each change of annot-mix with two or more seeds, after Holm's step for the number of changes."""
    base = results.runs.get(row, {}).get("annot-mix", {})
    found = {}
    for name in names:
        runs = ablations.runs.get(name, {}).get("annot-mix", {})
        if len(seeds := sorted(set(runs) & set(base))) > 1:
            sides = ([side[s].metrics["last"]["accuracy"] for s in seeds] for side in (runs, base))
            found[name] = paired_p(*sides)
    return dict(zip(found, holm(list(found.values())), strict=True))


def mean_ranks(results: Results, part: str = "last") -> Ranks | None:
    """Ranks of AM's twelve over the datasets that have all of them; None with fewer than two."""
    rows = results.complete()
    if len(rows) < 2:
        return None
    return ranks(np.array([[results.summary(r, m, "accuracy", part)[0] for m in RANKED] for r in rows]))


def published_ranks(part: str = "last") -> Ranks:
    """AM's printed mean ranks of the same twelve on eleven datasets."""
    entry = published.get("annotmix", "ranks")
    return ranks_as_published([entry[part][m] for m in RANKED], entry["datasets"])
