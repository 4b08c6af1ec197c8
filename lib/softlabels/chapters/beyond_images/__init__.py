"""Chapter 18: pairs of texts with a hundred votes each; where a budget saturates, and the verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import names, published, table
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.competence import lacking
from softlabels.analysis.formatting import NOTHING, interval, number, spread
from softlabels.analysis.statistics import Interval, mean_sd, paired_interval
from softlabels.analysis.table import ARMS, difference, pairs, recorded, summary
from softlabels.analysis.tables import share_reached
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.chapters.beyond_images.facts import SHAPES, Facts
from softlabels.labels import metrics, votes
from softlabels.learning.config import FRACTIONS
from softlabels.runs.profiles import TEXT_MAIN as MAIN
from softlabels.runs.profiles import TEXT_SMOOTHED as SMOOTHED
from softlabels.runs.records import Record

GRIDS = ("text", "text-budget", "text-features")
KL, DOUBT, ACCURACY = "test.kl", "test.entropy_correlation", "test.macro_accuracy"
SATURATED = 0.9
OVERLAP = FRACTIONS["test"] / FRACTIONS["train"]  # splits are random: they share pairs of texts


def collect(profile: str, seeds: Sequence[int], *how: Any) -> pd.DataFrame:
    """The chapter's runs; "part" is the dataset without the name of the collection, "n" the votes learnt."""
    runs = table.gather(GRIDS, profile, seeds, *how)
    n = [int(arm[2:]) if arm.startswith("n=") else 0 for arm in runs.arm]
    return runs.assign(part=runs.dataset.str.removeprefix("chaosnli:"), n=n, overlap=OVERLAP)


