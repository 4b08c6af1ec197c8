"""Two real panels for the same image: does splitting one panel in halves tell what a second panel would say?

Some 1,500 images of FER+ occur twice, equal pixel for pixel, and the authors asked ten annotators for each
copy. Their table of votes gives both copies the votes of one; the tables beside the images have what was
collected.
``python -m softlabels.chapters.noise_ceiling.twins`` makes the committed comparison.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from softlabels.analysis.formatting import number
from softlabels.datasets import ferplus
from softlabels.errors import told
from softlabels.labels import ceiling, votes
from softlabels.store import Shelf, read, write_atomically

SHELF, FILE = Shelf("ceilings"), "ferplus-twins.json"


@dataclass(frozen=True)
class Twins:
    """Pairs of panels, and what they would show if all their annotators were exchangeable.

    Attributes
    ----------
    n_pairs : int
    divergence, expected_divergence : float
        Mean Jensen-Shannon divergence of the two panels, in nats.
    agreement, expected_agreement : float
        Share of the pairs with the same majority; ties are drawn.
    """

    n_pairs: int
    divergence: float
    expected_divergence: float
    agreement: float
    expected_agreement: float


def compare(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Twins:
    """Compare pairs of panels with random halves of both together.

    If a second panel differs from the first only by chance, both are random parts of their union.

    Parameters
    ----------
    a, b : [N, K]
        Annotations per class of the same images by two panels.
    """
    both, entropy = a + b, lambda counts: votes.entropy(votes.soft_labels(counts))
    apart = (entropy(a) + entropy(b)) / 2
    parts = [ceiling.panel_entropy(both, panel.sum(1).astype(np.int64)) for panel in (a, b)]
    return Twins(
        n_pairs=len(a),
        divergence=float((entropy(both) - apart).mean()),
        expected_divergence=float((entropy(both) - sum(parts) / 2).mean()),
        agreement=_agreement(a, b, rng),
        expected_agreement=_agreement(*ceiling.halves(both, rng), rng),
    )


def _agreement(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    return float((votes.hard_labels(a, rng)[0] == votes.hard_labels(b, rng)[0]).mean())


def pairs(least: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Votes of both panels for the images of FER+ that occur twice, float32 ``[N, 8]`` each.

    Parameters
    ----------
    least : int
        Votes for an emotion that each panel must have.

    Raises
    ------
    DataError, DataUnavailable
        As for `fetch`.
    """
    data, collected = ferplus.load(), ferplus.collected_votes()
    rows: dict[bytes, list[int]] = {}
    for row, image in enumerate(data.images):
        rows.setdefault(image.tobytes(), []).append(row)
    chosen = np.array([copies[:2] for copies in rows.values() if len(copies) > 1])
    a, b = (np.array([collected[int(i)] for i in data.ids[side]], np.float32) for side in chosen.T)
    kept = np.minimum(a.sum(1), b.sum(1)) >= least
    return a[kept], b[kept]


def find() -> Twins | None:
    """Return the committed comparison, or None."""
    path = SHELF.find(FILE, committed_only=True)
    remedy = "`python -m softlabels.chapters.noise_ceiling.twins` renews it"
    return read(path, _parsed, "a comparison of panels", remedy) if path else None


def _parsed(content: bytes) -> Twins:
    return Twins(**json.loads(content))


def publish() -> Path:
    """Compare the panels of FER+ and write the comparison into the committed results; returns the file."""
    found, path = compare(*pairs(), np.random.default_rng(0)), SHELF.committed / FILE
    write_atomically(path, (json.dumps(asdict(found), indent=1) + "\n").encode())
    return path


def sentence(found: Twins | None) -> str:
    """Say what the comparison shows."""
    if found is None:
        command = "python -m softlabels.chapters.noise_ceiling.twins"
        return f"The comparison is not here; `{command}` makes it from the data."
    return (
        f"In {found.n_pairs:,} pairs of panels, the mean divergence of the two is {number(found.divergence)} "
        f"nats, where random halves of both together give {number(found.expected_divergence)}; the "
        f"majorities agree in {100 * found.agreement:.1f} % of the pairs, where halves give "
        f"{100 * found.expected_agreement:.1f} %."
    )


@told(2)
def main() -> None:
    """Make the committed comparison."""
    print(publish())


if __name__ == "__main__":
    sys.exit(main())
