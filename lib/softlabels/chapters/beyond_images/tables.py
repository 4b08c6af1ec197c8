"""One table of the chapter's runs, paired differences in it, where a budget saturates, and the verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from softlabels.analysis import comparisons, competence, published
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.formatting import NOTHING, interval, number, spread
from softlabels.analysis.paired import Panel
from softlabels.analysis.statistics import Interval, mean_sd, paired_interval
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.chapters.beyond_images.facts import SHAPES, Facts
from softlabels.labels import metrics, votes
from softlabels.learning.inputs import FRACTIONS
from softlabels.runs import grids
from softlabels.runs.experiments_text import MAIN, SMOOTHED, features
from softlabels.runs.records import Record

GRIDS = ("text", "text-budget", "text-features")
MEASURES = ("macro_accuracy", "kl", "cross_entropy", "entropy_correlation")
COLUMNS = ("grid", "dataset", "features", "network", "arm", "seed", *MEASURES, "record")
SATURATED = 0.9
OVERLAP = FRACTIONS["test"] / FRACTIONS["train"]  # splits are random: they share pairs of texts


def collect(
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> tuple[pd.DataFrame, list[Record], str]:
    """Look up the chapter's runs; what has no record is trained only if `train`.

    Returns
    -------
    DataFrame
        A row for each run of a grid: grid, dataset, features, network, arm, seed, `MEASURES` against the
        votes of the test part, and its record.
    list of Record
        Each once.
    str
        Markdown: the commands that train what is missing.
    """
    rows: list[dict[str, object]] = []
    once, missing = {}, []
    for grid in GRIDS:
        lacks = set()
        for cell in grids.grid(grid, profile, seeds):
            record = comparisons.record_of(cell, train, device, fresh, committed_only)
            if record is None:
                lacks.add(cell.seed)
                continue
            once[record.id] = record
            place = (grid, cell.dataset, features(cell.dataset), cell.network, cell.arm, cell.seed)
            values = [record.metrics["test"].get(name, np.nan) for name in MEASURES]
            rows.append(dict(zip(COLUMNS, (*place, *values, record), strict=True)))
        if lacks:
            listed = " ".join(map(str, sorted(lacks)))
            missing.append(f"`softlabels train --chapter {grid} --profile {profile} --seeds {listed}`")
    words = f"Missing runs are trained by {', '.join(missing)}." if missing else "No run is missing."
    return pd.DataFrame(rows, columns=COLUMNS), list(once.values()), words


def pairs(runs: pd.DataFrame, measure: str, arm: str, base: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of two arms on the seeds that have both; `runs` are those of one setting."""
    wide = runs.pivot_table(index="seed", columns="arm", values=measure)
    if not {arm, base} <= set(wide):
        return np.empty(0), np.empty(0)
    wide = wide[[arm, base]].dropna()
    return wide[arm].to_numpy(), wide[base].to_numpy()


def difference(
    runs: pd.DataFrame, measure: str, arm: str, base: str, relative: bool = False
) -> Interval | None:
    """Mean of arm − base, or of (arm − base) / base, with its paired interval; None without a pair."""
    a, b = pairs(runs, measure, arm, base)
    if not len(a):
        return None
    return over_splits(a / b, np.ones(len(b))) if relative else over_splits(a, b)


def over_splits(a: np.ndarray, b: np.ndarray) -> Interval:
    """Paired interval over random splits, with the correction for their overlap."""
    return paired_interval(a, b, overlap=OVERLAP)


def arms(runs: pd.DataFrame, words: dict[str, str], base: str = "soft") -> pd.DataFrame:
    """A row for each arm of one setting: measures, and the differences to `base`."""
    found = [arm for arm in words if (runs.arm == arm).any()]
    rows = []
    for arm in found:
        here = runs[runs.arm == arm]
        rows.append(
            {
                "learnt from": words[arm],
                "n": str(len(here)),
                "accuracy": spread(*mean_sd(here.macro_accuracy), 3),
                "KL [nats]": spread(*mean_sd(here.kl), 3),
                "entropy corr.": spread(*mean_sd(here.entropy_correlation), 3),
                f"KL − {base}": _less(runs, "kl", arm, base),
                f"entropy corr. − {base}": _less(runs, "entropy_correlation", arm, base),
            }
        )
    return pd.DataFrame(rows)


def _less(runs: pd.DataFrame, measure: str, arm: str, base: str) -> str:
    return NOTHING if arm == base else interval(difference(runs, measure, arm, base), 3)


