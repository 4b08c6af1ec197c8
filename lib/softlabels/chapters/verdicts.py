"""Chapter 15: verdicts of all chapters in one place, for the README too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from softlabels.analysis import verdicts
from softlabels.analysis.formatting import markdown
from softlabels.analysis.verdicts import GROUPS, Verdict
from softlabels.chapters import (
    adversarial,
    annot_mix,
    annot_mix_ranks,
    annotation_budget,
    beyond_images,
    blur_and_shift,
    human_uncertainty,
    table1,
    when_to_ask_a_person,
)
from softlabels.runs.profiles import SPLITS

Found = Mapping[str, list[Verdict]]  # chapter -> rows

# A chapter with claims of its own adds a line here; its `verdicts` takes what its `collect` gives.
CHAPTERS: dict[str, Any] = {
    "Table 1 and Figure 1": table1,
    "Human uncertainty": human_uncertainty,
    "Adversarial attacks": adversarial,
    "Blur and the right doubt": blur_and_shift,
    "How many annotations?": annotation_budget,
    "When to ask a person": when_to_ask_a_person,
    "annot-mix": annot_mix,
    "annot-mix: ranks": annot_mix_ranks,
    "Beyond images": beyond_images,
}
GRIDS = tuple(dict.fromkeys(grid for chapter in CHAPTERS.values() for grid in chapter.GRIDS))
KINDS = tuple(kind for chapter in CHAPTERS.values() for kind in getattr(chapter, "KINDS", ()))
# Chapters that show other runs than those asked for at profile laptop: profile and seeds.
OWN = {
    annot_mix: ("paper", range(10)),
    annot_mix_ranks: ("paper", range(10)),
    beyond_images: ("laptop", range(5)),
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
    found = {}
    for name, chapter in CHAPTERS.items():
        # The runs of annot-mix are trained by its own chapters.
        of_people = chapter in (annot_mix, annot_mix_ranks)
        how = (False, None, False) if of_people else (train, device, fresh)
        place = OWN.get(chapter, (profile, seeds)) if profile == "laptop" else (profile, seeds)
        drawn = chapter.collect(*place, *how, committed_only)
        found[name] = chapter.verdicts(*(drawn if isinstance(drawn, tuple) else (drawn,)))
    return found


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
