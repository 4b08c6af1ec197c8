"""How well predicted class probabilities p fit the annotators' distribution q; numpy in, float out.

In all functions ``p`` is ``[N, K]`` predicted probabilities and ``q`` is ``[N, K]`` soft targets, rows
summing to one. Everything is computed in float64, whatever comes in. An empty set of images, or one on
which a measure says nothing, gives nan.
"""

import numpy as np

FLOOR = 1e-7  # BHL clip p here before the logarithm, so one image costs at most 16.1 nats


def _pair(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if p.shape != q.shape or p.ndim != 2:
        raise ValueError(f"p and q must both be [N, K]; found {p.shape} and {q.shape}")
    return p, q


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _entropies(p: np.ndarray) -> np.ndarray:
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(1)  # [N], nats


def macro_accuracy(p: np.ndarray, q: np.ndarray) -> float:
    """Mean over the classes present of their recall, in [0, 1], against argmax q (BHL, section 2).

    A tie, in p or in q, goes to the class with the lowest index.
    """
    p, q = _pair(p, q)
    truth, right = q.argmax(1), p.argmax(1) == q.argmax(1)
    return _mean(np.array([right[truth == k].mean() for k in np.unique(truth)]))


def cross_entropy(p: np.ndarray, q: np.ndarray) -> float:
    """Mean over images of -Σ_k q_k log p_k, in nats, with p clipped at `FLOOR`."""
    p, q = _pair(p, q)
    return _mean(-(q * np.log(np.maximum(p, FLOOR))).sum(1))


def kl_divergence(q: np.ndarray, p: np.ndarray) -> float:
    """Mean over images of Σ_k q_k log(q_k / p_k), in nats (BHL, section 2).

    0 log 0 = 0, and p is clipped at `FLOOR`. The order of the arguments is that of KL(q ‖ p).
    """
    p, q = _pair(p, q)
    return cross_entropy(p, q) - _mean(_entropies(q))


def brier(p: np.ndarray, q: np.ndarray) -> float:
    """Mean over images of Σ_k (p_k - q_k)², in [0, 2]; one-hot q gives Brier's original score."""
    p, q = _pair(p, q)
    return _mean(((p - q) ** 2).sum(1))


def ece(p: np.ndarray, q: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error in [0, 1], with the annotators' distribution as the truth.

    Images are binned by confidence max p. A bin's gap is the distance between its mean confidence and its
    mean q mass on the predicted class, that is the accuracy expected when the label is drawn from q. The gaps
    are weighted by the bins' sizes. One-hot q gives the usual measure (Guo et al. 2017, section 2).
    """
    p, q = _pair(p, q)
    chosen = p.argmax(1)
    confidence, mass = p.max(1), q[np.arange(len(q)), chosen]
    # A confidence of exactly 1 falls into a slot of its own, as in torchmetrics.
    slot = np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="right") - 1  # [N]
    gaps = np.bincount(np.clip(slot, 0, bins), confidence - mass, minlength=bins + 1)
    return float(np.abs(gaps).sum() / len(p)) if len(p) else float("nan")


def entropy_correlation(p: np.ndarray, q: np.ndarray) -> float:
    """Pearson correlation over images of the entropies of p and q; nan where one of them is constant."""
    a, b = (_entropies(x) for x in _pair(p, q))
    if len(a) < 2 or np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def second_best_accuracy(p: np.ndarray, q: np.ndarray) -> float:
    """Share of images whose second most probable class is the people's second choice (Peterson et al. 2019).

    Only images with a second choice count: two or more classes with mass in q. Ties go to the lowest index.
    """
    p, q = _pair(p, q)
    chosen = (q > 0).sum(1) > 1
    second_p, second_q = (np.argsort(-x[chosen], axis=1, kind="stable")[:, 1] for x in (p, q))
    return _mean((second_p == second_q).astype(np.float64))


def evaluate(log_p: np.ndarray, q: np.ndarray) -> dict[str, float]:
    """Compute every measure of a record from log-probabilities ``[N, K]`` and soft targets ``[N, K]``.

    A measure that is undefined on these images (nan) is left out, since JSON has no word for it.
    """
    p = np.exp(np.asarray(log_p, np.float64))
    values = {
        "macro_accuracy": macro_accuracy(p, q),
        "kl": kl_divergence(q, p),
        "cross_entropy": cross_entropy(p, q),
        "brier": brier(p, q),
        "ece": ece(p, q),
        "entropy_correlation": entropy_correlation(p, q),
        "second_best_accuracy": second_best_accuracy(p, q),
    }
    return {name: value for name, value in values.items() if not np.isnan(value)}
