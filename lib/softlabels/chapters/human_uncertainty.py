"""Tables of the chapters on human uncertainty: published numbers beside ours."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from softlabels.analysis import published
from softlabels.analysis.formatting import NOTHING, interval, number, signed, spread
from softlabels.analysis.panels import Collection, Evaluated, Panel, share_reached
from softlabels.learning.corruptions import KINDS
from softlabels.runs.evaluations import Evaluation
from softlabels.runs.experiments_human import WORDS
from softlabels.runs.records import Record

AGAINST_PEOPLE = {
    "KL": "kl",
    "second choice": "second_best_accuracy",
    "ECE": "ece",
    "Brier": "brier",
    "entropy corr.": "entropy_correlation",
}


def temperatures(runs: Collection) -> pd.DataFrame:
    """Human distributions at several temperatures: accuracy and cross-entropy, published and ours."""
    entry = published.get("human_uncertainty", "temperature")
    ours = {arm.removeprefix("soft T="): arm for arm in runs.records if arm.startswith("soft T=")}
    ours["1"] = "soft"
    accuracy, loss = runs.panel("macro_accuracy", "truth"), runs.panel("cross_entropy", "truth")
    rows = []
    for t in sorted({*ours, *(key for key in entry if key != "source")}, key=float):
        theirs = entry.get(t, {})
        row = {"temperature": t}
        row["published accuracy"] = number(theirs.get("accuracy", np.nan))
        row["published cross-entropy"] = number(theirs.get("cross_entropy", np.nan))
        arm = ours.get(t, "")
        row["accuracy"] = spread(*accuracy.summary(arm)[:2])
        row["cross-entropy"] = spread(*loss.summary(arm)[:2])
        rows.append(row)
    return pd.DataFrame(rows)


def heat(runs: Collection, measure: str, against: str = "truth") -> dict[str, dict[float, list[float]]]:
    """Values by temperature, as `figures.curves` takes them."""
    panel, points = runs.panel(measure, against), {}
    for arm, found in panel.values.items():
        if found and (arm == "soft" or arm.startswith("soft T=")):
            points[float(arm.removeprefix("soft").removeprefix(" T=") or 1)] = list(found.values())
    return {"soft": points} if points else {}


def shifts(found: Evaluated, base: str = "truth") -> pd.DataFrame:
    """Accuracy and cross-entropy on other photographs: both arms, difference, published difference."""
    entry = published.get("human_uncertainty", "shift")
    rows = []
    for case in found.cases():
        for name, measure, key in (
            ("accuracy", "macro_accuracy", "accuracy"),
            ("cross-entropy", "cross_entropy", "cross_entropy"),
        ):
            panel = found.panel(case, measure)
            row = {"images": case, "measure": name}
            row |= {
                arm: spread(*panel.summary(arm)[:2])
                for arm in (base, "soft", "smoothed")
                if arm in panel.arms
            }
            row[f"soft − {base}"] = interval(panel.difference("soft", base))
            theirs = entry.get(case.removesuffix(", JPEG copy"))
            row["published"] = signed(theirs["soft"][key] - theirs["hard"][key]) if theirs else NOTHING
            rows.append(row)
    return pd.DataFrame(rows).fillna(NOTHING)


def mean_corruption(found: Evaluated, measure: str, kinds: Sequence[str] = tuple(KINDS)) -> Panel:
    """Mean of a measure over kinds of corruption and all severities."""

    def mean(one: Evaluation) -> float | None:
        values = [v for kind in kinds for v in one.values(kind, measure).values()]
        return float(np.mean(values)) if values else None

    return found.apply(mean)


def corruptions(found: Evaluated, measure: str = "cross_entropy", base: str = "truth") -> pd.DataFrame:
    """Mean over severities for each kind of corruption: the base arm, and every arm's difference to it."""
    rows = []
    for kind in [*KINDS, "all"]:
        panel = mean_corruption(found, measure, tuple(KINDS) if kind == "all" else (kind,))
        if not panel.arms:
            continue
        row = {"corruption": kind, base: spread(*panel.summary(base)[:2], 3)}
        others = [arm for arm in panel.arms if arm != base]
        rows.append(row | {f"{arm} − {base}": interval(panel.difference(arm, base), 3) for arm in others})
    return pd.DataFrame(rows)


def _tried(runs: Collection, others: Collection) -> dict[tuple[float, str], Record]:
    """Runs on the fold of the other learning rates, by rate and arm."""
    pairs = {pair for found in others.records.values() for pair in found}
    every = [r for arm in others.records for p, r in runs.records.get(arm, {}).items() if p in pairs]
    tried = {(r.config.lr, arm): r for arm, found in others.records.items() for r in found.values()}
    return tried | {(r.config.lr, r.config.label): r for r in every}  # here arms are named as their labels


