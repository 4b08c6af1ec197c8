"""What if: sliders over what was measured, from records alone.

Each view of a slider is a row of steps, with a curve for each arm (mean over runs, and their span) and one
sentence for each step, both computed here. The page only chooses among them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from softlabels.analysis import names
from softlabels.analysis.formatting import number
from softlabels.analysis.table import at, curves, recorded
from softlabels.chapters import when_to_ask_a_person as review
from softlabels.chapters.annotation_budget import ALL
from softlabels.figures import interactive

NOTHING = "There is nothing to slide over yet: its runs are missing."
MEASURES = {"KL [nats]": "kl", "accuracy": "macro_accuracy", "entropy correlation": "entropy_correlation"}
BUDGETS = tuple(range(0, 51, 2))  # percent of the images
Curve = Mapping[float, Sequence[float]]  # step -> values of the runs
Steps = Mapping[float, str]  # step -> its words, in order


def show(key: str, data: dict[str, Any], static: str) -> None:
    """Display a slider, or say that there is nothing yet; the sentence `static` stands without scripts."""
    from IPython.display import Markdown, display

    if data["views"]:
        interactive.show("slider", key, data, interactive.sentence(static))
    else:
        display(Markdown(NOTHING))


def view(
    name: str, measure: str, steps: Steps, curves: Mapping[str, Curve], says: Callable[[float], str]
) -> dict[str, Any]:
    """One choice of a slider: values by arm and step (without any it is left out), a sentence for each."""
    series = [
        {"key": "hard" if arm == "truth" else arm, "name": names.arm(arm), **_summary(values, steps)}
        for arm, values in curves.items()
        if values
    ]
    said = {"steps": list(steps.values()), "series": series, "says": [says(step) for step in steps]}
    return {"name": name, "measure": measure, **said, "start": len(steps) // 4}


def _summary(values: Curve, steps: Steps) -> dict[str, list[float | None]]:
    """Mean, least and greatest value of each step, as shown; nothing where it was not measured."""
    functions: dict[str, Callable] = {"mean": np.mean, "low": np.min, "high": np.max}
    return {
        name: [round(float(function(values[step])), 3) if step in values else None for step in steps]
        for name, function in functions.items()
    }


def _mean(values: Curve, step: float) -> str:
    return number(float(np.mean(values[step])), 3)


def _per_thousand(values: Curve, step: float) -> str:
    # From the number as it is shown beside the sentence, which would otherwise be rounded another way.
    return number(1000 * round(float(np.mean(values[step])), 3), 0)


def budget(runs: pd.DataFrame) -> dict[str, Any]:
    """Review budget against the error that remains, for every setting with both arms, last one first."""
    cuts = reversed(review.sources(runs))
    views = [_budget(*cut) for cut in cuts if cut[2].dropna(subset="record").arm.nunique() == 2]
    return {
        "title": "What if a person could look at more images?",
        "label": "Review budget",
        "choice": "Setting",
        "axis": "share of images sent to a person",
        "views": views,
        "source": "The images of least largest probability are sent; one half of the held-out images "
        "chooses the threshold, the other judges it, and the other way round.",
    }


def _budget(title: str, hard: str, here: pd.DataFrame) -> dict[str, Any]:
    runs = {arm: recorded(here[here.arm == arm]) for arm in (hard, "soft")}
    errors = {
        arm: {float(b): [review.routed(record, b / 100).system_error for record in found] for b in BUDGETS}
        for arm, found in runs.items()
    }
    alone = {arm: _per_thousand(values, 0) for arm, values in errors.items()}

    def says(step: float) -> str:
        parts = [
            f"{_per_thousand(values, step)} instead of {alone[arm]} ({names.arm(arm)})"
            for arm, values in errors.items()
        ]
        return f"Of 1,000 images {10 * step:g} go to a person. Wrong answers that remain: {', '.join(parts)}."

    steps = {float(step): f"{step} %" for step in BUDGETS}
    return view(title, "Error of network and person", steps, errors, says)


def annotations(runs: pd.DataFrame) -> dict[str, Any]:
    """Annotations for each image against KL, accuracy and the correlation of entropies."""
    votes = runs.assign(arm="soft")
    lines = {name: curves(votes, "annotations", f"test.{m}") for name, m in MEASURES.items()}
    return {
        "title": "What if there were fewer annotations for each image?",
        "label": "Annotations for each image",
        "choice": "Measure",
        "axis": "annotations for each image",
        "views": [_annotations(name, found) for name, found in lines.items() if found],
        "source": "All runs are tested against the distribution of all annotations.",
    }


def _annotations(name: str, lines: Mapping[str, Curve]) -> dict[str, Any]:
    [values] = lines.values()
    last = max(values)
    steps = {n: "all (47 to 63)" if n == ALL else f"{n:g}" for n in sorted(values)}

    def says(n: float) -> str:
        other = "" if n == last else f"; with {steps[last]} it is {_mean(values, last)}"
        plural = "annotation" if n == 1 else "annotations"
        return f"With {steps[n]} {plural} for each image, {name} is {_mean(values, n)}{other}."

    found = view(name, name, steps, lines, says)
    found["series"][0]["name"] = "that many votes"  # in the colour of all votes, which the last step has
    return found


def radius(attack: pd.DataFrame, cases: Sequence[str] = ("PGD", "FGSM", "PGD l2")) -> dict[str, Any]:
    """Radius of the attack against accuracy, for every case that was measured."""
    found = {case: curves(at(attack, case, level=None)) for case in cases}
    return {
        "title": "What if the attacker may change more?",
        "label": "Radius ε",
        "choice": "Attack",
        "axis": "radius, in 1/255 of the intensity range",
        "views": [_radius(case, lines) for case, lines in found.items() if lines],
        "source": "Only measured radii can be chosen. Held-out images.",
    }


def _radius(case: str, lines: Mapping[str, Curve]) -> dict[str, Any]:
    levels = sorted({level for values in lines.values() for level in values})
    compared = [arm for arm in ("truth", "soft") if lines.get(arm)]

    def says(level: float) -> str:
        parts = [f"{_mean(lines[a], level)} ({names.arm(a)})" for a in compared if level in lines[a]]
        left = " and ".join(parts) or "nothing known"
        return f"{case} of radius {level:g}/255 leaves an accuracy of {left}."

    steps = {level: f"{level:g}" for level in levels}
    return view(case, f"Accuracy under {case}", steps, lines, says)
