"""Chapter 16: what soft, hard and sampled labels do to a gradient and a fit, where everything is known.

Notation: q is the people's distribution of an image, t what is trained on, p = softmax(z) the prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import minimize

from softlabels.analysis import table
from softlabels.analysis.statistics import Interval
from softlabels.labels import metrics, votes

GRIDS = ("why_distributions_help",)
WORLDS = ("logistic", "ramp")
DECAY = 1e-6  # of the fits: so little that a separable problem is cut close to its widest margin
collect = partial(table.gather, GRIDS)


def softmax(z: np.ndarray) -> np.ndarray:
    """p_k = exp z_k / Σ_j exp z_j along the last axis."""
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def loss(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Cross-entropy -Σ_k t_k log p_k in nats, for logits z and targets t ``[..., K]``."""
    shifted = z - z.max(-1, keepdims=True)
    return -(t * (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))).sum(-1)


def gradient(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Derivative of `loss` by the logits: p - t, for targets that sum to one."""
    return softmax(z) - t


def drawn_targets(
    q: np.ndarray, n: int, draws: int, rng: np.random.Generator, majority: bool = False
) -> np.ndarray:
    """Targets made of n annotations of one image, drawn again and again; ``[draws, K]`` from q ``[K]``.

    Their mean (the soft label of n people), or one-hot their majority (ties at random).
    """
    counts = rng.multinomial(n, q, size=draws).astype(np.float32)
    if majority:
        return votes.one_hot(votes.hard_labels(counts, rng)[0], len(q))
    return votes.soft_labels(counts)


def bias_and_variance(targets: np.ndarray, q: np.ndarray) -> tuple[float, float]:
    """Squared bias and variance of the gradient p - t as an estimate of p - q, summed over the classes.

    The prediction p is the same in both and cancels. For the mean of n annotations the bias is 0 and the
    variance (1 - Σ_k q_k²) / n.
    """
    mean = targets.mean(0, dtype=np.float64)
    return float(((mean - q) ** 2).sum()), float(targets.var(0, dtype=np.float64).sum())


@dataclass(frozen=True)
class World:
    """Images as points x ``[N, D]`` with the people's distributions q ``[N, 2]``."""

    x: np.ndarray
    q: np.ndarray


def world(kind: str, n_images: int, rng: np.random.Generator, dimensions: int = 2) -> World:
    """Draw images from a world of two classes with a straight boundary, x_0 = 0.

    "logistic": q_1 = 1 / (1 + exp(-2 x_0)), which the fitted model can represent. "ramp": q_1 rises from 0
    at x_0 = -2 to 1/2 at the boundary and reaches 1 at x_0 = 0.4. The model can represent the boundary, but
    not this distribution.
    """
    x = rng.normal(size=(n_images, dimensions))
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
        z = features @ w  # [N, K]
        slope = features.T @ gradient(z, t) / len(t) + decay * w
        return float(loss(z, t).mean() + decay / 2 * (w**2).sum()), slope.ravel()

    found = minimize(objective, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B", options=_PRECISE)
    return found.x.reshape(shape)


_PRECISE = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-14, "gtol": 1e-9}


def _with_offset(x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.ones(len(x))])


