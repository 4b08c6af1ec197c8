"""One table of the chapter's runs, paired differences in it, where a budget saturates, and the verdicts."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from softlabels import comparisons, experiments, published
from softlabels.chapters.beyond_images.facts import SHAPES, Facts
from softlabels.experiments_text import MAIN, SMOOTHED, features
from softlabels.formatting import NOTHING, interval, number, p_value, signed, spread
from softlabels.paired import Panel
from softlabels.records import Record
from softlabels.statistics import Interval, holm, mean_sd, paired_interval, paired_p
from softlabels.verdicts import Verdict, judge, placed

RULE = (
    "The two settings with a competent network (logits of SNLI, of MNLI) are compared. A setting supports a "
    "claim where the paired 95 % interval over five splits lies on the claimed side of zero, contradicts it "
    "on the other side, and is open in between; *matched* is supported where the interval of the difference "
    "lies within two points. A budget is saturated with N votes where the mean share of the improvement from "
    "one vote to a hundred is 90 % or more. A claim is *reproduced* where every setting supports it, "
    "*not reproduced* where none does, and *partly* otherwise. The splits share pairs, so the intervals are "
    "rather too narrow."
)
GRIDS = ("text", "text-budget", "text-features")
MEASURES = ("macro_accuracy", "kl", "cross_entropy", "entropy_correlation")
SATURATED, MATCHED = 0.9, 0.02


def collect(
    profile: str, seeds: Sequence[int], train: bool = False, device: str | None = None, fresh: bool = False
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
    rows, missing = [], []
    for grid in GRIDS:
        lacking = set()
        for cell in experiments.grid(grid, profile, seeds):
            record = comparisons.record_of(cell, train, device, fresh)
            if record is None:
                lacking.add(cell.seed)
                continue
            place = {"grid": grid, "dataset": cell.dataset, "features": features(cell.dataset)}
            place |= {"network": cell.network, "arm": cell.arm, "seed": cell.seed}
            values = {name: record.metrics["test"].get(name, np.nan) for name in MEASURES}
            rows.append(place | values | {"record": record})
        if lacking:
            listed = " ".join(map(str, sorted(lacking)))
            missing.append(f"`softlabels train --chapter {grid} --profile {profile} --seeds {listed}`")
    columns = ["grid", "dataset", "features", "network", "arm", "seed", *MEASURES, "record"]
    words = f"Missing runs are trained by {', '.join(missing)}." if missing else "No run is missing."
    once = {row["record"].id: row["record"] for row in rows}
    return pd.DataFrame(rows, columns=columns), list(once.values()), words


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
    return paired_interval(a / b, np.ones(len(b))) if relative else paired_interval(a, b)


def arms(runs: pd.DataFrame, words: dict[str, str], base: str = "soft") -> pd.DataFrame:
    """A row for each arm of one setting: measures, the difference of KL to `base`, Holm's p."""
    found = [arm for arm in words if (runs.arm == arm).any()]
    others = [arm for arm in found if arm != base and len(pairs(runs, "kl", arm, base)[0]) > 1]
    p = dict(zip(others, holm([paired_p(*pairs(runs, "kl", arm, base)) for arm in others]), strict=True))
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
                f"KL − {base}": NOTHING if arm == base else interval(difference(runs, "kl", arm, base), 3),
                "p (Holm)": p_value(p.get(arm, float("nan"))),
            }
        )
    return pd.DataFrame(rows)


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
        rows.append(row)
    return pd.DataFrame(rows)


def learnt(runs: pd.DataFrame) -> Interval | None:
    """KL of the soft arm less that of one distribution for every pair; None without a run."""
    found = list(runs[runs.arm == "soft"].record)
    own = [record.metrics["test"]["kl"] for record in found]
    return paired_interval(own, [_mean_votes(record) for record in found]) if found else None


