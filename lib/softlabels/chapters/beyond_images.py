"""Chapter 18: pairs of texts with a hundred votes each; where a budget saturates, and the verdicts.

What the votes of ChaosNLI are like stands in one small committed file, so that the chapter needs no data;
``python -m softlabels.chapters.beyond_images`` makes it. Of the votes it holds no more than a shape for each
pair, summaries, and a few pairs to read.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax

from softlabels.analysis import published, table
from softlabels.analysis.competence import lacking
from softlabels.analysis.formatting import interval
from softlabels.analysis.statistics import Interval, paired_interval
from softlabels.analysis.table import ARMS, difference
from softlabels.analysis.tables import share_reached
from softlabels.analysis.verdicts import CLAIMS, Verdict, judge
from softlabels.chapters import descriptions
from softlabels.datasets import chaosnli
from softlabels.labels import ceiling, metrics, votes
from softlabels.learning import inputs
from softlabels.learning.config import FRACTIONS
from softlabels.runs.profiles import TEXT_MAIN as MAIN
from softlabels.runs.profiles import TEXT_SMOOTHED as SMOOTHED
from softlabels.store import Shelf

GRIDS = ("text", "text-budget", "text-features")
KL, DOUBT, ACCURACY = "test.kl", "test.entropy_correlation", "test.macro_accuracy"
OVERLAP = FRACTIONS["test"] / FRACTIONS["train"]  # splits are random: they share pairs of texts
SHELF, FILE = Shelf("datasets"), "chaosnli.json"
SEEDS = (0, 1, 2, 3, 4)
PANEL = 10  # votes of the smaller panel whose ceiling stands beside that of the hundred
QUOTED = 4  # pairs to read of each kind
LONGEST = 160  # characters of a text that is quoted
# Shapes of a hundred votes on entailment, neutral, contradiction; the first that fits.
AGREED, CAMP, NEAR = 80, 20, 90
SHAPES = {
    "agreed": f"{AGREED} or more for one class",
    "two camps": f"{CAMP} or more for entailment and for contradiction, neutral below both",
    "neighbours": f"{NEAR} or more for two neighbouring classes",
    "spread": "anything else",
}
_GRID = np.geomspace(0.25, 16, 385)  # temperatures tried, 64 to a doubling

Facts = dict[str, Any]


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The chapter's runs; "part" is the dataset without the name of the collection, "n" the votes learnt."""
    runs = table.gather(GRIDS, profile, seeds, *how)
    n = [int(arm[2:]) if arm.startswith("n=") else 0 for arm in runs.arm]
    return runs.assign(part=runs.dataset.str.removeprefix("chaosnli:"), n=n, overlap=OVERLAP)


def reached(runs: pd.DataFrame, measure: str, n: int) -> np.ndarray:
    """Share of the improvement from one vote to a hundred that `n` votes reach in each split."""
    return share_reached(runs, measure, f"n={n}", "n=1", "n=100")


