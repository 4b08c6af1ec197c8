"""Chapter 11: annot-mix beside eleven other ways to learn from several people.

In its table of runs "dataset" is a row of the comparison or a change of annot-mix, "arm" a method.
Intervals are over seeds and count them as independent, as AM's do, on random splits too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from softlabels.analysis import competence, published, table
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.formatting import NOTHING, interval, number, p_value, signed, spread
from softlabels.analysis.published import RANKED
from softlabels.analysis.statistics import (
    Interval,
    Ranks,
    holm,
    paired_interval,
    paired_p,
    ranks,
    ranks_as_published,
    welch_p,
)
from softlabels.analysis.table import paired, recorded, summary, values
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.datasets import simulated, synthetic
from softlabels.learning.config import METHODS, PUBLIC
from softlabels.runs import profiles
from softlabels.runs.profiles import FIRST, UNMIXED, as_in_public, printed_rows

if TYPE_CHECKING:
    from softlabels.runs.records import Record

GRIDS = ("annot_mix", "annot_mix_ablations")
# Rows of ours that a published row may stand beside, and why levels may differ.
BESIDE = {"mgc": "mgc", "mgc, random splits": "mgc", "labelme": "labelme", "letter": "letter"}
BESIDE |= {"labelme-64px": "labelme", "cifar10n": "cifar10n", "cifar10n, shuffled workers": "cifar10n"}
BESIDE |= {"cifar10h": "cifar10h", "trec6": "trec6"}
COMPARABLE = ("mgc",)  # same data, features, network and protocol
IMAGES = tuple(profiles.CROWD_IMAGES["laptop"])  # rows of images, which profile "laptop" trains small
PAIRED, SHUFFLED = "cifar10n", "cifar10n, shuffled workers"
MAIN = "mgc"  # music genres: real annotators, the paper's split
OURS = "annot-mix"
UNPRINTED = (float("nan"), float("nan"))  # mean and standard deviation
collect = partial(table.gather, GRIDS)


def small_images(seeds: Sequence[int]) -> pd.DataFrame:
    """Runs on images, as far as profile "laptop" goes; nothing is trained."""
    runs = table.gather(GRIDS[:1], "laptop", seeds)
    return runs[runs.dataset.isin(IMAGES)]


def of(runs: pd.DataFrame, row: str, method: str = OURS) -> pd.DataFrame:
    """Runs of one method on one row that have a record, seeds in order."""
    here = runs[(runs.dataset == row) & (runs.arm == method) & runs.record.notna()]
    return here.sort_values("seed", kind="stable")


def apart(a: pd.DataFrame, b: pd.DataFrame, metric: str = "accuracy", part: str = "last") -> Interval | None:
    """Mean difference of two groups of runs over common seeds with its interval, or None."""
    x, y = paired(a, b, f"{part}.{metric}", ["seed"])
    return paired_interval(x, y) if len(x) else None


def over_images(a: pd.DataFrame, b: pd.DataFrame) -> Interval | None:
    """Mean difference of accuracy over the test images that records keep, common seeds averaged; or None.

    Seeds share their test part: an interval over seeds says what another training would give, this one what
    other images would. The latter is the wider one where the part is small.
    """
    both = a.merge(b, on="seed").sort_values("seed")
    sides = [[_right(record) for record in both[column]] for column in ("record_x", "record_y")]
    ids = [found for side in sides for found, _ in side]
    if not ids or any(not np.array_equal(ids[0], other) for other in ids):
        return None  # every seed has a test part of its own
    x, y = (np.mean([right for _, right in side], 0) for side in sides)
    return paired_interval(x.tolist(), y.tolist())


def _right(record: "Record") -> tuple[np.ndarray, np.ndarray]:
    """Ids of the images kept, and whether the network is right on each."""
    found = record.arrays()
    return found["ids"], found["log_probs"].argmax(1) == found["targets"].argmax(1)


def shown(here: pd.DataFrame, part: str = "last") -> str:
    """Accuracy in %, mean ± sd."""
    mean, sd, _ = summary(here, f"{part}.accuracy")
    return spread(100 * mean, 100 * sd, 1)


def points(value: Interval | None) -> str:
    """Write a difference of accuracies in percentage points."""
    if value is None:
        return NOTHING
    low, high = (None if v is None else 100 * v for v in (value.low, value.high))
    return interval(replace(value, mean=100 * value.mean, low=low, high=high), 1)


def printed(row: str, method: str, part: str = "last") -> tuple[float, float, int]:
    """Published accuracy in % (mean, sd, runs) beside a row of ours; nan where there is none."""
    entry = published.get("annotmix", part).get(BESIDE.get(row, ""), {})
    found = entry.get(method)
    mean, sd = found if isinstance(found, list) else (found, None)
    nan = float("nan")
    return (nan if mean is None else mean), (nan if sd is None else sd), published.get("annotmix", "runs")


def accuracy(runs: pd.DataFrame, row: str) -> pd.DataFrame:
    """Accuracy in % of every method, last epoch and best validation epoch, published beside ours.

    Where data and protocol are the paper's, the last column is in bold where Welch's p is below 5 %.
    """
    rows = []
    for method in METHODS:
        here = of(runs, row, method)
        line = {"method": method, "n": str(len(here))}
        for part in ("last", "best"):
            line[f"{part} epoch, published"] = spread(*printed(row, method, part)[:2], 1)
            line[f"{part} epoch, ours"] = shown(here, part)
        mean, sd, n = summary(here, "last.accuracy")
        theirs = printed(row, method)
        change = signed(100 * mean - theirs[0], 1)
        sure = welch_p((100 * mean, 100 * sd, n), theirs) < 0.05
        rows.append(line | {"ours − published": f"**{change}**" if sure else change})
    frame = pd.DataFrame(rows)
    return frame if row in COMPARABLE else frame.drop(columns="ours − published")


def distributions(runs: pd.DataFrame, row: str) -> pd.DataFrame:
    """Measures that AM do not report: log loss or KL, calibration, Brier; and how annotators are judged.

    All are of the last epoch where nothing else is said.
    """
    exact = row.startswith("synthetic")
    name, metric = ("KL [nats]", "kl") if exact else ("log loss [nats]", "cross_entropy")
    columns = {name: f"last.{metric}", "ECE": "last.ece", "Brier": "last.brier"}
    columns |= {f"{name}, best epoch": f"best.{metric}", "AUROC": "annotators.auroc"}
    columns |= {"confusion error": "annotators.confusion_error"} if exact else {}
    rows = []
    for method in METHODS:
        here = of(runs, row, method)
        line = {"method": method, "n": str(len(here))}
        rows.append(line | {title: spread(*summary(here, c)[:2], 3) for title, c in columns.items()})
    return pd.DataFrame(rows)


def performance(runs: pd.DataFrame) -> pd.DataFrame:
    """AUROC in % of P(label is right) where the paper prints it: last epoch, published beside ours."""
    entry = published.get("annotmix", "auroc_last")
    here = runs[(runs.grid == GRIDS[0]) & runs.record.notna()]
    rows = [row for row in entry if (here.dataset == row).any()]
    lines = []
    for method in (m for m in METHODS if any(m in entry[row] for row in rows)):
        line = {"method": method}
        for row in rows:
            mean, sd, n = summary(of(runs, row, method), "annotators.auroc")
            their_mean, their_sd = entry[row].get(method, UNPRINTED)
            line[f"{row}, published"] = spread(their_mean, their_sd, 1)
            line |= {f"{row}, ours": spread(100 * mean, 100 * sd, 1), f"{row}, n": str(n)}
        lines.append(line)
    return pd.DataFrame(lines)


def performance_sentence(runs: pd.DataFrame) -> str:
    """How the methods' order by AUROC agrees with the published one, and who is first, in one sentence."""
    words = []
    for row, entry in published.get("annotmix", "auroc_last").items():
        theirs = {method: mean for method, (mean, _) in entry.items()}
        ours = {m: summary(of(runs, row, m), "annotators.auroc")[0] for m in theirs}
        if not np.isfinite(list(ours.values())).all():
            continue
        both = np.array([[found[m] for m in theirs] for found in (ours, theirs)])
        rho = float(np.asarray(np.corrcoef(both.argsort(1).argsort(1)))[0, 1])
        firsts = " and ".join(max(found, key=found.__getitem__) for found in (theirs, ours))
        words.append(f"{row}: rank correlation {number(rho, 2)}; first are {firsts} (published, ours)")
    return f"{'; '.join(words)}." if words else "No row with published values is complete."


