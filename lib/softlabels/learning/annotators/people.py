"""What data says about its annotators, and how right somebody else is about them."""

import numpy as np

from softlabels.datasets import Annotations


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
