"""The noise ceiling: what even a perfect model can show against a finite panel of annotators.

A soft label q̂ is the share of n annotations drawn from a distribution π that nobody knows. A model with p = π
still has KL(q̂ ‖ π) > 0, and disagrees with argmax q̂ where the panel happens to. Both are estimated from the
panels themselves, split into halves.
"""

from dataclasses import dataclass

import numpy as np

from softlabels.errors import DataError
from softlabels.labels import metrics, votes

BOOTSTRAPS = 100
WEIGHTS = (0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)  # annotations that a prior is worth


@dataclass(frozen=True)
class Ceiling:
    """What `split_half` estimates for panels of the size at hand; intervals are 95 % bootstrap intervals.

    Attributes
    ----------
    kl : float
        Mean KL of a perfect model, in nats: the least that can be expected of any.
    kl_low, kl_high : float
    kl_above : float
        A bound that the mean KL of a perfect model does not exceed, whatever the distributions are.
    accuracy, accuracy_low, accuracy_high : float
        Macro accuracy of a perfect model.
    agreement : float
        Macro accuracy of one half of the panel against the other.
    n_images : int
    panel : tuple of float
        Least, mean and largest number of annotations an image.
    """

    kl: float
    kl_low: float
    kl_high: float
    kl_above: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    agreement: float
    n_images: int
    panel: tuple[float, float, float]


