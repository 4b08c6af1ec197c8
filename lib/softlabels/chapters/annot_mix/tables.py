"""Tables of chapter 11: published numbers beside ours, ranks, ablations, and what annotators are like."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import published
from softlabels.analysis.formatting import NOTHING, interval, number, p_value, signed, spread
from softlabels.analysis.results import (
    RANKED,
    Results,
    corrected,
    mean_ranks,
    over_images,
    paired,
    published_ranks,
)
from softlabels.analysis.statistics import Interval, Ranks, mean_sd, welch_p
from softlabels.learning.config import METHODS, PUBLIC
from softlabels.runs.experiments_annotators import as_in_public, printed_rows

# Rows of ours that a published row may stand beside, and why levels may differ.
BESIDE = {"mgc": "mgc", "mgc, random splits": "mgc", "labelme": "labelme", "letter": "letter"}
BESIDE |= {"labelme-64px": "labelme", "cifar10n": "cifar10n", "cifar10n, shuffled workers": "cifar10n"}
BESIDE |= {"cifar10h": "cifar10h", "trec6": "trec6"}
COMPARABLE = ("mgc",)  # same data, features, network and protocol


def printed(row: str, method: str, part: str) -> tuple[float, float, int]:
    """Published accuracy in % (mean, sd, runs) beside a row of ours; nan where there is none."""
    entry = published.get("annotmix", part).get(BESIDE.get(row, ""), {})
    found = entry.get(method)
    mean, sd = found if isinstance(found, list) else (found, None)
    nan = float("nan")
    return (nan if mean is None else mean), (nan if sd is None else sd), published.get("annotmix", "runs")


def accuracy(results: Results, row: str) -> pd.DataFrame:
    """Accuracy in % of every method, last epoch and best validation epoch, published beside ours."""
    rows = []
    for method in METHODS:
        line: dict[str, str] = {"method": method, "n": str(len(results.of(row, method)))}
        for part in ("last", "best"):
            line[f"{part} epoch, published"] = spread(*printed(row, method, part)[:2], 1)
            line[f"{part} epoch, ours"] = spread(*percent(results, row, method, part)[:2], 1)
        rows.append(line | {"ours − published": _change(results, row, method)})
    frame = pd.DataFrame(rows)
    return frame if row in COMPARABLE else frame.drop(columns="ours − published")


def percent(results: Results, row: str, method: str, part: str = "last") -> tuple[float, float, int]:
    """Accuracy in %: mean, standard deviation, runs."""
    mean, sd, n = results.summary(row, method, "accuracy", part)
    return 100 * mean, 100 * sd, n


def deviation(results: Results, row: str, method: str) -> tuple[float, float]:
    """Ours minus published at the last epoch, in points, and the p value of Welch's test; nan without."""
    ours, theirs = percent(results, row, method), printed(row, method, "last")
    return ours[0] - theirs[0], welch_p(ours, theirs)


def _change(results: Results, row: str, method: str) -> str:
    difference, p = deviation(results, row, method)
    return f"**{signed(difference, 1)}**" if p < 0.05 else signed(difference, 1)


def distributions(results: Results, row: str) -> pd.DataFrame:
    """Measures that AM do not report: log loss or KL, calibration, Brier; and how annotators are judged.

    All are of the last epoch where nothing else is said.
    """
    exact = row.startswith("synthetic")
    measures = {"KL [nats]" if exact else "log loss [nats]": "kl" if exact else "cross_entropy"}
    measures |= {"ECE": "ece", "Brier": "brier"}
    rows = []
    for method in METHODS:
        line = {"method": method, "n": str(len(results.of(row, method)))}
        line |= {name: spread(*results.summary(row, method, m)[:2], 3) for name, m in measures.items()}
        first, metric = next(iter(measures.items()))
        line[f"{first}, best epoch"] = spread(*results.summary(row, method, metric, "best")[:2], 3)
        people = {"AUROC": "auroc"} | ({"confusion error": "confusion_error"} if exact else {})
        line |= {
            name: spread(*results.summary(row, method, m, "annotators")[:2], 3) for name, m in people.items()
        }
        rows.append(line)
    return pd.DataFrame(rows)


def performance(results: Results) -> pd.DataFrame:
    """AUROC in % of P(label is right) where the paper prints it: last epoch, published beside ours."""
    entry = published.get("annotmix", "auroc_last")
    rows = [row for row in entry if results.runs.get(row)]
    methods = [m for m in METHODS if any(m in entry[row] for row in rows)]
    return pd.DataFrame([{"method": method, **_performance(results, rows, method)} for method in methods])