def competent(runs: pd.DataFrame) -> str:
    """Say which features let the soft arm beat one distribution for every pair."""
    words: dict[bool, list[str]] = {True: [], False: []}
    for (dataset, network), here in runs.groupby(["dataset", "network"], sort=False):
        found = learnt(here)
        if found is not None and network != "linear":
            words[found.sign < 0].append(dataset.removeprefix("chaosnli:"))
    if not any(words.values()):
        return "No run is here yet."
    better, worse = (", ".join(words[key]) or "none" for key in (True, False))
    return f"Nearer to the votes than their mean, beyond doubt: {better}. Not: {worse}."


def _mean_votes(record: Record) -> float:
    """KL of the mean votes of the test part, given for every pair: what knows nothing of a pair."""
    from softlabels.metrics import kl_divergence

    q = record.arrays()["targets"].astype(np.float64)
    q /= q.sum(1, keepdims=True)
    return kl_divergence(q, np.broadcast_to(q.mean(0), q.shape))


def panels(runs: pd.DataFrame, measure: str = "kl") -> dict[str, Panel]:
    """One measure of every dataset by arm and seed, as `figures.against` takes it."""
    return {
        f"KL, {dataset.removeprefix('chaosnli:')}": Panel(
            {arm: dict(zip(of.seed, of[measure], strict=True)) for arm, of in here.groupby("arm")}
        )
        for dataset, here in runs.groupby("dataset", sort=False)
    }


def sentence(runs: pd.DataFrame, measure: str, arm: str, base: str, words: str) -> str:
    """One paired difference of every dataset in words."""
    found = {d: difference(here, measure, arm, base) for d, here in runs.groupby("dataset", sort=False)}
    listed = [f"{d.removeprefix('chaosnli:')} {interval(i, 3)}" for d, i in found.items()]
    return f"{words}: {'; '.join(listed).replace('**', '') or 'no run is here yet'}."


def shares(runs: pd.DataFrame, measure: str) -> dict[int, Interval | None]:
    """Share of the improvement from one vote to a hundred that N votes reach, with its interval, by N.

    None where the interval of the whole improvement includes zero: a share of what may be nothing is noise.
    """
    wide = runs.pivot_table(index="seed", columns="arm", values=measure).dropna()
    ns = sorted(int(arm.removeprefix("n=")) for arm in wide)
    found: dict[int, Interval | None] = dict.fromkeys(ns)
    if len(ns) < 2 or not len(wide):
        return found
    first, last = wide[f"n={ns[0]}"].to_numpy(), wide[f"n={ns[-1]}"].to_numpy()
    if not paired_interval(last, first).sign:
        return found
    for n in ns[1:-1]:
        reached = (wide[f"n={n}"].to_numpy() - first) / (last - first)
        found[n] = paired_interval(reached, np.zeros(len(reached)))
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
    """Share of the improvement by N for every dataset and measure, and where it is saturated."""
    entry = published.get("human_uncertainty", "saturation")
    late = "{}–{}".format(*entry["entropy_correlation"])
    rows = []
    for dataset, here in runs.groupby("dataset", sort=False):
        for measure, name, theirs in (
            ("kl", "KL", f"≈ {entry['kl']}"),
            ("entropy_correlation", "entropy corr.", late),
            ("macro_accuracy", "accuracy", NOTHING),
        ):
            found = shares(here, measure)
            row = {"dataset": dataset.removeprefix("chaosnli:"), "measure": name}
            row |= {f"N = {n}": _percent(share) for n, share in list(found.items())[1:-1]}
            rows.append(row | {"saturated at N": saturation(found), "published": theirs})
    return pd.DataFrame(rows)


