"""Chapter 10: which images should a person see? Drawn from run records alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import names, table
from softlabels.analysis.competence import lacking
from softlabels.analysis.formatting import NOTHING, interval, number, spread
from softlabels.analysis.statistics import Interval, mean_sd
from softlabels.analysis.table import difference, pairs, summary
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.labels import selective
from softlabels.learning.config import generator
from softlabels.runs.records import Record

GRIDS = ("human-scratch", "human")
HARD = "truth"  # the arm that all votes are held against


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The folds of chapter 6, from random weights and (last) fine-tuned, of the first network of either.

    The table has "source" (the setting in words), "hard" (the name of its hard arm), and for each score of
    doubt "aurc.SCORE", the area under the risk-coverage curve.
    """
    runs = table.gather(GRIDS, profile, seeds, *how)
    first = runs.network.isin(runs.groupby("grid").network.first())
    found = runs[runs.arm.isin([HARD, "soft"]) & first]
    words = [
        f"CIFAR-10H, ten folds · {names.NETWORKS.get(network, network)} · {names.RECIPES[grid]}"
        for network, grid in found[["network", "grid"]].itertuples(index=False)
    ]
    found = found.assign(source=words, hard=HARD)
    known = [None if r is None else answers(r)[:2] for r in found.record]
    areas = {
        f"aurc.{score}": [np.nan if one is None else selective.aurc(*one, score) for one in known]
        for score in selective.SCORES
    }
    return found.assign(**areas, overlap=0.0)


def sources(runs: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Cut the table into its settings: title, hard arm, and runs."""
    cut = runs.groupby(["source", "hard"], sort=False)
    return [(title, hard, here) for (title, hard), here in cut]


def answers(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions float64 [N, K] of a run, the right answers int64 [N], and how often one person gives these.

    The right answer is the dataset's own label where the record holds it, else what most people said. The
    person is one annotator drawn from the votes of that image.
    """
    arrays = record.arrays()
    q = arrays["targets"].astype(np.float64)
    truth = arrays.get("truth", q.argmax(1))
    p = np.exp(arrays["log_probs"].astype(np.float64))
    return p, truth, q[np.arange(len(q)), truth]


def routed(record: Record, budget: float, score: str = "max probability") -> selective.Review:
    """Send the least certain share `budget` of a run's test images to a person."""
    p, truth, person = answers(record)
    # The seed cuts both arms of a pair into the same halves.
    return selective.route(p, truth, budget, score, person, generator(record.config.seed, "person"))


def area(runs: pd.DataFrame, hard: str, score: str = "max probability") -> Interval | None:
    """Soft - hard of the area under the risk-coverage curve."""
    return difference(runs, f"aurc.{score}", "soft", hard)


def area_table(runs: pd.DataFrame) -> pd.DataFrame:
    """AURC of both arms and their difference, for every setting and score."""
    rows = []
    for title, hard, here in sources(runs):
        for score in selective.SCORES:
            column = f"aurc.{score}"
            row = {"setting": title, "score": score, "n": str(len(pairs(here, column, "soft", hard)[0]))}
            for name, arm in (("hard label", hard), (names.arm("soft"), "soft")):
                row[name] = spread(*summary(here[here.arm == arm], column)[:2])
            rows.append(row | {"all votes − hard label": interval(area(here, hard, score))})
    return pd.DataFrame(rows)


def working_table(
    runs: pd.DataFrame, budgets: Sequence[float], scores: Sequence[str] = ("max probability",)
) -> pd.DataFrame:
    """What a review budget does in one setting, means over runs: errors, images reviewed, recall."""
    rows, columns = [], {"threshold": "threshold", "reviewed": "reviewed", "error alone": "machine_error"}
    columns |= {"error with a person": "system_error", "precision": "precision", "recall": "recall"}
    for arm in (runs.hard.iloc[0], "soft"):
        records = table.recorded(runs[runs.arm == arm])
        for score in scores if records else ():
            for budget in budgets:
                found = [routed(record, budget, score) for record in records]
                row = {"trained on": names.arm(arm), "score": score, "budget": f"{100 * budget:g} %"}
                rows.append(row | {name: _mean(found, field) for name, field in columns.items()})
    return pd.DataFrame(rows)


def _mean(found: Sequence[selective.Review], name: str) -> str:
    value = mean_sd([x for one in found if np.isfinite(x := getattr(one, name))])[0]
    return number(value, 3) if np.isfinite(value) else NOTHING


def claim(runs: pd.DataFrame, budget: float) -> str:
    """Markdown: what a review budget does to the error in every setting, computed."""
    lines = []
    for title, hard, here in sources(runs):
        for arm in (hard, "soft"):
            reviews = [routed(record, budget) for record in table.recorded(here[here.arm == arm])]
            if not reviews:
                continue
            errors = [(r.machine_error, r.system_error, r.reviewed * r.machine_error) for r in reviews]
            alone, both, chance = np.mean(errors, 0)
            lines.append(
                f"- {title}, {names.arm(arm)}: sending the least certain {100 * budget:g} % to a person "
                f"lowers the error from {number(alone, 3)} to {number(both, 3)}; as many images at random, "
                f"seen by someone who never errs, would lower it by {number(chance, 3)}."
            )
    return "\n".join(lines) or "No run is here yet."


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Is the doubt of soft-label networks the better guide to what a person should see?"""
    *others, (_, base, folds) = sources(runs)
    signs = [-d.sign for _, hard, here in others if (d := area(here, hard)) is not None and d.n > 1]
    words = f"other settings: {signs.count(1)} of {len(signs)} alike, {signs.count(-1)} against"
    lacks = lacking(folds, (base, "soft"))
    return [judge(CLAIMS["review"], area(folds, base), lacks, words if signs else "")]