def _performance(results: Results, rows: Sequence[str], method: str) -> dict[str, str]:
    line: dict[str, str] = {}
    for row in rows:
        mean, sd, n = results.summary(row, method, "auroc", "annotators")
        nothing = (float("nan"), float("nan"))
        their_mean, their_sd = published.get("annotmix", "auroc_last")[row].get(method, nothing)
        line[f"{row}, published"] = spread(their_mean, their_sd, 1)
        line[f"{row}, ours"] = spread(100 * mean, 100 * sd, 1)
        line[f"{row}, n"] = str(n)
    return line


def performance_sentence(results: Results) -> str:
    """How the methods' order by AUROC agrees with the published one, and who is first, in one sentence."""
    words = []
    for row, theirs in published.get("annotmix", "auroc_last").items():
        ours = {m: results.summary(row, m, "auroc", "annotators")[0] for m in theirs}
        if not np.isfinite(list(ours.values())).all():
            continue
        both = np.array([[found[m] for m in theirs] for found in (ours, _means(theirs))])
        rho = float(np.asarray(np.corrcoef(both.argsort(1).argsort(1)))[0, 1])
        firsts = " and ".join(max(found, key=found.__getitem__) for found in (_means(theirs), ours))
        words.append(f"{row}: rank correlation {number(rho, 2)}; first are {firsts} (published, ours)")
    return f"{'; '.join(words)}." if words else "No row with published values is complete."


