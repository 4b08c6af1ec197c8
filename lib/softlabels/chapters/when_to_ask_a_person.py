"""Review by a person, drawn from run records: what is right, what a person gives, what a budget saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import comparisons, competence, panels
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.formatting import NOTHING, interval, number, spread
from softlabels.analysis.panels import Panel
from softlabels.analysis.statistics import mean_sd
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.labels import selective
from softlabels.learning.streams import generator
from softlabels.runs import grids
from softlabels.runs.records import Record

DATASET = "cifar10h-9500"
Runs = Mapping[str, Mapping[Any, Record]]  # arm, pair


@dataclass(frozen=True)
class Source:
    """Runs of one setting: a hard arm, and the soft one beside it."""

    title: str
    hard: str
    runs: Runs
    note: str

    @property
    def arms(self) -> tuple[str, str]:
        """The hard arm and the soft one."""
        return self.hard, "soft"

    @property
    def records(self) -> list[Record]:
        """All records of both arms."""
        return [r for arm in self.arms for r in self.runs.get(arm, {}).values()]


def sources(
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> list[Source]:
    """The settings with people's votes: those of Table 1, and the folds of chapter 6."""
    found = []
    cells = [c for c in grids.grid("table1", profile, seeds) if c.dataset == DATASET]
    for c in comparisons.gather(cells, train, device, fresh, committed_only):
        command = comparisons.missing_command([c], "table1", profile)
        note = f"Missing runs are trained by `{command}`." if command else ""
        found.append(Source(f"60/20/20 · {c.network} · {c.recipe}", "hard", c.runs, note))
    folds = panels.collect("human", profile, seeds, train, device, fresh, committed_only)
    runs = {arm: folds.records.get(arm, {}) for arm in ("truth", "soft")}
    network = next((r.config.network for r in folds.all), "")
    return [*found, Source(f"folds · {network}".strip(" ·"), "truth", runs, folds.note())]


def answers(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions of a run, the right answers, and how often one person gives these.

    The right answer is the dataset's own label where the record holds it, else what most people said. The
    person is one annotator drawn from the votes of that image.

    Returns
    -------
    p : float64 [N, K]
    truth : int64 [N]
    person : float64 [N]
    """
    arrays = record.arrays()
    q = arrays["targets"].astype(np.float64)
    truth = arrays.get("truth", q.argmax(1))
    p = np.exp(arrays["log_probs"].astype(np.float64))
    return p, truth, q[np.arange(len(q)), truth]


def areas(source: Source, score: str) -> Panel:
    """Area under the risk-coverage curve of every run."""
    return Panel(
        {
            arm: {key: selective.aurc(*answers(r)[:2], score) for key, r in source.runs.get(arm, {}).items()}
            for arm in source.arms
        }
    )


def curves(source: Source, score: str) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Risk-coverage curves of every run by arm, for a figure."""
    return {
        arm: [selective.risk_coverage(*answers(r)[:2], score) for r in source.runs.get(arm, {}).values()]
        for arm in source.arms
        if source.runs.get(arm)
    }


def area_table(found: Sequence[Source]) -> pd.DataFrame:
    """AURC of both arms and their difference, for every setting and score."""
    rows = []
    for source in found:
        for score in selective.SCORES:
            panel = areas(source, score)
            row = {
                "setting": source.title,
                "score": score,
                "n": str(len(panel.pairs("soft", source.hard)[0])),
            }
            row |= {
                "hard": spread(*panel.summary(source.hard)[:2]),
                "soft": spread(*panel.summary("soft")[:2]),
            }
            rows.append(row | {"soft − hard": interval(panel.difference("soft", source.hard))})
    return pd.DataFrame(rows)


def working_table(
    source: Source, budgets: Sequence[float], scores: Sequence[str] = ("max probability",)
) -> pd.DataFrame:
    """What a review budget does, means over runs: errors, images reviewed, precision and recall."""
    rows = []
    for arm in source.arms:
        for score in scores:
            for budget in budgets:
                found = [routed(record, budget, score) for record in source.runs.get(arm, {}).values()]
                if found:
                    rows.append(
                        {"labels": arm, "score": score, "budget": f"{100 * budget:g} %"} | _row(found)
                    )
    return pd.DataFrame(rows)


def routed(record: Record, budget: float, score: str) -> selective.Review:
    """Send the least certain share `budget` of a run's test images to a person."""
    p, truth, person = answers(record)
    # The seed cuts both arms of a pair into the same halves.
    return selective.route(p, truth, budget, score, person, generator(record.config.seed, "person"))


def _row(found: Sequence[selective.Review]) -> dict[str, str]:
    def mean(name: str, digits: int = 3) -> str:
        value = mean_sd([x for one in found if np.isfinite(x := getattr(one, name))])[0]
        return number(value, digits) if np.isfinite(value) else NOTHING

    return {
        "threshold": mean("threshold"),
        "reviewed": mean("reviewed"),
        "error alone": mean("machine_error"),
        "error with a person": mean("system_error"),
        "precision": mean("precision"),
        "recall": mean("recall"),
    }


def verdicts(found: Sequence[Source]) -> list[Verdict]:
    """Is the doubt of soft-label networks the better guide to what a person should see?"""
    differences = {s.title: areas(s, "max probability").difference("soft", s.hard) for s in found}
    *others, folds = found
    signs = [-d.sign for s in others if (d := differences[s.title]) is not None and d.n > 1]
    words = f"other settings: {signs.count(1)} of {len(signs)} alike, {signs.count(-1)} against"
    lacks = {arm: competence.shortcoming(list(folds.runs.get(arm, {}).values())) for arm in folds.arms}
    lacking = "; ".join(f"{arm}: {why}" for arm, why in lacks.items() if why)
    return [judge(CLAIMS["review"], differences[folds.title], lacking, words if signs else "")]


def claim(found: Sequence[Source], budget: float) -> str:
    """Markdown: what a review budget does to the error in every setting, computed."""
    lines = []
    for source in found:
        for arm in source.arms:
            runs = list(source.runs.get(arm, {}).values())
            if not runs:
                continue
            reviews = [routed(record, budget, "max probability") for record in runs]
            alone, both, chance = (
                float(np.mean([value(r) for r in reviews]))
                for value in (
                    lambda r: r.machine_error,
                    lambda r: r.system_error,
                    lambda r: r.reviewed * r.machine_error,
                )
            )
            lines.append(
                f"- {source.title}, {arm} labels: sending the least certain {100 * budget:g} % to a person "
                f"lowers the error from {number(alone, 3)} to {number(both, 3)}; as many images at random, "
                f"seen by someone who never errs, would lower it by {number(chance, 3)}."
            )
    return "\n".join(lines) or "No run is here yet."