def rates(runs: Collection, others: Collection) -> pd.DataFrame:
    """Arms at other common learning rates, on one fold: validation loss, accuracy and KL."""
    return pd.DataFrame(
        [
            {
                "learning rate": f"{lr:g}",
                "arm": WORDS.get(arm, arm),
                "validation loss": number(r.metrics["validation"]["loss"]),
                "accuracy": number(r.metrics["truth"]["macro_accuracy"]),
                "KL": number(r.metrics["test"]["kl"]),
            }
            for (lr, arm), r in sorted(_tried(runs, others).items())
        ]
    )


def checks(found: Evaluated, level: float = 1, base: str = "truth") -> pd.DataFrame:
    """Accuracy of all attacks and checks at one radius: every arm, and soft against hard."""
    rows = []
    for case in found.cases():
        panel = found.panel(case, level=level)
        if not panel.arms or case == "PGD by steps":
            continue
        row = {"attack": case} | {arm: spread(*panel.summary(arm)[:2], 3) for arm in panel.arms}
        rows.append(row | {f"soft − {base}": interval(panel.difference("soft", base), 3)})
    return pd.DataFrame(rows).fillna(NOTHING)


def steps(found: Evaluated) -> pd.DataFrame:
    """Accuracy by number of PGD steps of 1/255 at radius 4/255: published, and ours on held-out images."""
    entry = published.get("human_uncertainty", "pgd")
    rows = []
    for k in found.levels("PGD by steps"):
        panel, row = found.panel("PGD by steps", level=k), {"steps": f"{k:g}"}
        at = entry["steps"].index(int(k)) if int(k) in entry["steps"] else None
        for arm in ("hard", "soft"):
            row[f"published, {arm}"] = NOTHING if at is None else number(entry[arm][at])
        row |= {arm: spread(*panel.summary(arm)[:2], 3) for arm in panel.arms}
        rows.append(row)
    return pd.DataFrame(rows)


def annotations(runs: Collection) -> pd.DataFrame:
    """What n annotations an image give, and which share of the way from one to all that is."""
    measures = {"accuracy": "macro_accuracy", "KL": "kl", "entropy corr.": "entropy_correlation"}
    panels = {name: runs.panel(measure) for name, measure in measures.items()}
    rows = []
    for arm in runs.records:
        row = {"annotations an image": arm.removeprefix("n=")}
        row["runs"] = str(len(runs.records[arm]))
        for name, panel in panels.items():
            row[name] = spread(*panel.summary(arm)[:2])
            share = share_reached(panel, arm).summary(arm)[0] if arm not in ("n=1", "n=all") else np.nan
            row[f"{name}: share"] = f"{100 * share:.0f} %" if np.isfinite(share) else NOTHING
        rows.append(row)
    return pd.DataFrame(rows) if runs.all else pd.DataFrame()


def by_number(runs: Collection, measure: str) -> dict[str, dict[float, list[float]]]:
    """Values by annotations an image, as `figures.curves` takes them; all of them stand at 50."""
    panel, points = runs.panel(measure), {}
    for arm, found in panel.values.items():
        if found:
            points[50.0 if arm == "n=all" else float(arm[2:])] = list(found.values())
    return {"soft": points} if points else {}


def totals(runs: Collection) -> pd.DataFrame:
    """A fixed number of annotations on many images or on few."""
    measures = {"accuracy": "macro_accuracy", "KL": "kl", "entropy corr.": "entropy_correlation"}
    rows = []
    for arm in runs.records:
        images, each = (int(part) for part in arm.split(" × "))
        row = {"in all": str(images * each), "images": str(images), "annotations each": str(each)}
        row["runs"] = str(len(runs.records[arm]))
        row |= {name: spread(*runs.panel(m).summary(arm)[:2]) for name, m in measures.items()}
        rows.append(row)
    return pd.DataFrame(rows) if runs.all else pd.DataFrame()


def own_rates(runs: Collection, others: Collection, base: str = "truth") -> str:
    """What choosing each arm's rate by its own validation loss would have made of soft - base."""
    tried = _tried(runs, others)
    best: dict[str, Record] = {}
    for (_, arm), r in sorted(tried.items()):
        if arm not in best or r.metrics["validation"]["loss"] < best[arm].metrics["validation"]["loss"]:
            best[arm] = r
    rates_here = {r.config.lr for r in runs.all}  # one: what all arms have in common
    common = {arm: r for (lr, arm), r in tried.items() if lr in rates_here}
    if not others.all or not {"soft", base} <= set(common):
        return "No run at another rate is here yet."

    def gap(side: dict[str, Record], part: str, measure: str) -> str:
        return signed(side["soft"].metrics[part][measure] - side[base].metrics[part][measure])

    measures = {"accuracy": ("truth", "macro_accuracy"), "KL": ("test", "kl")}
    said = [
        f"{gap(best, *m)} in {name} ({gap(common, *m)} at the common rate)" for name, m in measures.items()
    ]
    taken = "; ".join(f"{WORDS.get(arm, arm)} {r.config.lr:g}" for arm, r in best.items())
    return (
        f"By its own least validation loss an arm would take: {taken}. On this fold, soft − {base} would "
        f"then be {' and '.join(said)}."
    )
