"""The exact gradient of t-SNE, for openTSNE: up to some ten thousand points faster than its approximations.

The sums over all pairs fill the processor's vector units, which neither a tree nor a grid does. On the way
they are in float32, twice as fast and right to some 1e-6 of the largest force; where the divergence is asked
for, and for all else, in float64. Fixed parts are added up in one order, so that a map does not hang on the
number of threads.
"""

from threading import Thread
from typing import Any

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

PARTS = 4  # more threads than this find nothing to do


def exact_gradient(
    embedding: np.ndarray, P: csr_matrix, should_eval_error: bool = False, n_jobs: int = 1, **_: Any
) -> tuple[float, np.ndarray]:
    """Return KL(P ‖ Q) in nats (0 where it is not asked for) and a quarter of its gradient.

    It is a `negative_gradient_method` of openTSNE, which leaves out the factor of 4, too (van der Maaten &
    Hinton 2008, eq. 5). The embedding is [N, 2]; P [N, N] is sparse and symmetric, with the sum 1, or the
    exaggeration. Of `n_jobs` threads it uses `PARTS` at most; the gradient is the same, bit by bit, with any
    number.
    """
    P.sort_indices()  # so that a row's first half is met first; openTSNE's are sorted already
    points = np.ascontiguousarray(embedding, np.float64)
    kind = np.float64 if should_eval_error else np.float32
    x, y = points.T.astype(kind, order="C")
    # Row i meets the i points before it: parts of about as many pairs.
    bounds = np.round(len(points) * np.sqrt(np.arange(PARTS + 1) / PARTS)).astype(int)
    push = np.zeros((PARTS, 2, len(points)), kind)
    pull = np.zeros((PARTS, len(points), 2))

    sums = np.full((PARTS, 2), np.nan)
    threads = min(n_jobs, PARTS) if n_jobs > 0 else PARTS

    def share(first: int) -> None:
        for k in range(first, PARTS, threads):
            rows = bounds[k : k + 2]
            z = _repulsion(rows, x, y, *push[k])
            kl = _attraction(rows, P.indptr, P.indices, P.data, points, pull[k], should_eval_error)
            sums[k] = z, kl

    # A pool for each of five thousand calls would cost more than it brings, and one that stays knows no fork.
    others = [Thread(target=share, args=(first,)) for first in range(1, threads)]
    for other in others:
        other.start()
    share(0)
    for other in others:
        other.join()
    z, kl = sums.sum(0)
    gradient = pull.sum(0) - push.sum(0, np.float64).T / z
    return kl + P.data.sum() * np.log(z) if should_eval_error else 0.0, gradient


# Each pair is met once. Sums may be reordered and a division by zero needs no check: only so do the loops
# turn into vector code. Without Python's lock, threads run side by side.
# With w_ij = 1 / (1 + |y_i - y_j|²), Z = Σ w_ij and q_ij = w_ij / Z.
@njit(fastmath=True, error_model="numpy", nogil=True)
def _repulsion(rows: np.ndarray, x: np.ndarray, y: np.ndarray, gx: np.ndarray, gy: np.ndarray) -> float:
    """Add Σ_j w_ij² (y_i - y_j) of the pairs j < i, rows[0] <= i < rows[1]; return their part of Z.

    Sums of a row are of the coordinates' kind, float32 or float64, as every number between them has to be; Z,
    the sum of rows, is float64.
    """
    z, one = 0.0, x.dtype.type(1)
    for i in range(rows[0], rows[1]):
        row = ax = ay = x.dtype.type(0)
        for j in range(i):
            dx, dy = x[i] - x[j], y[i] - y[j]
            w = one / (one + dx * dx + dy * dy)
            row += w
            ax += w * w * dx
            ay += w * w * dy
            gx[j] -= w * w * dx
            gy[j] -= w * w * dy
        gx[i] += ax
        gy[i] += ay
        z += 2.0 * float(row)
    return z


@njit(fastmath=True, error_model="numpy", nogil=True)
def _attraction(
    rows: np.ndarray,
    start: np.ndarray,
    neighbour: np.ndarray,
    p: np.ndarray,
    points: np.ndarray,
    gradient: np.ndarray,
    should_eval_error: bool,
) -> float:
    """Add Σ_j p_ij w_ij (y_i - y_j) of the same pairs; return Σ p_ij log(p_ij / w_ij) if it is asked for."""
    kl = 0.0
    for i in range(rows[0], rows[1]):
        ax, ay = 0.0, 0.0
        for k in range(start[i], start[i + 1]):
            j = neighbour[k]
            if j >= i:
                break
            dx, dy = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            distance = 1.0 + dx * dx + dy * dy
            pull = p[k] / distance
            ax += pull * dx
            ay += pull * dy
            gradient[j, 0] -= pull * dx
            gradient[j, 1] -= pull * dy
            if should_eval_error and p[k] > 0:
                kl += 2 * p[k] * np.log(p[k] * distance)
        gradient[i, 0] += ax
        gradient[i, 1] += ay
    return kl
