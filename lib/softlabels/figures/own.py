"""Figures of the chapter on your own data."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from softlabels.analysis.formatting import NAMES
from softlabels.figures.base import ARMS, canvas, empty, styled

if TYPE_CHECKING:
    from softlabels.owndata import OwnData


@styled
def budget(own: "OwnData") -> Figure:
    """Draw accuracy and KL of both arms against the annotations that an image keeps in training."""
    from softlabels.owndata import METRICS, curve

    if not any(curve(own, arm, "kl") for arm in ("hard", "soft")):
        return empty("nothing to compare" if not own.settings else "no run is here yet")
    figure, axes = canvas(5.2, 2, sharex=True)
    for axis, metric in zip(axes[:, 0], METRICS, strict=True):
        for arm in ("hard", "soft"):
            points = curve(own, arm, metric)
            n, mean, sd = ([point[i] for point in points] for i in range(3))
            bars = [0.0 if spread != spread else spread for spread in sd]  # one run has no spread
            axis.errorbar(
                n, mean, bars, color=ARMS[arm], marker="o", capsize=3, lw=1.8, label=f"{arm} labels"
            )
        axis.set_ylabel(NAMES[metric] + (" [nats]" if metric == "kl" else ""))
    ticks = sorted({point[0] for arm in ("hard", "soft") for point in curve(own, arm, "kl")})
    axes[1, 0].set_xscale("log")
    axes[1, 0].set_xticks(ticks, [str(n) for n in ticks])
    axes[1, 0].xaxis.set_minor_locator(NullLocator())
    axes[1, 0].set_xlabel("annotations kept per training image")
    axes[0, 0].legend()
    return figure
