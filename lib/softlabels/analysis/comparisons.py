"""Runs put side by side: soft against hard labels, seed by seed, with everything else the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis import competence
from softlabels.analysis.statistics import Interval, mean_sd, paired_interval, paired_p
from softlabels.errors import DataUnavailable
from softlabels.runs import records
from softlabels.runs.grids import grid

if TYPE_CHECKING:
    from softlabels.runs import Record, RunConfig
    from softlabels.runs.grids import Cell

HIGHER_IS_BETTER = {
    "macro_accuracy": True,
    "kl": False,
    "cross_entropy": False,
    "brier": False,
    "ece": False,
    "entropy_correlation": True,
    "second_best_accuracy": True,
}


@dataclass(frozen=True)
class Comparison:
    """Both arms of one setting (dataset, network, recipe) over seeds.

    Attributes
    ----------
    runs : dict
        ``runs[arm][seed]`` is a record.
    missing : tuple of Cell
        Runs of the grid without a record.
    """

    dataset: str
    network: str
    recipe: str
    runs: "dict[str, dict[int, Record]]" = field(default_factory=dict)
    missing: "tuple[Cell, ...]" = ()

    @property
    def config(self) -> "RunConfig":
        """Configuration of one of the runs: what all seeds have in common can be read from it."""
        return next(iter([r.config for r in self.records] + [cell.config for cell in self.missing]))

    @property
    def data(self) -> str:
        """Dataset in words, with the size of its images where that is ours to choose."""
        sized = self.dataset == "synthetic"
        return f"{self.dataset} {self.config.image_size} px" if sized else self.dataset

    @property
    def setting(self) -> str:
        """Dataset, network and recipe in words."""
        return f"{self.data} · {self.network} · {self.recipe}"

    @property
    def seeds(self) -> list[int]:
        """Seeds of which both arms are here."""
        return sorted(set(self.runs.get("soft", {})) & set(self.runs.get("hard", {})))

    @property
    def records(self) -> "list[Record]":
        """All records, soft arm last, seeds in order."""
        return [self.runs[arm][seed] for arm in sorted(self.runs) for seed in sorted(self.runs[arm])]

    def values(self, arm: str, metric: str) -> np.ndarray:
        """Test values of one arm, in the order of its seeds; runs where it is undefined are left out."""
        runs = self.runs.get(arm, {})
        found = (runs[seed].metrics["test"].get(metric) for seed in sorted(runs))
        return np.array([value for value in found if value is not None], np.float64)

    def summary(self, arm: str, metric: str) -> tuple[float, float, int]:
        """Mean, standard deviation and number of runs of one arm."""
        values = self.values(arm, metric)
        return *mean_sd(values), len(values)

    @property
    def overlap(self) -> float:
        """Test images per training image where the seeds draw overlapping splits, else 0."""
        sizes = [r.data for r in self.records if r.config.split == "random"]
        return sizes[0]["n_test"] / sizes[0]["n_train"] if sizes and "n_test" in sizes[0] else 0.0

    @property
    def shortcoming(self) -> str:
        """What an arm lacks to count as competent (`competence.RULE`); empty if nothing."""
        lacks = {
            arm: competence.shortcoming([self.runs[arm][s] for s in self.seeds]) for arm in ("soft", "hard")
        }
        return "; ".join(f"{arm}: {words}" for arm, words in lacks.items() if words)

    def pairs(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Soft and hard test values of the seeds that have both."""
        found = [[self.runs[a][s].metrics["test"].get(metric) for a in ("soft", "hard")] for s in self.seeds]
        kept = np.array([pair for pair in found if None not in pair], np.float64).reshape(-1, 2)
        return kept[:, 0], kept[:, 1]

    def difference(self, metric: str) -> Interval | None:
        """Mean of soft - hard with its paired 95 % interval; None without a pair."""
        soft, hard = self.pairs(metric)
        return paired_interval(soft, hard, overlap=self.overlap) if len(soft) else None

    def p_value(self, metric: str) -> float:
        """Two-sided p of the paired t test; nan for fewer than two pairs."""
        return paired_p(*self.pairs(metric))

    def winner(self, metric: str) -> str:
        """ "soft" or "hard" where the 95 % interval decides which is better, else "open" or "missing"."""
        interval = self.difference(metric)
        if interval is None:
            return "missing"
        sign = interval.sign * (1 if HIGHER_IS_BETTER[metric] else -1)
        return {1: "soft", -1: "hard", 0: "open"}[sign]


def gather(
    cells: "Iterable[Cell]",
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> list[Comparison]:
    """Look up the record of every cell and put the arms side by side; the order is the grid's.

    Parameters
    ----------
    train : bool
        Train what has no record; otherwise it is listed as missing. Runs whose data cannot be had here stay
        missing in any case.
    device : str or None
        Where to train.
    fresh : bool
        Train everything again.
    committed_only : bool
        Leave the cache out, so that the answer is the same in every clone.
    """
    cells = list(cells)
    if train and not fresh:
        from softlabels.runs import parallel

        parallel.on_all_cores([cell.config for cell in cells], device)
    return arrange((cell, record_of(cell, train, device, fresh, committed_only)) for cell in cells)


def table1(
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> list[Comparison]:
    """Gather the settings of Table 1; beside profile "laptop" stand those of "paper" that have records."""
    found = gather(grid("table1", profile, seeds), train, device, fresh, committed_only)
    if profile != "laptop":
        return found
    return found + with_runs(gather(grid("table1", "paper", seeds), committed_only=committed_only))


def record_of(
    cell: "Cell", train: bool, device: str | None, fresh: bool, committed_only: bool = False
) -> "Record | None":
    """Record of one cell, trained where asked for; None where it has none or its data cannot be had here."""
    if not (train or fresh):
        return records.find(cell.config, committed_only)
    from softlabels.runs import run as runs

    try:
        return runs.get(cell.config, device, fresh)
    except DataUnavailable:
        return None


def arrange(found: "Iterable[tuple[Cell, Record | None]]") -> list[Comparison]:
    """Put cells with their records (None where missing) side by side."""
    groups: dict[tuple[str, str, str, int], tuple[dict[str, dict[int, Record]], list[Cell]]] = {}
    for cell, record in found:
        place = cell.dataset, cell.network, cell.recipe, cell.config.epochs
        arms, missing = groups.setdefault(place, ({}, []))
        if record is None:
            missing.append(cell)
        else:
            arms.setdefault(cell.arm, {})[cell.seed] = record
    return [Comparison(*key[:3], runs=arms, missing=tuple(gaps)) for key, (arms, gaps) in groups.items()]


def with_runs(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Keep the settings of which there is at least one record."""
    return [comparison for comparison in comparisons if comparison.records]


def all_records(comparisons: Sequence[Comparison]) -> "list[Record]":
    """All records of several comparisons."""
    return [record for comparison in comparisons for record in comparison.records]


def missing_command(comparisons: Sequence[Comparison], chapter: str, profile: str) -> str | None:
    """The command that trains what is missing, or None where nothing is."""
    seeds = sorted({cell.seed for comparison in comparisons for cell in comparison.missing})
    if not seeds:
        return None
    listed = " ".join(str(seed) for seed in seeds)
    return f"softlabels train --chapter {chapter} --profile {profile} --seeds {listed}"
