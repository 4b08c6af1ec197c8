"""From annotations to labels: counts, hard, soft and sampled labels, and their transformations.

Letters as in BHL (Grossmann et al. 2022, section 2): annotations a_i(x) in {0, 1}^K, the hard label
l_h(x) = argmax_k sum_i a_i(x), the soft label l_s(x) = (1/N) sum_i a_i(x).
"""

from dataclasses import dataclass

import numpy as np

from softlabels.errors import DataError


@dataclass(frozen=True)
class Annotations:
    """Single judgements: annotator ``annotator[i]`` gave image ``image[i]`` the class ``label[i]``.

    All three are int64 ``[M]``; ``image`` and ``label`` index the dataset's images and classes.
    """

    image: np.ndarray
    annotator: np.ndarray
    label: np.ndarray


def counts(image: np.ndarray, label: np.ndarray, n_images: int, n_classes: int) -> np.ndarray:
    """Count annotations per image and class.

    Parameters
    ----------
    image, label : int [M]
        One entry per annotation: which image, which class.

    Returns
    -------
    float32 [n_images, n_classes]

    Raises
    ------
    DataError
        If an index lies outside the images or the classes.
    """
    for name, values, end in (("image", image, n_images), ("label", label, n_classes)):
        wrong = np.flatnonzero((values < 0) | (values >= end))
        if len(wrong):
            raise DataError(f"annotation {wrong[0]}: {name} {values[wrong[0]]} is outside 0..{end - 1}")
    flat = np.bincount(image.astype(np.int64) * n_classes + label, minlength=n_images * n_classes)
    return flat.reshape(n_images, n_classes).astype(np.float32)


def soft_labels(counts: np.ndarray) -> np.ndarray:
    """Soft labels l_s = counts / sum (BHL, section 2).

    Parameters
    ----------
    counts : [N, K]
        Annotations per class, or any non-negative weights such as an exact distribution.

    Returns
    -------
    float32 [N, K], rows sum to 1

    Raises
    ------
    DataError
        If an image has no annotation, or a count is negative or not finite.
    """
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise DataError("counts must be finite and not negative")
    total = counts.sum(1, keepdims=True, dtype=np.float64)
    if not np.isfinite(total).all():
        raise DataError("counts must have a finite sum")
    if (total == 0).any():
        raise DataError(f"image {int(np.flatnonzero(total == 0)[0])} has no annotation; leave it out")
    return (counts / total).astype(np.float32)


