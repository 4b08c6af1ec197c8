"""Whether networks learnt: what is compared has to be better than guessing, for every class, and trained out.

Two networks that learnt nothing differ in nothing, and that says nothing about their labels.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from softlabels.labels import metrics, votes

if TYPE_CHECKING:
    from softlabels.runs.records import Record

ACCURACY = 0.1  # macro accuracy above that of the constant guess
LOSS = 0.1  # share by which the cross-entropy is below that of naming the mean label for every image
LATE = 0.02  # validation accuracy gained in the last fifth of the epochs
RULE = (
    "Networks count as competent where, on average over the runs of an arm, macro accuracy is at least "
    f"{ACCURACY:g} above the constant guess, cross-entropy against the kind of label that the arm learns "
    f"from is at least {100 * LOSS:g} % below that of naming the mean label for every image, no class is "
    "without recall in any run, and validation accuracy rises by less than "
    f"{LATE:g} in the last fifth of the epochs."
)
ONE_HOT = ("hard", "truth", "sampled")  # labels without doubt


def shortcoming(runs: "Sequence[Record]") -> str:
    """Say what the runs of one arm lack to count as competent; empty if nothing, or if there are no runs."""
    if not runs:
        return ""
    measured = [_measures(record) for record in runs]
    excess, share, late = (
        float(np.mean([m[name] for m in measured])) for name in ("excess", "share", "late")
    )
    never = [name for m in measured for name in m["never"]]
    if excess < ACCURACY:
        return f"accuracy only {excess:.2f} above the constant guess"
    if never:
        failed = sum(bool(m["never"]) for m in measured)
        return f"{len(set(never))} classes without recall in {failed} of {len(runs)} runs"
    if share > 1 - LOSS:
        return f"cross-entropy {100 * share:.0f} % of that of the mean label"
    if late == np.inf:
        return "not trained out: a single epoch"
    if late >= LATE:
        return f"not trained out: accuracy still rises by {late:.3f} in the last fifth of the epochs"
    return ""


def _measures(record: "Record") -> dict:
    arrays = record.arrays()
    p, q = np.exp(arrays["log_probs"].astype(np.float64)), arrays["targets"].astype(np.float64)
    answer, k = q.argmax(1), q.shape[1]
    recalls = {c: (p[answer == c].argmax(1) == c).mean() for c in np.unique(answer)}
    if record.config.label in ONE_HOT:
        q = votes.one_hot(
            arrays["truth"] if "truth" in arrays and record.config.label == "truth" else answer, k
        )
    mean = np.broadcast_to(q.mean(0), q.shape)
    return {
        "excess": float(np.mean(list(recalls.values()))) - 1 / len(recalls),
        "never": [c for c, recall in recalls.items() if recall == 0],
        "share": metrics.cross_entropy(p, q) / max(metrics.cross_entropy(mean, q), 1e-12),
        "late": _late(record.history),
    }


def _late(history: Sequence[dict[str, float]]) -> float:
    """Validation accuracy that the last fifth of the epochs adds, the last epoch where there are few."""
    name = (
        "validation_macro_accuracy" if "validation_macro_accuracy" in history[-1] else "validation_accuracy"
    )
    values = [row[name] for row in history if name in row]
    before = len(values) - max(1, len(values) // 5)
    return values[-1] - values[before - 1] if before > 0 else float("inf")
