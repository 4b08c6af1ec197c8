"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.arms import against, blurring, curves, risk_coverage
from softlabels.figures.base import ARMS, caption_line, png, show
from softlabels.figures.images import examples, predictions, tiles
from softlabels.figures.labels import entropy_histograms, reconstruction
from softlabels.figures.results import differences, learning_curves, verdict_counts
from softlabels.figures.space import figure1, structure

__all__ = [
    "ARMS",
    "against",
    "blurring",
    "caption_line",
    "curves",
    "differences",
    "entropy_histograms",
    "examples",
    "figure1",
    "learning_curves",
    "png",
    "predictions",
    "reconstruction",
    "risk_coverage",
    "show",
    "structure",
    "tiles",
    "verdict_counts",
]
