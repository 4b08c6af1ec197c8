"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.base import ARMS, caption_line, png, show
from softlabels.figures.images import examples, predictions, tiles
from softlabels.figures.labels import entropy_histograms, reconstruction
from softlabels.figures.own import budget
from softlabels.figures.results import differences, learning_curves
from softlabels.figures.space import figure1, structure

__all__ = [
    "ARMS",
    "budget",
    "caption_line",
    "differences",
    "entropy_histograms",
    "examples",
    "figure1",
    "learning_curves",
    "png",
    "predictions",
    "reconstruction",
    "show",
    "structure",
    "tiles",
]
