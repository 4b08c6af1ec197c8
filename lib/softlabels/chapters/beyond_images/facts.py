"""What the votes of ChaosNLI are like, in one small committed file, so that the chapter needs no data.

``python -m softlabels.chapters.beyond_images.facts`` makes it. Of the votes it holds no more than a shape for
each pair, summaries, and a few pairs to read.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from softlabels import paths
from softlabels.datasets import chaosnli
from softlabels.errors import RecordError, told
from softlabels.labels import ceiling, metrics, votes
from softlabels.learning import inputs
from softlabels.store import write_atomically

SEEDS = (0, 1, 2, 3, 4)
PANEL = 10  # votes of the smaller panel whose ceiling stands beside that of the hundred
QUOTED = 4  # pairs to read of each kind
LONGEST = 160  # characters of a text that is quoted
# Shapes of a hundred votes on entailment, neutral, contradiction; the first that fits.
AGREED, CAMP, NEAR = 80, 20, 90
SHAPES = {
    "agreed": f"{AGREED} or more for one class",
    "two camps": f"{CAMP} or more for entailment and for contradiction, neutral below both",
    "neighbours": f"{NEAR} or more for two neighbouring classes",
    "spread": "anything else",
}
_GRID = np.geomspace(0.25, 16, 385)  # temperatures tried, 64 to a doubling

Facts = dict[str, Any]


def shapes(counts: np.ndarray) -> np.ndarray:
    """Which of `SHAPES` the votes [N, 3] on each pair have, as its number; int64 [N]."""
    e, n, c = counts.T
    camps = (np.minimum(e, c) >= CAMP) & (n < np.minimum(e, c))
    fits = [counts.max(1) >= AGREED, camps, np.maximum(e + n, n + c) >= NEAR]
    return np.select(fits, range(3), 3)


def temperature(z: np.ndarray, target: np.ndarray) -> float:
    """The T at which softmax(z / T) has the least cross-entropy to targets [N, K], of some in [1/4, 16]."""
    losses = [metrics.cross_entropy(_softmax(z / t), target) for t in _GRID]
    return float(_GRID[int(np.argmin(losses))])


def _softmax(z: np.ndarray) -> np.ndarray:
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def describe(name: str) -> Facts:
    """Describe one of `chaosnli.PARTS`; the seeds of its random draws are fixed.

    Raises
    ------
    DataError, DataUnavailable
        As for `chaosnli.examples`.
    """
    found = chaosnli.examples(name)
    counts, rng = found.counts, np.random.default_rng(0)
    q, majority = votes.soft_labels(counts), counts.argmax(1)
    few = votes.subsample(counts, PANEL, rng)
    facts: Facts = {
        "n": len(counts),
        "mean_entropy": round(float(votes.entropy(q).mean()), 6),
        "changed": round(float((majority != found.truth).mean()), 6),
        "ceiling": {str(chaosnli.VOTES): _ceiling(counts), str(PANEL): _ceiling(few)},
    }
    if len(chaosnli.PARTS[name].classes) == 3:
        facts |= _divided(found) | {"temperature": _temperatures(name, found, q)}
    return facts


def _ceiling(counts: np.ndarray) -> dict[str, Any]:
    found = asdict(ceiling.split_half(counts, np.random.default_rng(0)))
    return {key: np.round(value, 6).tolist() for key, value in found.items()}


def _divided(found: chaosnli.Examples) -> Facts:
    """Shapes of the votes, what became of the label of before in each, and pairs to read."""
    shape, majority = shapes(found.counts), found.counts.argmax(1)
    entropy = votes.entropy(votes.soft_labels(found.counts))
    lost = majority != found.truth
    table = {}
    for number, name in enumerate(SHAPES):
        here = shape == number
        both = (found.old[here][:, [0, 2]] > 0).all(1)  # entailment and contradiction among the five
        table[name] = {
            "n": int(here.sum()),
            "entropy": round(float(entropy[here].mean()), 6),
            "changed": round(float(lost[here].mean()), 6),
            "both_before": round(float(both.mean()), 6),
        }
    e, _, c = found.counts.T
    camps = np.where(shape == 1, np.minimum(e, c), -1)
    overruled = np.where(lost, found.counts.max(1), -1)
    short = np.array([max(len(a), len(b)) <= LONGEST for a, b in zip(found.first, found.second, strict=True)])
    return {
        "shapes": "".join(str(s) for s in shape),
        "table": table,
        "quoted": {
            "two camps": _quoted(found, np.where(short, camps, -2)),
            "overruled": _quoted(found, np.where(short, overruled, -2)),
        },
    }


def _quoted(found: chaosnli.Examples, score: np.ndarray) -> list[dict[str, Any]]:
    """The pairs with the highest scores, in words."""
    return [
        {
            "premise": found.first[row].strip(),
            "hypothesis": found.second[row].strip(),
            "votes": found.counts[row].astype(int).tolist(),
            "before": found.old[row].astype(int).tolist(),
        }
        for row in np.argsort(-score, kind="stable")[:QUOTED]
    ]


def _temperatures(name: str, found: chaosnli.Examples, q: np.ndarray) -> list[dict[str, Any]]:
    """Published logits on the test part of each split: as they are, and cooled for the majority or the votes.

    The splits are those of the runs on the same logits.
    """
    z, rows = chaosnli.logits(name, found.uids)
    q = q[rows]
    one_hot = votes.one_hot(found.counts[rows].argmax(1), q.shape[1])
    lines = []
    for seed in SEEDS:
        parts = inputs.split(len(rows), seed)
        fit, test = np.concatenate([parts["train"], parts["validation"]]), parts["test"]
        fits = {
            "as published": 1.0,
            "fitted to the majority": temperature(z[fit], one_hot[fit]),
            "fitted to the votes": temperature(z[fit], q[fit]),
        }
        for arm, t in fits.items():
            log_p = np.log(_softmax(z[test].astype(np.float64) / t))
            measures = {key: round(value, 6) for key, value in metrics.evaluate(log_p, q[test]).items()}
            lines.append({"seed": seed, "arm": arm, "temperature": round(t, 4), **measures})
    return lines


def find() -> dict[str, Facts]:
    """Return the committed description by dataset; empty where there is none."""
    try:
        return json.loads(_path().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        remedy = "`python -m softlabels.chapters.beyond_images.facts` renews it"
        raise RecordError(f"{_path()}: not a description of ChaosNLI ({error}); {remedy}") from error


def _path() -> Path:
    return paths.results() / "datasets" / "chaosnli.json"


@told(2)
def main() -> None:
    """Describe the three datasets and write the committed description."""
    found = {name: describe(name) for name in chaosnli.PARTS}
    write_atomically(_path(), (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    print(_path())


if __name__ == "__main__":
    sys.exit(main())
