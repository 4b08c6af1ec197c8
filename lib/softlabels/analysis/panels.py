"""Many arms side by side: one measure over pairs of runs, paired intervals, effect sizes, Holm's p."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from softlabels.analysis.formatting import interval, number, p_value, spread
from softlabels.analysis.paired import Panel
from softlabels.analysis.statistics import effect_size, holm, mean_sd, paired_p
from softlabels.learning import suites
from softlabels.runs import evaluations, experiments_human, records
from softlabels.runs.evaluations import Evaluation
from softlabels.runs.experiments_human import Run
from softlabels.runs.records import Record

SELECTED = {"loss": "least validation loss", "last": "last"}
Pair = tuple[str, int, int]  # network, seed, fold: what two arms have in common when they are compared


@dataclass(frozen=True)
class Collection:
    """The runs of a grid that are here, and those that are not.

    Attributes
    ----------
    records : dict
        ``records[arm][pair]``; every arm of the grid has an entry.
    missing : tuple of Run
    """

    grid: str
    profile: str
    records: Mapping[str, Mapping[Pair, Record]]
    missing: tuple[Run, ...] = ()

    def panel(self, measure: str, against: str = "test") -> Panel:
        """One measure of the runs, against the people ("test") or the dataset's label ("truth")."""
        return self.apply(lambda record: record.metrics.get(against, {}).get(measure))

    def apply(self, value: Callable[[Record], float | None]) -> Panel:
        """Any number of a record; where it gives None the run is left out."""
        found = {
            arm: {pair: x for pair, record in pairs.items() if (x := value(record)) is not None}
            for arm, pairs in self.records.items()
        }
        return Panel(found)

    @property
    def all(self) -> list[Record]:
        """All records, arm by arm."""
        return [record for pairs in self.records.values() for _, record in sorted(pairs.items())]

    def only(self, arms: Sequence[str]) -> list[Record]:
        """Records of some arms."""
        return [r for arm in arms for _, r in sorted(self.records.get(arm, {}).items())]

    @property
    def trained(self) -> str:
        """How long its runs are trained and which epoch is tested, of the first run that is here."""
        if not self.all:
            return f"grid {self.grid}"
        config = self.all[0].config
        return f"{config.epochs} epochs ({SELECTED[config.select]})"

    def note(self) -> str:
        """Markdown: what is missing and the one command that makes it."""
        seeds = sorted({run.config.seed for run in self.missing})
        if not seeds:
            return f"No run of the grid `{self.grid}` is missing."
        arms = ", ".join(dict.fromkeys(run.arm for run in self.missing))
        listed = " ".join(map(str, seeds))
        return (
            f"Missing: {len(self.missing)} runs of the grid `{self.grid}` ({arms}). They are trained by "
            f"`softlabels train --chapter {self.grid} --profile {self.profile} --seeds {listed}`."
        )

    def evaluated(
        self,
        kind: str,
        train: bool = False,
        device: str | None = None,
        fresh: bool = False,
        committed_only: bool = False,
    ) -> "Evaluated":
        """What the suite of this profile found with these runs; it is run now only if `train`."""
        plan = suites.plan(self.profile, kind)
        found: dict[str, dict[Pair, Evaluation]] = {}
        for arm in plan.arms:
            configs = {pair: record.config for pair, record in self.records.get(arm, {}).items()}
            found[arm] = evaluations.get_all(configs, plan.suite, train, device, fresh, committed_only)
        return Evaluated(kind, self, found)


@dataclass(frozen=True)
class Evaluated:
    """Evaluations of one kind: ``found[arm][pair]``."""

    kind: str
    runs: Collection
    found: Mapping[str, Mapping[Pair, Evaluation]]

    def panel(self, case: str, measure: str = "accuracy", level: float = 0) -> Panel:
        """One measure of one case at one level."""
        return self.apply(lambda one: one.values(case, measure).get(level))

    def apply(self, value: Callable[[Evaluation], float | None]) -> Panel:
        """Any number of an evaluation."""
        found = {
            arm: {pair: x for pair, one in pairs.items() if (x := value(one)) is not None}
            for arm, pairs in self.found.items()
        }
        return Panel(found)

    def together(self, arms: Sequence[str]) -> dict[str, Evaluation]:
        """Evaluations of the first pair that all of these arms have, so of the same images; else none."""
        here = [arm for arm in arms if self.found.get(arm)]
        common = set.intersection(*(set(self.found[arm]) for arm in here)) if here else set()
        return {arm: self.found[arm][min(common)] for arm in here} if common else {}

    def curves(self, case: str, measure: str = "accuracy") -> dict[str, dict[float, list[float]]]:
        """Values of all runs by arm and level, for a figure."""
        lines: dict[str, dict[float, list[float]]] = {}
        for arm, pairs in self.found.items():
            for one in pairs.values():
                for level, value in one.values(case, measure).items():
                    lines.setdefault(arm, {}).setdefault(level, []).append(value)
        return lines

    def levels(self, case: str, measure: str = "accuracy") -> list[float]:
        """Levels at which the case was measured."""
        return sorted({x for lines in self.curves(case, measure).values() for x in lines})

    def cases(self) -> list[str]:
        """Cases in the order in which they were measured."""
        every = [row[0] for pairs in self.found.values() for one in pairs.values() for row in one.rows]
        return list(dict.fromkeys(every))

    @property
    def records(self) -> list[Record]:
        """Runs whose evaluation is here."""
        return [self.runs.records[arm][pair] for arm, pairs in self.found.items() for pair in sorted(pairs)]

    def note(self) -> str:
        """Markdown: which evaluations are missing and the one command that makes them."""
        plan, grid = suites.plan(self.runs.profile, self.kind), self.runs
        wanted = [r for arm in plan.arms for r in grid.records.get(arm, {}).values()]
        seeds = {r.config.seed for r in wanted} | {m.config.seed for m in grid.missing if m.arm in plan.arms}
        lacking = len(wanted) - sum(map(len, self.found.values()))
        lacking += sum(m.arm in plan.arms for m in grid.missing)
        if not lacking:
            return f"No evaluation of kind `{self.kind}` is missing."
        listed = " ".join(map(str, sorted(seeds)))
        first = f"{grid.note()}\n\n" if grid.missing else ""
        return (
            f"{first}Missing: {lacking} evaluations of kind `{self.kind}`. They are made by `softlabels "
            f"evaluate --chapter {grid.grid} --profile {grid.profile} --kinds {self.kind} --seeds {listed}`."
        )