def full_rows(runs: pd.DataFrame, methods: Sequence[str] = RANKED) -> list[str]:
    """Rows that hold a run of each of these methods; of several rows of one dataset the first.

    Friedman's test and a count of datasets take rows for independent, which two splits of the same songs
    are not.
    """
    here = runs[(runs.grid == GRIDS[0]) & runs.record.notna()]
    rows = [row for row, found in here.groupby("dataset", sort=False) if set(methods) <= set(found.arm)]
    data = [here[here.dataset == row].config.iloc[0].dataset for row in rows]
    return [row for i, row in enumerate(rows) if data[i] not in data[:i]]


def mean_ranks(runs: pd.DataFrame, part: str = "last") -> Ranks | None:
    """Ranks of AM's twelve over the datasets that have all of them; None with fewer than two."""
    rows = full_rows(runs)
    if len(rows) < 2:
        return None
    return ranks(np.array([[summary(of(runs, r, m), f"{part}.accuracy")[0] for m in RANKED] for r in rows]))


def published_ranks(part: str = "last") -> Ranks:
    """AM's printed mean ranks of the same twelve on eleven datasets."""
    entry = published.get("annotmix", "ranks")
    return ranks_as_published([entry[part][m] for m in RANKED], entry["datasets"])


def rank_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean ranks of AM's twelve: printed, and ours; p against annot-mix after a correct Holm step."""
    found = {f"published, {part} epoch": published_ranks(part) for part in ("last", "best")}
    ours = {f"ours, {part} epoch": mean_ranks(runs, part) for part in ("last", "best")}
    frame = pd.DataFrame({"method": RANKED})
    for name, value in (found | ours).items():
        frame[name] = NOTHING if value is None else _rank_cells(value)
    return frame


