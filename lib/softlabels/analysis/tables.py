"""Tables and sentences of any runs: arms side by side, tests, winners, levels."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES, interval, number, p_value, signed, spread
from softlabels.analysis.statistics import effect_size, holm, mean_sd
from softlabels.analysis.table import (
    ARMS,
    arms,
    at,
    by_epoch,
    complete,
    difference,
    pairs,
    recorded,
    settings,
    summary,
    winner,
)


def by_arm(
    runs: pd.DataFrame, measures: Mapping[str, str], base: str, digits: int | None = None
) -> pd.DataFrame:
    """A row for each arm: mean ± sd of every measure, and the difference to arm `base` with its interval.

    `measures` has columns of `runs` by their names in the table.
    """
    rows = []
    for arm in dict.fromkeys(a for measure in measures.values() for a in arms(runs, measure)):
        here = runs[runs.arm == arm]
        n = max(summary(here, measure)[2] for measure in measures.values())
        row = {"arm": names.arm(arm), "n": str(n)}
        for name, measure in measures.items():
            row[name] = spread(*summary(here, measure)[:2], digits)
            apart = None if arm == base else difference(runs, measure, arm, base)
            row[f"{name}: − {names.arm(base)}"] = interval(apart, digits)
        rows.append(row)
    return pd.DataFrame(rows)


def corrected(p: Sequence[float]) -> np.ndarray:
    """p values after Holm's step for those that are numbers."""
    adjusted, tested = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    adjusted[tested] = holm(np.asarray(p, np.float64)[tested])
    return adjusted


def tests(runs: pd.DataFrame, measure: str, base: str, digits: int | None = None) -> pd.DataFrame:
    """Every arm against `base`: difference, effect size d_z, p of the paired t test, p after Holm."""
    both = {arm: pairs(runs, measure, arm, base) for arm in arms(runs, measure) if arm != base}
    both = {arm: pair for arm, pair in both.items() if len(pair[0])}
    less = {arm: difference(runs, measure, arm, base) for arm in both}
    p = [found.p for found in less.values() if found]
    return pd.DataFrame(
        [
            {
                "arm": names.arm(arm),
                "pairs": str(len(pair[0])),
                f"− {names.arm(base)}": interval(less[arm], digits),
                "d_z": number(effect_size(*pair), 2),
                "p": p_value(one),
                "p (Holm)": p_value(many),
            }
            for (arm, pair), one, many in zip(both.items(), p, corrected(p), strict=True)
        ]
    )


def levels(found: pd.DataFrame, case: str, measure: str = "accuracy", digits: int = 3) -> pd.DataFrame:
    """One case of an evaluation: a row for each arm, a column for each level, mean ± sd."""
    here = at(found, case, measure, None)
    columns = sorted(here.level.unique())
    return pd.DataFrame(
        [
            {"arm": names.arm(arm)}
            | {f"{x:g}": spread(*summary(of[of.level == x], "value")[:2], digits) for x in columns}
            for arm, of in here.groupby("arm", sort=False)
        ]
    )


def sentence(name: str, runs: pd.DataFrame, measure: str, arm: str = "soft", base: str = "truth") -> str:
    """One measure of two arms in words: which is higher, both means over their pairs, the interval, n."""
    found = difference(runs, measure, arm, base)
    if found is None:
        return f"{name}: no pair of runs is here yet."
    means = [number(mean_sd(values)[0], 3) for values in pairs(runs, measure, arm, base)]
    told = {1: "higher", -1: "lower", 0: "not told apart"}[found.sign]
    return (
        f"{name} is {told} with {names.spoken(arm)} {'than' if found.sign else 'and'} with "
        f"{names.spoken(base)}: {means[0]} against {means[1]} (difference "
        f"{interval(found, 3).replace('**', '')}, {found.n} pair{'s' if found.n > 1 else ''} of runs)."
    )


def share_reached(
    runs: pd.DataFrame, measure: str, arm: str, first: str = "n=1", last: str = "n=all"
) -> np.ndarray:
    """Share of the improvement from `first` to `last` that an arm has reached, pair by pair.

    Empty where the interval of the whole improvement includes zero: a share of what may be nothing is noise.
    """
    gain = difference(runs, measure, last, first)
    if gain is None or not gain.sign:
        return np.empty(0)
    whole = complete(runs, tuple(dict.fromkeys((first, arm, last))))
    a, b, c = (whole[measure][whole.arm == name].to_numpy(np.float64) for name in (first, arm, last))
    changed = c != a
    return (b[changed] - a[changed]) / (c[changed] - a[changed])


