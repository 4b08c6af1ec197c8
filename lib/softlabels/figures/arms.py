"""Figures of arms: differences to one of them, curves over a level or a budget, pictures that blur."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES
from softlabels.analysis.table import difference
from softlabels.figures.base import ARMS, canvas, empty, legend_above, mark, styled
from softlabels.figures.images import plain

# Okabe and Ito's colours again, and a line style for each, so that grey print tells them apart.
LINES: dict[str, tuple[str, str]] = {
    "truth": ("#D55E00", "-"),
    "hard": ("#E69F00", "-"),
    "soft": ("#0072B2", "-"),
    "sampled": ("#56B4E9", "--"),
    "class-mean": ("#009E73", "--"),
    "permuted": ("#CC79A7", "--"),
    "smoothed": ("#000000", ":"),
    "mixup": ("#7F7F7F", "-."),
    "distilled": ("#8C564B", "-."),
}
Curves = Mapping[str, Mapping[float, Sequence[float]]]  # arm, level -> one value for each run


def _line(arm: str, number: int = 0) -> tuple[str, str]:
    every = list(LINES.values())
    return LINES.get(arm, every[number % len(every)])


DOTTED = 20  # points of a line, up to which each has a dot


@styled
def against(
    panels: Mapping[str, tuple[pd.DataFrame, str]], base: str, arms: Sequence[str] = tuple(names.ARMS)
) -> Figure:
    """Draw arm - base with its paired 95 % interval for every arm; one panel for each measure.

    `panels` has runs and the column to compare, by the name of the measure.
    """
    arms = [a for a in arms if a != base and any(difference(*p, a, base) for p in panels.values())]
    if not arms:
        return empty("no pair of runs is here yet")
    figure, axes = canvas(len(panels) * (0.3 * len(arms) + 1.2) + 0.2, len(panels))
    for axis, (name, panel) in zip(axes[:, 0], panels.items(), strict=True):
        for y, arm in enumerate(arms):
            if found := difference(*panel, arm, base):
                mark(axis, y, found, _line(arm)[0])
        axis.axvline(0, color="black", lw=1)
        said = [fill(names.arm(a).replace(" = ", "\u00a0=\u00a0"), 28) for a in arms]
        axis.set_yticks(range(len(arms)), said, fontsize=9)
        axis.set_ylim(len(arms) - 0.5, -0.5)
        axis.set_xlabel(f"{names.measure(name)}\nless that of “{names.arm(base)}”")
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.grid(visible=False, axis="y")
    return figure


@styled
def curves(shown: Mapping[str, Curves], level: str, scale: str = "linear") -> Figure:
    """Draw means over runs by level, from the least to the largest run, a line for each arm.

    There is one panel for each measure; a single arm is in no legend: the caption names it.
    ``shown[measure][arm][level]`` holds one value for each run. `level` is what the horizontal axis is,
    `scale` that of it: "linear", "log" or "symlog".
    """
    shown = {name: lines for name, lines in shown.items() if lines}
    if not shown:
        return empty("no run is here yet")
    figure, axes = canvas(2.5 * len(shown) + 0.9, len(shown), sharex=True)
    for axis, (name, lines) in zip(axes[:, 0], shown.items(), strict=True):
        for number, (arm, values) in enumerate(lines.items()):
            x = sorted(values)
            colour, style = _line(arm, number)
            mean = [np.mean(values[v]) for v in x]
            dot = "o" if len(x) <= DOTTED else ""
            axis.plot(x, mean, style, color=colour, lw=2, marker=dot, ms=4, label=names.arm(arm))
            low, high = ([pick(values[v]) for v in x] for pick in (np.min, np.max))
            axis.fill_between(x, low, high, color=colour, alpha=0.12, lw=0)
        axis.set_ylabel(names.measure(name))
        if scale != "linear":
            x = sorted({v for values in lines.values() for v in values})
            positive = [v for v in x if v > 0]
            axis.set_xscale(scale, **({"linthresh": min(positive)} if scale == "symlog" and positive else {}))
            axis.set_xticks(x, [f"{v:g}" for v in x])
            axis.minorticks_off()
    axes[-1, 0].set_xlabel(level)
    if any(len(lines) > 1 for lines in shown.values()):
        legend_above(figure, axes[0, 0])
    return figure


@styled
def risk_coverage(lines: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> Figure:
    """Draw error by the share of images that is answered (risk, coverage), the mean over runs of each arm."""
    if not any(lines.values()):
        return empty("no run is here yet")
    figure, axes = canvas(3.6)
    grid = np.linspace(0.02, 1, 99)
    for number, (arm, found) in enumerate(lines.items()):
        colour, style = _line(arm, number)
        risks = np.array([np.interp(grid, coverage, risk) for coverage, risk in found])
        axes[0, 0].plot(grid, risks.mean(0), style, color=colour, lw=2, label=names.arm(arm))
        axes[0, 0].fill_between(grid, risks.min(0), risks.max(0), color=colour, alpha=0.12, lw=0)
    axes[0, 0].set(xlim=(0, 1), ylim=(0, None), xlabel="coverage: share of images that the model answers")
    axes[0, 0].set_ylabel("error among these")
    axes[0, 0].legend(loc="upper left")
    return figure


@styled
def blurring(
    images: np.ndarray, p: Mapping[str, np.ndarray], sigmas: Sequence[float], classes: Sequence[str]
) -> Figure:
    """Draw one image blurred in steps [steps, H, W, 3], and under each what every arm predicts [steps, K]."""
    figure, axes = canvas(1.85 + 0.95 * len(p), 1 + len(p), len(sigmas), sharey="row")
    for column, (image, sigma) in enumerate(zip(images, sigmas, strict=True)):
        axes[0, column].imshow(image, interpolation="nearest")
        axes[0, column].set_axis_off()
        axes[0, column].set_title(f"σ = {sigma:g} px", fontsize=9)
        for row, (arm, values) in enumerate(p.items(), 1):
            axis = axes[row, column]
            axis.bar(range(len(classes)), values[column].astype(float), 0.85, color=_line(arm)[0])
            axis.grid(visible=False, axis="x")
            if row == len(p):
                axis.set_xticks(range(len(classes)), list(map(plain, classes)), rotation=90, fontsize=6)
            else:
                axis.set_xticks([])
            top = int(values[column].argmax())
            axis.set_xlabel(f"{classes[top]} {values[column][top]:.2f}", fontsize=7.5)
            if column == 0:  # whose scale the row shares
                axis.set_ylim(0, 1.02)
                axis.set_yticks([0, 0.5, 1], ["0", "", "1"])
                axis.set_ylabel(fill(names.arm(arm), 12), fontsize=9)
    return figure


Points = list[tuple[int, float, float]]  # annotations, mean, standard deviation


@styled
def budget(curves: Mapping[str, Mapping[str, Points]], item: str = "image") -> Figure:
    """Draw measures of both arms, given by measure and arm, against the annotations that an item keeps."""
    arms = next(iter(curves.values()))
    if not any(arms.values()):
        return empty("no run is here yet")
    figure, axes = canvas(5.2, 2, sharex=True)
    for axis, (metric, found) in zip(axes[:, 0], curves.items(), strict=True):
        for arm, points in found.items():
            n, mean, sd = ([point[i] for point in points] for i in range(3))
            bars = [0.0 if spread != spread else spread for spread in sd]  # one run has no spread
            axis.errorbar(n, mean, bars, color=ARMS[arm], marker="o", capsize=3, lw=1.8, label=names.arm(arm))
        axis.set_ylabel(names.measure(NAMES[metric]))
    ticks = sorted({n for points in arms.values() for n, _, _ in points})
    axes[1, 0].set_xscale("log")
    axes[1, 0].set_xticks(ticks, [str(n) for n in ticks])
    axes[1, 0].xaxis.set_minor_locator(NullLocator())
    axes[1, 0].set_xlabel(f"annotations kept per training {item}")
    axes[0, 0].legend()
    return figure