def _percent(share: Interval | None) -> str:
    if share is None:
        return NOTHING
    if share.low is None or share.high is None:
        return f"{100 * share.mean:.0f} %"
    return f"{100 * share.mean:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"


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
    from softlabels.labels import entropy
    from softlabels.metrics import kl_divergence

    arrays = record.arrays()
    here = shape[arrays["ids"]] == which
    q, p = arrays["targets"][here].astype(np.float64), np.exp(arrays["log_probs"][here].astype(np.float64))
    q, p = q / q.sum(1, keepdims=True), p / p.sum(1, keepdims=True)
    return kl_divergence(q, p), float(entropy(p).mean()), float(entropy(q).mean())


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Hold the claims of Singh (2025) and Kohli (2026) against the runs."""
    main, votes = runs[runs.grid == "text"], runs[runs.grid == "text-budget"]
    entry = published.get("human_uncertainty", "distributions")
    late = published.get("human_uncertainty", "saturation")

    def each(of: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {name.removeprefix("chaosnli:"): of[of.dataset == name] for name in MAIN}

    def compared(measure: str, relative: bool) -> dict[str, Interval | None]:
        return {n: difference(r, measure, "soft", "hard", relative) for n, r in each(main).items()}

    def smoother() -> dict[str, Interval | None]:
        return {
            f"{n}, {arm}": difference(r, "entropy_correlation", "soft", arm)
            for n, r in each(main).items()
            for arm in SMOOTHED
        }

    kl, r = entry["kl_change"], entry["entropy_correlation_change"]
    few, many = late["kl"], late["entropy_correlation"][1]
    low, high = (number(x, 2) for x in late["correlation_with_smoothing"])
    against = f"r {number(late['correlation_with_votes'], 3)} against {low} to {high}"
    return [
        _sided("Votes lower KL against the majority", _change(kl), compared("kl", True), -1, kl),
        _sided(
            "… raise the correlation of entropies", _change(r), compared("entropy_correlation", True), 1, r
        ),
        _matched("… and match the accuracy", compared("macro_accuracy", False)),
        _reached(f"KL is saturated with {few} votes", f"N ≈ {few}", each(votes), "kl", few),
        _reached(
            f"The correlation of entropies is saturated with {many} votes, and not with {few}",
            "N ≈ {}–{}".format(*late["entropy_correlation"]),
            each(votes),
            "entropy_correlation",
            many,
            not_with=few,
        ),
        _sided(
            "Votes give a higher correlation of entropies than any label smoothing", against, smoother(), 1
        ),
    ]


def _change(value: float) -> str:
    return f"{signed(100 * value, 0)} %"


def _sided(
    claim: str, shown: str, found: dict[str, Interval | None], better: int, value: float | None = None
) -> Verdict:
    """Judge differences by their side of zero; with a published `value` they are relative ones, in %."""
    counted = {name: d for name, d in found.items() if d is not None and d.n > 1}
    word, reason = judge([better * d.sign for d in counted.values()], "comparisons")
    ours = [f"{name} {interval(d, 3) if value is None else _relative(d)}" for name, d in counted.items()]
    place = "".join(placed(value, d, name) for name, d in counted.items())
    return Verdict(claim, shown, "; ".join(ours) or NOTHING, word, reason + place)


def _relative(d: Interval) -> str:
    low, high = (None if x is None else 100 * x for x in (d.low, d.high))
    return f"{interval(Interval(100 * d.mean, low, high, d.n), 0)} %"


def _matched(claim: str, found: dict[str, Interval | None]) -> Verdict:
    signs, shown = [], []
    for name, d in found.items():
        if d is None or d.low is None or d.high is None:
            continue
        inside, outside = max(-d.low, d.high) <= MATCHED, d.low > MATCHED or d.high < -MATCHED
        signs.append(1 if inside else -1 if outside else 0)
        shown.append(f"{name} {interval(d, 3)}")
    word, reason = judge(signs, "comparisons")
    return Verdict(claim, "matched", "; ".join(shown) or NOTHING, word, reason)


def _reached(
    claim: str,
    shown: str,
    votes: dict[str, pd.DataFrame],
    measure: str,
    n: int,
    not_with: int | None = None,
) -> Verdict:
    signs, ours = [], []
    for name, here in votes.items():
        found = shares(here, measure)
        share = found.get(n)
        if share is None or share.n < 2:
            continue
        before = found.get(not_with) if not_with else None
        late = before is None or before.mean < SATURATED
        signs.append(1 if share.mean >= SATURATED and late else -1)
        words = f"{100 * share.mean:.0f} % with {n}"
        ours.append(f"{name} {words}" + (f", {100 * before.mean:.0f} % with {not_with}" if before else ""))
    word, reason = judge(signs, "settings whose improvement is sure")
    return Verdict(claim, shown, "; ".join(ours) or NOTHING, word, reason)
