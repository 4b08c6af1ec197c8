"""Chapter 19: what the ranks of annot-mix and its competitors are worth, and which part of it does it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from softlabels.analysis import annotators, competence, published, table
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.formatting import NOTHING, interval, number, p_value, spread
from softlabels.analysis.published import RANKED
from softlabels.analysis.statistics import Ranks, holm, paired_p, ranks, ranks_as_published
from softlabels.analysis.table import paired, recorded, summary
from softlabels.analysis.verdicts import Verdict, judge
from softlabels.chapters.annot_mix import (
    CHANGED,
    COMPARED,
    OURS,
    apart,
    full_rows,
    of,
    over_images,
    points,
    printed,
    shown,
)
from softlabels.learning.config import PUBLIC
from softlabels.runs.profiles import FIRST, UNMIXED, as_in_public, printed_rows, unmixed

GRIDS = (COMPARED, CHANGED)
collect = partial(table.gather, GRIDS)
SHUFFLED = "shuffled workers"  # the change that gives every judgement to a random annotator


def answer(runs: pd.DataFrame) -> str:
    """What came out, in at most three sentences."""
    words = [_of_ranks(runs), _of_mixing(runs), _of_annotators(runs)]
    return " ".join(filter(None, words)) or "The runs that this page needs are not here yet."


def _of_ranks(runs: pd.DataFrame) -> str:
    def apart_from(value: Ranks) -> str:
        p = value.against(RANKED.index(OURS))
        return f"{int((p <= 0.05).sum())}"

    last, best, ours = published_ranks("last"), published_ranks("best"), mean_ranks(runs)
    n = len(RANKED) - 1
    words = (
        f"Tested correctly, the printed ranks tell annot-mix from {apart_from(last)} of {n} other methods at "
        f"the last epoch and from {apart_from(best)} at the best one"
    )
    if ours is None:
        return f"{words}."
    place = int((ours.mean < ours.mean[RANKED.index(OURS)]).sum()) + 1
    return f"{words}; on our {ours.n} datasets it comes in place {place} and is told from {apart_from(ours)}."


def _of_mixing(runs: pd.DataFrame) -> str:
    names = unmixed(runs.profile.iloc[0])
    rows = [row for row in full_rows(runs) if row in names]
    found = {row: apart(of(runs, row), of(runs, names[row])) for row in rows}
    known = {row: value for row, value in found.items() if value is not None and value.low is not None}
    if not known:
        return ""
    better, worse = (sum(value.sign == sign for value in known.values()) for sign in (1, -1))
    return (
        f"With mixing it is more accurate than without on {better} of {len(known)} datasets, and less on "
        f"{worse}; the rest is open."
    )


def _of_annotators(runs: pd.DataFrame) -> str:
    row = FIRST[runs.profile.iloc[0]]
    found = apart(of(runs, SHUFFLED), of(runs, row))
    if found is None:
        return ""
    return (
        f"Without knowing who said what (annotators shuffled), accuracy on {annotators.row(row).lower()} "
        f"changes by {points(found).replace('**', '')} points."
    )


def in_print() -> str:
    """What AM say beside it, in words."""
    entry = published.get("annotmix", "ranks")
    last, best = (number(entry[part][OURS], 2) for part in ("last", "best"))
    return (
        f"The paper prints a mean rank of {last} of {len(RANKED)} at the last epoch and {best} at the best "
        f"one, over {entry['datasets']} datasets, and marks every other method as significantly worse."
    )


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
    frame = pd.DataFrame({"method": [annotators.named(m) for m in RANKED]})
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
        listed = f" ({', '.join(map(annotators.named, kept))})" if kept else ""
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
        line |= {
            "changed − as published": points(apart(here, base)),
            "p (Holm)": p_value(p.get(name, float("nan"))),
        }
        rows.append(line)
    return pd.DataFrame(rows).fillna(NOTHING)


def changes_sentence(runs: pd.DataFrame, names: Sequence[str], row: str) -> str:
    """Which changes of annot-mix are decided at 5 % after Holm's step, in one sentence."""
    found = {name: apart(of(runs, name), of(runs, row)) for name in names}
    known = {name: value for name, value in found.items() if value is not None}
    sure = [name for name, p in corrected(runs, names, row).items() if p <= 0.05]
    worse, better = ([n for n in sure if known[n].mean * sign > 0] for sign in (-1, 1))
    return (
        f"Of {len(known)} changes of annot-mix on {annotators.row(row).lower()}, Holm's step leaves "
        f"{len(worse)} worse ({', '.join(worse) or 'none'}) and {len(better)} better "
        f"({', '.join(better) or 'none'})."
    )


def mixing(runs: pd.DataFrame, rows: Mapping[str, str]) -> pd.DataFrame:
    """annot-mix (α = 1) less itself without mixup (α = 0), row by row; `rows` names the latter's runs."""
    lines = []
    for row, name in rows.items():
        a, b = of(runs, row), of(runs, name)
        lines.append(
            {
                "dataset": annotators.row(row),
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
                    "dataset": annotators.row(row),
                    "method": annotators.named(method),
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
        line = {"judgements": name, OURS: shown(a), annotators.named("soft-mixup"): shown(b)}
        line["accuracy, annot-mix − votes"] = points(apart(a, b))
        lines.append(line | {"log loss, annot-mix − votes": interval(apart(a, b, "cross_entropy"), 3)})
    return pd.DataFrame(lines)


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """Judge the claim of AM about mixing, on one of its datasets."""
    row = FIRST[runs.profile.iloc[0]]
    lacks = competence.shortcoming(recorded(of(runs, row)))
    return [mixing_verdict(runs, row, lacks)]


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
