"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.annotators import ablations, confusions, critical_differences, mixed_triple, relative
from softlabels.figures.arms import against, blurring, curves, risk_coverage
from softlabels.figures.base import ARMS, caption_line, markup, picture, png, show, svg
from softlabels.figures.images import card, examples, predictions, tiles, votes
from softlabels.figures.labels import entropy_histograms, reconstruction
from softlabels.figures.own import budget
from softlabels.figures.results import Setting, answer, differences, learning_curves, verdict_counts
from softlabels.figures.search import landscape, placement, tried
from softlabels.figures.space import figure1, figure2, structure
from softlabels.figures.theory import (
    by_annotations,
    descents,
    errors_by_images,
    gradient_noise,
    order_of_accuracies,
)

__all__ = [
    "ARMS",
    "Setting",
    "ablations",
    "against",
    "answer",
    "blurring",
    "budget",
    "by_annotations",
    "caption_line",
    "card",
    "confusions",
    "critical_differences",
    "curves",
    "descents",
    "differences",
    "entropy_histograms",
    "errors_by_images",
    "examples",
    "figure1",
    "figure2",
    "gradient_noise",
    "landscape",
    "learning_curves",
    "markup",
    "mixed_triple",
    "order_of_accuracies",
    "picture",
    "placement",
    "png",
    "predictions",
    "reconstruction",
    "relative",
    "risk_coverage",
    "show",
    "structure",
    "svg",
    "tiles",
    "tried",
    "verdict_counts",
    "votes",
]