def predict(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Predicted distributions ``[N, K]``."""
    return softmax(_with_offset(x) @ w)


def descent(x: np.ndarray, t: np.ndarray, steps: int, rate: float = 2.0) -> list[np.ndarray]:
    """Weights after each step of plain gradient descent from zero, without decay."""
    features, w, path = _with_offset(x), np.zeros((x.shape[1] + 1, t.shape[1])), []
    for _ in range(steps):
        w = w - rate * features.T @ gradient(features @ w, t) / len(t)
        path.append(w)
    return path


def accuracy(w: np.ndarray, test: World) -> float:
    """Accuracy against argmax q on images not trained on; the largest logit is the largest probability."""
    return float(((_with_offset(test.x) @ w).argmax(1) == test.q.argmax(1)).mean())


def kl(w: np.ndarray, test: World) -> float:
    """Mean KL(q ‖ p) in nats on images not trained on."""
    return metrics.kl_divergence(test.q, predict(w, test.x))


def score(w: np.ndarray, test: World) -> dict[str, float]:
    """Accuracy, KL and correlation of the predicted with the true entropies."""
    entropies = metrics.entropy_correlation(predict(w, test.x), test.q)
    return {"accuracy": accuracy(w, test), "kl": kl(w, test), "entropy_correlation": entropies}


def by_annotations(
    kind: str, ns: Sequence[int], n_images: int = 300, repeats: int = 20, n_test: int = 20_000
) -> dict[str, np.ndarray]:
    """Accuracy of both arms over the number of annotations per image; each ``[len(ns), repeats]``.

    Both arms see the same images and the same annotations in each repeat; n = 0 stands for q itself.
    """
    found = {arm: np.empty((len(ns), repeats)) for arm in ("hard", "soft")}
    for repeat in range(repeats):
        rng = np.random.default_rng([repeat, 11])
        train, test = world(kind, n_images, rng), world(kind, n_test, rng)
        for row, n in enumerate(ns):
            for arm, t in annotated(train.q, n, rng).items():
                found[arm][row, repeat] = accuracy(fit(train.x, t), test)
    return found


def by_images(sizes: Sequence[int], repeats: int = 20, n_test: int = 50_000) -> dict[str, np.ndarray]:
    """Error rate in the logistic world over the number of images; each ``[len(sizes), repeats]``.

    Arms: "soft" trains on q, "hard" on argmax q, "sampled" on one annotation per image. The decay is
    weaker than elsewhere: at 2,000 images `DECAY` would stop the hard arm short of the widest margin.
    """
    found = {arm: np.empty((len(sizes), repeats)) for arm in ("sampled", "hard", "soft")}
    for repeat in range(repeats):
        rng = np.random.default_rng([repeat, 12])
        test = world("logistic", n_test, rng)
        for row, size in enumerate(sizes):
            train = world("logistic", size, rng)
            targets = annotated(train.q, 0, rng) | {"sampled": annotated(train.q, 1, rng)["soft"]}
            for arm, t in targets.items():
                found[arm][row, repeat] = 1 - accuracy(fit(train.x, t, DECAY / 100), test)
    return found


def exponent(sizes: Sequence[int], errors: np.ndarray, draws: int = 400) -> Interval:
    """Exponent b of mean error ∝ N^b with a 95 % bootstrap interval over the repeats.

    Parameters
    ----------
    errors : [len(sizes), repeats]
    """
    rng, n = np.random.default_rng(13), errors.shape[1]
    again = [_slope(sizes, errors[:, rng.integers(n, size=n)]) for _ in range(draws)]
    low, high = np.quantile(again, [0.025, 0.975])
    return Interval(_slope(sizes, errors), float(low), float(high), n)


def _slope(sizes: Sequence[int], errors: np.ndarray) -> float:
    return float(np.polyfit(np.log(sizes), np.log(errors.mean(1)), 1)[0])


def softenings(train: World, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs and targets that soften a hard label without asking anybody, beside both arms.

    Label smoothing and the class's mean distribution have the mean entropy of q or close to it; mixup takes
    λ ~ U(0, 1); self-distillation trains on the predictions of a network fitted to hard labels.
    """
    x, q = train.x, train.q
    arms = annotated(q, 0, rng)
    hard, everyone = arms["hard"], np.arange(len(x))
    classes, epsilon = (
        hard.argmax(1),
        votes.smoothing_of_entropy(float(votes.entropy(q).mean()), q.shape[1]),
    )
    other, lam = rng.permutation(len(x)), rng.random((len(x), 1))
    return {
        "soft": (x, q),
        "hard": (x, hard),
        "smoothed": (x, votes.smoothed(hard, epsilon)),
        "class-mean": (x, votes.class_means(q, classes, everyone)),
        "permuted": (x, votes.permuted(q, classes, everyone, rng)),
        "mixup": (lam * x + (1 - lam) * x[other], lam * hard + (1 - lam) * hard[other]),
        "distilled": (x, predict(fit(x, hard, decay=1e-2), x)),
    }
