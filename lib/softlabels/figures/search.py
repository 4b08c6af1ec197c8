"""Figures of the hyperparameter search and of the noise ceiling."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from softlabels.analysis import search
from softlabels.analysis.comparisons import Comparison
from softlabels.analysis.formatting import NAMES, signed
from softlabels.figures import names
from softlabels.figures.base import ARMS, canvas, empty, grouped, legend_above, styled

if TYPE_CHECKING:
    from softlabels.labels.ceiling import Ceiling


@styled
def landscape(comparisons: Sequence[Comparison], metric: str) -> Figure:
    """Draw by how much soft labels are better in each setting of the search; blue where they are.

    Rows are learning rates; columns are the other axes. A setting without both runs is left white.
    """
    import seaborn  # slow to load, and only the two heatmaps need it

    shown = search.advantage(comparisons, metric)
    if not np.isfinite(shown).any():
        return empty("no pair of runs is here yet")
    rates = list(dict.fromkeys(c.config.lr for c in comparisons))
    others = list(dict.fromkeys(_others(c) for c in comparisons))
    table = np.full((len(rates), len(others)), np.nan)
    for c, value in zip(comparisons, shown, strict=True):
        table[rates.index(c.config.lr), others.index(_others(c))] = value
    figure, axes = canvas(0.42 * len(rates) + 2.2)
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
        xticklabels=["\n".join(setting) for setting in others],
        yticklabels=[f"lr {rate:g}" for rate in rates],
        cbar_kws={"label": f"advantage of all votes,\n{names.measure(NAMES[metric])}"},
    )
    axis.tick_params(axis="x", labelsize=9, rotation=0)
    axis.tick_params(axis="y", rotation=0)
    return figure


def _others(c: Comparison) -> tuple[str, ...]:
    short = {"none": "plain", "warm-restarts": "restarts"}
    augmentation = "plain" if c.config.augmentation == "none" else "augmented"
    schedule = short.get(c.config.schedule, c.config.schedule)
    return schedule, f"decay\n{c.config.weight_decay:g}", augmentation


@styled
def tried(comparisons: Sequence[Comparison], metric: str) -> Figure:
    """Draw what either arm is expected to reach after k random settings, the best by validation taken."""
    curves = {arm: search.best_of(comparisons, arm, metric) for arm in ("hard", "soft")}
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
def placement(comparisons: Sequence[Comparison], ceilings: "Mapping[str, Ceiling]") -> Figure:
    """Draw the KL of both arms in every setting beside that of a perfect model, on a logarithmic axis.

    The band runs from the estimate of a perfect model's KL to the bound above it.
    """
    shown = [c for c in comparisons if c.dataset in ceilings and c.records]
    if not shown:
        return empty("no run on a dataset with panels is here yet")
    lines = [(names.dataset(c.dataset), names.setting(c.network, c.recipe, c.config.epochs)) for c in shown]
    figure, axes = canvas(0.3 * (len(shown) + len({c.dataset for c in shown})) + 1.5)
    axis: Any = axes[0, 0]
    for y, c in zip(grouped(axis, lines, 9), shown, strict=True):
        found = ceilings[c.dataset]
        axis.fill_betweenx([y - 0.4, y + 0.4], found.kl, found.kl_above, color="#999999", alpha=0.35, lw=0)
        axis.plot([found.kl] * 2, [y - 0.4, y + 0.4], color="black", lw=1.5)
        for shift, arm in ((-0.12, "hard"), (0.12, "soft")):
            values = c.values(arm, "kl")
            axis.plot(values, np.full(len(values), y + shift), "o", color=ARMS[arm], ms=6, alpha=0.8)
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
