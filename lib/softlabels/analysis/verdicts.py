"""Claims held against our records: published, ours, and a verdict that follows from one stated rule."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from softlabels.analysis.claims import CLAIMS, Claim
from softlabels.analysis.formatting import NOTHING, interval, number, signed
from softlabels.analysis.statistics import Interval, t_quantile

WORDS = ("reproduced", "contradicted", "undecided", "not tested")
RULE = (
    "Every claim has one primary comparison, named beside the published value in `claims`: before its "
    "runs, but for annot-mix, Figure 1 and text, some of whose records are older than the name. With the "
    "95 % interval of its difference, a claim is *reproduced* where the interval lies on the claimed side "
    "of zero; *contradicted* where it excludes everything from half the published effect upwards (where "
    "no number is published: where it lies on the other side of zero); *undecided* otherwise; and *not "
    "tested* without two pairs of competent runs. A claim of no difference is reproduced where the "
    "interval lies within a stated margin, and contradicted where it lies outside. Other settings are "
    "shown as robustness and decide nothing. Intervals are Student's over folds, and over random splits "
    "that overlap with the correction of Nadeau and Bengio (2003)."
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

    Without a published effect, the mean that was seen against none. None where that asks for a mean of zero.
    """
    if found.low is None or found.high is None or found.n < 2:
        return None
    error = (found.high - found.low) / 2 / t_quantile((1 + found.level) / 2, found.n - 1)
    sd = error * np.sqrt(found.n)
    effect = claim.margin / 2 if not claim.better else _least(claim) or abs(found.mean)
    return max(2, int(np.ceil((POWER * sd / effect) ** 2))) if effect > 0 else None


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
    needs = f"about {n} pairs" if n else ""
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


def rule_on_trial(found: Sequence[Verdict]) -> pd.DataFrame:
    """`how_often` for invented effects, averaged over the claims that were tested and have one in print."""
    tried = [v for v in found if v.found is not None and CLAIMS[v.id].effect]
    rows = []
    for truth, share in TRUTHS.items():
        each = pd.DataFrame([how_often(CLAIMS[v.id], v.found, share) for v in tried if v.found is not None])
        said = {w: f"{100 * each[w].mean():.0f} %" if len(each) else NOTHING for w in WORDS[:3]}
        rows.append({"true effect": truth, **said})
    return pd.DataFrame(rows)


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """Verdicts as a table of strings."""
    rows = [{name: value or NOTHING for name, value in asdict(verdict).items()} for verdict in found]
    return pd.DataFrame(rows, columns=COLUMNS).rename(columns={"needs": "would decide"})
