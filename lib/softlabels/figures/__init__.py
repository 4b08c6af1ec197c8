"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.arms import against, blurring, curves, risk_coverage
from softlabels.figures.base import ARMS, caption_line, png, show
from softlabels.figures.images import examples, predictions, tiles
from softlabels.figures.labels import entropy_histograms, reconstruction
from softlabels.figures.results import differences, learning_curves
from softlabels.figures.space import figure1, structure
from softlabels.figures.theory import (
    by_annotations,
    descents,
    errors_by_images,
    gradient_noise,
    order_of_accuracies,
)

__all__ = [
    "ARMS",
    "against",
    "blurring",
    "by_annotations",
    "caption_line",
    "curves",
    "descents",
    "differences",
    "entropy_histograms",
    "errors_by_images",
    "examples",
    "figure1",
    "gradient_noise",
    "learning_curves",
    "order_of_accuracies",
    "png",
    "predictions",
    "reconstruction",
    "risk_coverage",
    "show",
    "structure",
    "tiles",
]
