"""How far annotators agree: Fleiss' kappa, Krippendorff's alpha, and each annotator against the others."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from softlabels.labels.votes import Annotations

FEWEST = 10  # shared judgements below which nothing is said of an annotator


def fleiss_kappa(counts: np.ndarray) -> float:
    """Fleiss' kappa (Fleiss 1971), images with fewer than two annotations left out.

    κ = (P̄ - P̄_e) / (1 - P̄_e). Where the number of annotations differs between images, an image's agreement
    P_i is taken over its own pairs, and each image counts alike.

    Parameters
    ----------
    counts : [N, K]

    Returns
    -------
    float
        nan where no image has two annotations, or all annotations name one class.
    """
    n = _judged_twice(counts)
    if not len(n):
        return float("nan")
    m = n.sum(1)
    # P_i = Σ_k n_ik (n_ik - 1) / (m_i (m_i - 1)), P_e = Σ_k p_k²
    observed = ((n * (n - 1)).sum(1) / (m * (m - 1))).mean()
    expected = ((n.sum(0) / m.sum()) ** 2).sum()
    return float((observed - expected) / (1 - expected)) if expected < 1 - 1e-12 else float("nan")


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Krippendorff's alpha for nominal classes (Krippendorff 2011), images with one annotation left out.

    α = 1 - D_o / D_e, from the coincidences of all pairs within an image; images with more annotations count
    for more.

    Parameters
    ----------
    counts : [N, K]

    Returns
    -------
    float
        nan where no image has two annotations, or all annotations name one class.
    """
    n = _judged_twice(counts)
    if not len(n):
        return float("nan")
    m, total, of_class = n.sum(1), n.sum(), n.sum(0)
    # D_o = (1/n) Σ_i (m_i² - Σ_k n_ik²) / (m_i - 1), D_e = (n² - Σ_k n_k²) / (n (n - 1))
    observed = ((m**2 - (n**2).sum(1)) / (m - 1)).sum() / total
    expected = (total**2 - (of_class**2).sum()) / (total * (total - 1))
    return float(1 - observed / expected) if expected > 0 else float("nan")


def _judged_twice(counts: np.ndarray) -> np.ndarray:
    return counts[counts.sum(1) >= 2].astype(np.float64)


@dataclass(frozen=True)
class Annotator:
    """One annotator against the others.

    Attributes
    ----------
    index : int
    n : int
        Annotations in all.
    shared : int
        Those on images that somebody else judged too.
    agreement : float
        Mean share of the others who say the same, on these.
    kappa : float
        The same above chance: (agreement - expected) / (1 - expected), where expected pairs this annotator's
        labels with the others' at random.
    top_share : float
        Share of the annotator's most frequent label.
    reason : str
        Why the annotator is conspicuous; empty if not.
    """

    index: int
    n: int
    shared: int
    agreement: float
    kappa: float
    top_share: float
    reason: str = ""


def annotators(annotations: Annotations, counts: np.ndarray) -> list[Annotator]:
    """Compare every annotator with the others on the same images.

    Conspicuous is whoever agrees with the others less than half as much above chance as the median annotator,
    by more than two standard errors, or no better than chance; and whoever gives one label only, where the
    others do not.
    """
    n_annotators = int(annotations.annotator.max()) + 1 if len(annotations.annotator) else 0
    order = np.argsort(annotations.annotator, kind="stable")
    ends = np.searchsorted(annotations.annotator[order], np.arange(n_annotators + 1))
    rows = [order[a:b] for a, b in pairwise(ends)]
    found = [_against_others(i, annotations, part, counts) for i, part in enumerate(rows)]
    kappas = [a.kappa for a in (f for f, _, _ in found) if np.isfinite(a.kappa)]
    usual = float(np.median(kappas)) if kappas else float("nan")
    return [_judged(annotator, error, others, usual) for annotator, error, others in found]


def _against_others(
    index: int, annotations: Annotations, rows: np.ndarray, counts: np.ndarray
) -> tuple[Annotator, float, float]:
    """The annotator, the standard error of kappa, and the others' share of the favourite label."""
    image, label = annotations.image[rows], annotations.label[rows]
    said = np.bincount(label, minlength=counts.shape[1])
    total = counts[image].sum(1, dtype=np.float64) - 1  # the others' annotations
    shared = total > 0
    top = float(said.max() / max(1, len(rows)))
    if shared.sum() < FEWEST:
        nan = float("nan")
        return Annotator(index, len(rows), int(shared.sum()), nan, nan, top), nan, nan
    image, label, total = image[shared], label[shared], total[shared]
    same = (counts[image, label].astype(np.float64) - 1) / total
    usual = _mean_share(counts, image, label, 1 / total)
    chance = float(np.bincount(label, minlength=len(usual)) @ usual / len(label))
    scale = max(1 - chance, 1e-9)
    error = float(same.std(ddof=1) / np.sqrt(len(same)) / scale)
    kappa = float((same.mean() - chance) / scale)
    annotator = Annotator(index, len(rows), len(label), float(same.mean()), kappa, top)
    return annotator, error, float(usual[said.argmax()])


def _mean_share(counts: np.ndarray, image: np.ndarray, label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What the others say of these images on average, float64 ``[K]``; in blocks, because K may be large."""
    total = -np.bincount(label, weight, minlength=counts.shape[1])
    for start in range(0, len(image), 2048):
        part = slice(start, start + 2048)
        total += weight[part] @ counts[image[part]].astype(np.float64)
    return total / len(image)


def _judged(annotator: Annotator, error: float, others: float, usual: float) -> Annotator:
    reason, high = "", annotator.kappa + 2 * error
    if annotator.top_share > 1 - 1e-9 and others < 0.9:
        reason = f"gives one label only, which the others give {others:.0%} of these images"
    elif high < 0.5 * usual:
        reason = f"agrees with the others far less than usual (κ {annotator.kappa:.2f}, median {usual:.2f})"
    elif annotator.kappa - 2 * error < 0 and usual - 2 * error > 0 and annotator.kappa < 0.5 * usual:
        reason = f"agrees with the others no better than chance (κ {annotator.kappa:.2f})"
    return Annotator(**{**annotator.__dict__, "reason": reason})


# Where the true class is known: how right annotators are, and how right somebody else is about them.


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
