"""Figures that show images with label distributions, and what these are like in a dataset."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softlabels.analysis import names
from softlabels.datasets.collection import printable
from softlabels.figures.base import ARMS, canvas, empty, legend_above, styled
from softlabels.labels.votes import entropy
from softlabels.runs.records import Record


@styled
def predictions(
    images: np.ndarray, q: np.ndarray, p: Mapping[str, np.ndarray], classes: Sequence[str]
) -> Figure:
    """Draw test images beside the people's distribution and what each arm predicts.

    A handful of images uint8 [n, H, W, 3], their soft labels q [n, K], and the probabilities p [n, K] that
    the arms "hard" and "soft" predict.
    """
    figure, axes = canvas(1.25 * len(images) + 0.9, len(images), 2, width_ratios=(1, 4))
    bars = {"people": q, **p}
    for row, image in enumerate(images):
        _picture(axes[row, 0], image)
        for offset, (arm, values) in enumerate(bars.items()):
            x = np.arange(len(classes)) + (offset - (len(bars) - 1) / 2) * 0.27
            axes[row, 1].bar(x, values[row], 0.25, color=ARMS[arm], label=arm if row == 0 else None)
        axis, last = axes[row, 1], row == len(images) - 1
        axis.set_ylim(0, 1.02)
        axis.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
        axis.set_xticks(range(len(classes)), [plain(name) if last else "" for name in classes])
        axis.grid(visible=False, axis="x")
        axis.set_ylabel("probability", fontsize=9)
    learnt = {arm: f"trained on {names.arm(arm)}" for arm in p}
    words = {"people": "people's distribution", **learnt}
    legend_above(figure, axes[0, 1], words)
    return figure


@styled
def votes(image: np.ndarray, counts: Mapping[str, int]) -> Figure:
    """Draw one image uint8 [H, W, 3], large, beside its votes by class, also of those that nobody chose."""
    figure, axes = canvas(2.5, 1, 2, width_ratios=(1, 1.3))
    _picture(axes[0, 0], image)
    bars = axes[0, 1].barh(range(len(counts)), list(counts.values()), 0.75, color=ARMS["people"])
    axes[0, 1].bar_label(bars, padding=3, fontsize=10)
    axes[0, 1].set_yticks(range(len(counts)), list(counts))
    axes[0, 1].invert_yaxis()
    axes[0, 1].margins(x=0.15)
    axes[0, 1].grid(visible=False)
    axes[0, 1].set_xticks([])
    axes[0, 1].set_xlabel("people who said so")
    return figure


@styled
def card(image: np.ndarray, title: str, words: str) -> Figure:
    """Draw what stands beside a link to the book, 1200 × 630 pixels: an image, the title, a few sentences."""
    figure, axes = canvas(5.25, 1, 2, width=10.0, width_ratios=(1, 1.9))
    _picture(axes[0, 0], image)
    axes[0, 1].set_axis_off()
    top: dict[str, Any] = {"va": "top", "transform": axes[0, 1].transAxes}
    axes[0, 1].text(0.03, 0.95, "\n".join(wrap(title, 22)), fontsize=30, fontweight="bold", **top)
    axes[0, 1].text(0.03, 0.62, "\n".join(wrap(words, 48)), fontsize=15, linespacing=1.35, **top)
    return figure


def _picture(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, interpolation="nearest" if image.shape[0] >= 48 else "bicubic")
    axes.set_axis_off()


def plain(name: str) -> str:
    """Name of a class as text in a figure: no formula, no control characters, not too long."""
    return printable(name, 30).replace("$", r"\$")


@styled
def tiles(images: np.ndarray, q: np.ndarray, classes: Sequence[str], columns: int = 4) -> Figure:
    """Draw images, each with the bars of its label distribution and its one or two strongest classes.

    Images uint8 [n, H, W, 3], best a multiple of `columns`, and q [n, K]; a card holds no images where they
    must not be shown.
    """
    if not len(images):
        return empty("the images of this dataset are not to be shown")
    rows = -(-len(images) // columns)
    figure, axes = canvas(2.35 * rows + 0.5, 2 * rows, columns, height_ratios=[3, 1] * rows)
    for axis in axes.flat[:]:
        axis.set_axis_off()
    for i, (image, row) in enumerate(zip(images, q, strict=True)):
        above, below = axes[2 * (i // columns), i % columns], axes[2 * (i // columns) + 1, i % columns]
        _picture(above, image)
        above.set_title(_strongest(row, classes), fontsize=9, pad=3)
        below.bar(range(len(row)), row, 0.8, color=ARMS["people"])
        below.set_ylim(0, 1)
        below.axhline(0, color="#999999", lw=0.8)
        if i >= len(q) - columns:
            below.set_axis_on()
            below.set(yticks=[])
            below.grid(visible=False)
            below.spines[:].set_visible(False)
            below.set_xticks(range(len(row)), [plain(name) for name in classes], rotation=90, fontsize=7)
    return figure


def _strongest(row: np.ndarray, classes: Sequence[str]) -> str:
    order = [k for k in np.argsort(-row, kind="stable")[:2] if row[k] >= 0.005]
    return "\n".join(f"{plain(classes[k])} {row[k]:.2f}" for k in order) + "\n" * (2 - len(order))


def examples(
    records: Mapping[str, Record], n: int = 6
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Choose test images from the most certain to the most ambiguous; the records are of one split.

    Returns their ids int64 [n], their soft labels float32 [n, K], and what each arm predicts, as these.
    """
    arrays = {arm: record.arrays() for arm, record in records.items()}
    first = next(iter(arrays.values()))
    order = np.argsort(entropy(first["targets"]), kind="stable")
    rows = order[np.linspace(0, len(order) - 1, n).astype(int)]
    p = {arm: np.exp(found["log_probs"][rows].astype(np.float32)) for arm, found in arrays.items()}
    return first["ids"][rows], first["targets"][rows].astype(np.float32), p


@styled
def entropy_histograms(
    entropies: Mapping[str, np.ndarray], published: Mapping[str, float] | None = None
) -> Figure:
    """Draw the histogram of label entropies (nats) of each dataset, with its mean and the published one."""
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
    """Draw how far statistics (name, published, ours) of the rebuilt generator lie from those in print."""
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
    both = [f"{t:,.0f} / {o:,.0f}" if t >= 10 else f"{t:.3f} / {o:.3f}" for _, t, o in rows]
    right.set_yticks(y, both)
    right.tick_params(length=0)
    axis.set_title("published / ours", loc="right")
    axis.grid(visible=False, axis="y")
    return figure
