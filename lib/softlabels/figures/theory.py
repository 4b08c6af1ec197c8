"""Figures of the small worlds of `chapters.why_distributions_help`, and of runs by number of annotations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES
from softlabels.analysis.statistics import paired_interval
from softlabels.analysis.table import HIGHER_IS_BETTER, difference, settings
from softlabels.figures.base import ARMS, canvas, empty, styled

COLOURS = {**ARMS, "sampled": "#009E73"}
MARKERS = {"hard": "s", "soft": "o", "sampled": "^"}
LABELS = {"hard": "majority of n", "soft": "mean of n", "sampled": "one vote"}
TARGETS = {"hard": "argmax of q", "soft": "q itself", "sampled": "one vote each"}


@styled
def gradient_noise(
    ns: Sequence[int], measured: Mapping[str, Sequence[tuple[float, float]]], q: np.ndarray
) -> Figure:
    """Draw squared bias and variance of the gradient, measured for each n, with the mean's formula as a line.

    It is (1 - Σ_k q_k²) / n, where q [K] is the image's distribution.
    """
    figure, axes = canvas(2.9, 1, 2, sharex=True)
    for axis, column, title in zip(axes[0], (0, 1), ("squared bias", "variance"), strict=True):
        for arm, pairs in measured.items():
            values = [pair[column] for pair in pairs]
            axis.plot(ns, values, MARKERS[arm], color=COLOURS[arm], label=LABELS[arm])
        axis.set(xscale="log", title=title, xlabel="annotations n of the image", ylim=(0, None))
    line = [(1 - (q**2).sum()) / n for n in ns]
    axes[0, 1].plot(ns, line, color=COLOURS["soft"], lw=1.2, label="formula")
    axes[0, 0].legend()
    axes[0, 1].legend()
    return figure


@styled
def descents(kls: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the KL divergence on unseen images after each step of gradient descent."""
    figure, axes = canvas(2.8)
    axis = axes[0, 0]
    for arm, values in kls.items():
        steps = np.arange(1, len(values) + 1)
        axis.plot(steps, values, color=COLOURS[arm], lw=1.8, ls="-" if arm == "soft" else "--")
        axis.annotate(names.arm(arm), (steps[-1], values[-1]), ha="right", va="bottom", color=COLOURS[arm])
    axis.set(xscale="log", xlabel="step of gradient descent", ylabel="KL on unseen images [nats]")
    axis.margins(y=0.14)  # room for the word at the end of the upper line
    return figure


@styled
def errors_by_images(sizes: Sequence[int], errors: Mapping[str, np.ndarray]) -> Figure:
    """Draw the mean error rate over the number of images, both axes logarithmic; zeros are left out."""
    figure, axes = canvas(3.2)
    for arm, values in errors.items():
        means = values.mean(1)
        points = (sizes, means) if means.any() else ([], [])
        words = TARGETS[arm] + ("" if means.any() else ": no error")
        axes[0, 0].plot(*points, f"{MARKERS[arm]}-", color=COLOURS[arm], label=words)
    axes[0, 0].set(xscale="log", yscale="log", xlabel="images", ylabel="error rate")
    axes[0, 0].legend()
    return figure


@styled
def order_of_accuracies(ns: Sequence[int], differences: Mapping[str, np.ndarray]) -> Figure:
    """Draw soft - hard accuracy [n, repeats] with 95 % intervals by annotations, a panel for each world."""
    figure, axes = canvas(2.9, 1, len(differences))
    for axis, (name, values) in zip(axes[0], differences.items(), strict=True):
        intervals = [paired_interval(row, np.zeros_like(row)) for row in values]
        _points(axis, ns, [(i.mean, i.low, i.high) for i in intervals])
        axis.set_title(f'world "{name}"')
    axes[0, 0].set_ylabel("accuracy: votes − majority")
    return figure


def _points(
    axis: Axes,
    ns: Sequence[int],
    found: Sequence[tuple[float, float | None, float | None]],
    higher_is_better: bool = True,
) -> None:
    for x, (mean, low, high) in enumerate(found):
        decided = 0 if low is None or high is None else int(low > 0) - int(high < 0)
        decided *= 1 if higher_is_better else -1
        colour = {1: ARMS["soft"], -1: ARMS["hard"], 0: "#777777"}[decided]
        if low is not None and high is not None:
            axis.plot([x, x], [low, high], color=colour, lw=2.5)
        axis.plot(x, mean, "o", color=colour, ms=6, markerfacecolor="white" if low is None else colour)
    axis.axhline(0, color="black", lw=1)
    axis.set_xticks(range(len(ns)), [str(n) if n else "all" for n in ns])
    axis.set_xlabel("annotations per image")
    axis.grid(visible=False, axis="x")


@styled
def by_annotations(runs: pd.DataFrame, metrics: Sequence[str] = ("macro_accuracy", "kl")) -> Figure:
    """Draw soft - hard of trained networks by annotations per image, a panel for each measure."""
    shown = settings(runs)
    if not shown:
        return empty("no pair of runs is here yet")
    figure, axes = canvas(2.9, 1, len(metrics))
    for axis, metric in zip(axes[0], metrics, strict=True):
        found = [(d.mean, d.low, d.high) for _, here in shown if (d := difference(here, f"test.{metric}"))]
        _points(axis, [here.config.iloc[0].annotations for _, here in shown], found, HIGHER_IS_BETTER[metric])
        axis.set_title(f"{names.measure(NAMES[metric])}: votes − majority")
    return figure
