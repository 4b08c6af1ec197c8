"""Train committed records again on this machine and compare."""

import json
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from softlabels import paths, runs
from softlabels.errors import RecordError
from softlabels.learning.config import generator
from softlabels.runs import records
from softlabels.runs.records import Record

# On other hardware, threads or versions a metric may differ by so many times the largest difference seen by
# ``benchmarks/tolerance.py`` between one thread and two, and between float32 and bfloat16: it had a few runs
# on one machine, and the audit meets others.
FACTOR = 2.0
# Where that has not been measured.
UNMEASURED = {
    "accuracy": 0.02,
    "macro_accuracy": 0.02,
    "kl": 0.05,
    "cross_entropy": 0.05,
    "brier": 0.02,
    "ece": 0.02,
    "entropy_correlation": 0.05,
    "second_best_accuracy": 0.05,
}
METRICS = tuple(UNMEASURED)
LOSSES = ("kl", "cross_entropy")  # in nats, without an upper bound


def tolerance() -> dict[str, float]:
    """Return the accepted difference of each metric, from ``results/tolerance.json`` where it is there."""
    file = paths.results() / "tolerance.json"
    if not file.exists():
        return UNMEASURED
    changes = json.loads(file.read_text(encoding="utf-8"))["changes"]
    measured = [m for m in METRICS if all(m in change for change in changes)]
    return UNMEASURED | {m: FACTOR * max(change[m]["largest"] for change in changes) for m in measured}


def difference(a: Record, b: Record) -> dict[str, float]:
    """Absolute difference of each test metric of both; of a loss, relative to `a` where that exceeds one."""
    one, other = a.metrics["test"], b.metrics["test"]
    both = [k for k in METRICS if k in one and k in other]
    return {k: abs(one[k] - other[k]) / (max(1.0, one[k]) if k in LOSSES else 1.0) for k in both}


@dataclass(frozen=True)
class Comparison:
    """A committed record beside the one trained now; differences of test metrics, theirs minus ours."""

    committed: Record
    ours: Record

    @property
    def differences(self) -> dict[str, float]:
        """As `difference` gives them."""
        found = difference(self.committed, self.ours)
        return {name: value for name, value in found.items() if name not in self.counted_anew}

    @cached_property
    def counted_anew(self) -> frozenset[str]:
        """Measures that count ties for each tied class, where records of before chose the first class.

        They cannot be compared on panels that tie; elsewhere both rules give the same.
        """
        q = np.sort(self.committed.arrays()["targets"].astype(np.float32), axis=1)[:, ::-1]
        first, second = q[:, 0] == q[:, 1], q[:, 1:2] == q[:, 2:3]
        tied = {
            "macro_accuracy": first.any(),
            "second_best_accuracy": first.any() or (second & (q[:, 1:2] > 0)).any(),
        }
        return frozenset(name for name, found in tied.items() if found)

    @property
    def same_setting(self) -> bool:
        """Same machine, device, threads, precision and versions: then every bit must agree."""
        keys = ("device", "machine", "threads", "precision", "versions")
        return all(self.committed.environment[k] == self.ours.environment[k] for k in keys)

    @property
    def identical(self) -> bool:
        """Every committed metric is there again, bit by bit; a later version may measure more."""
        return all(
            self.ours.metrics[part].get(name) == value
            for part, values in self.committed.metrics.items()
            for name, value in values.items()
            if name not in self.counted_anew
        )

    @property
    def agrees(self) -> bool:
        """Identical in the same setting, else within the tolerance."""
        if self.same_setting:
            return self.identical
        bounds = tolerance()
        return all(found <= bounds[k] for k, found in self.differences.items())


def audit(n: int = 3, seed: int = 0, device: str | None = None) -> list[Comparison]:
    """Retrain `n` committed records, drawn by `seed`, in a folder of their own; `RecordError` without any."""
    files = list(records.SHELF.files(committed_only=True))
    if not files:
        raise RecordError(f"no records in {records.SHELF.committed}")
    drawn = generator(seed, "audit").permutation(len(files))[:n]
    return [_again(records.read(files[i]), device) for i in drawn]


def _again(record: Record, device: str | None) -> Comparison:
    before = torch.get_num_threads()
    precision = record.environment["precision"]
    with tempfile.TemporaryDirectory() as scratch:
        torch.set_num_threads(int(record.environment["threads"]))
        try:
            ours = runs.train_in(Path(scratch), record.config, device, precision=precision)
        finally:
            torch.set_num_threads(before)
    return Comparison(record, ours)


def report(comparisons: list[Comparison]) -> bool:
    """Print the tolerance and one line per comparison; returns whether all agree."""
    print(f"identical in the same setting; elsewhere within {tolerance()}")
    for c in comparisons:
        how = "identical" if c.identical else f"differences {c.differences}"
        setting = "same setting" if c.same_setting else "other setting"
        print(f"{c.committed.id} {'ok  ' if c.agrees else 'FAIL'} {setting}: {how}")
    return all(c.agrees for c in comparisons)