def _rank_cells(value: Ranks) -> list[str]:
    p = value.against(RANKED.index(OURS))
    cells = [
        f"{number(r, 2)} (p {p_value(q)})" if np.isfinite(q) else number(r, 2)
        for r, q in zip(value.mean, p, strict=True)
    ]
    return [f"**{c}**" if q <= 0.05 else c for c, q in zip(cells, p, strict=True)]


def ranks_sentence(runs: pd.DataFrame) -> str:
    """What the tests say, in words."""

    def said(value: Ranks | None) -> str:
        if value is None:
            return "fewer than two datasets are complete"
        p = value.against(RANKED.index(OURS))
        kept = [m for m, q in zip(RANKED, p, strict=True) if q > 0.05]
        listed = f" ({', '.join(kept)})" if kept else ""
        return (
            f"{value.n} datasets, Friedman's p = {value.p:.2g}, and Holm's step leaves {len(kept)} of "
            f"{len(RANKED) - 1} methods unrejected{listed}"
        )

    sentence = "; ".join(
        f"{who} ranks, {part} epoch: {said(value)}"
        for part in ("last", "best")
        for who, value in (("printed", published_ranks(part)), ("our", mean_ranks(runs, part)))
    )
    return f"{sentence[0].upper()}{sentence[1:]}."


def corrected(runs: pd.DataFrame, names: Sequence[str], row: str) -> dict[str, float]:
    """p of each change of annot-mix with two or more seeds, after Holm's step for the number of changes."""
    found = {}
    for name in names:
        both = paired(of(runs, name), of(runs, row), "last.accuracy", ["seed"])
        if len(both[0]) > 1:
            found[name] = paired_p(*both)
    return dict(zip(found, holm(list(found.values())), strict=True))


def changes(runs: pd.DataFrame, names: Sequence[str], row: str) -> pd.DataFrame:
    """Accuracy of each change of annot-mix in %, its paired difference to none, and Holm's p."""
    base, p = of(runs, row), corrected(runs, names, row)
    rows = [{"change": "none", "n": str(len(base)), "accuracy": shown(base)}]
    for name in names:
        here = of(runs, name)
        line = {"change": name, "n": str(len(here)), "accuracy": shown(here)}
        line |= {"difference": points(apart(here, base)), "p (Holm)": p_value(p.get(name, float("nan")))}
        rows.append(line)
    return pd.DataFrame(rows).fillna(NOTHING)


def changes_sentence(runs: pd.DataFrame, names: Sequence[str], row: str) -> str:
    """Which changes of annot-mix are decided at 5 % after Holm's step, in one sentence."""
    found = {name: apart(of(runs, name), of(runs, row)) for name in names}
    known = {name: value for name, value in found.items() if value is not None}
    sure = [name for name, p in corrected(runs, names, row).items() if p <= 0.05]
    worse, better = ([n for n in sure if known[n].mean * sign > 0] for sign in (-1, 1))
    return (
        f"Of {len(known)} changes of annot-mix on {row}, Holm's step leaves {len(worse)} worse "
        f"({', '.join(worse) or 'none'}) and {len(better)} better ({', '.join(better) or 'none'})."
    )