def shares(runs: pd.DataFrame, measure: str) -> dict[int, Interval | None]:
    """Mean of `reached` with its interval, by N; None at the ends, and where no share can be taken."""
    ns = sorted(runs.n.unique())
    found: dict[int, Interval | None] = dict.fromkeys(ns)
    for n in ns[1:-1]:
        if len(values := reached(runs, measure, n)):
            found[n] = paired_interval(values, np.zeros(len(values)), overlap=OVERLAP)
    return found


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge the claims of Singh (2025) and Kohli (2026) on SNLI; MNLI is shown as robustness."""
    few = published.get("human_uncertainty", "saturation")["kl"]
    least = published.get("human_uncertainty", "saturation")["kl_share"][0]
    main, budgets = ({d: runs[(runs.grid == g) & (runs.dataset == d)] for d in MAIN} for g in GRIDS[:2])
    first, second = MAIN
    found: dict[str, dict[str, Interval | None]] = {
        "text-kl": {d: difference(here, KL, relative=True) for d, here in main.items()},
        "text-entropy": {d: difference(here, DOUBT, relative=True) for d, here in main.items()},
        "text-accuracy": {d: difference(here, ACCURACY) for d, here in main.items()},
        "text-saturation": {d: _above(here, few, least) for d, here in budgets.items()},
        "text-later": {d: _sooner(here, few) for d, here in budgets.items()},
        "text-smoothing": {d: difference(here, DOUBT, "soft", _smoothest(here)) for d, here in main.items()},
    }
    lacks = lacking(main[first], ARMS)
    rows = [judge(CLAIMS[k], each[first], lacks, _also(k, each[second])) for k, each in found.items()]
    unsure = difference(budgets[first], KL, "n=100", "n=1")
    why = f"a hundred votes less one add {interval(unsure, 3)} to KL, of which no share can be taken"
    return [
        replace(row, reason=f"{CLAIMS[row.id].primary}; {why}")
        if row.found is None and row.id in ("text-saturation", "text-later") and unsure is not None
        else row
        for row in rows
    ]


def _smoothest(runs: pd.DataFrame) -> str:
    """The strength of smoothing whose mean correlation of entropies is the highest."""
    means = runs[runs.arm.isin(SMOOTHED)].groupby("arm")[DOUBT].mean().dropna()
    return str(means.idxmax()) if len(means) else ""


def _above(runs: pd.DataFrame, n: int, least: float) -> Interval | None:
    share = shares(runs, KL).get(n)
    if share is None or share.low is None or share.high is None:
        return None
    return replace(share, mean=share.mean - least, low=share.low - least, high=share.high - least)


def _sooner(runs: pd.DataFrame, n: int) -> Interval | None:
    """Share of KL's improvement that `n` votes reach less that of the correlation's, split by split."""
    sooner, later = (reached(runs, measure, n) for measure in (KL, DOUBT))
    return paired_interval(sooner, later, overlap=OVERLAP) if len(sooner) and len(later) else None


def _also(name: str, found: Interval | None) -> str:
    """What MNLI shows, in the unit of the claim."""
    if found is None or found.low is None or found.high is None:
        return "MNLI: nothing that is sure"
    claim = CLAIMS[name]
    scaled = found.times(100 if claim.unit else 1)
    return f"MNLI: {interval(scaled, claim.digits)} {claim.unit}".strip()


# What the votes are like.


def shapes(counts: np.ndarray) -> np.ndarray:
    """Which of `SHAPES` the votes [N, 3] on each pair have, as its number; int64 [N]."""
    e, n, c = counts.T
    camps = (np.minimum(e, c) >= CAMP) & (n < np.minimum(e, c))
    fits = [counts.max(1) >= AGREED, camps, np.maximum(e + n, n + c) >= NEAR]
    return np.select(fits, range(3), 3)


def temperature(z: np.ndarray, target: np.ndarray) -> float:
    """The T at which softmax(z / T) has the least cross-entropy to targets [N, K], of some in [1/4, 16]."""
    losses = [metrics.cross_entropy(softmax(z / t, axis=1), target) for t in _GRID]
    return float(_GRID[int(np.argmin(losses))])


def describe(name: str) -> Facts:
    """Describe one of `chaosnli.PARTS`; seeds of random draws are fixed. Raises as `chaosnli.examples`."""
    found = chaosnli.examples(name)
    counts, rng = found.counts, np.random.default_rng(0)
    q, majority = votes.soft_labels(counts), counts.argmax(1)
    few = votes.subsample(counts, PANEL, rng)
    facts: Facts = {
        "n": len(counts),
        "mean_entropy": round(float(votes.entropy(q).mean()), 6),
        "changed": round(float((majority != found.truth).mean()), 6),
        "ceiling": {str(chaosnli.VOTES): _ceiling(counts), str(PANEL): _ceiling(few)},
    }
    if len(chaosnli.PARTS[name].classes) == 3:
        facts |= _divided(found) | {"temperature": _temperatures(name, found, q)}
    return facts


def _ceiling(counts: np.ndarray) -> dict[str, Any]:
    found = asdict(ceiling.split_half(counts, np.random.default_rng(0)))
    return {key: np.round(value, 6).tolist() for key, value in found.items()}


def _divided(found: chaosnli.Examples) -> Facts:
    """Shapes of the votes, what became of the label of before in each, and pairs to read."""
    shape, majority = shapes(found.counts), found.counts.argmax(1)
    entropy = votes.entropy(votes.soft_labels(found.counts))
    lost = majority != found.truth
    both = (found.old[:, [0, 2]] > 0).all(1)  # entailment and contradiction among the five
    table = {}
    for which, name in enumerate(SHAPES):
        here = shape == which
        means = {"entropy": entropy, "changed": lost, "both_before": both}
        shares = {key: round(float(values[here].mean()), 6) for key, values in means.items()}
        table[name] = {"n": int(here.sum()), **shares}
    e, _, c = found.counts.T
    camps = np.where(shape == 1, np.minimum(e, c), -1)
    overruled = np.where(lost, found.counts.max(1), -1)
    short = np.array([max(len(a), len(b)) <= LONGEST for a, b in zip(found.first, found.second, strict=True)])
    kinds = {"two camps": camps, "overruled": overruled}
    quoted = {name: _quoted(found, np.where(short, score, -2)) for name, score in kinds.items()}
    return {"shapes": "".join(str(s) for s in shape), "table": table, "quoted": quoted}


def _quoted(found: chaosnli.Examples, score: np.ndarray) -> list[dict[str, Any]]:
    """The pairs with the highest scores, in words."""
    return [
        {
            "premise": found.first[row].strip(),
            "hypothesis": found.second[row].strip(),
            "votes": found.counts[row].astype(int).tolist(),
            "before": found.old[row].astype(int).tolist(),
        }
        for row in np.argsort(-score, kind="stable")[:QUOTED]
    ]


def _temperatures(name: str, found: chaosnli.Examples, q: np.ndarray) -> list[dict[str, Any]]:
    """Published logits on the test part of each split: as they are, and cooled for the majority or the votes.

    The splits are those of the runs on the same logits.
    """
    z, rows = chaosnli.logits(name, found.uids)
    q = q[rows]
    one_hot = votes.one_hot(found.counts[rows].argmax(1), q.shape[1])
    lines = []
    for seed in SEEDS:
        parts = inputs.split(len(rows), seed)
        fit, test = np.concatenate([parts["train"], parts["validation"]]), parts["test"]
        fits = {
            "as published": 1.0,
            "fitted to the majority": temperature(z[fit], one_hot[fit]),
            "fitted to the votes": temperature(z[fit], q[fit]),
        }
        for arm, t in fits.items():
            log_p = log_softmax(z[test].astype(np.float64) / t, axis=1)
            measures = {key: round(value, 6) for key, value in metrics.evaluate(log_p, q[test]).items()}
            lines.append({"seed": seed, "arm": arm, "temperature": round(t, 4), **measures})
    return lines


def find() -> dict[str, Facts]:
    """Return the committed description by dataset; empty where there is none."""
    return descriptions.find(SHELF, FILE, "beyond_images", dict) or {}


def publish() -> Path:
    """Describe the three datasets and write the committed description; returns the file."""
    return descriptions.write(SHELF, FILE, {name: describe(name) for name in chaosnli.PARTS})


if __name__ == "__main__":
    sys.exit(descriptions.command("beyond_images", {"chaosnli": publish}))
