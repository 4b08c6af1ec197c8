"""Every claim of the paper in one table: published, ours, and a verdict that follows from a stated rule."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from softlabels.analysis import published
from softlabels.analysis.comparisons import HIGHER_IS_BETTER, Comparison, gather
from softlabels.analysis.formatting import NAMES, NOTHING, interval, markdown, number, signed
from softlabels.analysis.statistics import Interval, paired_interval

RULE = (
    "A setting (dataset, network, recipe) with two or more pairs of runs supports a claim where the paired "
    "95 % interval of soft − hard lies on the claimed side of zero, contradicts it on the other side, and is "
    "open in between. A claim is *reproduced* where every setting supports it, *not reproduced* where none "
    "does, and *partly* otherwise. Settings with a single pair are not counted."
)
MEASURES = {
    "trustworthiness_features": "trustworthiness of the features",
    "trustworthiness_map": "trustworthiness of the map",
    "distance_correlation": "distance correlation",
    "hue_r2": "R² of hue",
    "shape_r2": "R² of shape",
    "label_r2": "R² of the label distribution",
    "entropy_r2": "R² of its entropy",
}
_COMMON = ("trustworthiness_features", "trustworthiness_map", "distance_correlation")
Measures = Mapping[str, Mapping[int, Mapping[str, float]]]  # arm, seed, name -> value


@dataclass(frozen=True)
class Verdict:
    """What the rule says of one claim."""

    claim: str
    published: str
    ours: str
    verdict: str
    reason: str


def judge(signs: Sequence[int], what: str = "settings") -> tuple[str, str]:
    """Apply `RULE`; `signs` holds 1 (supports), -1 (contradicts) or 0 (open) for each setting counted."""
    if not signs:
        return "not tested", f"no {what} with two or more pairs of runs"
    support, against = sum(s > 0 for s in signs), sum(s < 0 for s in signs)
    reason = f"{support} of {len(signs)} {what} support it, {against} contradict it"
    return "reproduced" if support == len(signs) else "partly" if support else "not reproduced", reason


def placed(value: float | None, found: Interval | None, name: str = "") -> str:
    """Say whether a published difference lies in the (named) interval of ours; nothing without either."""
    if value is None or found is None or found.low is None or found.high is None:
        return ""
    holds = "holds" if found.low <= value <= found.high else "excludes"
    return f"; the interval {f'of {name} ' if name else ''}{holds} the published value"


def better_by(comparisons: Sequence[Comparison], metric: str, claim: str, dataset: str) -> Verdict:
    """Judge "soft labels are better by `metric`"; `dataset` is the row of BHL's Table 1 that says so."""
    counted = [c for c in comparisons if len(c.seeds) > 1]
    claimed = 1 if HIGHER_IS_BETTER[metric] else -1
    differences = [d for d in (c.difference(metric) for c in counted) if d is not None]
    verdict, reason = judge([claimed * d.sign for d in differences])
    value = published.bhl_difference(dataset, metric)
    shown = f"{NAMES[metric]} {signed(value)} ({dataset})"
    return Verdict(claim, shown, _range(differences), verdict, reason)


def _range(differences: Sequence[Interval]) -> str:
    """One interval as it is, several by their smallest and largest mean."""
    if len(differences) < 2:
        return interval(differences[0] if differences else None)
    means = sorted(differences, key=lambda d: d.mean)
    return f"from {interval(means[0])} to {interval(means[-1])}"


def reached(comparisons: Sequence[Comparison]) -> Verdict:
    """Judge whether some setting reaches both published numbers of the soft row on the synthetic data."""
    claim = "A network trained on soft labels reaches the published soft row (synthetic)"
    aims = [published.bhl("synthetic", "soft", metric)[0] for metric in ("macro_accuracy", "kl")]
    ours = [c for c in comparisons if c.runs.get("soft")]
    if not ours:
        return Verdict(claim, _both(*aims), NOTHING, "not tested", "no run with soft labels")
    best = min(ours, key=lambda c: c.summary("soft", "kl")[0])
    accuracy, kl = (best.summary("soft", metric)[0] for metric in ("macro_accuracy", "kl"))
    verdict = {2: "reproduced", 1: "partly", 0: "not reproduced"}[(accuracy >= aims[0]) + (kl <= aims[1])]
    return Verdict(claim, _both(*aims), _both(accuracy, kl), verdict, f"lowest KL: {best.setting}")


