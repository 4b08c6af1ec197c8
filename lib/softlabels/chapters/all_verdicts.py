"""Verdicts of all chapters in one place, for the last chapter and for the README."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from softlabels.analysis import comparisons, embeddings, panels, results, verdicts, verdicts_human
from softlabels.analysis.claims import GROUPS
from softlabels.analysis.formatting import markdown
from softlabels.analysis.verdicts import Verdict
from softlabels.chapters import when_to_ask_a_person as review
from softlabels.chapters.annot_mix import verdicts as verdicts_annotators
from softlabels.chapters.beyond_images import tables as beyond_images
from softlabels.runs import experiments_annotators
from softlabels.runs import grids as experiments
from softlabels.runs.profiles import SPLITS

Found = Mapping[str, list[Verdict]]  # chapter -> rows
# Profile, seeds, train, device, fresh, committed only.
How = tuple[str, Sequence[int], bool, str | None, bool, bool]


def _bhl(*how: *How) -> list[Verdict]:
    profile, seeds, *_, committed_only = how
    settings = comparisons.table1(*how)
    cells = experiments.grid("figure1", profile, seeds)
    [regular] = comparisons.gather(cells, committed_only=committed_only)
    style = embeddings.settings_of(profile)
    maps = embeddings.collect(regular, style, compute=False, committed_only=committed_only)
    return verdicts.bhl(settings, embeddings.measures(maps))


def _human(*how: *How) -> list[Verdict]:
    tuned, scratch = (panels.collect(grid, *how) for grid in ("human", "human-scratch"))
    return [
        *verdicts_human.held_out(scratch, tuned),
        *verdicts_human.shift(scratch.evaluated("shift", *how[2:])),
        *verdicts_human.controls(tuned),
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
    compared, changed = (results.collect(cells, committed_only=how[-1]) for cells in grids)
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
    seeds: Sequence[int] = SPLITS,
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
) -> dict[str, list[Verdict]]:
    """Rows of every chapter, from the records at hand; runs are trained only if `train`."""
    how = (profile, seeds, train, device, fresh, committed_only)
    return {name: rows(*how) for name, rows in CHAPTERS.items()}


def counts(found: Found) -> dict[str, dict[str, int]]:
    """How many claims of each group got which verdict."""
    rows = [verdict for chapter in found.values() for verdict in chapter]
    return {
        title: {w: sum(v.verdict == w for v in rows if v.group == group) for w in verdicts.WORDS}
        for group, title in GROUPS.items()
    }


def sentence(found: Found, group: str = "papers") -> str:
    """All verdicts of a group in one sentence."""
    number = Counter(v.verdict for rows in found.values() for v in rows if v.group == group)
    parts = [f"{number[word]} {word}" for word in verdicts.WORDS if number[word]]
    return f"{GROUPS[group]}: of {sum(number.values())} claims, **{', '.join(parts)}**."


def table(found: Found, group: str = "papers") -> pd.DataFrame:
    """All rows of a group, each with its chapter."""
    parts = [
        verdicts.table([v for v in rows if v.group == group]).assign(chapter=name)
        for name, rows in found.items()
    ]
    return pd.concat(parts, ignore_index=True)[["chapter", *[c for c in parts[0].columns if c != "chapter"]]]


def summary(profile: str = "laptop", seeds: Sequence[int] = SPLITS) -> str:
    """Markdown for the README: verdicts by chapter, from committed records alone."""
    found = collect(profile, seeds, committed_only=True)  # the page must be the same in every clone
    rows = pd.DataFrame([{"claims of": name, **row} for name, row in counts(found).items()]).astype(str)
    return f"{sentence(found)}\n\n{markdown(rows)}"
