"""What a figure shows, in words computed from what it is drawn from: for people who do not see it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis.formatting import number, signed
from softlabels.labels import metrics

if TYPE_CHECKING:
    from softlabels.analysis.comparisons import Comparison
    from softlabels.runs.records import Record

FEWEST, STRONG = 3, 0.5  # settings, and rank correlation, from which a trend is read
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


def gain(settings: "Sequence[Comparison]") -> str:
    """Do soft labels gain most accuracy where hard labels reach least? Settings with a pair of runs count."""
    pairs = [c.pairs("macro_accuracy") for c in settings]
    found = sorted((float(hard.mean()), float((soft - hard).mean())) for soft, hard in pairs if len(soft))
    question = "Do soft labels gain most accuracy where hard labels reach least?"
    if len(found) < FEWEST:
        return f"{question} Open: fewer than {FEWEST} of these settings have a pair of runs."
    hard, gained = zip(*found, strict=True)
    ranks = np.array([np.unique(values, return_inverse=True)[1] for values in (hard, gained)])
    with np.errstate(invalid="ignore"):  # all the same: no correlation
        r = float(np.corrcoef(ranks)[0, 1])
    answer = "Yes" if r <= -STRONG else "No, the contrary" if r >= STRONG else "Not to be seen"
    return (
        f"{question} {answer}: over {len(found)} settings soft − hard goes from {signed(gained[0])}, where "
        f"hard labels reach {number(hard[0])}, to {signed(gained[-1])}, where they reach {number(hard[-1])}; "
        f"the rank correlation is {signed(r, 2)}."
    )
