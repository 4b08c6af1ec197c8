"""Dawid and Skene's model of annotators, by EM on arrays: no training, and no PyTorch."""

from dataclasses import dataclass

import numpy as np

from softlabels.datasets import Annotations
from softlabels.labels import votes

FLOOR = 1e-10  # of a count and of a probability, as in crowd-kit


@dataclass(frozen=True)
class DawidSkene:
    """What EM found.

    Attributes
    ----------
    posterior : float64 [N, C]
        P(true class | judgements); uniform for images without a judgement.
    prior : float64 [C]
    confusions : float64 [M, C (true), C (given)]
        0 for labels that an annotator never gave; uniform for an annotator without a judgement.
    iterations : int
    """

    posterior: np.ndarray
    prior: np.ndarray
    confusions: np.ndarray
    iterations: int


def dawid_skene(
    found: Annotations, n_images: int, n_classes: int, iterations: int = 100, tolerance: float = 1e-5
) -> DawidSkene:
    """Estimate true classes and annotators' confusion matrices by EM (Dawid & Skene 1979).

    Starts from the shares of the votes and stops when the lower bound per judgement gains less than
    `tolerance`, as in crowd-kit 1.4, with which the posteriors agree to 1e-6.
    """
    seen, image = np.unique(found.image, return_inverse=True)  # images without a judgement say nothing
    n_annotators = int(found.annotator.max(initial=-1)) + 1
    cell = found.annotator * n_classes + found.label  # (annotator, given label)
    given = np.bincount(cell, minlength=n_annotators * n_classes) > 0
    q = votes.counts(image, found.label, len(seen), n_classes).astype(np.float64)
    q /= q.sum(1, keepdims=True)
    prior, log_a, bound = q.mean(0), _log_confusions(q, image, cell, given, n_classes), -np.inf
    step = 0
    while step < iterations:
        step += 1
        # q_nc ∝ π_c Π_m A^(m)_c,z
        log_q = np.log(np.maximum(prior, FLOOR)) + _sum_by(image, log_a[cell], len(seen))
        q = np.exp(log_q - log_q.max(1, keepdims=True))
        q /= q.sum(1, keepdims=True)
        prior, log_a = q.mean(0), _log_confusions(q, image, cell, given, n_classes)
        joint = log_a[cell] + np.log(np.maximum(prior, FLOOR))
        expected, q = (q[image] * joint).sum(), np.maximum(q, FLOOR)
        gained = (expected - (q * np.log(q)).sum()) / len(image)
        if gained - bound < tolerance:
            break
        bound = gained
    posterior = np.full((n_images, n_classes), 1 / n_classes)
    posterior[seen] = q
    a = np.where(given[:, None], np.exp(log_a), 0).reshape(n_annotators, n_classes, n_classes)
    a[a.sum((1, 2)) == 0] = 1 / n_classes
    return DawidSkene(posterior, prior, a.transpose(0, 2, 1), step)


def _log_confusions(
    q: np.ndarray, image: np.ndarray, cell: np.ndarray, given: np.ndarray, n_classes: int
) -> np.ndarray:
    """A_c,z = Σ_n [z_n = z] q_nc, normalised over z; logarithms, rows (annotator, z), columns c."""
    mass = np.maximum(_sum_by(cell, q[image], len(given)), FLOOR) * given[:, None]
    total = mass.reshape(-1, n_classes, n_classes).sum(1)  # [M, c]
    share = mass / np.maximum(np.repeat(total, n_classes, axis=0), FLOOR)
    return np.log(np.where(given[:, None], share, 1.0))


def _sum_by(group: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Sum rows of `values` [L, C] that share a group; float64 [n, C]."""
    return np.stack([np.bincount(group, column, minlength=n) for column in values.T], 1)
