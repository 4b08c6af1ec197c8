"""How well predicted class probabilities p fit the annotators' distribution q; numpy in, float out.

In all functions ``p`` is ``[N, K]`` predicted probabilities and ``q`` is ``[N, K]`` soft targets, rows
summing to one. Everything is computed in float64, whatever comes in. An empty set of images, or one on
which a measure says nothing, gives nan.
"""

from collections.abc import Callable, Collection

import numpy as np

from softlabels.labels.votes import entropy

SUM_WITHIN = 0.01  # of one: records keep log-probabilities of half precision
FLOOR = 1e-7  # BHL clip p here before the logarithm, so one image costs at most 16.1 nats


def _pair(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if p.shape != q.shape or p.ndim != 2:
        raise ValueError(f"p and q must both be [N, K]; found {p.shape} and {q.shape}")
    for name, rows in (("p", p), ("q", q)):
        sums = rows.sum(1)
        if (wrong := np.flatnonzero(np.abs(sums - 1) > SUM_WITHIN)).size:  # nan stays nan
            raise ValueError(f"rows of {name} must sum to 1; row {wrong[0]} sums to {sums[wrong[0]]:.4g}")
    return p, q


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _largest(x: np.ndarray, ties: str) -> np.ndarray:
    """Which classes have the largest share, bool [N, K]: all that tie ("each"), or the first of them."""
    if ties not in ("each", "first"):
        raise ValueError(f"ties must be 'each' or 'first', not {ties!r}")
    if ties == "first":
        return np.arange(x.shape[1]) == x.argmax(1)[:, None]
    return x == x.max(1, keepdims=True)


def macro_accuracy(p: np.ndarray, q: np.ndarray, ties: str = "each") -> float:
    """Mean over the classes present of their recall, in [0, 1], against argmax q (BHL, section 2).

    Parameters
    ----------
    ties : str
        "each": where classes tie in q, the image counts in equal parts for each of them, and whoever names
        one of them is right; where they tie in p, the prediction is right by the share of them that are. So
        the order of the classes does not matter. "first": a tie goes to the class with the lowest index, as
        in records of before; without ties both are the same.
    """
    p, q = _pair(p, q)
    if not len(q):
        return float("nan")
    truth, chosen = _largest(q, ties), _largest(p, ties)
    right = (truth & chosen).sum(1) / chosen.sum(1)  # [N]
    weight = truth / truth.sum(1, keepdims=True)  # [N, K]
    mass = weight.sum(0)
    return _mean((weight.T @ right)[mass > 0] / mass[mass > 0])


def cross_entropy(p: np.ndarray, q: np.ndarray) -> float:
    """Mean over images of -Σ_k q_k log p_k, in nats, with p clipped at `FLOOR`."""
    p, q = _pair(p, q)
    return _mean(-(q * np.log(np.maximum(p, FLOOR))).sum(1))


def kl_divergence(q: np.ndarray, p: np.ndarray) -> float:
    """Mean over images of Σ_k q_k log(q_k / p_k), in nats (BHL, section 2).

    0 log 0 = 0, and p is clipped at `FLOOR`. The order of the arguments is that of KL(q ‖ p).
    """
    p, q = _pair(p, q)
    return cross_entropy(p, q) - _mean(entropy(q))


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
    a, b = (entropy(x) for x in _pair(p, q))
    if len(a) < 2 or np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def second_best_accuracy(p: np.ndarray, q: np.ndarray, ties: str = "each") -> float:
    """Share of images whose second most probable class is the people's second choice (Peterson et al. 2019).

    Only images with a second choice count: two or more classes with mass in q.

    Parameters
    ----------
    ties : str
        "each": where several classes tie for the second place, in q or in p, each is a second choice, and a
        prediction is right by the share of its own that are. "first": the lowest index, as in records of
        before; without ties both are the same.
    """
    p, q = _pair(p, q)
    chosen = (q > 0).sum(1) > 1
    if ties == "first":
        second_p, second_q = (np.argsort(-x[chosen], axis=1, kind="stable")[:, 1] for x in (p, q))
        return _mean((second_p == second_q).astype(np.float64))
    # All that are as large as the second largest; with a tie for the first place these are the tied ones.
    seconds = [x[chosen] == np.sort(x[chosen], axis=1)[:, [-2]] for x in (p, q)] if chosen.any() else []
    return _mean((seconds[0] & seconds[1]).sum(1) / seconds[0].sum(1)) if seconds else float("nan")


def evaluate(
    log_p: np.ndarray, q: np.ndarray, ties: str = "each", only: Collection[str] = ()
) -> dict[str, float]:
    """Compute every measure of a record from log-probabilities ``[N, K]`` and soft targets ``[N, K]``.

    A measure that is undefined on these images (nan) is left out, since JSON has no word for it. `ties` is
    that of `macro_accuracy`: committed records of images on which a panel ties were measured with "first".
    `only` names the measures that are wanted, where it is not all.
    """
    p = np.exp(np.asarray(log_p, np.float64))
    measures: dict[str, Callable[[], float]] = {
        "macro_accuracy": lambda: macro_accuracy(p, q, ties),
        "kl": lambda: kl_divergence(q, p),
        "cross_entropy": lambda: cross_entropy(p, q),
        "brier": lambda: brier(p, q),
        "ece": lambda: ece(p, q),
        "entropy_correlation": lambda: entropy_correlation(p, q),
        "second_best_accuracy": lambda: second_best_accuracy(p, q, ties),
    }
    values = {name: measure() for name, measure in measures.items() if not only or name in only}
    return {name: value for name, value in values.items() if not np.isnan(value)}
