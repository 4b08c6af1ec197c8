"""Figures of label distributions and of how well the generator matches what is published."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from softlabels.figures.base import ARMS, canvas, styled


@styled
def entropy_histograms(
    entropies: Mapping[str, np.ndarray], published: Mapping[str, float] | None = None
) -> Figure:
    """Draw the histogram of label entropies of each dataset, with its mean and the published one.

    Parameters
    ----------
    entropies : dict of str to float [N]
        Nats, one per image.
    published : dict of str to float
        Published mean entropies of some of the datasets.
    """
    figure, axes = canvas(1.9 * len(entropies) + 0.4, len(entropies), sharex=True)
    end = max(float(np.max(values)) for values in entropies.values()) + 1e-9
    for axis, (name, values) in zip(axes[:, 0], entropies.items(), strict=True):
        counts, edges = np.histogram(values, bins=30, range=(0, end))
        axis.stairs(100 * counts / len(values), edges, fill=True, color=ARMS["soft"], alpha=0.75)
        axis.axvline(np.mean(values), color="black", lw=1.5, label=f"mean {np.mean(values):.3f}")
        if published and name in published:
            label = f"published mean {published[name]:.3f}"
            axis.axvline(published[name], color=ARMS["hard"], lw=1.5, ls="--", label=label)
        axis.set_title(f"{name}, {len(values):,} images", loc="left")
        axis.set_ylabel("images [%]")
        axis.legend(loc="upper right")
    axes[-1, 0].set_xlabel("entropy of the label distribution [nats]")
    return figure


@styled
def reconstruction(rows: Sequence[tuple[str, float, float]]) -> Figure:
    """Draw how far statistics of the reconstructed generator lie from the published ones.

    Parameters
    ----------
    rows : list of (name, published, ours)
    """
    names, theirs, ours = zip(*rows, strict=True)
    deviation = 100 * (np.array(ours) / np.array(theirs) - 1)
    figure, axes = canvas(0.36 * len(rows) + 1.0)
    axis, y = axes[0, 0], np.arange(len(rows))
    axis.axvline(0, color="black", lw=1)
    axis.hlines(y, 0, deviation, color=ARMS["soft"], lw=2)
    axis.plot(deviation, y, "o", color=ARMS["soft"])
    reach = 1.15 * max(1.0, float(np.abs(deviation).max()))
    axis.set(xlim=(-reach, reach), ylim=(len(rows) - 0.5, -0.5), yticks=y)
    axis.set_xlabel("deviation from the published value [%]")
    axis.set_yticklabels(names)
    right = axis.secondary_yaxis("right")
    texts = [
        f"{t:,.0f} / {o:,.0f}" if t >= 10 else f"{t:.3f} / {o:.3f}" for t, o in zip(theirs, ours, strict=True)
    ]
    right.set_yticks(y, texts)
    right.tick_params(length=0)
    axis.set_title("published / ours", loc="right")
    axis.grid(visible=False, axis="y")
    return figure
