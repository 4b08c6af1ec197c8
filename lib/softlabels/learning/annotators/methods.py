"""Learning from several people: annot-mix and its competitors (AM), behind one interface.

A class network gives p(k | x); a method says what label annotator m would then give, and what to minimise
over the labelled pairs. Published hyperparameters are the defaults.
"""

from collections.abc import Callable

import torch

from softlabels.errors import ConfigError, unknown
from softlabels.learning.annotators import aggregation
from softlabels.learning.annotators.aggregation import Aggregated
from softlabels.learning.annotators.base import Batch, Method, Mixing
from softlabels.learning.annotators.confusion import (
    CrowdLayer,
    Transition,
    UnionNet,
    mean_trace,
    volume_of_matrices,
    volume_of_outputs,
)
from softlabels.learning.annotators.dawid_skene import DawidSkene, dawid_skene
from softlabels.learning.annotators.embedded import AnnotMix, Madl
from softlabels.learning.annotators.inputs import Pairs, pairs
from softlabels.learning.annotators.reliability import Conal, CrowdAR
from softlabels.learning.config import METHODS, PUBLIC

__all__ = [
    "METHODS",
    "PUBLIC",
    "Batch",
    "DawidSkene",
    "Method",
    "Mixing",
    "Pairs",
    "build",
    "dawid_skene",
    "pairs",
]

_AGGREGATIONS: dict[str, tuple[Callable, bool]] = {  # how, and whether it is mixed
    "true-base": (aggregation.true_labels, False),
    "mv-base": (aggregation.majority, False),
    "mv-mixup": (aggregation.majority, True),
    "ds-mixup": (aggregation.weighted_votes, True),
    "soft-mixup": (aggregation.shares, True),
}


def build(
    name: str,
    n_annotators: int,
    n_classes: int,
    n_features: int,
    alpha: float = 1.0,
    eta: float = 0.9,
    within: bool = False,
) -> Method:
    """Build a method by name; initial weights come from PyTorch's current generator.

    Parameters
    ----------
    name : str
        One of `METHODS`, or of `PUBLIC` for the parameters that the public code never trains.
    n_features : int
        Width of the class network's embedding.
    alpha : float
        Of the mixup weights λ ~ Beta(α, α); 0 mixes nothing. Methods without mixup have no use for it.
    eta : float
        Diagonal that annot-mix's matrices start from.
    within : bool
        annot-mix mixes only annotators of the same image.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    m, c, h = n_annotators, n_classes, n_features
    if name in PUBLIC:
        plain, untrained = PUBLIC[name]
        method = build(plain, m, c, h)
        for parameter in untrained:
            getattr(method, parameter).requires_grad_(False)
        return method
    if name in _AGGREGATIONS:
        how, mixed = _AGGREGATIONS[name]
        return Aggregated(how, alpha if mixed else 0.0)
    makers = _makers(m, c, h)
    makers["annot-mix"] = lambda: AnnotMix(m, c, h, alpha, eta, within)
    if name in METHODS and name not in makers:
        raise ConfigError(f"{name} is in METHODS, but nothing builds it: add it to _makers or _AGGREGATIONS")
    if name not in makers:
        raise unknown("method", name, (*METHODS, *PUBLIC))
    return makers[name]()


def _makers(m: int, c: int, h: int) -> dict[str, Callable[[], Method]]:
    return {
        "crowd-layer": lambda: CrowdLayer(m, c),
        "trace-reg": lambda: Transition(m, 6 * torch.eye(c) - 5, mean_trace, 0.01),
        "conal": lambda: Conal(m, c, h),
        "union-net": lambda: UnionNet(m, c),
        "madl": lambda: Madl(m, c, h),
        "geo-reg-f": lambda: Transition(m, torch.eye(c), volume_of_outputs, 1e-3),
        "geo-reg-w": lambda: Transition(m, torch.eye(c), volume_of_matrices, 1e-3),
        "crowd-ar": lambda: CrowdAR(m, c, h),
    }
