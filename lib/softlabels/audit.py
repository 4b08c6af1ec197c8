"""Train committed records again on this machine and compare."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from softlabels import records, runs
from softlabels.errors import RecordError
from softlabels.records import Record
from softlabels.tasks import generator

# Accepted difference of a test metric on other hardware, threads or versions. A bound set in advance:
# how far such differences really go has not been measured yet.
TOLERANCE = {"macro_accuracy": 0.02, "kl": 0.05}


@dataclass(frozen=True)
class Comparison:
    """A committed record beside the one trained now; differences of test metrics, theirs minus ours."""

    committed: Record
    ours: Record

    @property
    def differences(self) -> dict[str, float]:
        """Absolute difference of each compared metric; for KL, relative where it exceeds one."""
        a, b = self.committed.metrics["test"], self.ours.metrics["test"]
        return {k: abs(a[k] - b[k]) / (max(1.0, a[k]) if k == "kl" else 1.0) for k in TOLERANCE}

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
        )

    @property
    def agrees(self) -> bool:
        """Identical in the same setting, else within `TOLERANCE`."""
        if self.same_setting:
            return self.identical
        return all(self.differences[k] <= TOLERANCE[k] for k in TOLERANCE)


def audit(n: int = 3, seed: int = 0, device: str | None = None) -> list[Comparison]:
    """Retrain `n` committed records, drawn by `seed`, in a folder of their own.

    Raises
    ------
    RecordError
        If no record is committed.
    """
    paths = sorted(records.published_folder().glob("*.json"))
    if not paths:
        raise RecordError(f"no records in {records.published_folder()}")
    drawn = generator(seed, 6).permutation(len(paths))[:n]
    return [_again(records.read(paths[i]), device) for i in drawn]


def _again(record: Record, device: str | None) -> Comparison:
    before = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as scratch:
        torch.set_num_threads(int(record.environment["threads"]))
        try:
            ours = runs.train_in(
                Path(scratch), record.config, device, precision=record.environment["precision"]
            )
        finally:
            torch.set_num_threads(before)
    return Comparison(record, ours)


def report(comparisons: list[Comparison]) -> bool:
    """Print the tolerance and one line per comparison; returns whether all agree."""
    print(f"identical in the same setting; elsewhere within {TOLERANCE}")
    for c in comparisons:
        how = "identical" if c.identical else f"differences {c.differences}"
        setting = "same setting" if c.same_setting else "other setting"
        print(f"{c.committed.id} {'ok  ' if c.agrees else 'FAIL'} {setting}: {how}")
    return all(c.agrees for c in comparisons)
