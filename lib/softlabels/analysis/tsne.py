"""The exact gradient of t-SNE, for openTSNE: up to some ten thousand points faster than its approximations.

The sums over all pairs fill the processor's vector units, which neither a tree nor a grid does. Everything is
float64 on one thread, in one order, so that a map does not hang on the number of threads.
"""

from typing import Any

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix


def exact_gradient(
    embedding: np.ndarray, P: csr_matrix, should_eval_error: bool = False, **_: Any
) -> tuple[float, np.ndarray]:
    """Return KL(P ‖ Q) in nats (0 where it is not asked for) and a quarter of its gradient.

    It is a `negative_gradient_method` of openTSNE, which leaves out the factor of 4, too (van der Maaten &
    Hinton 2008, eq. 5).

    Parameters
    ----------
    embedding : [N, 2]
    P : [N, N], sparse and symmetric
        Its sum is 1, or the exaggeration.
    """
    P.sort_indices()  # so that a row's first half is met first; openTSNE's are sorted already
    x, y = np.ascontiguousarray(np.asarray(embedding).T)
    gradient = np.zeros((2, len(x)))
    gx, gy = gradient
    z = _repulsion(x, y, gx, gy)
    gradient /= z
    kl = _attraction(P.indptr, P.indices, P.data, x, y, gx, gy, should_eval_error)
    return kl + P.data.sum() * np.log(z) if should_eval_error else 0.0, gradient.T


# Each pair is met once. Sums may be reordered and a division by zero needs no check: only so do the loops
# turn into vector code.
# With w_ij = 1 / (1 + |y_i - y_j|²), Z = Σ w_ij and q_ij = w_ij / Z.
@njit(fastmath=True, error_model="numpy")
def _repulsion(x: np.ndarray, y: np.ndarray, gx: np.ndarray, gy: np.ndarray) -> float:
    """Subtract Σ_j w_ij² (y_i - y_j) from the gradient and return Z."""
    z = 0.0
    for i in range(len(x)):
        row, ax, ay = 0.0, 0.0, 0.0
        for j in range(i):
            dx, dy = x[i] - x[j], y[i] - y[j]
            w = 1.0 / (1.0 + dx * dx + dy * dy)
            row += w
            ax += w * w * dx
            ay += w * w * dy
            gx[j] += w * w * dx
            gy[j] += w * w * dy
        gx[i] -= ax
        gy[i] -= ay
        z += 2 * row
    return z


@njit(fastmath=True, error_model="numpy")
def _attraction(
    start: np.ndarray,
    neighbour: np.ndarray,
    p: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    gx: np.ndarray,
    gy: np.ndarray,
    should_eval_error: bool,
) -> float:
    """Add Σ_j p_ij w_ij (y_i - y_j) to the gradient; return Σ p_ij log(p_ij / w_ij) where it is asked for."""
    kl = 0.0
    for i in range(len(x)):
        ax, ay = 0.0, 0.0
        for k in range(start[i], start[i + 1]):
            j = neighbour[k]
            if j >= i:
                break
            dx, dy = x[i] - x[j], y[i] - y[j]
            distance = 1.0 + dx * dx + dy * dy
            pull = p[k] / distance
            ax += pull * dx
            ay += pull * dy
            gx[j] -= pull * dx
            gy[j] -= pull * dy
            if should_eval_error and p[k] > 0:
                kl += 2 * p[k] * np.log(p[k] * distance)
        gx[i] += ax
        gy[i] += ay
    return kl
