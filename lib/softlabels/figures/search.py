"""Figures of the hyperparameter search and of the noise ceiling."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES, signed
from softlabels.analysis.table import settings, values
from softlabels.figures.base import ARMS, canvas, empty, grouped, legend_above, styled

if TYPE_CHECKING:
    import pandas as pd

    from softlabels.labels.ceiling import Ceiling


@styled
def landscape(advantage: "pd.DataFrame", metric: str) -> Figure:
    """Draw by how much soft labels are better in each setting of the search; blue where they are.

    Parameters
    ----------
    advantage : DataFrame
        Learning rates in rows, the other axes in columns; nan, left white, without both runs.
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
    """Draw what either arm is expected to reach after k random settings, the best by validation taken.

    Parameters
    ----------
    curves : dict of arm to float [S]
    """
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
def placement(runs: "pd.DataFrame", ceilings: "Mapping[str, Ceiling]") -> Figure:
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
