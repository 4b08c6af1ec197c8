"""Claims, each with what is published and its one primary comparison, from the JSON file beside this module.

A comparison is a difference, soft labels less hard ones unless the claim says otherwise; `effect` is the
published one in the same unit, where a number could be found.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from softlabels.analysis import published

GROUPS = {
    "papers": "The three papers",
    "others": "Others who repeat them",
    "ours": "This book's own questions",
}
HIGHER, LOWER = 1, -1


@dataclass(frozen=True)
class Claim:
    """One claim."""

    id: str
    group: str  # one of `GROUPS`
    text: str
    primary: str  # the one comparison that decides, in words
    better: int  # `HIGHER` or `LOWER`: the sign of the claimed difference; 0 claims that there is none
    source: str = ""  # key in the bibliography, or nothing for the book's own
    effect: float | None = None  # the published difference
    unit: str = ""  # "%" or "points" (differences are shown in hundredths), or nothing
    digits: int = 4
    margin: float = 0.0  # of a claim of no difference: what still counts as none


def _human(*keys: str) -> Mapping:
    return published.get("human_uncertainty", *keys)


def _change(kind: str, measure: str) -> float:
    """Published change of accuracy (as it is) or of cross-entropy (relative) from labels to distributions."""
    hard, soft = (_human("shift", kind)[arm][measure] for arm in ("hard", "soft"))
    return soft - hard if measure == "accuracy" else soft / hard - 1


def _effects() -> dict[str, float]:
    """Published differences, by the id of their claim."""
    fgsm, pgd, second = _human("fgsm"), _human("pgd"), _human("second_best_accuracy")
    singh, kohli = _human("distributions"), _human("saturation")
    hard, soft = (np.mean(_human("fine_tuned")[arm]["cross_entropy_people"]) for arm in ("hard", "soft"))
    methods = published.get("annotmix", "last", "mgc")  # printed in %
    return {
        "bhl-accuracy": published.bhl_difference("synthetic", "macro_accuracy"),
        "bhl-kl": published.bhl_difference("synthetic", "kl"),
        "bhl-accuracy-bone": published.bhl_difference("micebone", "macro_accuracy"),
        "bhl-kl-bone": published.bhl_difference("micebone", "kl"),
        "huc-loss": _change("held-out", "cross_entropy"),
        "huc-accuracy": _change("held-out", "accuracy"),
        "huc-second": second["soft"] - second["hard"],
        "huc-shift-loss": _change("training images", "cross_entropy"),
        "huc-shift-accuracy": _change("training images", "accuracy"),
        "huc-fine-tuned": float(soft / hard - 1),
        "huc-fgsm-accuracy": fgsm["soft"]["accuracy"] - fgsm["hard"]["accuracy"],
        "huc-fgsm-loss": fgsm["soft"]["cross_entropy"] / fgsm["hard"]["cross_entropy"] - 1,
        "huc-pgd-accuracy": pgd["soft"][2] - pgd["hard"][2],
        "huc-pgd-loss": pgd["soft_loss"][9] / pgd["hard_loss"][9] - 1,
        "am-best": (methods["annot-mix"][0] - methods["madl"][0]) / 100,
        "am-row": 0.0,
        "singh-kl": singh["kl_change"],
        "singh-entropy": singh["entropy_correlation_change"],
        "text-kl": singh["kl_change"],
        "text-entropy": singh["entropy_correlation_change"],
        "text-accuracy": 0.0,
        "text-smoothing": kohli["correlation_with_votes"] - kohli["correlation_with_smoothing"][1],
    }


def _read() -> Iterator[Claim]:
    effects, side = _effects(), {"higher": HIGHER, "lower": LOWER, "no difference": 0}
    for entry in json.loads(Path(__file__).with_name("claims.json").read_text("utf-8")):
        words = {key: entry[key].format(**_human()) for key in ("text", "primary")}
        better = side[entry["better"]]
        yield Claim(**{**entry, **words, "better": better, "effect": effects.get(entry["id"])})


CLAIMS = {claim.id: claim for claim in _read()}
