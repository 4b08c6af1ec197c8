"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.annotators import ablations, confusions, critical_differences, mixed_triple
from softlabels.figures.base import ARMS, caption_line, png, show
from softlabels.figures.images import examples, predictions, tiles
from softlabels.figures.labels import entropy_histograms, reconstruction
from softlabels.figures.results import differences, learning_curves
from softlabels.figures.space import figure1, structure

__all__ = [
    "ARMS",
    "ablations",
    "caption_line",
    "confusions",
    "critical_differences",
    "differences",
    "entropy_histograms",
    "examples",
    "figure1",
    "learning_curves",
    "mixed_triple",
    "png",
    "predictions",
    "reconstruction",
    "show",
    "structure",
    "tiles",
]