def collect(
    grid: str,
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> Collection:
    """Look up the runs of one of `experiments_human.GRIDS`; what is missing is trained only if `train`."""
    wanted = experiments_human.GRIDS[grid](profile, list(seeds))
    found = _records([run.config for run in wanted], train, device, fresh, committed_only)
    arms: dict[str, dict[Pair, Record]] = {run.arm: {} for run in wanted}
    missing = []
    for run in wanted:
        if run.config.id in found:
            arms[run.arm][(run.config.network, *run.pair)] = found[run.config.id]
        else:
            missing.append(run)
    return Collection(grid, profile, arms, tuple(missing))


def _records(
    configs: list, train: bool, device: str | None, fresh: bool, committed_only: bool
) -> dict[str, Record]:
    if not (train or fresh):
        return {found.id: found for config in configs if (found := records.find(config, committed_only))}
    from softlabels.runs import parallel
    from softlabels.runs import run as runs

    if not fresh:
        parallel.on_all_cores(configs, device)
        return runs.get_all(configs, train, device)
    return {config.id: runs.get(config, device, fresh=True) for config in configs}


def table(
    panels: Mapping[str, Panel], base: str, words: Mapping[str, str] | None = None, digits: int = 4
) -> pd.DataFrame:
    """A row for each arm: mean ± sd of every measure, and the difference to arm `base` with its interval."""
    arms = list(dict.fromkeys(arm for panel in panels.values() for arm in panel.arms))
    rows = []
    for arm in arms:
        n = max(panel.summary(arm)[2] for panel in panels.values())
        row = {"arm": (words or {}).get(arm, arm), "n": str(n)}
        for name, panel in panels.items():
            row[name] = spread(*panel.summary(arm)[:2], digits)
            difference = None if arm == base else panel.difference(arm, base)
            row[f"{name}: − {base}"] = interval(difference, digits)
        rows.append(row)
    return pd.DataFrame(rows)


def tests(panel: Panel, base: str, words: Mapping[str, str] | None = None, digits: int = 4) -> pd.DataFrame:
    """Every arm against `base`: difference, effect size d_z, p of the paired t test, p after Holm."""
    arms = [arm for arm in panel.arms if arm != base and panel.pairs(arm, base)[0]]
    p = np.array([paired_p(*panel.pairs(arm, base)) for arm in arms])
    adjusted, tested = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    adjusted[tested] = holm(p[tested])
    return pd.DataFrame(
        [
            {
                "arm": (words or {}).get(arm, arm),
                "pairs": str(len(panel.pairs(arm, base)[0])),
                f"− {base}": interval(panel.difference(arm, base), digits),
                "d_z": number(effect_size(*panel.pairs(arm, base)), 2),
                "p": p_value(one),
                "p (Holm)": p_value(many),
            }
            for arm, one, many in zip(arms, p, adjusted, strict=True)
        ]
    )


def share_reached(panel: Panel, at: str, first: str = "n=1", last: str = "n=all") -> Panel:
    """Share of the improvement from `first` to `last` that `at` has reached; empty where that is not sure."""
    gain = panel.difference(last, first)
    if gain is None or not gain.sign:
        return Panel({at: {}})
    a, b, c = (panel.values.get(arm, {}) for arm in (first, at, last))
    common = sorted(set(a) & set(b) & set(c))
    return Panel({at: {key: (b[key] - a[key]) / (c[key] - a[key]) for key in common if c[key] != a[key]}})


def sentence(measure: str, panel: Panel, arm: str, base: str) -> str:
    """One measure of two arms in words: both means over their pairs, the difference with its interval, n."""
    found = panel.difference(arm, base)
    if found is None:
        return f"{measure}: no pair of runs is here yet."
    means = [number(mean_sd(values)[0], 3) for values in panel.pairs(arm, base)]
    return (
        f"{measure}: {means[0]} with {arm}, {means[1]} with {base} labels, difference "
        f"{interval(found, 3).replace('**', '')}, {found.n} pair{'s' if found.n > 1 else ''} of runs."
    )


def levels(panel: Callable[[float], Panel], at: Sequence[float], digits: int = 3) -> pd.DataFrame:
    """A row for each arm, a column for each level: mean ± sd of the panel at that level."""
    columns = {level: panel(level) for level in at}
    arms = list(dict.fromkeys(arm for one in columns.values() for arm in one.arms))
    return pd.DataFrame(
        [
            {"arm": arm} | {f"{x:g}": spread(*one.summary(arm)[:2], digits) for x, one in columns.items()}
            for arm in arms
        ]
    )
