"""What a figure shows, in words computed from what it is drawn from: for people who do not see it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from softlabels import metrics
from softlabels.formatting import number, signed

if TYPE_CHECKING:
    from softlabels.records import Record

CERTAIN = 0.95  # largest share from which an image counts as certain


def between(q: np.ndarray) -> str:
    """How many images lie between classes; `q` holds one distribution a row."""
    n = int((np.asarray(q).max(1) < CERTAIN).sum())
    return f"{n} of these {len(q)} images have no class with {CERTAIN:.0%} of their distribution"


def losses(records: "Iterable[Record]") -> str:
    """Validation loss of each arm at the epoch that is tested, mean over its runs."""
    found: dict[str, list[float]] = {}
    for record in records:
        loss = record.history[record.best_epoch - 1]["validation_loss"]
        found.setdefault(record.config.label, []).append(loss)
    shown = (f"{arm} {number(float(np.mean(values)), 2)}" for arm, values in found.items())
    return f"validation loss at the tested epoch [nats]: {', '.join(shown)}"


def nearer(q: np.ndarray, p: Mapping[str, np.ndarray]) -> str:
    """Mean KL of each arm's predictions to the distributions of these images."""
    shown = (f"{arm} {number(metrics.kl_divergence(q, values), 2)}" for arm, values in p.items())
    return f"mean KL to the true distribution on these images [nats]: {', '.join(shown)}"


def entropies(by_dataset: Mapping[str, np.ndarray]) -> str:
    """Mean label entropy of every dataset."""
    shown = (f"{name} {number(float(np.mean(values)), 2)}" for name, values in by_dataset.items())
    return f"mean label entropy [nats]: {'; '.join(shown)}"


def deviations(rows: Sequence[tuple[str, float, float]]) -> str:
    """Largest deviation among (name, published, ours)."""
    name, theirs, ours = max(rows, key=lambda row: abs(row[2] / row[1] - 1))
    return f"the largest of {len(rows)} deviations is {signed(100 * (ours / theirs - 1), 1)} % ({name})"
