"""Figures of what the runs gave."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from softlabels.analysis.formatting import NAMES
from softlabels.analysis.table import HIGHER_IS_BETTER, difference, settings, winner
from softlabels.figures.base import ARMS, canvas, empty, styled

if TYPE_CHECKING:
    import pandas as pd

    from softlabels.runs import Record

COLOURS = {"soft": ARMS["soft"], "hard": ARMS["hard"], "open": "#777777"}
VERDICTS = {
    "reproduced": "#0072B2",
    "undecided": "#56B4E9",
    "contradicted": "#D55E00",
    "not tested": "#BBBBBB",
}
UNITS = {"kl": " [nats]", "cross_entropy": " [nats]"}


@styled
def differences(runs: "pd.DataFrame", metrics: Sequence[str] = ("macro_accuracy", "kl")) -> Figure:
    """Draw soft - hard for every setting with its paired 95 % interval; one panel per measure.

    The colour says which label the interval decides for. A setting with one pair has a hollow dot and no
    interval; one without a pair is left out.
    """
    shown = settings(runs)
    if not shown:
        return empty("no pair of runs is here yet")
    figure, axes = canvas(len(metrics) * (0.34 * max(len(shown), 2) + 1.1) + 0.5, len(metrics))
    for axis, metric in zip(axes[:, 0], metrics, strict=True):
        for y, (_, here) in enumerate(shown):
            _interval(axis, y, here, f"test.{metric}")
        axis.axvline(0, color="black", lw=1)
        axis.set_yticks(range(len(shown)), [name for name, _ in shown], fontsize=9)
        axis.set_ylim(len(shown) - 0.5, -0.5)
        side = "right" if HIGHER_IS_BETTER[metric] else "left"
        unit = UNITS.get(metric, "")
        axis.set_xlabel(f"{NAMES[metric]}{unit}: soft − hard\n(soft is better to the {side})")
        axis.grid(visible=False, axis="y")
    words = {"soft": "soft is better", "hard": "hard is better", "open": "open"}
    for who, word in words.items():
        axes[0, 0].plot([], [], "o-", color=COLOURS[who], label=word)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _interval(axis: Axes, y: int, here: "pd.DataFrame", measure: str) -> None:
    found, colour = difference(here, measure), COLOURS.get(winner(here, measure), "#777777")
    if found is None:
        return
    if found.low is not None and found.high is not None:
        axis.plot([found.low, found.high], [y, y], color=colour, lw=2.5, solid_capstyle="round")
    face = "white" if found.low is None else colour
    axis.plot(found.mean, y, "o", color=colour, markerfacecolor=face, ms=7)


@styled
def learning_curves(records: "Sequence[Record]") -> Figure:
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
        axes[0, 0].plot([], [], color=ARMS.get(arm, "#777777"), label=f"{arm} labels")
    figure.legend(loc="outside upper center", ncols=2)
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
    figure.legend(loc="outside upper center", ncols=4)
    return figure