def floors(counts: np.ndarray) -> np.ndarray:
    """Estimate each image's KL of a perfect model from halves and quarters of its panel, float64 ``[N]``.

    The KL of a perfect model is the bias of the entropy of a finite panel: E KL(q̂ ‖ π) = H(π) − E H(q̂). The
    entropies H_n, H_n/2, H_n/4 of the panel, its halves and its quarters are unbiased for their sizes, and
    H_m = H(π) − a/m − b/m² + … gives the limit. (With halves alone it would be H_n − H_n/2, which is the
    Jensen-Shannon divergence of two halves.) The values of single images scatter around theirs, also below
    zero; the mean counts. Classes that are expected less than once in a panel are missed in part, so the
    estimate tends to be low; `upper_bound` says how low it can be.
    """
    n = panel_sizes(counts)
    if n.min() < 4:
        raise DataError(f"panels of {n.min()} annotations cannot be split into quarters; 4 are needed")
    sizes = np.stack([n, n // 2, n // 4])
    entropies = np.stack([panel_entropy(counts, m) for m in sizes], axis=1)  # [N, 3]
    powers = np.stack([np.ones(sizes.shape), -1 / sizes, -1 / sizes**2], axis=-1).transpose(1, 0, 2)
    limit = np.linalg.solve(powers, entropies[..., None])[:, 0, 0]
    return limit - entropies[:, 0]


def upper_bound(counts: np.ndarray) -> float:
    """Bound the mean KL of a perfect model from above by predicting each annotation from the others.

    No prediction has a lower cross-entropy than π, so H(π) ≤ E −log p̃(a), where p̃ sees the other n − 1
    annotations, with the class shares of the dataset as a prior of the best of `WEIGHTS`.
    """
    n = panel_sizes(counts)[:, None]
    if n.min() < 2:
        raise DataError("panels of one annotation cannot be predicted from the others; two are needed")
    q = counts.astype(np.float64) / n
    prior = counts.sum(0, dtype=np.float64) / counts.sum(dtype=np.float64)
    losses = []
    for weight in WEIGHTS:
        others = np.where(counts > 0, (counts - 1 + weight * prior) / (n - 1 + weight), 1.0)
        losses.append(float(-(q * np.log(others)).sum(1).mean()))
    return min(losses) - float(votes.entropy(q).mean())


def agreement(counts: np.ndarray, rng: np.random.Generator) -> float:
    """Macro accuracy of the majority of one half of each panel against that of the other, both ways."""
    said = [votes.hard_labels(half, rng)[0] for half in halves(counts, rng)]
    a, b = (votes.one_hot(labels, counts.shape[1]) for labels in said)
    return (metrics.macro_accuracy(a, b) + metrics.macro_accuracy(b, a)) / 2


def split_half(counts: np.ndarray, rng: np.random.Generator, n_boot: int = BOOTSTRAPS) -> Ceiling:
    """Estimate the noise ceiling from panels split into halves; images and splits are drawn anew each time.

    KL: `floors` and `upper_bound`. Accuracy: a perfect model disagrees with a panel of n half as often as
    two halves of it disagree with each other. Near a boundary between two classes the chance of a
    disagreement grows with the standard deviation of the difference, which is s/√n between the model and
    the panel and 2s/√n between two halves. In simulations this was right within .03 where classes are
    frequent, and too high by up to .1 where one is as rare as one image in a hundred; `agreement` is too low.

    Parameters
    ----------
    counts : [N, K]
        Annotations per class, whole numbers, 4 or more for each image.
    n_boot : int
        Bootstrap replicates.

    Raises
    ------
    DataError
        If panels are too small or the counts are an exact distribution.
    """
    n, each = panel_sizes(counts), floors(counts)
    drawn = [rng.integers(0, len(counts), len(counts)) for _ in range(n_boot)]
    kl = [float(each[rows].mean()) for rows in drawn]
    found = [agreement(counts[rows], rng) for rows in drawn]
    accuracy = 1 - (1 - np.array(found)) / 2
    return Ceiling(
        kl=float(each.mean()),
        kl_low=float(np.quantile(kl, 0.025)),
        kl_high=float(np.quantile(kl, 0.975)),
        kl_above=upper_bound(counts),
        accuracy=float(accuracy.mean()),
        accuracy_low=float(np.quantile(accuracy, 0.025)),
        accuracy_high=float(np.quantile(accuracy, 0.975)),
        agreement=float(np.mean(found)),
        n_images=len(counts),
        panel=(float(n.min()), float(n.mean()), float(n.max())),
    )


def simulate(p: np.ndarray, n: int, rng: np.random.Generator, n_boot: int = 20) -> dict[str, float]:
    """Draw panels of n from known distributions and put the estimates beside the truth.

    Returns
    -------
    dict
        "n", "true_kl", "kl", "kl_above", "true_accuracy", "accuracy".
    """
    p = np.asarray(p, np.float64)
    p = p / p.sum(1, keepdims=True)
    counts = rng.multinomial(n, p)
    majority = votes.one_hot(votes.hard_labels(counts, rng)[0], p.shape[1])
    found = split_half(counts, rng, n_boot)
    return {
        "n": float(n),
        "true_kl": float(noise_floor(p, n).mean()),
        "kl": found.kl,
        "kl_above": found.kl_above,
        "true_accuracy": metrics.macro_accuracy(p, majority),
        "accuracy": found.accuracy,
    }


# Finite panels: their sizes, halves, expected entropies and the noise in their soft labels.


def panel_sizes(counts: np.ndarray) -> np.ndarray:
    """Annotations of each image, int64 ``[N]``.

    Raises
    ------
    DataError
        If counts are no whole numbers: an exact distribution has no panel, and its ceiling is KL 0.
    """
    if not np.array_equal(counts, counts.round()):
        raise DataError("counts must be whole numbers of annotations; an exact distribution has no noise")
    return counts.sum(1).astype(np.int64)


def halves(counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split each panel at random into two halves, int64 ``[N, K]`` each; an odd annotation is left out."""
    counts, (images, k) = counts.astype(np.int64), counts.shape
    cell = np.repeat(np.arange(images * k), counts.ravel())  # one entry for each annotation
    image = cell // k
    order = np.argsort(image + rng.random(len(cell)))  # a random order within each image
    n = counts.sum(1)
    rank = np.arange(len(cell)) - np.repeat(n.cumsum() - n, n)
    half = np.repeat(n // 2, n)
    chosen = (cell[order][rank < half], cell[order][(half <= rank) & (rank < 2 * half)])
    first, second = (np.bincount(part, minlength=images * k).reshape(images, k) for part in chosen)
    return first, second


def noise_floor(p: np.ndarray, n: int) -> np.ndarray:
    """Expected KL(q̂ ‖ p) of panels of n annotations drawn from known p, in nats, exact; float64 ``[N]``.

    E Σ_k q̂_k log(q̂_k / p_k) = H(p) − E H(q̂), because E q̂ = p; each count is binomial.
    """
    from scipy.stats import binom

    j = np.arange(n + 1)
    p = np.asarray(p, np.float64)
    expected = sum(binom.pmf(j, n, p[:, k : k + 1]) @ _surprise(j / n) for k in range(p.shape[1]))
    return votes.entropy(p) - expected


def panel_entropy(counts: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Expected entropy of m annotations taken from each panel without replacement, exact; float64 ``[N]``.

    Parameters
    ----------
    counts : [N, K]
        Whole numbers.
    m : int [N]
        Between 1 and the size of the panel.
    """
    from scipy.stats import hypergeom

    counts = counts.astype(np.int64)
    size, part = (np.broadcast_to(x[:, None], counts.shape) for x in (counts.sum(1), m))
    keys = np.stack([size.ravel(), counts.ravel(), part.ravel()], axis=1)
    known, back = np.unique(keys, axis=0, return_inverse=True)
    values = [_surprise(np.arange(k + 1) / k) @ hypergeom.pmf(np.arange(k + 1), n, c, k) for n, c, k in known]
    return np.array(values)[back.ravel()].reshape(counts.shape).sum(1)


def _surprise(x: np.ndarray) -> np.ndarray:
    return -x * np.log(np.where(x > 0, x, 1.0))
