"""Judgements to one target per image, before training: votes, shares, Dawid-Skene, other libraries' ways."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from softlabels.datasets import Annotations
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.labels import votes


def majority(
    counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Majority vote as one-hot targets [N, C]; ties at random."""
    return votes.one_hot(votes.hard_labels(counts, rng)[0], counts.shape[1])


def shares(counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shares of the votes as targets [N, C]; images without a vote stay zero."""
    return (counts / np.maximum(counts.sum(1, keepdims=True), 1)).astype(np.float32)


def true_labels(
    counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """True classes as one-hot targets [N, C]: the upper reference."""
    return votes.one_hot(truth, counts.shape[1])


def weighted_votes(
    counts: np.ndarray, found: Annotations, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Most likely class of Dawid and Skene as one-hot targets [N, C]."""
    posterior = dawid_skene(found, *counts.shape).posterior
    return votes.one_hot(posterior.argmax(1), counts.shape[1])


# Dawid and Skene's model of annotators, by EM on arrays.


FLOOR = 1e-10  # of a count and of a probability, as in crowd-kit


@dataclass(frozen=True)
class DawidSkene:
    """What EM found, in float64."""

    posterior: np.ndarray  # [N, C], P(true class | judgements); uniform for images without a judgement
    prior: np.ndarray  # [C]
    # [M, C (true), C (given)]: 0 for labels that an annotator never gave; uniform without a judgement
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


# Other libraries' ways, beside our Dawid-Skene: GLAD, MACE, CROWDLAB (extra "crowds").


def crowdkit(name: str, found: Annotations, n_images: int, n_classes: int, **options: Any) -> np.ndarray:
    """Posterior of a method of crowd-kit, float64 [N, C]; uniform for images without a judgement.

    "GLAD" (Whitehill et al. 2009): one skill per annotator, one difficulty per image. "MACE" (Hovy et al.
    2013): an annotator either knows the class or spams from a habit. Options are those of crowd-kit's class,
    such as ``n_iter``; of MACE also ``n_restarts`` and ``random_state``.
    """
    import pandas as pd

    method = getattr(extra("crowdkit.aggregation", "crowd-kit"), name)(**options)
    frame = pd.DataFrame({"task": found.image, "worker": found.annotator, "label": found.label})
    posterior = method.fit_predict_proba(frame)
    out = np.full((n_images, n_classes), 1 / n_classes)
    judged = posterior.index.to_numpy()
    out[judged] = 0  # of classes that nobody ever named
    out[np.ix_(judged, posterior.columns.to_numpy())] = posterior.to_numpy()
    return out


def crowdlab(found: Annotations, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Consensus of CROWDLAB (Goh et al. 2022): judgements and a classifier, each weighted by how right it is.

    p [N, C] are probabilities of a classifier that has not learnt from the images that it judges
    (cross-validation). Returns a label for each image, int64 [N], the classifier's own where nobody judged
    it, and how likely it is right, float64 [N] in [0, 1].
    """
    library = extra("cleanlab.multiannotator", "cleanlab")
    judged = np.unique(found.image)
    people, column = np.unique(found.annotator, return_inverse=True)
    table = np.full((len(judged), len(people)), np.nan)  # cleanlab takes no other form
    table[np.searchsorted(judged, found.image), column] = found.label
    result = library.get_label_quality_multiannotator(
        table, p[judged], return_detailed_quality=False, return_annotator_stats=False, verbose=False
    )["label_quality"]
    label, quality = p.argmax(1), p.max(1).astype(np.float64)
    label[judged] = result["consensus_label"].to_numpy(np.int64)
    quality[judged] = result["consensus_quality_score"].to_numpy(np.float64)
    return label, quality


def out_of_sample(x: np.ndarray, counts: np.ndarray, folds: int = 5) -> np.ndarray:
    """Probabilities of a logistic regression on vectors x [N, D], trained on the majority of other folds.

    Raises `ConfigError` if a class is the majority of fewer images than there are folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    hard = votes.hard_labels(counts, np.random.default_rng(0))[0]
    fewest = np.bincount(hard, minlength=counts.shape[1]).min()
    if fewest < folds:
        raise ConfigError(f"a class is the majority of {fewest} images; {folds} folds need as many of each")
    scaled = (x - x.mean(0)) / np.maximum(x.std(0), 1e-6)
    model = LogisticRegression(C=0.1, max_iter=300)
    return cross_val_predict(model, scaled, hard, cv=folds, method="predict_proba")


def accuracies(found: Annotations, x: np.ndarray, truth: np.ndarray, n_classes: int) -> dict[str, float]:
    """Share of judged images [N] whose combined label is the true class, by way to combine.

    Ways whose library is not installed are left out.
    """
    n, counts = len(truth), votes.counts(found.image, found.label, len(truth), n_classes)
    judged = np.unique(found.image)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "majority": lambda: votes.hard_labels(counts, np.random.default_rng(0))[0],
        "Dawid-Skene": lambda: dawid_skene(found, n, n_classes).posterior.argmax(1),
        "GLAD": lambda: crowdkit("GLAD", found, n, n_classes).argmax(1),
        "MACE": lambda: crowdkit("MACE", found, n, n_classes).argmax(1),
        "CROWDLAB": lambda: crowdlab(found, out_of_sample(x, counts))[0],
    }
    shares = {}
    for name, combine in ways.items():
        try:
            shares[name] = float((combine() == truth)[judged].mean())
        except DataUnavailable:
            continue
    return shares


def extra(module: str, package: str) -> Any:
    """Import a module of the extra "crowds"; `DataUnavailable`, with the remedy, where it is not here."""
    try:
        return import_module(module)
    except ImportError as error:
        raise DataUnavailable(
            f"{module} needs the package {package}: pip install 'softlabels[crowds]'"
        ) from error
