"""Tables of the chapters: published numbers beside ours, drawn from comparisons of records."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from softlabels.analysis import published
from softlabels.analysis.comparisons import HIGHER_IS_BETTER, Comparison, missing_command
from softlabels.analysis.comparisons import table1 as gather_table1
from softlabels.analysis.formatting import NAMES, NOTHING, interval, markdown, number, signed, spread
from softlabels.analysis.statistics import holm
from softlabels.runs.profiles import SPLITS

if TYPE_CHECKING:
    from softlabels.runs import Record


def table1(comparisons: Sequence[Comparison], metric: str) -> pd.DataFrame:
    """One measure of BHL's Table 1: published rows, and ours below them, for both arms and their difference.

    Parameters
    ----------
    metric : str
        "macro_accuracy" or "kl".
    """
    rows = []
    for dataset in dict.fromkeys([*(c.dataset for c in comparisons), "micebone"]):
        rows += _published(dataset, metric)
        rows += [_ours(c, metric) for c in comparisons if c.dataset == dataset]
    return pd.DataFrame(rows).fillna(NOTHING)


def _ours(c: Comparison, metric: str) -> dict[str, str]:
    row = {"setting": f"{c.setting}, {c.config.epochs} epochs", "n": _count(c)}
    row |= {arm: spread(*c.summary(arm, metric)[:2]) for arm in ("hard", "soft")}
    return row | {"soft − hard": interval(c.difference(metric))}


def _count(c: Comparison) -> str:
    hard, soft = (len(c.runs.get(arm, {})) for arm in ("hard", "soft"))
    number_of_runs = str(soft) if hard == soft else f"{hard} hard, {soft} soft"
    return number_of_runs + (f" ({len(c.missing)} missing)" if c.missing else "")


def _published(dataset: str, metric: str) -> list[dict[str, str]]:
    if dataset in ("synthetic", "micebone"):
        entry = published.get("bhl")
        where = f"**published**: {dataset} · {entry[dataset]['network']}, {entry['epochs']} epochs"
        row = {"setting": where, "n": str(entry["splits"])}
        row |= {arm: spread(*published.bhl(dataset, arm, metric)) for arm in ("hard", "soft")}
        return [row | {"soft − hard": signed(published.bhl_difference(dataset, metric))}]
    if dataset.startswith("cifar10h") and metric == "macro_accuracy":
        return [_published_votes()]
    return []


def _published_votes() -> dict[str, str]:
    """CIFAR-10H as its authors trained on it (Peterson et al. 2019); they report cross-entropy, not KL."""
    entry = published.get("cifar10h")
    hard, soft = (entry[arm]["accuracy"] for arm in ("hard", "soft"))
    where = f"**published**: cifar10h · {entry['networks']}, {entry['epochs']} epochs"
    row = {"setting": where, "n": f"{entry['folds']} folds", "hard": number(hard), "soft": number(soft)}
    return row | {"soft − hard": signed(soft - hard)}


def extras(
    comparisons: Sequence[Comparison],
    measures: Sequence[str] = ("ece", "brier", "entropy_correlation", "second_best_accuracy"),
) -> pd.DataFrame:
    """Means of measures that the paper does not give, hard → soft, in bold where the interval decides."""
    return pd.DataFrame(
        [{"setting": c.setting} | {NAMES[m]: _change(c, m) for m in measures} for c in comparisons]
    )


def _change(c: Comparison, metric: str) -> str:
    hard, soft = (number(c.summary(arm, metric)[0], 3) for arm in ("hard", "soft"))
    difference = c.difference(metric)
    return f"**{hard} → {soft}**" if difference and difference.sign else f"{hard} → {soft}"


def arms(comparison: Comparison) -> pd.DataFrame:
    """All measures of one setting: a row for each, a column for each arm, and which arm is better."""
    rows = []
    for metric, name in NAMES.items():
        hard, soft = (comparison.summary(arm, metric) for arm in ("hard", "soft"))
        row = {"measure": name, "better is": "higher" if HIGHER_IS_BETTER[metric] else "lower"}
        row |= {"hard labels": spread(*hard[:2]), "soft labels": spread(*soft[:2])}
        rows.append(row | {"ahead": _ahead(soft[0] - hard[0], HIGHER_IS_BETTER[metric])})
    return pd.DataFrame(rows)


def _ahead(difference: float, higher_is_better: bool) -> str:
    if not abs(difference) > 0:  # equal, or undefined in one arm
        return NOTHING
    return "soft" if (difference > 0) == higher_is_better else "hard"


def claim(comparison: Comparison) -> str:
    """One paragraph: what both arms reached in a setting, over how many runs, where and how long."""
    if not comparison.seeds:
        return f"**{comparison.setting}: no pair of runs is here yet.**"
    arms = []
    for arm in ("soft", "hard"):
        accuracy, kl = (spread(*comparison.summary(arm, m)[:2]) for m in ("macro_accuracy", "kl"))
        arms.append(f"{arm} labels give macro accuracy {accuracy} and KL {kl} nats")
    n, records = len(comparison.seeds), comparison.records
    machines = ", ".join(dict.fromkeys(r.environment["machine"] for r in records))
    minutes = number(sum(r.seconds for r in records) / 60, 1)
    pairs = f"{n} pair{'s' if n > 1 else ''} of runs"
    return f"**{comparison.setting}: {arms[0]}; {arms[1]}** ({pairs}, {minutes} minutes, {machines})."


def tuning(records: "Iterable[Record]", chosen: Mapping[tuple[str, str, str], float]) -> pd.DataFrame:
    """Validation loss of every learning rate that was tried, in nats; the chosen one in bold.

    Parameters
    ----------
    chosen : dict of (dataset, network, arm) to float
    """
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for record in sorted(records, key=lambda r: r.config.lr):
        config, loss = record.config, number(record.metrics["validation"]["loss"])
        key = (config.dataset, config.network, config.label)
        row = rows.setdefault(key, dict(zip(("dataset", "network", "arm"), key, strict=True)))
        row[f"lr {config.lr:g}"] = f"**{loss}**" if chosen.get(key) == config.lr else loss
    return pd.DataFrame([rows[key] for key in sorted(rows)]).fillna(NOTHING)


def winners(comparisons: Sequence[Comparison], metric: str = "macro_accuracy") -> pd.DataFrame:
    """In which setting are soft labels better, in which hard ones?

    The 95 % interval decides; where it contains zero or there is one pair only, the answer is "open". The
    last column is the p value of the paired t test after Holm's correction for the number of settings.
    """
    p = np.array([c.p_value(metric) for c in comparisons])
    tested = np.flatnonzero(np.isfinite(p))
    p[tested] = holm(p[tested])
    rows = [
        {
            "setting": c.setting,
            "pairs": str(len(c.seeds)),
            f"{NAMES[metric]}, soft − hard": interval(c.difference(metric)),
            "better": c.winner(metric),
            "p (Holm)": number(value, 3),
        }
        for c, value in zip(comparisons, p, strict=True)
    ]
    return pd.DataFrame(rows)


def winners_sentence(comparisons: Sequence[Comparison], metric: str = "macro_accuracy") -> str:
    """The table of `winners` in one sentence."""
    found = [c.winner(metric) for c in comparisons]
    soft, hard, undecided = (found.count(word) for word in ("soft", "hard", "open"))
    gaps = f"; {found.count('missing')} have no pair of runs yet" if "missing" in found else ""
    return (
        f"By {NAMES[metric]}, soft labels are better in {soft} of {len(found)} settings, hard labels in "
        f"{hard}, and {undecided} are open{gaps}."
    )


def not_learnt(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Settings whose networks are not competent, and what each arm lacks."""
    found = [(c, c.shortcoming) for c in comparisons]
    rows = [(f"{c.setting}, {c.config.epochs} epochs", str(len(c.seeds)), why) for c, why in found if why]
    return pd.DataFrame(rows, columns=["setting", "pairs", "what is lacking"])


