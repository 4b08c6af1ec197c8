"""Other libraries' ways to combine judgements, beside our Dawid-Skene: GLAD, MACE, CROWDLAB.

Each call hands the same judgements to crowd-kit or cleanlab (extra "crowds") and brings what comes back into
the shape that `dawid_skene` has: P(true class | judgements), float64 [N, C].
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from softlabels.datasets import Annotations
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.labels import votes as labels
from softlabels.learning.annotators.dawid_skene import dawid_skene


def glad(found: Annotations, n_images: int, n_classes: int, **options: Any) -> np.ndarray:
    """Posterior of GLAD (Whitehill et al. 2009): one skill per annotator, one difficulty per image.

    Parameters
    ----------
    **options
        Of crowd-kit's class, such as ``n_iter``.

    Returns
    -------
    float64 [N, C]
        Uniform for images without a judgement.

    Raises
    ------
    DataUnavailable
        If the extra "crowds" is not installed.
    """
    return _crowdkit("GLAD", found, n_images, n_classes, **options)


def mace(found: Annotations, n_images: int, n_classes: int, **options: Any) -> np.ndarray:
    """Posterior of MACE (Hovy et al. 2013): an annotator either knows the class or spams from a habit.

    Parameters
    ----------
    **options
        Of crowd-kit's class, such as ``n_restarts`` and ``random_state``.

    Returns
    -------
    float64 [N, C]
        Uniform for images without a judgement.

    Raises
    ------
    DataUnavailable
        If the extra "crowds" is not installed.
    """
    return _crowdkit("MACE", found, n_images, n_classes, **options)


def _crowdkit(name: str, found: Annotations, n_images: int, n_classes: int, **options: Any) -> np.ndarray:
    pandas = import_module("pandas")
    method = getattr(extra("crowdkit.aggregation", "crowd-kit"), name)(**options)
    frame = pandas.DataFrame({"task": found.image, "worker": found.annotator, "label": found.label})
    posterior = method.fit_predict_proba(frame)
    out = np.full((n_images, n_classes), 1 / n_classes)
    judged = posterior.index.to_numpy()
    out[judged] = 0  # of classes that nobody ever named
    out[np.ix_(judged, posterior.columns.to_numpy())] = posterior.to_numpy()
    return out


def crowdlab(found: Annotations, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Consensus of CROWDLAB (Goh et al. 2022): judgements and a classifier, each weighted by how right it is.

    Parameters
    ----------
    p : float [N, C]
        Probabilities of a classifier that has not learnt from the images that it judges (cross-validation).

    Returns
    -------
    label : int64 [N]
        The classifier's own where nobody judged an image.
    quality : float64 [N]
        How likely the label is right, in [0, 1].

    Raises
    ------
    DataUnavailable
        If the extra "crowds" is not installed.
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


def out_of_sample(x: np.ndarray, votes: np.ndarray, folds: int = 5) -> np.ndarray:
    """Probabilities of a logistic regression on vectors x [N, D], trained on the majority of other folds.

    Raises
    ------
    ConfigError
        If a class is the majority of fewer images than there are folds.
    """
    linear_model, model_selection = (
        import_module(f"sklearn.{m}") for m in ("linear_model", "model_selection")
    )
    hard = labels.hard_labels(votes, np.random.default_rng(0))[0]
    fewest = np.bincount(hard, minlength=votes.shape[1]).min()
    if fewest < folds:
        raise ConfigError(f"a class is the majority of {fewest} images; {folds} folds need as many of each")
    scaled = (x - x.mean(0)) / np.maximum(x.std(0), 1e-6)
    model = linear_model.LogisticRegression(C=0.1, max_iter=300)
    return model_selection.cross_val_predict(model, scaled, hard, cv=folds, method="predict_proba")


def accuracies(found: Annotations, x: np.ndarray, truth: np.ndarray, n_classes: int) -> dict[str, float]:
    """Share of judged images [N] whose combined label is the true class, by way to combine.

    Ways whose library is not installed are left out.
    """
    n, votes = len(truth), labels.counts(found.image, found.label, len(truth), n_classes)
    judged = np.unique(found.image)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "majority": lambda: labels.hard_labels(votes, np.random.default_rng(0))[0],
        "Dawid-Skene": lambda: dawid_skene(found, n, n_classes).posterior.argmax(1),
        "GLAD": lambda: glad(found, n, n_classes).argmax(1),
        "MACE": lambda: mace(found, n, n_classes).argmax(1),
        "CROWDLAB": lambda: crowdlab(found, out_of_sample(x, votes))[0],
    }
    shares = {}
    for name, combine in ways.items():
        try:
            shares[name] = float((combine() == truth)[judged].mean())
        except DataUnavailable:
            continue
    return shares


def extra(module: str, package: str) -> Any:
    """Import a module of the extra "crowds".

    Raises
    ------
    DataUnavailable
        If it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise DataUnavailable(
            f"{module} needs the package {package}: pip install 'softlabels[crowds]'"
        ) from error
