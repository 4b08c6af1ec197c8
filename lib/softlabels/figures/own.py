"""Figures of the chapter on your own data."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from softlabels.analysis import names
from softlabels.analysis.formatting import NAMES
from softlabels.figures.base import ARMS, canvas, empty, styled

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