def winners(runs: pd.DataFrame, metric: str = "macro_accuracy") -> pd.DataFrame:
    """In which setting are all votes better, in which the majority?

    The 95 % interval decides; where it contains zero or there is one pair only, the answer is "open". The
    last column is the p value of the paired t test after Holm's correction for the number of settings.
    """
    measure, cut = f"test.{metric}", settings(runs, complete_only=False)
    less = [difference(here, measure) for _, here in cut]
    p = corrected([found.p if found else np.nan for found in less])
    rows = [
        {
            "setting": names.title(name),
            "pairs": str(len(complete(here)) // 2),
            f"{NAMES[metric]}, {names.less('soft', 'hard')}": interval(found),
            "better": names.arm(winner(here, measure)),
            "p (Holm)": number(value, 3),
        }
        for (name, here), found, value in zip(cut, less, p, strict=True)
    ]
    return pd.DataFrame(rows)


def winners_sentence(runs: pd.DataFrame, metric: str = "macro_accuracy") -> str:
    """The table of `winners` in one sentence."""
    found = [winner(here, f"test.{metric}") for _, here in settings(runs, complete_only=False)]
    soft, hard, undecided = (found.count(word) for word in ("soft", "hard", "open"))
    gaps = f"; {found.count('missing')} have no pair of runs yet" if "missing" in found else ""
    return (
        f"By {NAMES[metric]}, all votes are better in {soft} of {len(found)} settings, the majority in "
        f"{hard}, and {undecided} are open{gaps}."
    )


def claim(runs: pd.DataFrame) -> str:
    """One paragraph: what both arms of a setting reached, over how many runs, where and how long."""
    name, n = names.title(runs.setting.iloc[0]), len(complete(runs)) // 2
    if not n:
        return f"**{name}: no pair of runs is here yet.**"
    said = []
    for arm in reversed(ARMS):
        here = runs[runs.arm == arm]
        accuracy, kl = (spread(*summary(here, f"test.{m}")[:2]) for m in ("macro_accuracy", "kl"))
        said.append(f"{names.arm(arm)}: macro accuracy {accuracy}, KL {kl} nats")
    found = sorted(recorded(runs), key=lambda r: r.config.label)
    machines = ", ".join(dict.fromkeys(r.environment["machine"] for r in found))
    minutes = number(sum(r.seconds for r in found) / 60, 1)
    pair = f"{n} pair{'s' if n > 1 else ''} of runs"
    return f"**{name}: {said[0]}; {said[1]}** ({pair}, {minutes} minutes, {machines})."


def course(runs: pd.DataFrame, base: str = "hard") -> str:
    """Say in how many epochs all votes are ahead of `base` in the mean, since when, and by how much.

    On validation images; both are held against the people's distribution, which is the same for all arms.
    """
    said = []
    for words, measure, better in (("accuracy", "macro_accuracy", 1), ("KL", "kl", -1)):
        lines = by_epoch(runs, f"validation_{measure}")
        if not {"soft", base} <= set(lines):
            return "No pair of runs is here yet."
        epochs = sorted(set(lines["soft"]) & set(lines[base]))
        less = {e: float(np.mean(lines["soft"][e]) - np.mean(lines[base][e])) for e in epochs}
        ahead = [better * less[e] > 0 for e in epochs]
        since = next((e for i, e in enumerate(epochs) if all(ahead[i:])), None)
        kept = "not in the last" if since is None else f"all from {since} on"
        most = max(epochs, key=lambda e: better * less[e])
        said.append(
            f"in {words} in {sum(ahead)} of {len(epochs)} epochs, {kept} (difference {signed(less[most], 3)} "
            f"after epoch {most}, where it is greatest, {signed(less[epochs[-1]], 3)} after the last)"
        )
    n = int((runs[runs.record.notna()].arm == "soft").sum())
    return f"In the mean of {n} runs all votes are ahead {'; '.join(said)}."