def softenings(scores: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Scores of targets that soften a hard label, from `why_distributions_help.score`."""
    return pd.DataFrame(
        {
            "trained on": name,
            "accuracy": number(score["accuracy"], 3),
            "KL [nats]": number(score["kl"], 3),
            "entropy corr.": number(score["entropy_correlation"], 3),
        }
        for name, score in scores.items()
    )


def headline(comparisons: Sequence[Comparison] | None = None) -> str:
    """Markdown: BHL's published row, and for each dataset all recipes of the network with the most runs.

    Without an argument: the committed records of profile laptop, seeds 0 to 4.
    """
    if comparisons is None:
        comparisons = gather_table1("laptop", SPLITS)
    chosen: list[Comparison] = []
    for dataset in dict.fromkeys(c.dataset for c in comparisons):
        here = [c for c in comparisons if c.dataset == dataset and c.seeds]
        pairs = Counter[str]()
        for c in here:
            pairs[c.network] += len(c.seeds)
        chosen += [c for c in here if c.network == pairs.most_common(1)[0][0]]
    return markdown(_both_measures(chosen))


def _both_measures(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    found = []
    for metric in ("macro_accuracy", "kl"):
        rows = _published("synthetic", metric) + [_ours(c, metric) for c in comparisons]
        frame = pd.DataFrame(rows).set_index(["setting", "n"])[["hard", "soft"]]
        found.append(frame.rename(columns=lambda arm, name=NAMES[metric]: f"{name}, {arm}"))
    return pd.concat(found, axis=1).reset_index()


def missing_note(comparisons: Sequence[Comparison], chapter: str, profile: str) -> str:
    """Markdown: what is not here and the command that makes it."""
    lines = []
    command = missing_command(comparisons, chapter, profile)
    if command:
        gaps = [f"{c.setting} ({cell.arm}, seed {cell.seed})" for c in comparisons for cell in c.missing]
        listed = "; ".join(gaps[:6]) + (f"; and {len(gaps) - 6} more" if len(gaps) > 6 else "")
        lines.append(f"Missing runs: {listed}. They are trained by `{command}`.")
    if not any(c.dataset == "micebone" for c in comparisons):
        lines.append(
            "MiceBone: its images have to be fetched from its authors, so Table 1 has its published numbers "
            "alone. `softlabels train --chapter table1 --profile paper --dataset micebone` downloads them "
            "and trains both arms by the recipes stated and public-code, from pretrained weights too."
        )
    return "\n\n".join(lines)
