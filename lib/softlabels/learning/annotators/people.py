"""What is said about annotators, by the data and by a trained method."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from softlabels.datasets import Annotations

if TYPE_CHECKING:
    from softlabels.learning.annotators.training import CrowdTask

SHOWN = 64  # test images over which image-dependent confusion matrices are averaged


def facts(found: Annotations, truth: np.ndarray) -> dict[str, float]:
    """Noise rate, judgements per labelled image, and quartiles of the annotators' accuracy."""
    right = found.label == truth[found.image]
    n = np.bincount(found.annotator)
    accuracy = (np.bincount(found.annotator, right) / np.maximum(n, 1))[n > 0]
    low, middle, high = np.quantile(accuracy, (0.25, 0.5, 0.75))
    return {
        "judgements": len(right),
        "annotators": len(accuracy),
        "per_image": len(right) / len(np.unique(found.image)),
        "noise": 1 - float(right.mean()),
        "accuracy_low": float(low),
        "accuracy_median": float(middle),
        "accuracy_high": float(high),
        **heterogeneity(found, truth),
    }


def heterogeneity(found: Annotations, truth: np.ndarray) -> dict[str, float]:
    """Do annotators differ in accuracy more than chance allows?

    Under one common accuracy p, χ² = Σ_m (r_m - n_m p)² / (n_m p (1 - p)) has as many degrees of freedom as
    there are annotators, less one. Near 1, the ratio says that the numbers of the annotators carry nothing.

    Returns
    -------
    dict
        "chi2_df" and its "p".
    """
    from scipy.stats import chi2

    right = (found.label == truth[found.image]).astype(np.float64)
    n, r = np.bincount(found.annotator), np.bincount(found.annotator, right)
    n, r, p = n[n > 0], r[n > 0], right.mean()
    if len(n) < 2 or p in (0, 1):
        return {}
    value = float(((r - n * p) ** 2 / (n * p * (1 - p))).sum())
    return {"chi2_df": value / (len(n) - 1), "p": float(chi2.sf(value, len(n) - 1))}


def auroc(score: np.ndarray, right: np.ndarray) -> float:
    """Probability that a right label has a higher score than a wrong one, ties counting half; or nan."""
    n, m = int(right.sum()), int((~right).sum())
    if not n or not m:
        return float("nan")
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    rank = (ties.cumsum() - (ties - 1) / 2)[place]  # from 1, the mean rank of a tie
    return float((rank[right].sum() - n * (n + 1) / 2) / (n * m))


def confusion_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean over annotators and true classes of half the L1 distance of the rows of two matrices [M, C, C]."""
    return float(np.abs(estimate - truth).sum(2).mean() / 2)


def ranking(confusions: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
    """Annotators from the most to the least accurate, by Σ_k π_k A_kk; int64 [M]."""
    diagonal = confusions.diagonal(axis1=1, axis2=2)
    weight = np.full(diagonal.shape[1], 1 / diagonal.shape[1]) if prior is None else prior
    return np.argsort(-(diagonal @ weight), kind="stable")


@torch.inference_mode()
def people(
    both: nn.ModuleDict, task: "CrowdTask", log_p: Tensor, h: Tensor
) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, Any]]:
    """Measures, arrays and facts about what the trained method says of its annotators.

    P(label is right) is scored on the judgements of the test part where it has some, else on those that
    were learnt from: "scored" tells which. Where the true matrices are known, the error of the estimated
    ones stands beside.
    """
    method = both["method"].eval()
    matrices = method.confusions(h[:SHOWN].to(_device(both)))  # type: ignore[operator]
    if matrices is None:
        return {}, {}, {}
    estimate = matrices.cpu().numpy()
    found, part = _judgements(task)
    score = _scores(both, task, found, log_p, h, part)
    right = found.label == task.truth[found.image]
    values = {"auroc": auroc(score, right), "brier": float(((score - right) ** 2).mean())}
    if task.dataset.name == "synthetic-crowd":
        from softlabels.datasets import simulated

        values["confusion_error"] = confusion_error(estimate, simulated.confusions())
    kept = {name: value for name, value in values.items() if not np.isnan(value)}
    return kept, {"confusions": estimate.astype(np.float16)}, {"scored": part}


def _device(both: nn.ModuleDict) -> torch.device:
    return next(both.parameters()).device


def _judgements(task: "CrowdTask") -> tuple[Annotations, str]:
    from softlabels.learning.annotators.inputs import chosen

    assert task.dataset.annotations is not None
    for part in ("test", "train"):
        found = chosen(task.dataset.annotations, task.rows[part])
        if len(found.image):
            break
    return found, part


def _scores(
    both: nn.ModuleDict, task: "CrowdTask", found: Annotations, log_p: Tensor, h: Tensor, part: str
) -> np.ndarray:
    """P(label is right) of each judgement, in parts to bound memory."""
    from softlabels.learning.annotators import training
    from softlabels.learning.hardware import hardware

    rows, device = task.rows[part], _device(both)
    if part != "test":
        log_p, h = training.predict(both, task, rows, hardware(device.type, "fp32"))
    place = torch.from_numpy(np.searchsorted(rows, found.image))
    annotator = torch.from_numpy(found.annotator)
    scores: Sequence[Tensor] = [
        both["method"].performance(log_p[i].to(device), h[i].to(device), a.to(device))  # type: ignore[operator]
        for i, a in zip(place.split(4096), annotator.split(4096), strict=True)
    ]
    return torch.cat(list(scores)).cpu().numpy()