def mixing(runs: pd.DataFrame, rows: Mapping[str, str]) -> pd.DataFrame:
    """annot-mix (α = 1) less itself without mixup (α = 0), row by row; `rows` names the latter's runs."""
    lines = []
    for row, name in rows.items():
        a, b = of(runs, row), of(runs, name)
        lines.append(
            {
                "dataset": row,
                "n": str(len(set(a.seed) & set(b.seed))),
                "accuracy, last epoch": points(apart(a, b)),
                "over test images": points(over_images(a, b)),
                "best epoch": points(apart(a, b, part="best")),
                "log loss, last epoch": interval(apart(a, b, "cross_entropy"), 3),
            }
        )
    return pd.DataFrame(lines)


def untrained(runs: pd.DataFrame, profile: str) -> pd.DataFrame:
    """What three methods reach with parameters that the public code never trains, beside what we train."""
    lines = []
    for row in printed_rows(profile):
        for name, (method, parameters) in PUBLIC.items():
            ours, public = of(runs, row, method), of(runs, as_in_public(profile, row, name), name)
            lines.append(
                {
                    "dataset": row,
                    "method": method,
                    "never trained in public": ", ".join(parameters),
                    "published": spread(*printed(row, method)[:2], 1),
                    "n": str(len(public)),
                    "as in public": shown(public),
                    "all trained": shown(ours),
                    "all trained − public": points(apart(ours, public)),
                }
            )
    return pd.DataFrame(lines)


def amounts(runs: pd.DataFrame, numbers: Sequence[int], row: str) -> pd.DataFrame:
    """annot-mix against soft labels plus mixup by the number of judgements per image."""
    lines = []
    for name, where in {**{f"{n} per image": f"{n} per image" for n in numbers}, "all": row}.items():
        a, b = of(runs, where), of(runs, where, "soft-mixup")
        line = {"judgements": name, OURS: shown(a), "soft-mixup": shown(b)}
        line["accuracy, difference"] = points(apart(a, b))
        lines.append(line | {"log loss, difference": interval(apart(a, b, "cross_entropy"), 3)})
    return pd.DataFrame(lines)


def on_images(runs: pd.DataFrame, row: str) -> pd.DataFrame:
    """Accuracy in %, published beside ours, and log loss of the methods that a row of images compares."""
    lines = []
    for method in profiles.crowd_methods("laptop", row):
        here = of(runs, row, method)
        line = {"method": method, "n": str(len(here))}
        line["last epoch, published"] = spread(*printed(row, method)[:2], 1)
        line |= {"last epoch, ours": shown(here), "best epoch, ours": shown(here, "best")}
        lines.append(line | {"log loss, last epoch": spread(*summary(here, "last.cross_entropy")[:2], 3)})
    return pd.DataFrame(lines)


def workers(runs: pd.DataFrame) -> pd.DataFrame:
    """What the published pairing of labels and workers is worth: less judgements given to random workers."""
    lines = []
    for method in profiles.WORKER_METHODS:
        a, b = (of(runs, row, method) for row in (PAIRED, SHUFFLED))
        common = set(a.seed) & set(b.seed)
        own, random = (side[side.seed.isin(common)] for side in (a, b))
        line = {"method": method, "n": str(len(common))}
        line |= {"published pairing": shown(own), "workers shuffled": shown(random)}
        line["accuracy, difference"] = points(apart(a, b))
        lines.append(line | {"log loss, difference": interval(apart(a, b, "cross_entropy"), 3)})
    return pd.DataFrame(lines)


def workers_sentence(runs: pd.DataFrame) -> str:
    """For how many methods the pairing is worth more than chance, in a sentence; empty without runs."""
    methods = profiles.WORKER_METHODS
    found = [apart(of(runs, PAIRED, m), of(runs, SHUFFLED, m)) for m in methods]
    ends = [(v.low, v.high) for v in found if v and v.low is not None and v.high is not None]
    if not ends:
        return ""
    decided = sum(low > 0 or high < 0 for low, high in ends)
    return (
        f"The 95 % interval of the accuracy excludes zero for {decided} of {len(ends)} methods; no interval "
        f"reaches further than {100 * np.abs(ends).max():.1f} points from zero."
    )


