"""Verdicts on the claims about human uncertainty (Peterson et al. 2019, and those who repeat them)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from softlabels.analysis import published
from softlabels.analysis.formatting import NOTHING, interval, number, signed
from softlabels.analysis.panels import Collection, Evaluated, Panel, share_reached
from softlabels.analysis.statistics import Interval
from softlabels.analysis.verdicts import Verdict, judge, placed
from softlabels.runs.experiments_human import CONTROLS, WORDS

RULE = (
    "A comparison supports a claim where the paired 95 % interval of the difference lies on the claimed side "
    "of zero, contradicts it on the other side, and is open in between; with fewer than two pairs it is not "
    "counted. A claim is *reproduced* where every comparison supports it, *not reproduced* where none does, "
    "and *partly* otherwise. The folds share training images, so the intervals are rather too narrow."
)
LOWER, HIGHER = -1, 1
LESS_LOSS = "Human distributions lower the cross-entropy on held-out images (relative to CIFAR-10 labels)"
MORE = "Human distributions raise the accuracy on held-out images"
SECOND = "The second choice is the people's more often"
NEARER = "KL to the human distribution is lower (relative)"
Differences = dict[str, Interval | None]  # by the name of a comparison


def verdict(
    claim: str,
    shown: str,
    differences: Mapping[str, Interval | None],
    better: int,
    digits: int = 4,
    value: float | None = None,
    unit: str = "",
) -> Verdict:
    """Judge a claim by the differences of some comparisons; `value` is the published one, if it is single.

    With a `unit` (% or points) differences are shown in hundredths, as the published ones are.
    """
    counted = {name: d for name, d in differences.items() if d is not None and d.n > 1}
    found, reason = judge([better * d.sign for d in counted.values()], "comparisons")
    several = len(differences) > 1
    cells = {name: interval(_hundredths(d) if unit else d, digits) for name, d in counted.items()}
    ours = [
        f"{name} {cell} {unit}".strip() if several else f"{cell} {unit}".strip()
        for name, cell in cells.items()
    ]
    pairs = sorted({d.n for d in counted.values()})
    n = f"; n = {', '.join(map(str, pairs))} pairs" if pairs else ""
    place = "".join(placed(value, d, name if several else "") for name, d in counted.items())
    return Verdict(claim, shown, "; ".join(ours) or NOTHING, found, reason + n + place)


def _hundredths(d: Interval) -> Interval:
    low, high = (None if x is None else 100 * x for x in (d.low, d.high))
    return replace(d, mean=100 * d.mean, low=low, high=high)


def _effect(kind: str, measure: str) -> float:
    """Published change: of accuracy as it is, of cross-entropy relative."""
    entry = published.get("human_uncertainty", "shift", kind)
    hard, soft = entry["hard"][measure], entry["soft"][measure]
    return soft - hard if measure == "accuracy" else soft / hard - 1


def _change(kind: str, measure: str) -> str:
    digits, unit = (2, "points") if measure == "accuracy" else (1, "%")
    return f"{signed(100 * _effect(kind, measure), digits)} {unit}"


def held_out(*lengths: Collection, base: str = "truth") -> list[Verdict]:
    """Claims of chapter 6 that need no more than the runs: accuracy, cross-entropy, second choice, KL.

    Each is judged at every length of training that is given: the paper does not say how long is enough.
    """

    def differences(measure: str, against: str, relative: bool) -> Differences:
        found = {length.trained: length.panel(measure, against) for length in lengths}
        return {
            name: panel.relative("soft", base) if relative else panel.difference("soft", base)
            for name, panel in found.items()
        }

    sba = published.get("human_uncertainty", "second_best_accuracy")
    second = sba["soft"] - sba["hard"]
    both = published.get("human_uncertainty", "distributions")["kl_change"]
    loss, accuracy = (_effect("held-out", measure) for measure in ("cross_entropy", "accuracy"))
    less, more = (_change("held-out", measure) for measure in ("cross_entropy", "accuracy"))
    nearer = f"{signed(100 * both, 0)} % (three datasets)"
    rows = (  # claim, published; measure, against whom, relative; better, digits, published value, unit
        (LESS_LOSS, less, ("cross_entropy", "truth", True), (LOWER, 1, loss, "%")),
        (MORE, more, ("macro_accuracy", "truth", False), (HIGHER, 2, accuracy, "points")),
        (SECOND, signed(second), ("second_best_accuracy", "test", False), (HIGHER, 4, second)),
        (NEARER, nearer, ("kl", "test", True), (LOWER, 1, both, "%")),
    )
    return [verdict(claim, shown, differences(*what), *how) for claim, shown, what, how in rows]


def controls(*lengths: Collection, measure: str = "kl", against: str = "test") -> Verdict:
    """Does the human, per-image information help, or any softening? Judged against every control."""
    found = {
        f"{WORDS[arm]}, {length.trained}": length.panel(measure, against).difference("soft", arm)
        for length in lengths
        for arm in CONTROLS
        if arm in length.records
    }
    return verdict(
        "It is the human, per-image information that helps, not any softening (KL, against each control)",
        "claimed; numbers not found",
        found,
        LOWER,
    )


def shift(found: Evaluated, base: str = "truth") -> list[Verdict]:
    """Generalisation to other photographs: cross-entropy and accuracy, soft against hard."""
    names = {
        "training images, JPEG copy": "training images",
        "cifar10.1-v4": "cifar10.1-v4",
        "cifar10.1-v6": "cifar10.1-v6",
    }
    here = {case: kind for case, kind in names.items() if case in found.cases()} or {
        "training images, JPEG copy": "training images"
    }
    out = []
    for measure, better, words in (
        ("cross_entropy", LOWER, "lower cross-entropy (relative)"),
        ("macro_accuracy", HIGHER, "higher accuracy"),
    ):
        panels = {case: found.panel(case, measure) for case in here}
        differences = {
            case: p.relative("soft", base) if better == LOWER else p.difference("soft", base)
            for case, p in panels.items()
        }
        kind = "cross_entropy" if better == LOWER else "accuracy"
        shown = "; ".join(f"{name}: {_change(name, kind)}" for name in here.values())
        claim, digits = f"Under shift, human distributions give {words}", 1 if better == LOWER else 2
        unit = "%" if better == LOWER else "points"
        out.append(verdict(claim, shown, differences, better, digits, unit=unit))
    return out


def attacked(found: Evaluated, base: str = "truth") -> list[Verdict]:
    """Robustness: FGSM, PGD, targeted attacks, and whether it survives the stronger ones."""
    fgsm, pgd = (published.get("human_uncertainty", key) for key in ("fgsm", "pgd"))
    levels = [x for x in found.levels("FGSM") if x > 0]
    few = [x for x in found.levels("PGD by steps") if x <= 9]
    last = int(max(few)) if few else pgd["steps"][-1]
    return [
        verdict(
            "Accuracy under FGSM is higher with human distributions (published at 8/255)",
            f"{number(fgsm['hard']['accuracy'])} → {number(fgsm['soft']['accuracy'])}, "
            f"{fgsm['higher_with_soft']} of {fgsm['networks']} networks",
            {f"{x:g}/255": found.panel("FGSM", level=x).difference("soft", base) for x in levels},
            HIGHER,
        ),
        verdict(
            f"Accuracy under PGD is higher (radius 4/255, {last} steps of 1/255)",
            f"{number(pgd['hard'][last])} → {number(pgd['soft'][last])}",
            {"": found.panel("PGD by steps", level=last).difference("soft", base)},
            HIGHER,
        ),
        verdict(
            "Targeted attacks are resisted better (1/255)",
            "claimed; numbers not found",
            {
                t: found.panel(f"PGD to {t}", level=1).difference("soft", base)
                for t in ("most-likely", "least-likely", "random")
            },
            HIGHER,
        ),
        *_survives(found, base),
    ]


def _survives(found: Evaluated, base: str) -> list[Verdict]:
    return [
        verdict(
            "The advantage survives stronger attacks (1/255)",
            "not tested by the paper",
            {
                case: found.panel(case, level=1).difference("soft", base)
                for case in (
                    "PGD, margin loss",
                    "PGD, matched temperature",
                    "PGD, more steps and restarts",
                    "AutoAttack",
                )
            },
            HIGHER,
        ),
        verdict(
            "The advantage is the people's: human distributions stand PGD better than label smoothing of the "
            "same entropy, and than the distributions of other images (1/255)",
            "not tested by the paper",
            {WORDS[a]: found.panel("PGD", level=1).difference("soft", a) for a in ("smoothed", "permuted")},
            HIGHER,
        ),
    ]


def doubt(found: Evaluated, base: str = "truth") -> list[Verdict]:
    """Blur: does the soft arm doubt where the hard one stays certain, and is it nearer to the people?"""
    sigmas = [x for x in found.levels("people", "entropy") if x > 0]

    def differences(measure: str, case: str) -> dict[str, Interval | None]:
        return {f"σ {x:g}": found.panel(case, measure, x).difference("soft", base) for x in sigmas}

    words = "claimed; numbers not found"
    return [
        verdict(
            "On blurred images soft-label networks doubt more",
            words,
            differences("entropy", "people"),
            HIGHER,
            3,
        ),
        verdict("… and are better calibrated (ECE)", words, differences("ece", "truth"), LOWER, 3),
        verdict(
            "… and lie nearer to what people said of the sharp image (KL)",
            words,
            differences("kl", "people"),
            LOWER,
            3,
        ),
    ]


def budget(runs: Collection) -> list[Verdict]:
    """Few annotations: better than one with three, and saturated where it is published for text."""
    entry = published.get("human_uncertainty", "saturation")
    kl, correlation = runs.panel("kl"), runs.panel("entropy_correlation")
    few = next((arm for arm in runs.records if arm not in ("n=1", "n=all")), "n=3")
    many = [arm for arm in runs.records if arm not in ("n=1", "n=all")]
    near = next((arm for arm in many if int(arm[2:]) >= entry["kl"]), "n=10")
    late = next((arm for arm in many if int(arm[2:]) >= entry["entropy_correlation"][0]), "n=20")
    return [
        verdict(
            f"Few annotations already help: KL with {few} against one annotation an image",
            "claimed; numbers not found",
            {"": kl.difference(few, "n=1")},
            LOWER,
        ),
        _saturated(f"KL is saturated with {near}", f"N ≈ {entry['kl']} (text)", kl, near),
        _saturated(
            f"The entropy correlation is saturated with {late}",
            f"N ≈ {entry['entropy_correlation'][0]}–{entry['entropy_correlation'][1]} (text)",
            correlation,
            late,
        ),
    ]


def _saturated(claim: str, shown: str, panel: Panel, at: str) -> Verdict:
    """Reproduced where the mean share of the improvement is 90 % or more, partly from 75 %."""
    mean, _, n = share_reached(panel, at).summary(at)
    gain = panel.difference("n=all", "n=1")
    if gain is not None and gain.n > 1 and not gain.sign:
        why = f"the improvement between one and all annotations is not sure itself; n = {gain.n} series"
        return Verdict(claim, shown, interval(gain), "not tested", why)
    if n < 2 or not np.isfinite(mean):
        return Verdict(claim, shown, NOTHING, "not tested", "fewer than two complete series")
    word = "reproduced" if mean >= 0.9 else "partly" if mean >= 0.75 else "not reproduced"
    why = f"reproduced from 90 % of the improvement between one and all annotations; n = {n} series"
    return Verdict(claim, shown, f"{100 * mean:.0f} % of the improvement", word, why)