def kinds(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset, kind of features and network: both arms, and votes against knowing nothing."""
    rows = []
    for (part, network), here in runs.groupby(["part", "network"], sort=False):
        row = {
            "dataset": part,
            "network": names.NETWORKS.get(network, network),
            "n": str(len(pairs(here, KL)[0])),
        }
        for measure, name in ((ACCURACY, "accuracy"), (KL, "KL"), (DOUBT, "r")):
            for arm in ARMS:
                row[f"{name}, {names.arm(arm)}"] = spread(*summary(here[here.arm == arm], measure)[:2], 3)
            row[f"{name}, {names.less('soft', 'hard')}"] = interval(difference(here, measure), 3)
        row["KL, all votes − mean votes"] = interval(learnt(here), 3)
        row["lacks"] = lacking(here, ARMS) or NOTHING
        rows.append(row)
    return pd.DataFrame(rows)


def learnt(runs: pd.DataFrame) -> Interval | None:
    """KL of the soft arm less that of one distribution for every pair; None without a run."""
    found = recorded(runs[runs.arm == "soft"])
    own = [record.metrics["test"]["kl"] for record in found]
    mean = [_mean_votes(record) for record in found]
    return paired_interval(own, mean, overlap=OVERLAP) if found else None


def competent(runs: pd.DataFrame) -> str:
    """Say with which features both arms are competent, and with which the votes beat their mean at all."""
    words: dict[str, list[str]] = {"competent": [], "better": [], "neither": []}
    for (part, network), here in runs.groupby(["part", "network"], sort=False):
        found = learnt(here)
        if found is not None and network != "linear":
            kind = "competent" if not lacking(here, ARMS) else "better" if found.sign < 0 else "neither"
            words[kind].append(part)
    listed = {kind: ", ".join(names) or "none" for kind, names in words.items()}
    return (
        f"Both arms competent: {listed['competent']}. Not, but votes are learnt from beyond doubt: "
        f"{listed['better']}. Neither: {listed['neither']}."
    )


def _mean_votes(record: Record) -> float:
    """KL of the mean votes of the test part, given for every pair: what knows nothing of a pair."""
    q = record.arrays()["targets"].astype(np.float64)
    q /= q.sum(1, keepdims=True)
    return metrics.kl_divergence(q, np.broadcast_to(q.mean(0), q.shape))


def sentence(runs: pd.DataFrame, measure: str, arm: str, base: str, words: str) -> str:
    """One paired difference of every dataset in words."""
    found = {part: difference(here, measure, arm, base) for part, here in runs.groupby("part", sort=False)}
    listed = [f"{part} {interval(i, 3)}" for part, i in found.items()]
    return f"{words}: {'; '.join(listed).replace('**', '') or 'no run is here yet'}."


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


def saturation(found: dict[int, Interval | None]) -> str:
    """The least N at which 90 % of the improvement is reached, and what its interval allows."""

    def least(value: str) -> str:
        fits = [n for n, share in found.items() if share is not None and getattr(share, value) >= SATURATED]
        return str(min(fits)) if fits else "more"

    known = [share for share in found.values() if share is not None]
    if not known or any(share.low is None for share in known):
        return NOTHING
    return f"{least('mean')} ({least('high')} to {least('low')})"


def budget(runs: pd.DataFrame) -> pd.DataFrame:
    """Every measure by the number of votes, what a hundred add to one, and where that is saturated."""
    entry = published.get("human_uncertainty", "saturation")
    theirs = {KL: f"≈ {entry['kl']}", DOUBT: "{}–{}".format(*entry["entropy_correlation"])}
    rows = []
    for part, here in runs.groupby("part", sort=False):
        for measure, name in ((KL, "KL"), (DOUBT, "entropy corr."), (ACCURACY, "accuracy")):
            row = {"dataset": names.dataset(f"chaosnli:{part}"), "measure": name}
            row["n"] = str(len(pairs(here, measure, "n=1", "n=100")[0]))
            for n, of in here.groupby("n"):
                row[f"N = {n}"] = number(summary(of, measure)[0], 3)
            row["100 − 1"] = interval(difference(here, measure, "n=100", "n=1"), 3)
            row["saturated at N"] = saturation(shares(here, measure))
            rows.append(row | {"published": theirs.get(measure, NOTHING)})
    return pd.DataFrame(rows)


def by_shape(runs: pd.DataFrame, facts: dict[str, Facts], arms: Iterable[str]) -> pd.DataFrame:
    """KL and predicted entropy on test pairs by the shape of their votes, mean ± sd over splits."""
    rows = []
    for name, here in runs.groupby("part", sort=False):
        part = name.split("/")[0]
        if part not in facts:
            continue
        shape = np.array([int(s) for s in facts[part]["shapes"]])
        for number_, shape_name in enumerate(SHAPES):
            row = {"dataset": part, "votes": shape_name, "entropy of the votes": ""}
            for arm in arms:
                found = [_on_shape(r, shape, number_) for r in recorded(here[here.arm == arm])]
                if found:
                    kl, entropy, votes = np.array(found).T
                    row["entropy of the votes"] = number(votes.mean(), 2)
                    row[f"predicted, {names.arm(arm)}"] = spread(*mean_sd(entropy), 2)
                    row[f"KL, {names.arm(arm)}"] = spread(*mean_sd(kl), 3)
            rows.append(row)
    return pd.DataFrame(rows)


def _on_shape(record: Record, shape: np.ndarray, which: int) -> tuple[float, float, float]:
    """KL, mean entropy of the predictions and of the votes on the test pairs of one shape."""
    arrays = record.arrays()
    here = shape[arrays["ids"]] == which
    q, p = arrays["targets"][here].astype(np.float64), np.exp(arrays["log_probs"][here].astype(np.float64))
    q, p = q / q.sum(1, keepdims=True), p / p.sum(1, keepdims=True)
    return metrics.kl_divergence(q, p), float(votes.entropy(p).mean()), float(votes.entropy(q).mean())


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
    rows = [
        judge(CLAIMS[name], each[first], lacks, _also(name, each[second])) for name, each in found.items()
    ]
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
    claim, factor = CLAIMS[name], 100 if CLAIMS[name].unit else 1
    scaled = replace(found, mean=factor * found.mean, low=factor * found.low, high=factor * found.high)
    return f"MNLI: {interval(scaled, claim.digits)} {claim.unit}".strip()