def hard_labels(counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Majority vote l_h = argmax_k counts (BHL, section 2); ties are broken at random.

    Returns
    -------
    labels : int64 [N]
    n_ties : int
        How many images had more than one most frequent class.
    """
    top = counts == counts.max(1, keepdims=True)  # [N, K]
    n_ties = int((top.sum(1) > 1).sum())
    return np.where(top, rng.random(counts.shape), -1.0).argmax(1), n_ties


def sampled_labels(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one annotation per image, each class with probability l_s; int64 ``[N]``."""
    cumulative = soft_labels(counts).cumsum(1, dtype=np.float64)  # [N, K]
    u = rng.random((len(counts), 1)) * cumulative[:, -1:]
    return (u >= cumulative).sum(1)


def subsample(counts: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Keep `n` annotations per image, drawn without replacement; float32 ``[N, K]``.

    An exact distribution (rows that are no whole numbers) is drawn from with replacement instead: it
    stands for unlimited annotators. Images with fewer than `n` annotations keep all of theirs.
    """
    if n < 1:
        raise DataError(f"annotations per image must be at least 1, not {n}")
    if not np.array_equal(counts, counts.round()):
        p = soft_labels(counts).astype(np.float64)
        p /= p.sum(1, keepdims=True)  # float32 rows sum to one within 1e-7, too far for NumPy
        return rng.multinomial(n, p).astype(np.float32)
    whole = counts.astype(np.int64)
    keep = np.minimum(whole.sum(1), n)
    rows = [rng.multivariate_hypergeometric(row, k) for row, k in zip(whole, keep, strict=True)]
    return np.asarray(rows, dtype=np.float32).reshape(whole.shape)


def one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Labels int ``[N]`` as float32 ``[N, n_classes]``."""
    return np.eye(n_classes, dtype=np.float32)[labels]


def smoothed(p: np.ndarray, epsilon: float) -> np.ndarray:
    """Label smoothing (1 - ε) p + ε / K (Szegedy et al. 2016, section 7)."""
    if not 0 <= epsilon <= 1:
        raise DataError(f"smoothing must lie in [0, 1], not {epsilon}")
    return ((1 - epsilon) * p + epsilon / p.shape[1]).astype(np.float32)


def at_temperature(p: np.ndarray, temperature: float) -> np.ndarray:
    """Distribution p^(1/T) / sum: T < 1 sharpens, T > 1 flattens, classes without mass keep none."""
    if not temperature > 0:
        raise DataError(f"temperature must be positive, not {temperature}")
    largest = p.max(1, keepdims=True)  # dividing first keeps p^(1/T) from underflowing
    powered = (p / largest).astype(np.float64) ** (1 / temperature)
    return (powered / powered.sum(1, keepdims=True)).astype(np.float32)


def entropy(p: np.ndarray) -> np.ndarray:
    """Entropy -sum_k p log p in nats, with 0 log 0 = 0; float64 ``[N]``."""
    p = np.asarray(p, dtype=np.float64)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(1)


def class_means(p: np.ndarray, classes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Replace every image's distribution by the mean one of its class; float32 ``[N, K]``.

    Parameters
    ----------
    p : [N, K]
    classes : int [N]
        By which images are grouped.
    rows : int [n]
        The images that the means are taken over. A class without any of these keeps its own labels.
    """
    out = p.copy()
    for k in np.unique(classes[rows]):
        out[classes == k] = p[rows][classes[rows] == k].mean(0, dtype=np.float64)
    return out.astype(np.float32)


def permuted(p: np.ndarray, classes: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the distributions of images `rows` within each class; float32 ``[N, K]``, other rows as given.

    Every class keeps exactly its distributions; which image has which carries no information any more.
    """
    out = p.copy()
    for k in np.unique(classes[rows]):
        here = rows[classes[rows] == k]
        out[here] = p[rng.permutation(here)]
    return out.astype(np.float32)


def smoothing_of_entropy(nats: float, n_classes: int) -> float:
    """The ε at which label smoothing gives a one-hot label the entropy `nats` (by bisection, to 1e-9).

    Raises
    ------
    DataError
        If no ε does: the entropy of `n_classes` classes is at most log K.
    """
    if not 0 <= nats <= np.log(n_classes) + 1e-9:
        raise DataError(f"no smoothing of {n_classes} classes has an entropy of {nats} nats")
    low, high, label = 0.0, 1.0, np.eye(n_classes)[:1]
    while high - low > 1e-9:
        middle = (low + high) / 2
        p = (1 - middle) * label + middle / n_classes
        low, high = (middle, high) if entropy(p)[0] < nats else (low, middle)
    return (low + high) / 2


def chosen(found: Annotations, rows: np.ndarray) -> Annotations:
    """Judgements of images `rows` only."""
    kept = np.isin(found.image, rows)
    return Annotations(found.image[kept], found.annotator[kept], found.label[kept])


def at_most(found: Annotations, n: int, rng: np.random.Generator) -> Annotations:
    """Keep `n` judgements of each image, drawn without replacement; fewer where an image has fewer."""
    order = np.lexsort((rng.random(len(found.image)), found.image))
    image = found.image[order]
    place = np.arange(len(image)) - np.searchsorted(image, image)  # 0 for the first of an image
    kept = np.sort(order[place < n])
    return Annotations(found.image[kept], found.annotator[kept], found.label[kept])


def shuffled(found: Annotations, rng: np.random.Generator) -> Annotations:
    """Give every judgement to the annotator of another one: images and labels stay, people mean nothing."""
    return Annotations(found.image, rng.permutation(found.annotator), found.label)
