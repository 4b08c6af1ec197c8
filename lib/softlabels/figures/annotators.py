"""Figures of annot-mix: all methods on all datasets, one mixed triple, ranks, confusions, ablations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from softlabels.analysis import annotators
from softlabels.analysis.annotators import named
from softlabels.analysis.formatting import number, signed
from softlabels.analysis.published import RANKED
from softlabels.analysis.statistics import Interval, Ranks
from softlabels.figures.base import ARMS, canvas, empty, styled

OURS, OTHER = ARMS["soft"], "#777777"
# People with any common colour blindness tell these apart, on paper and, inverted, on a dark page.
WORSE_BETTER = LinearSegmentedColormap.from_list("worse, better", [ARMS["hard"], "#ffffff", ARMS["soft"]])


@styled
def relative(
    found: Mapping[str, pd.DataFrame], base: str, reach: float, ratio: bool = False, digits: int = 1
) -> Figure:
    """Draw every method (row) on every dataset (column) against one of them, the sources beside each other.

    The base's line has its values, the others what they are above it: blue is better. As a `ratio` they are
    how many times its value, and less is better. A colour is full at a difference, or ratio, of `reach`.
    """
    if not found:
        return empty("no dataset has runs of all methods yet")
    methods = list(dict.fromkeys(method for table in found.values() for method in table.index))
    columns = [len(table.columns) for table in found.values()]
    figure, axes = canvas(0.235 * len(methods) + 0.85, 1, len(found), sharey=True, width_ratios=columns)
    for axis, (source, table) in zip(axes[0], found.items(), strict=True):
        _cells(axis, table.reindex(methods), base, reach, ratio, digits)
        names, places = [annotators.row(name) for name in table], np.arange(len(table.columns)) + 0.5
        if sum(columns) > 7:
            axis.set_xticks(places, names, fontsize=9, rotation=60, ha="left", rotation_mode="anchor")
        else:
            axis.set_xticks(places, [name.replace(" ", "\n") for name in names], fontsize=9)
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        if len(found) > 1:
            axis.set_xlabel(source, fontweight="bold")
    axes[0, 0].set_yticks(np.arange(len(methods)) + 0.5, [named(method) for method in methods], fontsize=9)
    axes[0, 0].invert_yaxis()
    return figure


def _cells(axis: Axes, table: pd.DataFrame, base: str, reach: float, ratio: bool, digits: int) -> None:
    own, values = table.loc[base].to_numpy(np.float64), table.to_numpy(np.float64)
    shade = -np.log(values / own) / np.log(reach) if ratio else (values - own) / reach
    mesh = axis.pcolormesh(np.ma.masked_invalid(shade), cmap=WORSE_BETTER, vmin=-1, vmax=1, ec="w", lw=1)
    mesh.set_clip_on(False)
    for (y, x), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        words = f"×{number(value / own[x], digits)}" if ratio else signed(value - own[x], digits)
        style: Any = {"color": "w" if abs(shade[y, x]) > 0.7 else "k"}
        if table.index[y] == base:
            words, style["weight"] = number(value, 2 if ratio else digits), "bold"
        axis.text(x + 0.5, y + 0.5, words, ha="center", va="center", fontsize=8.2, **style)


@styled
def mixed_triple(
    images: np.ndarray,
    annotators: Sequence[int],
    labels: Sequence[int],
    classes: Sequence[str],
    weight: float,
) -> Figure:
    """Draw two labelled pairs (images uint8 [2, H, W, C]) and what they are mixed to, part by part.

    `weight` is λ, the share of the first.
    """
    figure, axes = canvas(4.4, 3, 3, width_ratios=(1, 1.6, 1.6))
    share = [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([weight, 1 - weight])]
    titles = (f"λ = {weight:g}", f"1 − λ = {1 - weight:g}", "mixed")
    for row, (parts, title) in enumerate(zip(share, titles, strict=True)):
        axes[row, 0].imshow((images * parts[:, None, None, None]).sum(0).astype(np.uint8))
        axes[row, 0].set_axis_off()
        axes[row, 0].set_title(title)
        _bars(axes[row, 1], dict(zip([f"a{a}" for a in annotators], parts, strict=True)))
        mass = {name: 0.0 for name in classes}
        for label, part in zip(labels, parts, strict=True):
            mass[classes[label]] += part
        _bars(axes[row, 2], mass)
    axes[0, 1].set_title("annotator")
    axes[0, 2].set_title("label")
    for row in range(3):
        axes[row, 1].set_ylabel("weight", fontsize=9)
    return figure


def _bars(axis: Axes, mass: dict[str, float]) -> None:
    axis.bar(list(mass), list(mass.values()), color=OURS, width=0.6)
    axis.set_ylim(0, 1.05)
    axis.set_yticks([0, 0.5, 1])
    axis.grid(visible=False, axis="x")


@styled
def critical_differences(found: dict[str, Ranks | None]) -> Figure:
    """Draw mean ranks, best to the left, one panel each; grey bars join methods closer than Nemenyi's CD."""
    shown = {name: value for name, value in found.items() if value is not None}
    if not shown:
        return empty("fewer than two datasets have all methods yet")
    figure, axes = canvas(3.1 * len(shown), len(shown))
    for axis, (name, value) in zip(axes[:, 0], shown.items(), strict=True):
        _ranks(axis, value)
        cd = value.critical_difference()
        axis.set_title(f"{name}: mean rank over {value.n} datasets, critical difference {cd:.2f}")
    return figure