def crowd_table(cards: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Noise rate, judgements and accuracy of the annotators of each dataset, published noise beside ours."""
    return pd.DataFrame([_crowd(card) for card in cards])


def _crowd(card: Mapping[str, Any]) -> dict[str, str]:
    noise = published.get("annotmix", "noise").get(card["name"].removesuffix("-crowd-jpeg"))
    quartiles = (number(card[f"accuracy_{q}"], 2) for q in ("low", "median", "high"))
    return {
        "dataset": card["name"],
        "labelled": f"{card['labelled']:,}",
        "classes": str(card["classes"]),
        "annotators": f"{card['annotators']:.0f}",
        "per image": number(card["per_image"], 2),
        "noise, published": NOTHING if noise is None else f"{noise:.1f} %",
        "noise, ours": f"{100 * card['noise']:.1f} %",
        "accuracy (quartiles)": " / ".join(quartiles),
        "χ²/df": number(card["chi2_df"], 2),
        "χ²/df, shuffled": number(card["chi2_df_shuffled"], 2),
    }


def two_judgements(n_images: int = 120) -> tuple[np.ndarray, list[int], list[int], tuple[str, ...]]:
    """Two synthetic images that different annotators called different names, and the classes."""
    shapes = synthetic.load(n_images=n_images)
    found = simulated.load(n_images=n_images).annotations
    assert found is not None
    differs = (found.annotator != found.annotator[0]) & (found.label != found.label[0])
    pair = [0, int(np.flatnonzero(differs & (found.image != found.image[0]))[0])]
    images = np.asarray(shapes.images[found.image[pair]])
    return images, found.annotator[pair].tolist(), found.label[pair].tolist(), shapes.classes


def confusions(
    runs: pd.DataFrame,
    row: str = "synthetic-crowd",
    methods: tuple[str, ...] = (OURS, "trace-reg", "madl"),
) -> "tuple[dict[str, np.ndarray], list[str], tuple[str, ...], list[Record]]":
    """True and estimated confusion matrices of one annotator of each kind, and the records behind.

    Returns
    -------
    matrices : dict of source to [n, C, C]
        Empty where no run is here.
    titles : list of n str
    classes : tuple of C str
    records : list of Record
    """
    kinds = simulated.kinds()
    first = [kinds.index(kind) for kind in simulated.KINDS]
    found = {m: here.record.iloc[0] for m in methods if len(here := of(runs, row, m))}
    matrices = {m: r.arrays()["confusions"][first].astype(np.float32) for m, r in found.items()}
    if matrices:
        matrices = {"truth": simulated.confusions()[first]} | matrices
    return matrices, list(simulated.KINDS), synthetic.CLASSES, list(found.values())


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge every claim of AM that our records speak about, on one of its datasets."""
    row = FIRST[runs.profile.iloc[0]]
    lacks = competence.shortcoming(recorded(of(runs, row)))
    return [_best(runs, row, lacks), _reproduced(runs, row, lacks), mixing_verdict(runs, row, lacks)]


def _best(runs: pd.DataFrame, row: str, lacks: str) -> Verdict:
    """Judge "annot-mix is the most accurate" against the method that is second in print."""
    found = {name: apart(of(runs, name), of(runs, name, "madl")) for name in [row, *full_rows(runs)]}
    others = [d.sign for name, d in found.items() if name != row and d is not None]
    words = f"other datasets: {others.count(1)} of {len(others)} alike, {others.count(-1)} against"
    return judge(CLAIMS["am-best"], found[row], lacks, words if others else "")


def _reproduced(runs: pd.DataFrame, row: str, lacks: str) -> Verdict:
    """Judge whether annot-mix comes to the published accuracy where data and protocol are the same."""
    ours = values(of(runs, row), "last.accuracy")
    mean = printed(MAIN, OURS)[0] / 100
    found = paired_interval(ours, [mean] * len(ours)) if row == MAIN and len(ours) else None
    return judge(CLAIMS["am-row"], found, lacks)


def mixing_verdict(runs: pd.DataFrame, row: str, lacks: str) -> Verdict:
    """Judge "mixing is what makes the difference": annot-mix against itself without mixup."""
    base, other = of(runs, row), of(runs, UNMIXED)
    found, images = apart(base, other), over_images(base, other)
    words = f"over images {points(images)}" if images is not None else ""
    if found is not None and images is not None and images.sign != found.sign:
        # The test part is one sample of songs: what holds over seeds only is not yet a finding about songs.
        found = replace(
            found,
            low=min(found.low or 0.0, images.low or 0.0),
            high=max(found.high or 0.0, images.high or 0.0),
        )
    return judge(CLAIMS["am-mixing"], found, lacks, words)