def _means(theirs: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {method: mean for method, (mean, _) in theirs.items()}


def ranks(results: Results) -> pd.DataFrame:
    """Mean ranks of AM's twelve: printed, and ours; p against annot-mix after a correct Holm step."""
    found = {f"published, {part} epoch": published_ranks(part) for part in ("last", "best")}
    ours = {f"ours, {part} epoch": mean_ranks(results, part) for part in ("last", "best")}
    control = RANKED.index("annot-mix")
    frame = pd.DataFrame({"method": RANKED})
    for name, value in (found | ours).items():
        frame[name] = NOTHING if value is None else _rank_cells(value, control)
    return frame


def _rank_cells(value: Ranks, control: int) -> list[str]:
    p = value.against(control)
    cells = [
        f"{number(r, 2)} (p {p_value(q)})" if np.isfinite(q) else number(r, 2)
        for r, q in zip(value.mean, p, strict=True)
    ]
    return [f"**{c}**" if q <= 0.05 else c for c, q in zip(cells, p, strict=True)]


def ranks_sentence(results: Results) -> str:
    """What the tests say, in words."""
    words = []
    for part in ("last", "best"):
        for who, value in (("printed", published_ranks(part)), ("our", mean_ranks(results, part))):
            words.append(f"{who} ranks, {part} epoch: {_tests(value)}")
    sentence = "; ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _tests(value: Ranks | None) -> str:
    if value is None:
        return "fewer than two datasets are complete"
    p = value.against(RANKED.index("annot-mix"))
    kept = [m for m, q in zip(RANKED, p, strict=True) if q > 0.05]
    listed = f" ({', '.join(kept)})" if kept else ""
    return (
        f"{value.n} datasets, Friedman's p = {value.p:.2g}, and Holm's step leaves {len(kept)} of "
        f"{len(RANKED) - 1} methods unrejected{listed}"
    )


def changes(results: Results, ablations: Results, names: Sequence[str], row: str) -> pd.DataFrame:
    """Accuracy of each change of annot-mix in %, its paired difference to none, and Holm's p."""
    base = results.runs.get(row, {}).get("annot-mix", {})
    rows = [{"change": "none", "n": str(len(base)), "accuracy": _shown(list(base.values()))}]
    p = corrected(results, ablations, names, row)
    for name in names:
        runs = ablations.runs.get(name, {}).get("annot-mix", {})
        rows.append(
            {
                "change": name,
                "n": str(len(runs)),
                "accuracy": _shown(list(runs.values())),
                "difference": points(paired(runs, base)),
                "p (Holm)": p_value(p.get(name, float("nan"))),
            }
        )
    return pd.DataFrame(rows).fillna(NOTHING)


def mixing(results: Results, ablations: Results, rows: Mapping[str, str]) -> pd.DataFrame:
    """annot-mix (α = 1) less itself without mixup (α = 0), row by row; `rows` names the latter's runs."""
    lines = []
    for row, name in rows.items():
        a, b = (
            results.runs.get(row, {}).get("annot-mix", {}),
            ablations.runs.get(name, {}).get("annot-mix", {}),
        )
        lines.append(
            {
                "dataset": row,
                "n": str(len(set(a) & set(b))),
                "accuracy, last epoch": points(paired(a, b)),
                "over test images": points(over_images(a, b)),
                "best epoch": points(paired(a, b, part="best")),
                "log loss, last epoch": interval(paired(a, b, "cross_entropy"), 3),
            }
        )
    return pd.DataFrame(lines)


def changes_sentence(results: Results, ablations: Results, names: Sequence[str], row: str) -> str:
    """Which changes of annot-mix are decided at 5 % after Holm's step, in one sentence."""
    base = results.runs.get(row, {}).get("annot-mix", {})
    found = {n: paired(ablations.runs.get(n, {}).get("annot-mix", {}), base) for n in names}
    known = {n: v for n, v in found.items() if v is not None}
    sure = [n for n, p in corrected(results, ablations, names, row).items() if p <= 0.05]
    worse, better = ([n for n in sure if known[n].mean * sign > 0] for sign in (-1, 1))
    return (
        f"Of {len(known)} changes of annot-mix on {row}, Holm's step leaves {len(worse)} worse "
        f"({', '.join(worse) or 'none'}) and {len(better)} better ({', '.join(better) or 'none'})."
    )


def untrained(results: Results, ablations: Results, profile: str) -> pd.DataFrame:
    """What three methods reach with parameters that the public code never trains, beside what we train."""
    cases = [(row, name) for row in printed_rows(profile) for name in PUBLIC]
    return pd.DataFrame([_untrained(results, ablations, profile, *case) for case in cases])


def _untrained(results: Results, ablations: Results, profile: str, row: str, name: str) -> dict[str, str]:
    method, parameters = PUBLIC[name]
    ours = results.runs.get(row, {}).get(method, {})
    public = ablations.runs.get(as_in_public(profile, row, name), {}).get(name, {})
    return {
        "dataset": row,
        "method": method,
        "never trained in public": ", ".join(parameters),
        "published": spread(*printed(row, method, "last")[:2], 1),
        "n": str(len(public)),
        "as in public": _shown(list(public.values())),
        "all trained": _shown(list(ours.values())),
        "all trained − public": points(paired(ours, public)),
    }


def amounts(results: Results, ablations: Results, amounts: Sequence[int], row: str) -> pd.DataFrame:
    """annot-mix against soft labels plus mixup by the number of judgements per image."""
    found = {f"{n} per image": ablations.runs.get(f"{n} per image", {}) for n in amounts}
    rows = []
    for name, methods in (found | {"all": results.runs.get(row, {})}).items():
        a, b = (methods.get(m, {}) for m in ("annot-mix", "soft-mixup"))
        rows.append(
            {
                "judgements": name,
                "annot-mix": _shown(list(a.values())),
                "soft-mixup": _shown(list(b.values())),
                "accuracy, difference": points(paired(a, b)),
                "log loss, difference": interval(paired(a, b, "cross_entropy"), 3),
            }
        )
    return pd.DataFrame(rows)


def _shown(records: list) -> str:
    mean, sd = mean_sd([100 * r.metrics["last"]["accuracy"] for r in records])
    return spread(mean, sd, 1)


def points(value: Interval | None) -> str:
    """Write a difference of accuracies in percentage points."""
    if value is None:
        return NOTHING
    low, high = (None if v is None else 100 * v for v in (value.low, value.high))
    return interval(replace(value, mean=100 * value.mean, low=low, high=high), 1)


def crowds(cards: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
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


def worker_tests(cards: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Do CIFAR-10N's workers differ? χ² over its degrees of freedom for each way to pair them with labels."""
    tests: Mapping[str, float] = next((card["tests"] for card in cards if "tests" in card), {})
    return pd.DataFrame([{"pairing": name, "χ²/df": number(value, 2)} for name, value in tests.items()])


def combined(cards: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Share of right labels in % after the judgements of an image were combined, by way to combine."""
    ways = list(dict.fromkeys(way for card in cards for way in card.get("combined", {})))
    return pd.DataFrame(
        [
            {"dataset": card["name"]}
            | {w: number(100 * card["combined"][w], 1) if w in card["combined"] else NOTHING for w in ways}
            for card in cards
            if "combined" in card
        ]
    )
