"""One function per figure, each a pure function of records or arrays; `show` puts one into a chapter."""

from softlabels.figures.annotators import ablations, confusions, critical_differences, mixed_triple, relative
from softlabels.figures.arms import against, blurring, budget, curves, risk_coverage
from softlabels.figures.base import ARMS, caption_line, markup, picture, png, show, svg
from softlabels.figures.images import (
    card,
    entropy_histograms,
    examples,
    predictions,
    reconstruction,
    tiles,
    votes,
)
from softlabels.figures.results import (
    Setting,
    answer,
    differences,
    landscape,
    learning_curves,
    placement,
    tried,
    verdict_counts,
)
from softlabels.figures.space import figure1, figure2, structure
from softlabels.figures.theory import (
    by_annotations,
    descents,
    errors_by_images,
    gradient_noise,
    order_of_accuracies,
)