def _ranks(axis: Axes, value: Ranks) -> None:
    order, k = np.argsort(value.mean, kind="stable"), len(RANKED)
    axis.set_xlim(-3.0, k + 4.0)  # names stand beside the ends of their lines, where no line crosses them
    axis.set_ylim(-k / 2 - 1.2, 1.4)
    for place, i in enumerate(order):
        left = place < k / 2
        depth = -1.0 - (place if left else k - 1 - place)
        edge = 0.8 if left else k + 0.2
        colour = OURS if RANKED[i] == "annot-mix" else "black"
        axis.plot([value.mean[i], value.mean[i], edge], [0, depth, depth], color=colour, lw=1)
        words = f"{named(RANKED[i])} {value.mean[i]:.2f}"
        beside, ha = (edge - 0.1, "right") if left else (edge + 0.1, "left")
        axis.text(beside, depth, words, ha=ha, va="center", fontsize=9, color=colour)
    for level, (low, high) in enumerate(groups(np.sort(value.mean), value.critical_difference())):
        axis.plot([low - 0.05, high + 0.05], [0.35 + 0.25 * level] * 2, color="#999999", lw=4)
    axis.plot([1, k], [0, 0], color="black", lw=1)
    axis.set_xticks(range(1, k + 1))
    axis.xaxis.tick_top()
    axis.set_yticks([])
    axis.grid(visible=False)
    for side in axis.spines.values():
        side.set_visible(False)


def groups(ranks: np.ndarray, width: float) -> list[tuple[float, float]]:
    """Longest runs of sorted ranks no wider than `width`, as (first, last), none inside another."""
    found: list[tuple[float, float]] = []
    for low in ranks:
        high = ranks[ranks <= low + width][-1]
        if high > low and (not found or high > found[-1][1]):
            found.append((float(low), float(high)))
    return found


@styled
def confusions(matrices: dict[str, np.ndarray], titles: Sequence[str], classes: Sequence[str]) -> Figure:
    """Draw confusion matrices [n, C, C], one column per annotator, one row per source; dark is probable."""
    import seaborn  # slow to load, and only the two heatmaps need it

    if not matrices:
        return empty("no run with confusion matrices is here yet")
    n = len(titles)
    figure, axes = canvas(1.12 * len(matrices) + 0.5, len(matrices), n)
    for line, (source, found) in zip(axes, matrices.items(), strict=True):
        for axis, matrix in zip(line, found, strict=True):
            seaborn.heatmap(matrix, ax=axis, cmap="Blues", vmin=0, vmax=1, cbar=False, square=True)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(source, fontsize=9)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    figure.supxlabel(f"given label (columns) by true class (rows): {', '.join(classes)}", fontsize=9)
    return figure


@styled
def ablations(found: Mapping[str, Interval | None]) -> Figure:
    """Draw the paired difference in accuracy of each change of annot-mix, in points, with its interval."""
    shown = {name: value for name, value in found.items() if value is not None}
    if not shown:
        return empty("no ablation is here yet")
    figure, [[axis]] = canvas(0.36 * len(shown) + 1.1)
    for y, value in enumerate(shown.values()):
        if value.low is not None and value.high is not None:
            axis.plot([100 * value.low, 100 * value.high], [y, y], color=OTHER, lw=2.5)
        axis.plot(100 * value.mean, y, "o", color=OURS if value.sign else OTHER, ms=7)
    axis.axvline(0, color="black", lw=1)
    axis.set_yticks(range(len(shown)), list(shown))
    axis.invert_yaxis()
    axis.set_xlabel("accuracy, changed − as published\n[points, 95 % interval]")
    return figure
