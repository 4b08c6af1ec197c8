"""Whether networks learnt: what is compared has to be better than guessing, for every class, and trained out.

Two networks that learnt nothing differ in nothing, and that says nothing about their labels.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis import names
from softlabels.labels import metrics, votes
from softlabels.runs import records

if TYPE_CHECKING:
    import pandas as pd

    from softlabels.runs.records import Record

ACCURACY = 0.1  # macro accuracy above that of the constant guess
LOSS = 0.1  # share by which the cross-entropy is below that of naming the mean label for every image
BEHIND = 0.1  # macro accuracy below the best that any committed run reaches on the dataset
RULE = (
    "Networks count as competent where, on average over the runs of an arm, macro accuracy is at least "
    f"{ACCURACY:g} above the constant guess and less than {BEHIND:g} below the best that any committed run "
    "reaches on the dataset, cross-entropy against the kind of label that the arm learns from is at least "
    f"{100 * LOSS:g} % below that of naming the mean label for every image, and no class is without "
    "recall in any run."
)
ONE_HOT = ("hard", "truth", "sampled")  # labels without doubt


def lacking(runs: "pd.DataFrame", arms: Sequence[str]) -> str:
    """Say what arms of one setting (a table of runs) lack to count as competent; empty if nothing."""
    here = runs[runs.record.notna()]
    found = {arm: shortcoming(list(here[here.arm == arm].record)) for arm in arms}
    return "; ".join(f"{names.arm(arm)}: {words}" for arm, words in found.items() if words)


def shortcoming(runs: "Sequence[Record]") -> str:
    """Say what the runs of one arm lack to count as competent; empty if nothing, or if there are no runs."""
    if not runs:
        return ""
    measured = [_measures(record) for record in runs]
    excess, share, accuracy = (
        float(np.mean([m[k] for m in measured])) for k in ("excess", "share", "accuracy")
    )
    never = [name for m in measured for name in m["never"]]
    if excess < ACCURACY:
        return f"accuracy only {excess:.2f} above the constant guess"
    if never:
        failed = sum(bool(m["never"]) for m in measured)
        which = "one class" if len(set(never)) == 1 else f"{len(set(never))} classes"
        return f"{which} without recall in {failed} of {len(runs)} runs"
    if share > 1 - LOSS:
        return f"cross-entropy {100 * share:.0f} % of that of the mean label"
    config = runs[0].config
    best = 0.0 if config.method else reached(config.dataset, str(records.SHELF.committed))
    if accuracy <= best - BEHIND:
        return f"accuracy {accuracy:.2f}, where {best:.2f} can be reached"
    return ""


def _measures(record: "Record") -> dict:
    arrays = record.arrays()
    p, q = np.exp(arrays["log_probs"].astype(np.float64)), arrays["targets"].astype(np.float64)
    answer = q.argmax(1)
    recalls = {c: (p[answer == c].argmax(1) == c).mean() for c in np.unique(answer)}
    if record.config.label in ONE_HOT:
        label = arrays["truth"] if "truth" in arrays and record.config.label == "truth" else answer
        q = votes.one_hot(label, q.shape[1])
    mean, accuracy = np.broadcast_to(q.mean(0), q.shape), float(np.mean(list(recalls.values())))
    return {
        "excess": accuracy - 1 / len(recalls),
        "never": [c for c, recall in recalls.items() if recall == 0],
        "share": metrics.cross_entropy(p, q) / max(metrics.cross_entropy(mean, q), 1e-12),
        "accuracy": accuracy,
    }


def reached(dataset: str, folder: str) -> float:
    """Best macro accuracy, against the people, of all records of a dataset in a folder; 0 without any."""
    return _best(folder).get(dataset, 0.0)


@cache
def _best(folder: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for path in Path(folder).glob("*.json"):
        body = json.loads(path.read_text(encoding="utf-8"))
        name, accuracy = body["config"]["dataset"], body["metrics"]["test"].get("macro_accuracy", 0.0)
        found[name] = max(accuracy, found.get(name, 0.0))
    return found
