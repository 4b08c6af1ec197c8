"""When to ask a person: which predictions to send to review, what that costs and what it saves.

Everything here takes predicted probabilities p ``[N, K]`` of any model; numpy in, numbers out.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from softlabels.errors import ConfigError, unknown
from softlabels.labels.votes import entropy


def _margin(p: np.ndarray) -> np.ndarray:
    top = np.sort(p, 1)
    return top[:, -1] - top[:, -2]


# How sure a model is of each image; larger is surer.
SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "max probability": lambda p: p.max(1),
    "entropy": lambda p: -entropy(p),
    "margin": _margin,
}


def certainty(p: np.ndarray, score: str = "max probability") -> np.ndarray:
    """How sure a model is of each image, float64 [N]; `score` is one of `SCORES`."""
    if score not in SCORES:
        raise unknown("score", score, SCORES)
    return SCORES[score](np.asarray(p, np.float64))


def risk_coverage(
    p: np.ndarray, truth: np.ndarray, score: str = "max probability"
) -> tuple[np.ndarray, np.ndarray]:
    """Error among the surest images, for every share of images that is answered (El-Yaniv & Wiener 2010).

    Returns
    -------
    coverage, risk : float64 [N]
        risk[i] is the error rate of the i + 1 surest images; equal certainties share their mean error, so
        that the order of the images does not matter.
    """
    sure, wrong = certainty(p, score), (np.asarray(p).argmax(1) != truth).astype(np.float64)
    _, slot, size = np.unique(-sure, return_inverse=True, return_counts=True)
    mean_wrong = np.bincount(slot, wrong) / size
    errors = np.cumsum(np.repeat(mean_wrong, size))
    answered = np.arange(1, len(wrong) + 1)
    return answered / len(wrong), errors / answered


def aurc(p: np.ndarray, truth: np.ndarray, score: str = "max probability") -> float:
    """Area under the risk-coverage curve: the mean error over all shares that could be answered."""
    return float(risk_coverage(p, truth, score)[1].mean())


def excess_aurc(p: np.ndarray, truth: np.ndarray, score: str = "max probability") -> float:
    """AURC above that of a perfect order of the same answers (Geifman et al. 2019): doubt, not skill."""
    wrong = np.sort(np.asarray(p).argmax(1) != truth).astype(np.float64)
    best = (np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean()
    return aurc(p, truth, score) - float(best)


@dataclass(frozen=True)
class Review:
    """What a review threshold does.

    Attributes
    ----------
    threshold : float
        Images of less certainty go to a person.
    reviewed : float
        Share of images that go.
    machine_error : float
        Error of the model alone.
    system_error : float
        Error of model and person together.
    precision : float
        Share of the reviewed images that the model had wrong; nan where none is reviewed.
    recall : float
        Share of the model's errors that are reviewed; nan where it makes none.
    """

    threshold: float
    reviewed: float
    machine_error: float
    system_error: float
    precision: float
    recall: float


def threshold(p: np.ndarray, budget: float, score: str = "max probability") -> float:
    """The certainty below which a share `budget` of images lies; with ties fewer, never more.

    Choose it on validation data: on test data it would be fitted to what it is judged by.

    Raises
    ------
    ConfigError
        If the budget is no share in [0, 1], or there is no image.
    """
    if not 0 <= budget <= 1 or not len(p):
        raise ConfigError(f"a review budget is a share in [0, 1] of one or more images, not {budget}")
    sure = np.sort(certainty(p, score))
    sent = int(budget * len(sure) + 1e-9)
    return float(sure[sent]) if sent < len(sure) else float("inf")


def review(
    p: np.ndarray,
    truth: np.ndarray,
    at: float,
    score: str = "max probability",
    person: np.ndarray | float = 1.0,
) -> Review:
    """What happens to these images when those of certainty below `at` go to a person.

    Parameters
    ----------
    truth : int [N]
    at : float
        From `threshold`, chosen on other images.
    person : float or [N]
        Probability that the person is right, the same for all images or for each:
        ``q[range(N), truth]`` is one annotator drawn from the people's distribution q.
    """
    wrong = np.asarray(p).argmax(1) != truth
    sent = certainty(p, score) < at
    error = np.where(sent, 1 - np.broadcast_to(person, wrong.shape), wrong)
    return Review(
        threshold=at,
        reviewed=float(sent.mean()),
        machine_error=float(wrong.mean()),
        system_error=float(error.mean()),
        precision=float(wrong[sent].mean()) if sent.any() else float("nan"),
        recall=float(sent[wrong].mean()) if wrong.any() else float("nan"),
    )


def route(
    p: np.ndarray,
    truth: np.ndarray,
    budget: float,
    score: str = "max probability",
    person: np.ndarray | float = 1.0,
    rng: np.random.Generator | None = None,
) -> Review:
    """Threshold of a review budget and what it costs, from one set of labelled predictions.

    The images are cut at random into two halves. The threshold of each half is judged on the other one, and
    the two results are averaged: nothing is judged by the images it was chosen on. The `threshold` that is
    returned is that of all images, the one to use.

    Parameters
    ----------
    p : [N, K]
        Predictions of any model on images that it was not trained on.
    budget : float
        Share of images that a person can review.
    """
    rng = rng or np.random.default_rng(0)
    rights = np.broadcast_to(np.asarray(person, np.float64), (len(p),))
    halves = np.array_split(rng.permutation(len(p)), 2)
    found = []
    for choose, judge in (halves, halves[::-1]):
        at = threshold(p[choose], budget, score)
        found.append(review(p[judge], truth[judge], at, score, rights[judge]))
    names = [f.name for f in fields(Review) if f.name != "threshold"]
    means = {name: float(np.mean([getattr(one, name) for one in found])) for name in names}
    return Review(threshold=threshold(p, budget, score), **means)
