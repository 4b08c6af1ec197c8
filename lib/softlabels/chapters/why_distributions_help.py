"""Chapter 16: what soft, hard and sampled labels do to a gradient and a fit, where everything is known.

Notation: q is the people's distribution of an image, t what is trained on, p = softmax(z) the prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from softlabels.analysis import table
from softlabels.analysis.statistics import Interval
from softlabels.labels import metrics, votes

GRIDS = ("why_distributions_help",)
DECAY = 1e-6  # of the fits: so little that a separable problem is cut close to its widest margin
collect = partial(table.gather, GRIDS)


@dataclass(frozen=True)
class World:
    """Images as points x ``[N, 2]`` with the people's distributions q ``[N, 2]``."""

    x: np.ndarray
    q: np.ndarray


def world(kind: str, n_images: int, rng: np.random.Generator) -> World:
    """Draw images from a world of two classes with a straight boundary, x_0 = 0.

    "logistic": q_1 = 1 / (1 + exp(-2 x_0)), which the fitted model can represent. "ramp": q_1 rises from 0
    at x_0 = -2 to 1/2 at the boundary and reaches 1 at x_0 = 0.4. The model can represent the boundary, but
    not this distribution.
    """
    x = rng.normal(size=(n_images, 2))
    if kind == "logistic":
        q1 = 1 / (1 + np.exp(-2 * x[:, 0]))
    else:
        q1 = 0.5 + np.interp(x[:, 0], [-2, 0, 0.4], [-0.5, 0, 0.5])
    return World(x, np.column_stack([1 - q1, q1]))


def annotated(q: np.ndarray, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Targets ``[N, K]`` of both arms from the same n annotations per image; n = 0: from q itself."""
    counts = rng.multinomial(n, q).astype(np.float32) if n else q
    hard = votes.one_hot(votes.hard_labels(counts, rng)[0], q.shape[1])
    return {"hard": hard, "soft": votes.soft_labels(counts)}


def fit(x: np.ndarray, t: np.ndarray, decay: float = DECAY) -> np.ndarray:
    """Fit logistic regression to targets t ``[N, K]``: weights ``[D + 1, K]``, the last row the offsets.

    Minimises the mean cross-entropy plus decay / 2 |w|² with L-BFGS.
    """
    features = _with_offset(x)
    shape = (features.shape[1], t.shape[1])

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(shape)
        log_p = log_softmax(features @ w, axis=1)  # [N, K]
        loss = -(t * log_p).sum(1).mean()
        slope = features.T @ (np.exp(log_p) - t) / len(t) + decay * w
        return float(loss + decay / 2 * (w**2).sum()), slope.ravel()

    precise = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-14, "gtol": 1e-9}
    found = minimize(objective, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B", options=precise)
    return found.x.reshape(shape)


def _with_offset(x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.ones(len(x))])


def predict(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Predicted distributions ``[N, K]``."""
    return softmax(_with_offset(x) @ w, axis=1)


def descent(x: np.ndarray, t: np.ndarray, steps: int, rate: float = 2.0) -> list[np.ndarray]:
    """Weights after each step of plain gradient descent from zero, without decay."""
    features, w, path = _with_offset(x), np.zeros((x.shape[1] + 1, t.shape[1])), []
    for _ in range(steps):
        w = w - rate * features.T @ (softmax(features @ w, axis=1) - t) / len(t)
        path.append(w)
    return path


def accuracy(w: np.ndarray, test: World) -> float:
    """Accuracy against argmax q on images not trained on; the largest logit is the largest probability."""
    return float(((_with_offset(test.x) @ w).argmax(1) == test.q.argmax(1)).mean())


def kl(w: np.ndarray, test: World) -> float:
    """Mean KL(q ‖ p) in nats on images not trained on."""
    return metrics.kl_divergence(test.q, predict(w, test.x))


def exponent(sizes: Sequence[int], errors: np.ndarray, draws: int = 400) -> Interval:
    """Exponent b of mean error [sizes, repeats] ∝ N^b with a 95 % bootstrap interval over the repeats."""

    def slope(some: np.ndarray) -> float:
        return float(np.polyfit(np.log(sizes), np.log(some.mean(1)), 1)[0])

    rng, n = np.random.default_rng(13), errors.shape[1]
    again = [slope(errors[:, rng.integers(n, size=n)]) for _ in range(draws)]
    low, high = np.quantile(again, [0.025, 0.975])
    return Interval(slope(errors), float(low), float(high), n)