def _both(accuracy: float, kl: float) -> str:
    return f"accuracy {number(accuracy)}, KL {number(kl)}"


def measured(measures: Measures) -> dict[str, str]:
    """Names and titles of the measures that all runs have; without runs, those that every dataset has."""
    every = [run for runs in measures.values() for run in runs.values()] or [dict.fromkeys(_COMMON, 0.0)]
    return {name: title for name, title in MEASURES.items() if all(name in run for run in every)}


def structure_differences(measures: Measures) -> dict[str, Interval]:
    """Soft - hard of every measure of structure, over the seeds that have both."""
    seeds = sorted(set(measures.get("soft", {})) & set(measures.get("hard", {})))
    if not seeds:
        return {}
    names = measured(measures)
    columns = {a: {m: [measures[a][s][m] for s in seeds] for m in names} for a in ("soft", "hard")}
    return {m: paired_interval(columns["soft"][m], columns["hard"][m]) for m in names}


def structure_table(measures: Measures) -> pd.DataFrame:
    """Mean of each measure of structure for both arms and the difference with its interval."""
    differences = structure_differences(measures)
    rows = []
    for name, title in measured(measures).items():
        means = {arm: [run[name] for run in measures.get(arm, {}).values()] for arm in ("hard", "soft")}
        shown = {arm: number(float(np.mean(v)), 3) if v else NOTHING for arm, v in means.items()}
        rows.append({"measure": title, **shown, "soft − hard": interval(differences.get(name), 3)})
    return pd.DataFrame(rows)


def more_regular(measures: Measures, dataset: str = "synthetic", figure: int = 1) -> Verdict:
    """Judge "soft labels give a more regular feature space"; each measure counts as one setting."""
    differences = list(structure_differences(measures).values())
    verdict, reason = judge([d.sign for d in differences if d.n > 1], "measures")
    return Verdict(
        f"Soft labels give a more regular feature space ({dataset})",
        f"judged by eye (figure {figure})",
        _range(differences),
        verdict,
        reason,
    )


def bhl(comparisons: Sequence[Comparison], measures: Measures | None = None) -> list[Verdict]:
    """Judge all claims of BHL from the comparisons of Table 1 and the measures of figure 1."""
    synthetic = [c for c in comparisons if c.dataset == "synthetic"]
    people = [c for c in comparisons if c.dataset.startswith(("cifar10h", "ferplus"))]
    found = []
    for metric, word in (("macro_accuracy", "higher macro accuracy"), ("kl", "lower KL")):
        found.append(
            better_by(synthetic, metric, f"Soft labels give the {word} on the synthetic data", "synthetic")
        )
        claim = f"Soft labels give the {word} on photographs that people labelled (ours: CIFAR-10H, FER+)"
        found.append(better_by(people, metric, claim, "micebone"))
    return [*found, reached(synthetic), more_regular(measures or {})]


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """Verdicts as a table of strings."""
    return pd.DataFrame([asdict(verdict) for verdict in found])


def committed(profile: str = "laptop", seeds: Sequence[int] = (0, 1, 2)) -> str:
    """Markdown table of the verdicts on all claims, from the records and maps at hand."""
    from softlabels.analysis import embeddings
    from softlabels.runs import grids

    table1 = gather(grids.grid("table1", profile, seeds))
    figure1 = gather(grids.grid("figure1", profile, seeds))[0]
    maps = embeddings.collect(figure1, embeddings.settings_of(profile), compute=False)
    return markdown(table(bhl(table1, embeddings.measures(maps))))
