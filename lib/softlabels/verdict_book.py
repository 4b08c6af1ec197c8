"""Verdicts of all chapters in one place, for the last chapter and for the README."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from softlabels import (
    comparisons,
    embedding,
    experiments,
    experiments_annotators,
    panels,
    review,
    verdicts,
    verdicts_annotators,
    verdicts_human,
)
from softlabels.annotators import results
from softlabels.chapters.beyond_images import tables as beyond_images
from softlabels.formatting import markdown
from softlabels.verdicts import Verdict

WORDS = ("reproduced", "partly", "not reproduced", "not tested")
Found = Mapping[str, list[Verdict]]  # chapter -> rows
How = tuple[str, Sequence[int], bool, str | None, bool]  # profile, seeds, train, device, fresh


def _bhl(profile: str, seeds: Sequence[int], train: bool, device: str | None, fresh: bool) -> list[Verdict]:
    settings = comparisons.table1(profile, seeds, train, device, fresh)
    [regular] = comparisons.gather(experiments.grid("figure1", profile, seeds))
    maps = embedding.collect(regular, embedding.settings_of(profile), compute=False)
    return verdicts.bhl(settings, embedding.measures(maps))


def _human(*how: *How) -> list[Verdict]:
    runs, longer = (panels.collect(grid, *how) for grid in ("human", "human-epochs"))
    shift = runs.evaluated("shift", *how[2:])
    return [
        *verdicts_human.held_out(runs, longer),
        *verdicts_human.shift(shift),
        verdicts_human.controls(runs, longer),
    ]


def _attacked(*how: *How) -> list[Verdict]:
    return verdicts_human.attacked(panels.collect("human", *how).evaluated("attacks", *how[2:]))


def _blurred(*how: *How) -> list[Verdict]:
    return verdicts_human.doubt(panels.collect("human", *how).evaluated("blur", *how[2:]))


def _budget(*how: *How) -> list[Verdict]:
    return verdicts_human.budget(panels.collect("budget", *how))


def _asked(*how: *How) -> list[Verdict]:
    return review.verdicts(review.sources(*how))


def _annotators(*how: *How) -> list[Verdict]:
    # Nothing is trained here: its chapter does that, and most of its runs are those of "paper", ten seeds.
    profile, seeds = ("paper", range(10)) if how[0] == "laptop" else how[:2]
    grids = (experiments.grid(name, profile, seeds) for name in ("annot_mix", "annot_mix_ablations"))
    compared, changed = (results.collect(cells) for cells in grids)
    return verdicts_annotators.annotmix(compared, changed, experiments_annotators.FIRST[profile])


def _texts(profile: str, seeds: Sequence[int], *how: Any) -> list[Verdict]:
    seeds = range(5) if profile == "laptop" else seeds  # five splits, as its chapter
    return beyond_images.verdicts(beyond_images.collect(profile, seeds, *how)[0])


# Chapter -> its rows; a chapter with claims of its own adds a line here.
CHAPTERS: dict[str, Callable[..., list[Verdict]]] = {
    "Table 1 and Figure 1": _bhl,
    "Human uncertainty": _human,
    "Adversarial attacks": _attacked,
    "Blur and the right doubt": _blurred,
    "How many annotations?": _budget,
    "When to ask a person": _asked,
    "annot-mix": _annotators,
    "Beyond images": _texts,
}


def collect(
    profile: str = "laptop",
    seeds: Sequence[int] = (0, 1, 2),
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
) -> dict[str, list[Verdict]]:
    """Rows of every chapter, from the records at hand; runs are trained only if `train`."""
    return {name: rows(profile, seeds, train, device, fresh) for name, rows in CHAPTERS.items()}


def counts(found: Found) -> dict[str, dict[str, int]]:
    """How many rows of each chapter got which verdict."""
    return {name: {w: sum(v.verdict == w for v in rows) for w in WORDS} for name, rows in found.items()}


def sentence(found: Found) -> str:
    """All verdicts in one sentence."""
    number = Counter(v.verdict for rows in found.values() for v in rows)
    parts = [f"{number[word]} {word}" for word in WORDS if number[word]]
    return f"Of {sum(number.values())} claims, **{', '.join(parts)}**."


def table(found: Found) -> pd.DataFrame:
    """All rows, each with its chapter."""
    return pd.concat(
        [verdicts.table(rows).assign(chapter=name) for name, rows in found.items() if rows],
        ignore_index=True,
    )[["chapter", "claim", "published", "ours", "verdict", "reason"]]


def summary(profile: str = "laptop", seeds: Sequence[int] = (0, 1, 2)) -> str:
    """Markdown for the README: verdicts by chapter, from committed records alone."""
    before = os.environ.get("SOFTLABELS_CACHE")
    with TemporaryDirectory() as empty:  # the page must be the same in every clone
        os.environ["SOFTLABELS_CACHE"] = empty
        try:
            found = collect(profile, seeds)
        finally:
            os.environ.pop("SOFTLABELS_CACHE")
            if before is not None:
                os.environ["SOFTLABELS_CACHE"] = before
    rows = pd.DataFrame([{"chapter": name, **row} for name, row in counts(found).items()]).astype(str)
    return f"{sentence(found)}\n\n{markdown(rows)}"
