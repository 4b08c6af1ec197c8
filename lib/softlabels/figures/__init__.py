"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.base import ARMS, caption_line, png, show
from softlabels.figures.images import examples, predictions, tiles
from softlabels.figures.labels import entropy_histograms, reconstruction
from softlabels.figures.results import differences, learning_curves
from softlabels.figures.search import landscape, placement, tried
from softlabels.figures.space import figure1, figure2, structure

__all__ = [
    "ARMS",
    "caption_line",
    "differences",
    "entropy_histograms",
    "examples",
    "figure1",
    "figure2",
    "landscape",
    "learning_curves",
    "placement",
    "png",
    "predictions",
    "reconstruction",
    "show",
    "structure",
    "tiles",
    "tried",
]
