"""Figures of what the runs gave, of the hyperparameter search and of the noise ceiling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES, signed
from softlabels.analysis.statistics import Interval
from softlabels.analysis.table import HIGHER_IS_BETTER, difference, settings, values, winner
from softlabels.figures.base import ARMS, WIDTH, canvas, empty, grouped, legend_above, mark, styled
from softlabels.labels.ceiling import Ceiling
from softlabels.runs.records import Record

COLOURS = {"soft": ARMS["soft"], "hard": ARMS["hard"], "open": "#777777"}
VERDICTS = {
    "reproduced": "#0072B2",
    "undecided": "#56B4E9",
    "contradicted": "#D55E00",
    "not tested": "#BBBBBB",
}
PUBLISHED = "#333333"


@styled
def differences(runs: pd.DataFrame, metrics: Sequence[str] = ("macro_accuracy", "kl")) -> Figure:
    """Draw soft - hard for every setting with its paired 95 % interval; one panel per measure.

    The colour says which label the interval decides for. A setting with one pair has a hollow dot and no
    interval; one without a pair is left out.
    """
    shown = settings(runs)
    if not shown:
        return empty("no pair of runs is here yet")
    lines = [names.line(here) for _, here in shown]
    height = 0.27 * (len(shown) + len(dict(lines))) + 1.1
    figure, axes = canvas(len(metrics) * max(height, 1.8) + 0.4, len(metrics))
    for axis, metric in zip(axes[:, 0], metrics, strict=True):
        for y, (_, here) in zip(grouped(axis, lines, 9), shown, strict=True):
            if found := difference(here, f"test.{metric}"):
                mark(axis, y, found, COLOURS[winner(here, f"test.{metric}")])
        axis.axvline(0, color="black", lw=1)
        side = "right" if HIGHER_IS_BETTER[metric] else "left"
        title = f"{names.measure(NAMES[metric])}: votes − majority\n(votes are better to the {side})"
        axis.set_xlabel(title, loc="right")  # long names of settings leave an axis narrower than these words
    words = {"soft": "votes are better", "hard": "majority is better", "open": "open"}
    for who, word in words.items():
        axes[0, 0].plot([], [], "o-", color=COLOURS[who], label=word)
    legend_above(figure, axes[0, 0])
    return figure


@dataclass(frozen=True)
class Setting:
    """One line of the first page's picture: what all votes change against the dataset's label or majority."""

    dataset: str  # the group
    words: str  # network and training
    accuracy: Interval  # of the paired differences
    kl: Interval  # the same, relative to the other arm
    published_accuracy: float | None = None
    published_kl: float | None = None
    begun: bool = True  # pretrained, or trained briefly: not to the end from random weights


@styled
def answer(settings: Sequence[Setting], width: float = 7.2) -> Figure:
    """Draw what all votes change, accuracy and KL beside each other, with the published values as diamonds.

    Lines are grouped by dataset, in the order given. `width` in inches: of a desk, or less for a phone.
    """
    if not settings:
        return empty("no pair of runs is here yet")
    lines = len(settings) + len({one.dataset for one in settings})
    narrow = width <= WIDTH
    shape = (2, 1) if narrow else (1, 2)
    figure, axes = canvas((0.27 * lines + 0.85) * shape[0], *shape, width=width)
    left, right = axes.flat
    for axis in (left, right):
        places = grouped(axis, [(one.dataset, one.words) for one in settings], 9 if narrow else 10)
        axis.axvline(0, color=".15", lw=1)
        axis.xaxis.set_major_locator(MaxNLocator(4 if narrow else 5))
    if not narrow:
        right.tick_params(labelleft=False)
    for y, one in zip(places, settings, strict=True):
        _change(left, y, one.accuracy, one.published_accuracy, better=1)
        _change(right, y, one.kl, one.published_kl, better=-1)
    left.set_xlabel("accuracy [points]\nbetter →")
    right.set_xlabel("KL to the people [%]\n← better")
    right.plot([], [], "o-", color=COLOURS["open"], label="ours, 95 % interval")
    right.plot([], [], "D", color=PUBLISHED, markerfacecolor="none", label="published")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def _change(axis: Axes, y: int, ours: Interval, published: float | None, better: int) -> None:
    colour = {1: COLOURS["soft"], -1: COLOURS["hard"], 0: COLOURS["open"]}[better * ours.sign]
    mark(axis, y, ours.times(100), colour, 6)
    if published is not None:
        axis.plot(100 * published, y, "D", color=PUBLISHED, markerfacecolor="none", ms=6, mew=1.4)


@styled
def learning_curves(records: Sequence[Record]) -> Figure:
    """Draw training and validation loss by epoch; one line per run, the tested epoch marked.

    The losses are against each arm's own labels: compare the course of the two arms, not their level.
    """
    figure, axes = canvas(4.6, 2, sharex=True)
    for axis, key, title in zip(
        axes[:, 0], ("train_loss", "validation_loss"), ("training", "validation"), strict=True
    ):
        for record in records:
            epochs = [row["epoch"] for row in record.history]
            losses = [row[key] for row in record.history]
            colour = ARMS.get(record.config.label, "#777777")
            axis.plot(epochs, losses, color=colour, lw=1.6, alpha=0.85)
            axis.plot(record.best_epoch, losses[record.best_epoch - 1], "o", color=colour, ms=5)
        axis.set_yscale("log")  # the first epoch may lose ten times what the last one does
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_ylabel(f"{title} loss\n[nats]")
    axes[-1, 0].set_xlabel("epoch (the dot marks the one that is tested)")
    axes[-1, 0].xaxis.get_major_locator().set_params(integer=True)
    for arm in dict.fromkeys(r.config.label for r in records):
        axes[0, 0].plot([], [], color=ARMS.get(arm, "#777777"), label=names.arm(arm))
    legend_above(figure, axes[0, 0])
    return figure


@styled
def verdict_counts(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw how many claims of each chapter got which verdict."""
    figure, axes = canvas(0.42 * len(counts) + 1.1)
    axis, left = axes[0, 0], np.zeros(len(counts))
    for word, colour in VERDICTS.items():
        width = np.array([found.get(word, 0) for found in counts.values()])
        axis.barh(range(len(counts)), width, left=left, color=colour, label=word)
        left += width
    axis.set_yticks(range(len(counts)), list(counts))
    axis.set_ylim(len(counts) - 0.5, -0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("claims")
    axis.grid(visible=False, axis="y")
    legend_above(figure, axis)
    return figure


@styled
def landscape(advantage: pd.DataFrame, metric: str) -> Figure:
    """Draw by how much soft labels are better in each setting of the search; blue where they are.

    Learning rates are rows of the table, the other axes columns; nan, left white, without both runs.
    """
    import seaborn  # slow to load, and only the two heatmaps need it

    table = advantage.to_numpy(np.float64)
    if not np.isfinite(table).any():
        return empty("no pair of runs is here yet")
    figure, axes = canvas(0.42 * len(table) + 2.2)
    axis, reach = axes[0, 0], max(float(np.nanmax(np.abs(table))), 1e-9)
    words = [[signed(value, 3) if np.isfinite(value) else "" for value in row] for row in table]
    seaborn.heatmap(
        table,
        ax=axis,
        annot=np.array(words),
        annot_kws={"size": 9},
        fmt="",
        cmap="RdBu",
        vmin=-reach,
        vmax=reach,
        xticklabels=list(advantage.columns),
        yticklabels=list(advantage.index),
        cbar_kws={"label": f"advantage of all votes,\n{names.measure(NAMES[metric])}"},
    )
    axis.tick_params(axis="x", labelsize=9, rotation=0)
    axis.tick_params(axis="y", rotation=0)
    return figure


@styled
def tried(curves: Mapping[str, np.ndarray], metric: str) -> Figure:
    """Draw what either arm is expected to reach [S] after k random settings, the best by validation taken."""
    if not all(map(len, curves.values())):
        return empty("no runs of both arms are here yet")
    figure, axes = canvas(3.0)
    for arm, curve in curves.items():
        k = np.arange(1, len(curve) + 1)
        axes[0, 0].plot(k, curve, "o-", ms=4, color=ARMS[arm], label=names.arm(arm))
    axes[0, 0].set_xlabel("settings tried (k)")
    axes[0, 0].set_ylabel(names.measure(NAMES[metric]) + "\nexpected on the test part")
    axes[0, 0].legend()
    return figure


@styled
def placement(runs: pd.DataFrame, ceilings: Mapping[str, Ceiling]) -> Figure:
    """Draw the KL of both arms in every setting beside that of a perfect model, on a logarithmic axis.

    The band runs from the estimate of a perfect model's KL to the bound above it.
    """
    runs = runs[runs.dataset.isin(list(ceilings)) & runs.record.notna()]
    shown = settings(runs, complete_only=False)
    if not shown:
        return empty("no run on a dataset with panels is here yet")
    lines = [names.line(here) for _, here in shown]
    figure, axes = canvas(0.3 * (len(shown) + len(dict(lines))) + 1.5)
    axis: Any = axes[0, 0]
    for y, (_, here) in zip(grouped(axis, lines, 9), shown, strict=True):
        found = ceilings[here.dataset.iloc[0]]
        axis.fill_betweenx([y - 0.4, y + 0.4], found.kl, found.kl_above, color="#999999", alpha=0.35, lw=0)
        axis.plot([found.kl] * 2, [y - 0.4, y + 0.4], color="black", lw=1.5)
        for shift, arm in ((-0.12, "hard"), (0.12, "soft")):
            points = values(here[here.arm == arm], "test.kl")
            axis.plot(points, np.full(len(points), y + shift), "o", color=ARMS[arm], ms=6, alpha=0.8)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("KL on the test part [nats]")
    for arm in ("hard", "soft"):
        axis.plot([], [], "o", color=ARMS[arm], label=names.arm(arm))
    axis.plot([], [], color="black", label="perfect model, and the bound above it")
    legend_above(figure, axis)
    return figure
