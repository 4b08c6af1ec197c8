"""How regular a feature space is: measured against the coordinates that generated the images.

BHL (section 3) judge by eye that soft labels make the feature space more regular than hard labels do. The
measures here can disagree with the eye. They compare features, or a map, with the known hue and shape.
"""

import numpy as np

from softlabels.labels.votes import entropy

NEIGHBOURS = 30  # as many as the perplexity of the maps
PAIRS = 200_000


def coordinates(hue: np.ndarray, shape_weight: np.ndarray) -> np.ndarray:
    """Place images in the space that generated them, float64 ``[N, 3]``.

    Hue in [0, 1) runs around a circle of radius one. The shape, 0 for a circle and 1 for an ellipse, is
    scaled by √3: a pure circle is as far from the ellipse of its colour as from the circle of the next one.
    """
    angle = 2 * np.pi * np.asarray(hue, np.float64)
    return np.stack([np.cos(angle), np.sin(angle), np.sqrt(3) * np.asarray(shape_weight)], axis=1).round(9)


def _distances(x: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    x = np.asarray(x, np.float64)
    return cdist(x, x)  # [N, N]; 72 MB for 3,000 images


def trustworthiness(known: np.ndarray, mapped: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Measure how far the neighbours in `mapped` are neighbours in `known` too (Venna and Kaski 2001).

    1 is perfect, about .5 is chance. Pure images share their coordinates, so many distances tie: the rank of
    a neighbour is one more than the number of images strictly nearer, and ties cost nothing.

    Parameters
    ----------
    known : [N, C]
        Coordinates that are right.
    mapped : [N, D]
        Features or a map of the same images.
    k : int
        Neighbours per image, less than half of N.
    """
    n = len(known)
    if not 0 < k < n / 2:
        raise ValueError(f"k must lie between 1 and {(n - 1) // 2} for {n} images; found {k}")
    right, found = _distances(known), _distances(mapped)
    np.fill_diagonal(found, np.inf)
    np.fill_diagonal(right, np.inf)
    nearest = np.argpartition(found, k, axis=1)[:, :k]  # [N, k]
    ordered = np.sort(right, axis=1)
    ranks = np.stack([np.searchsorted(o, r[j]) for o, r, j in zip(ordered, right, nearest, strict=True)]) + 1
    penalty = np.maximum(ranks - k, 0).sum()
    return float(1 - penalty * 2 / (n * k * (2 * n - 3 * k - 1)))


def distance_correlation(known: np.ndarray, features: np.ndarray, seed: int = 0, pairs: int = PAIRS) -> float:
    """Spearman correlation of distances in feature space with distances in `known`, over random pairs."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, len(known), (2, pairs))
    a, b = a[a != b], b[a != b]
    known, features = np.asarray(known, np.float64), np.asarray(features, np.float32)
    lengths = [np.linalg.norm(x[a] - x[b], axis=1) for x in (known, features)]
    return float(spearmanr(*lengths).statistic)


def neighbour_r2(features: np.ndarray, target: np.ndarray, k: int = 15, seed: int = 0) -> float:
    """R² of predicting `target` (``[N]`` or ``[N, C]``) from the k nearest neighbours, in five folds."""
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.neighbors import KNeighborsRegressor

    target = np.asarray(target, np.float64).reshape(len(features), -1)
    folds = KFold(5, shuffle=True, random_state=seed)
    model = KNeighborsRegressor(k)
    guess = cross_val_predict(model, np.asarray(features, np.float32), target, cv=folds)
    guess = guess.reshape(target.shape)
    return float(1 - ((target - guess) ** 2).sum() / ((target - target.mean(0)) ** 2).sum())


def measure(
    features: np.ndarray, embedding: np.ndarray, hue: np.ndarray, shape_weight: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Compute all measures of structure of one run.

    Parameters
    ----------
    features : [N, D]
        GAP features.
    embedding : [N, 2]
        Their t-SNE map.
    hue, shape_weight : [N]
        What generated the images.

    Returns
    -------
    dict
        In each, more is more regular: trustworthiness of the features and of the map, the correlation of
        distances, and how well hue and shape can be read off the neighbours.
    """
    known = coordinates(hue, shape_weight)
    return _regularity(features, embedding, known, {"hue": known[:, :2], "shape": known[:, 2]}, seed)


def measure_labels(
    features: np.ndarray, embedding: np.ndarray, q: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Compute the measures of structure where nobody knows what generated the images: against their labels.

    The coordinates are √q, in which the Euclidean distance is Hellinger's. They carry the noise of finite
    panels, which lowers every measure of either arm; and they are what the soft arm learns from, so what
    they can show is less than generator coordinates show.

    Parameters
    ----------
    features : [N, D]
    embedding : [N, 2]
    q : [N, K]
        Soft labels.

    Returns
    -------
    dict
        As `measure`, with how well distribution and entropy can be read off the neighbours.
    """
    q = np.asarray(q, np.float64) / np.asarray(q, np.float64).sum(1, keepdims=True)
    return _regularity(features, embedding, np.sqrt(q), {"label": np.sqrt(q), "entropy": entropy(q)}, seed)


def _regularity(
    features: np.ndarray, embedding: np.ndarray, known: np.ndarray, parts: dict[str, np.ndarray], seed: int
) -> dict[str, float]:
    k = min(NEIGHBOURS, max(1, (len(known) - 1) // 3))
    return {
        "trustworthiness_features": trustworthiness(known, features, k),
        "trustworthiness_map": trustworthiness(known, embedding, k),
        "distance_correlation": distance_correlation(known, features, seed),
        **{f"{name}_r2": neighbour_r2(features, part, seed=seed) for name, part in parts.items()},
    }
