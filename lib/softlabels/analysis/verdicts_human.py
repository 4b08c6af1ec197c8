"""Verdicts on the claims about human uncertainty (Peterson et al. 2019, and those who repeat them).

Claims and their primary comparisons stand in `claims`; the rule is that of `verdicts`.
"""

from softlabels.analysis import competence
from softlabels.analysis.claims import CLAIMS
from softlabels.analysis.panels import Collection, Evaluated
from softlabels.analysis.statistics import Interval
from softlabels.analysis.verdicts import Verdict, judge

PEOPLE, LABEL = "soft", "truth"  # the two arms that the paper compares


def lacking(runs: Collection, arm: str = PEOPLE, base: str = LABEL) -> str:
    """What one of two arms lacks to count as competent; empty if nothing."""
    found = {name: competence.shortcoming(runs.only([name])) for name in (arm, base)}
    return "; ".join(f"{name}: {words}" for name, words in found.items() if words)


def _compared(
    runs: Collection, measure: str, against: str, relative: bool, arm: str = PEOPLE, base: str = LABEL
) -> Interval | None:
    panel = runs.panel(measure, against)
    return panel.relative(arm, base) if relative else panel.difference(arm, base)


def held_out(scratch: Collection, tuned: Collection) -> list[Verdict]:
    """Judge the claims that need no more than the runs; the other start is shown as robustness."""
    rows: tuple[tuple[str, str, str, bool], ...] = (  # claim; measure, against whom, relative
        ("huc-loss", "cross_entropy", "truth", True),
        ("huc-accuracy", "macro_accuracy", "truth", False),
        ("huc-second", "second_best_accuracy", "test", False),
        ("singh-kl", "kl", "test", True),
        ("singh-entropy", "entropy_correlation", "test", True),
    )
    lack = lacking(scratch)
    found = [
        judge(
            CLAIMS[name],
            _compared(scratch, measure, against, relative),
            lack,
            _other("fine-tuned", _compared(tuned, measure, against, relative)),
        )
        for name, measure, against, relative in rows
    ]
    fine = CLAIMS["huc-fine-tuned"], _compared(tuned, "cross_entropy", "test", True)
    return [*found, judge(*fine, lacking(tuned))]


def _other(name: str, found: Interval | None) -> str:
    """Direction of a comparison that decides nothing."""
    if found is None or found.n < 2:
        return ""
    return f"{name}: {'higher' if found.sign > 0 else 'lower' if found.sign < 0 else 'not told from zero'}"


def controls(tuned: Collection) -> list[Verdict]:
    """Does the human, per-image information help, or any softening?"""
    arms = {"people-smoothing": "smoothed", "people-permuted": "permuted"}
    return [
        judge(CLAIMS[name], _compared(tuned, "kl", "test", False, base=arm), lacking(tuned, base=arm))
        for name, arm in arms.items()
    ]


def shift(found: Evaluated) -> list[Verdict]:
    """Generalisation to other photographs: cross-entropy and accuracy."""
    case, lack = "training images, JPEG copy", lacking(found.runs)
    return [
        judge(CLAIMS["huc-shift-loss"], found.panel(case, "cross_entropy").relative(PEOPLE, LABEL), lack),
        judge(
            CLAIMS["huc-shift-accuracy"], found.panel(case, "macro_accuracy").difference(PEOPLE, LABEL), lack
        ),
    ]


def attacked(found: Evaluated) -> list[Verdict]:
    """Robustness: accuracy and cross-entropy under FGSM and PGD, targeted attacks, and the controls."""
    lack = lacking(found.runs)
    last = max(found.levels("PGD by steps", "cross_entropy"), default=9)
    return [
        judge(CLAIMS["huc-fgsm-accuracy"], found.panel("FGSM", level=8).difference(PEOPLE, LABEL), lack),
        judge(CLAIMS["huc-fgsm-loss"], found.panel("FGSM", "cross_entropy", 8).relative(PEOPLE, LABEL), lack),
        judge(
            CLAIMS["huc-pgd-accuracy"], found.panel("PGD by steps", level=2).difference(PEOPLE, LABEL), lack
        ),
        judge(
            CLAIMS["huc-pgd-loss"],
            found.panel("PGD by steps", "cross_entropy", last).relative(PEOPLE, LABEL),
            lack,
        ),
        judge(CLAIMS["targeted"], found.panel("PGD to random", level=1).difference(PEOPLE, LABEL), lack),
        judge(
            CLAIMS["people-pgd"],
            found.panel("PGD", level=1).difference(PEOPLE, "smoothed"),
            lacking(found.runs, base="smoothed"),
        ),
    ]


def doubt(found: Evaluated) -> list[Verdict]:
    """Blur: does the soft arm doubt where the hard one stays certain, and is it better calibrated?"""
    lack = lacking(found.runs)
    return [
        judge(CLAIMS["blur-doubt"], found.panel("people", "entropy", 1).difference(PEOPLE, LABEL), lack),
        judge(CLAIMS["blur-calibration"], found.panel("truth", "ece", 1).difference(PEOPLE, LABEL), lack),
    ]


def budget(runs: Collection) -> list[Verdict]:
    """Few annotations: better than one with two."""
    difference = runs.panel("kl").difference("n=2", "n=1")
    return [judge(CLAIMS["few-help"], difference, lacking(runs, "n=2", "n=1"))]