def kinds(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset, kind of features and network: both arms, and votes against knowing nothing."""
    rows = []
    for (dataset, network), here in runs.groupby(["dataset", "network"], sort=False):
        row = {"dataset": dataset.removeprefix("chaosnli:"), "network": network}
        row["n"] = str(len(pairs(here, "kl", "soft", "hard")[0]))
        for measure, name in (("macro_accuracy", "accuracy"), ("kl", "KL"), ("entropy_correlation", "r")):
            for arm in ("hard", "soft"):
                row[f"{name}, {arm}"] = spread(*mean_sd(here[here.arm == arm][measure]), 3)
            row[f"{name}, soft − hard"] = interval(difference(here, measure, "soft", "hard"), 3)
        row["KL, soft − mean votes"] = interval(learnt(here), 3)
        row["lacks"] = lacking(here) or NOTHING
        rows.append(row)
    return pd.DataFrame(rows)


def lacking(runs: pd.DataFrame, arms: Sequence[str] = ("hard", "soft")) -> str:
    """What arms of one setting lack to count as competent; empty if nothing."""
    found = {arm: competence.shortcoming(list(runs[runs.arm == arm].record)) for arm in arms}
    return "; ".join(f"{arm}: {words}" for arm, words in found.items() if words)


def learnt(runs: pd.DataFrame) -> Interval | None:
    """KL of the soft arm less that of one distribution for every pair; None without a run."""
    found = list(runs[runs.arm == "soft"].record)
    own = [record.metrics["test"]["kl"] for record in found]
    return over_splits(np.array(own), np.array([_mean_votes(r) for r in found])) if found else None


def competent(runs: pd.DataFrame) -> str:
    """Say with which features both arms are competent, and with which the votes beat their mean at all."""
    words: dict[str, list[str]] = {"competent": [], "better": [], "neither": []}
    for (dataset, network), here in runs.groupby(["dataset", "network"], sort=False):
        found = learnt(here)
        if found is not None and network != "linear":
            kind = "competent" if not lacking(here) else "better" if found.sign < 0 else "neither"
            words[kind].append(dataset.removeprefix("chaosnli:"))
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


def panels(runs: pd.DataFrame, measure: str = "kl") -> dict[str, Panel]:
    """One measure of every dataset by arm and seed, as `figures.against` takes it."""
    return {
        f"KL, {dataset.removeprefix('chaosnli:')}": Panel(
            {arm: dict(zip(of.seed, of[measure], strict=True)) for arm, of in here.groupby("arm")}, OVERLAP
        )
        for dataset, here in runs.groupby("dataset", sort=False)
    }


def sentence(runs: pd.DataFrame, measure: str, arm: str, base: str, words: str) -> str:
    """One paired difference of every dataset in words."""
    found = {d: difference(here, measure, arm, base) for d, here in runs.groupby("dataset", sort=False)}
    listed = [f"{d.removeprefix('chaosnli:')} {interval(i, 3)}" for d, i in found.items()]
    return f"{words}: {'; '.join(listed).replace('**', '') or 'no run is here yet'}."


def shares(runs: pd.DataFrame, measure: str) -> dict[int, Interval | None]:
    """Share of the improvement from one vote to a hundred that N votes reach, with its interval, by N."""
    ns = sorted(int(arm.removeprefix("n=")) for arm in runs.arm.unique())
    found: dict[int, Interval | None] = dict.fromkeys(ns)
    for n in ns[1:-1]:
        values = reached(runs, measure, n)
        if len(values):
            found[n] = over_splits(values, np.zeros(len(values)))
    return found


def reached(runs: pd.DataFrame, measure: str, n: int) -> np.ndarray:
    """Share of the improvement from one vote to a hundred that `n` votes reach in each split.

    Empty where the interval of the whole improvement includes zero: a share of what may be nothing is noise.
    """
    wide = runs.pivot_table(index="seed", columns="arm", values=measure)
    if not {"n=1", f"n={n}", "n=100"} <= set(wide):
        return np.empty(0)
    first, some, last = wide[["n=1", f"n={n}", "n=100"]].dropna().to_numpy().T
    sure = len(first) and over_splits(last, first).sign
    return (some - first) / (last - first) if sure else np.empty(0)


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
    late = "{}–{}".format(*entry["entropy_correlation"])
    rows = []
    for dataset, here in runs.groupby("dataset", sort=False):
        for measure, name, theirs in (
            ("kl", "KL", f"≈ {entry['kl']}"),
            ("entropy_correlation", "entropy corr.", late),
            ("macro_accuracy", "accuracy", NOTHING),
        ):
            row = {"dataset": dataset.removeprefix("chaosnli:"), "measure": name}
            row["n"] = str(len(pairs(here, measure, "n=1", "n=100")[0]))
            for arm in sorted(here.arm.unique(), key=lambda arm: int(arm.removeprefix("n="))):
                row[arm.replace("n=", "N = ")] = number(mean_sd(here[here.arm == arm][measure])[0], 3)
            row["100 − 1"] = interval(difference(here, measure, "n=100", "n=1"), 3)
            row["saturated at N"] = saturation(shares(here, measure))
            rows.append(row | {"published": theirs})
    return pd.DataFrame(rows)


def curves(runs: pd.DataFrame) -> dict[str, dict[str, dict[float, list[float]]]]:
    """Values by measure, dataset and N, as `figures.curves` takes them."""
    names = {"macro_accuracy": "accuracy", "kl": "KL [nats]", "entropy_correlation": "entropy corr."}
    found: dict[str, dict[str, dict[float, list[float]]]] = {}
    for measure, name in names.items():
        for (dataset, arm), here in runs.groupby(["dataset", "arm"], sort=False):
            line = found.setdefault(name, {}).setdefault(dataset.removeprefix("chaosnli:"), {})
            line[float(arm.removeprefix("n="))] = here[measure].tolist()
    return found


def by_shape(runs: pd.DataFrame, facts: dict[str, Facts], arms: Iterable[str]) -> pd.DataFrame:
    """KL and predicted entropy on test pairs by the shape of their votes, mean ± sd over splits."""
    rows = []
    for dataset, here in runs.groupby("dataset", sort=False):
        part = dataset.removeprefix("chaosnli:").split("/")[0]
        if part not in facts:
            continue
        shape = np.array([int(s) for s in facts[part]["shapes"]])
        for number_, name in enumerate(SHAPES):
            row = {"dataset": part, "votes": name, "entropy of the votes": ""}
            for arm in arms:
                found = [_on_shape(record, shape, number_) for record in here[here.arm == arm].record]
                if found:
                    kl, entropy, votes = np.array(found).T
                    row["entropy of the votes"] = number(votes.mean(), 2)
                    row[f"predicted, {arm}"] = spread(*mean_sd(entropy), 2)
                    row[f"KL, {arm}"] = spread(*mean_sd(kl), 3)
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
    best = {d: _smoothest(here) for d, here in main.items()}
    found: dict[str, dict[str, Interval | None]] = {
        "text-kl": {d: difference(here, "kl", "soft", "hard", True) for d, here in main.items()},
        "text-entropy": {
            d: difference(here, "entropy_correlation", "soft", "hard", True) for d, here in main.items()
        },
        "text-accuracy": {d: difference(here, "macro_accuracy", "soft", "hard") for d, here in main.items()},
        "text-saturation": {d: _above(here, few, least) for d, here in budgets.items()},
        "text-later": {d: _sooner(here, few) for d, here in budgets.items()},
        "text-smoothing": {
            d: difference(here, "entropy_correlation", "soft", best[d]) for d, here in main.items()
        },
    }
    lacks = lacking(main[first])
    rows = [
        judge(CLAIMS[name], each[first], lacks, _also(name, each[second])) for name, each in found.items()
    ]
    unsure = difference(budgets[first], "kl", "n=100", "n=1")
    why = f"a hundred votes less one add {interval(unsure, 3)} to KL, of which no share can be taken"
    return [
        replace(row, reason=f"{CLAIMS[row.id].primary}; {why}")
        if row.found is None and row.id in ("text-saturation", "text-later") and unsure is not None
        else row
        for row in rows
    ]


def _smoothest(runs: pd.DataFrame) -> str:
    """The strength of smoothing whose mean correlation of entropies is the highest."""
    means = runs[runs.arm.isin(SMOOTHED)].groupby("arm").entropy_correlation.mean()
    return str(means.idxmax()) if len(means) else ""


def _above(runs: pd.DataFrame, n: int, least: float) -> Interval | None:
    share = shares(runs, "kl").get(n)
    if share is None or share.low is None or share.high is None:
        return None
    return replace(share, mean=share.mean - least, low=share.low - least, high=share.high - least)


def _sooner(runs: pd.DataFrame, n: int) -> Interval | None:
    """Share of KL's improvement that `n` votes reach less that of the correlation's, split by split."""
    both = [reached(runs, measure, n) for measure in ("kl", "entropy_correlation")]
    return over_splits(*both) if all(len(side) for side in both) else None


def _also(name: str, found: Interval | None) -> str:
    """What MNLI shows, in the unit of the claim."""
    if found is None or found.low is None or found.high is None:
        return "MNLI: nothing that is sure"
    claim, factor = CLAIMS[name], 100 if CLAIMS[name].unit else 1
    scaled = replace(found, mean=factor * found.mean, low=factor * found.low, high=factor * found.high)
    return f"MNLI: {interval(scaled, claim.digits)} {claim.unit}".strip()
