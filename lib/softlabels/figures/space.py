"""Figures of the feature space: BHL's figure 1 and the numbers beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from softlabels.analysis import names
from softlabels.analysis.embeddings import Embedding, measured
from softlabels.figures.base import ARMS, canvas, empty, legend_above, styled


@styled
def figure1(embeddings: Mapping[str, Embedding]) -> Figure:
    """Draw BHL's figure 1: maps of both arms' features, of the same split, coloured by hue and by shape."""
    if not embeddings:
        return empty("no maps of both arms are here yet")
    figure, axes = canvas(3.2 * len(embeddings) + 0.4, len(embeddings), 2)
    columns = (("colour", "hue", mpl.colormaps["hsv"]), ("shape", "shape_weight", mpl.colormaps["cividis"]))
    for row, (arm, embedding) in enumerate(embeddings.items()):
        for column, (title, key, colours) in enumerate(columns):
            axis = axes[row, column]
            # HSV's own colours are what the images show, so the hue needs no perceptual map.
            axis.scatter(*embedding.points.T, c=embedding.known[key], cmap=colours, vmin=0, vmax=1, s=5, lw=0)
            _bare(axis, f"{names.arm(arm)}, by {title}")
    bars = (["red", "green", "blue", "red"], [0, 1 / 3, 2 / 3, 1]), (["circle", "ellipse"], [0, 1])
    for column, (words, ticks) in enumerate(bars):
        mappable = ScalarMappable(Normalize(0, 1), columns[column][2])
        below: Any = {"location": "bottom", "pad": 0.02, "aspect": 30}
        bar = figure.colorbar(mappable, ax=axes[:, column], ticks=ticks, **below)
        bar.ax.set_xticklabels(words)
        bar.outline.set_visible(False)
    return figure


@styled
def figure2(embeddings: Mapping[str, Embedding], classes: Sequence[str]) -> Figure:
    """Draw BHL's figure 2: maps of both arms' features, of one split; a point mixes its classes' colours."""
    if not embeddings:
        return empty("no maps of both arms are here yet")
    figure, axes = canvas(3.9, 1, len(embeddings))
    colours = class_colours(len(classes))
    for axis, (arm, embedding) in zip(axes[0], embeddings.items(), strict=True):
        q = embedding.known["q"]
        # Certain images last: they are many, and would otherwise be hidden under the ambiguous ones.
        order = np.argsort(q.max(1), kind="stable")
        mixed = np.clip((q / q.sum(1, keepdims=True)) @ colours, 0, 1)  # [N, 3]
        axis.scatter(*embedding.points[order].T, c=mixed[order], s=5, lw=0)
        _bare(axis, names.arm(arm))
    for name, colour in zip(classes, colours, strict=True):
        axes[0, 0].plot([], [], "o", color=tuple(colour), label=name)
    legend_above(figure, axes[0, 0])
    return figure


def class_colours(n_classes: int) -> np.ndarray:
    """Colours whose mixtures stay apart, float ``[K, 3]``: for three classes red, green and blue."""
    if n_classes <= 3:
        return np.eye(3)[:n_classes]
    return np.array(mpl.colormaps["hsv"](np.arange(n_classes) / n_classes))[:, :3]


def _bare(axis: Axes, title: str) -> None:
    axis.set_title(title)
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(visible=False)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_color("#cccccc")


@styled
def structure(runs: pd.DataFrame) -> Figure:
    """Draw the measures of structure of one setting: a dot for each run, a bar at the mean of each arm.

    The runs are from `embeddings.gather_with_maps`.
    """
    runs = runs[runs.embedding.notna()]
    if runs.empty:
        return empty("no measures are here yet")
    titles = measured(runs)
    figure, axes = canvas(0.62 * len(titles) + 1.1)
    axis: Any = axes[0, 0]
    for y, name in enumerate(titles):
        for shift, arm in ((-0.14, "hard"), (0.14, "soft")):
            values = runs[f"structure.{name}"][runs.arm == arm].to_numpy()
            axis.plot(values, np.full(len(values), y + shift), "o", color=ARMS[arm], alpha=0.7, ms=6)
            if len(values):
                ends = [y + shift - 0.12, y + shift + 0.12]
                axis.plot([np.mean(values)] * 2, ends, color=ARMS[arm], lw=2.5)
    axis.set_yticks(range(len(titles)), list(titles.values()))
    axis.set_ylim(len(titles) - 0.5, -0.5)
    axis.set_xlabel("value (1 is perfectly regular)")
    axis.grid(visible=False, axis="y")
    for arm in ("hard", "soft"):
        axis.plot([], [], "o", color=ARMS[arm], label=names.arm(arm))
    legend_above(figure, axis)
    return figure
