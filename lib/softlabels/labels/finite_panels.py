"""Finite panels of annotators: their sizes, halves, expected entropies and the noise in their soft labels."""

import numpy as np

from softlabels.errors import DataError
from softlabels.labels import votes


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
