"""Claims held against our records: published, ours, and a verdict that follows from one stated rule.

Claims stand in the JSON file beside this module, each with what is published and its one primary comparison:
a difference, soft labels less hard ones unless the claim says otherwise; `effect` is the published one in the
same unit, where a number could be found.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis import published
from softlabels.analysis.formatting import NOTHING, interval, number, signed
from softlabels.analysis.statistics import Interval, t_quantile

if TYPE_CHECKING:
    import pandas as pd

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

WORDS = ("reproduced", "contradicted", "undecided", "not tested")
RULE = (
    "Every claim has one primary comparison, named beside the published value in `claims`: before its "
    "runs, but for annot-mix, Figure 1 and text, some of whose records are older than the name; that a few "
    "annotations are better than one was judged again on more folds, since four had left it undecided. With "
    "the 95 % interval of its difference, a claim is *reproduced* where the interval lies on the claimed "
    "side of zero; *contradicted* where it excludes everything from half the published effect upwards (where "
    "no number is published: where it lies on the other side of zero); *undecided* otherwise; and *not "
    "tested* without two pairs of competent runs. A claim of no difference is reproduced where the "
    "interval lies within a stated margin, and contradicted where it lies outside. Other settings are "
    "shown as robustness and decide nothing. Intervals are Student's over folds, and over random splits "
    "that overlap with the correction of Nadeau and Bengio (2003); where all runs of a comparison share one "
    "test part, they are over its images too, by the jackknife. Under shift, and of maps, they are over "
    "networks alone."
)
COLUMNS = ["claim", "published", "ours", "verdict", "reason", "needs"]
POWER = 1.96 + 0.84  # standard errors between zero and an effect that is told from it in four of five tries


@dataclass(frozen=True)
class Verdict:
    """What the rule says of one claim."""

    claim: str
    published: str
    ours: str
    verdict: str
    reason: str
    needs: str = ""  # how many pairs would decide an undecided claim, from the spread seen
    group: str = "papers"
    id: str = ""
    found: Interval | None = None  # of the primary comparison, where networks are competent


def word(claim: Claim, found: Interval) -> str:
    """Apply `RULE` to a claim and the interval of its primary comparison."""
    if found.low is None or found.high is None:
        return "not tested"
    if not claim.better:
        within = -claim.margin <= found.low and found.high <= claim.margin
        outside = found.low > claim.margin or found.high < -claim.margin
        return "reproduced" if within else "contradicted" if outside else "undecided"
    low, high = sorted((claim.better * found.low, claim.better * found.high))  # positive: as claimed
    if low > 0:
        return "reproduced"
    return "contradicted" if high < _least(claim) else "undecided"


def _least(claim: Claim) -> float:
    """The smallest effect that would count as the published one: half of it, in the claimed direction."""
    return claim.better * claim.effect / 2 if claim.effect is not None else 0.0


def pairs_to_decide(claim: Claim, found: Interval) -> int | None:
    """About how many pairs would decide, with the spread seen: the published effect against half of it.

    Without a published effect, the mean that was seen against none. None where no number would: for a mean of
    zero, or where the images of the one test part already leave too much open.
    """
    if found.low is None or found.high is None or found.n < 2:
        return None
    error = (found.high - found.low) / 2 / t_quantile((1 + found.level) / 2, found.n - 1)
    effect = claim.margin / 2 if not claim.better else _least(claim) or abs(found.mean)
    left = (effect / POWER) ** 2 - found.images**2  # what the variance over runs may be
    return max(2, int(np.ceil(found.n * max(error**2 - found.images**2, 0.0) / left))) if left > 0 else None


def judge(claim: Claim, found: Interval | None, lacking: str = "", robustness: str = "") -> Verdict:
    """Judge a claim by the difference of its primary comparison.

    What the networks are `lacking` to count as competent (`competence.shortcoming`) lets them decide nothing;
    `robustness` is what other settings show, for the reason.
    """
    scale = 100 if claim.unit else 1

    def in_unit(words: str) -> str:
        return f"{words} {claim.unit}".strip()

    if not claim.better:
        shown = f"none (± {in_unit(number(scale * claim.margin, claim.digits))})"
    elif claim.effect is None:
        shown = "no number found"
    else:
        shown = in_unit(signed(scale * claim.effect, claim.digits))
    extra = f"; {robustness}" if robustness else ""
    verdict = Verdict(claim.text, shown, NOTHING, "not tested", "", "", claim.group, claim.id)
    if found is None or found.n < 2:
        why = "no pair of runs" if found is None else "a single pair of runs"
        return replace(verdict, reason=f"{claim.primary}: {why}{extra}")
    cell = in_unit(interval(found.times(scale), claim.digits))
    reason = f"{claim.primary}; n = {found.n}{extra}"
    if lacking:
        return replace(verdict, ours=cell, reason=f"did not learn: {lacking}; {reason}")
    decided = word(claim, found)
    n = pairs_to_decide(claim, found) if decided == "undecided" else None
    needs = f"about {n} pairs" if n else "more test images" * bool(decided == "undecided" and found.images)
    return replace(verdict, ours=cell, verdict=decided, reason=reason, needs=needs, found=found)


TRUTHS = {"as published": 1.0, "half of it": 0.5, "none": 0.0, "reversed": -1.0}


def how_often(claim: Claim, found: Interval, share: float, draws: int = 4000) -> dict[str, float]:
    """How often the rule says which word, if the true effect were `share` of the published one.

    As many pairs as were seen are drawn `draws` times from a normal distribution with the spread seen.
    """
    assert claim.effect is not None and found.low is not None and found.high is not None
    t = t_quantile((1 + found.level) / 2, found.n - 1)
    error = (found.high - found.low) / 2 / t  # of the mean, overlap of the splits included
    rng = np.random.default_rng([found.n, round(1000 * share) % 2**31])
    means = rng.normal(share * claim.effect, error, draws)
    # The estimated error varies as the square root of chi squared over its degrees of freedom.
    halves = t * error * np.sqrt(rng.chisquare(found.n - 1, draws) / (found.n - 1))
    words = [word(claim, Interval(m, m - h, m + h, found.n)) for m, h in zip(means, halves, strict=True)]
    return {name: words.count(name) / draws for name in WORDS[:3]}


def rule_on_trial(found: Sequence[Verdict]) -> "pd.DataFrame":
    """`how_often` for invented effects, averaged over the claims that were tested and have one in print."""
    import pandas as pd

    tried = [v for v in found if v.found is not None and CLAIMS[v.id].effect]
    rows = []
    for truth, share in TRUTHS.items():
        each = pd.DataFrame([how_often(CLAIMS[v.id], v.found, share) for v in tried if v.found is not None])
        said = {w: f"{100 * each[w].mean():.0f} %" if len(each) else NOTHING for w in WORDS[:3]}
        rows.append({"true effect": truth, **said})
    return pd.DataFrame(rows)


def table(found: Sequence[Verdict]) -> "pd.DataFrame":
    """Verdicts as a table of strings."""
    import pandas as pd

    rows = [{name: value or NOTHING for name, value in asdict(verdict).items()} for verdict in found]
    return pd.DataFrame(rows, columns=COLUMNS).rename(columns={"needs": "would decide"})
