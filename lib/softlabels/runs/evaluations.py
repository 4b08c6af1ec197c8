"""Evaluations that need the network again: one small record for each run and suite, written once.

The weights are those of the local cache; a run whose weights are not there is trained again. Records lie
beside those of the runs: ``results/evaluations`` (committed) and ``evaluations`` in the cache.
"""

import json
import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from softlabels import runs, store
from softlabels.errors import RecordError
from softlabels.learning.config import AttackSuite, Row, RunConfig, Suite, settings_of
from softlabels.runs import records
from softlabels.store import Shelf, pack, read_arrays, write

SCHEMA = 1
SHELF = Shelf("evaluations")


@dataclass(frozen=True)
class Evaluation:
    """What one suite found with the network of one run."""

    run: RunConfig
    suite: str  # its id
    settings: dict[str, Any]  # all of the suite
    rows: list[Row]  # case, level, measure, value: such as ("shot noise", 3.0, "kl", 0.9)
    environment: dict[str, Any]  # as in a run's record
    seconds: float
    checksums: dict[str, str]  # of the "weights" that were used, and of "arrays"
    folder: Path = field(compare=False)

    @property
    def name(self) -> str:
        """Name of its files: the run's id, and the suite's."""
        return f"{self.run.id}.{self.suite}"

    def arrays(self) -> dict[str, np.ndarray]:
        """Pictures and what else goes with the numbers; a damaged file raises `RecordError`."""
        return read_arrays(self.folder / f"{self.name}.npz", self.checksums["arrays"])

    def to_json(self) -> str:
        """Canonical text: one row a line."""
        kept = ("suite", "settings", "environment", "seconds", "checksums")
        head = {"schema": SCHEMA, "run": self.run.to_dict()} | {name: getattr(self, name) for name in kept}
        text = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in self.rows)
        return f'{text},\n "rows": [\n  {rows}\n ]\n}}\n'


def read(path: Path) -> Evaluation:
    """Read an evaluation; `RecordError` if the file is damaged or its name does not follow from it."""

    def parse(content: bytes) -> Evaluation:
        body = json.loads(content)
        if body.pop("schema") != SCHEMA:
            raise RecordError(f"written by another version (schema is not {SCHEMA})")
        body["run"] = RunConfig.from_dict(body["run"])
        body["rows"] = [(str(c), float(x), str(m), float(v)) for c, x, m, v in body["rows"]]
        records.check_digests(body["checksums"], ("weights", "arrays"))
        return Evaluation(folder=path.parent, **body)

    found = store.read(path, parse, "an evaluation", "delete it to make it again")
    if path.name != f"{found.name}.json":
        raise RecordError(f"{path}: named {path.stem}, but its content gives {found.name}")
    return found


def find(config: RunConfig, suite: Suite, committed_only: bool = False) -> Evaluation | None:
    """The evaluation of a run from the committed ones, else from the cache, else None."""
    path = SHELF.find(f"{config.id}.{suite.id}.json", committed_only)
    return read(path) if path else None


def get(config: RunConfig, suite: Suite, device: str | None = None, fresh: bool = False) -> Evaluation:
    """The evaluation of a run, made now if there is none; its network is trained if it has no weights.

    A second process that asks for the same one waits for the first.
    """
    found = None if fresh else find(config, suite)
    if found:
        return found
    SHELF.cached.mkdir(parents=True, exist_ok=True)
    with FileLock(SHELF.cached / f"{config.id}.{suite.id}.lock"):
        return (None if fresh else find(config, suite)) or _make(config, suite, device)


def _make(config: RunConfig, suite: Suite, device: str | None) -> Evaluation:
    from softlabels.learning import robustness
    from softlabels.learning.hardware import hardware
    from softlabels.learning.inputs import prepare

    hw, task = hardware(device), prepare(config)
    model = runs.restored(config, task, hw)
    attacked = isinstance(suite, AttackSuite)
    other = runs.restored(robustness.other_arm(config), task, hw) if attacked else None
    start = time.perf_counter()
    rows, arrays = robustness.measure(robustness.Subject(config, task, model, hw, other), suite)
    packed = pack(**arrays)
    weights = (records.SHELF.cached / f"{config.id}.safetensors").read_bytes()
    found = Evaluation(
        config,
        suite.id,
        settings_of(suite),
        [(case, float(level), name, round(float(value), 6)) for case, level, name, value in rows],
        runs.environment(hw),
        round(time.perf_counter() - start, 3),
        {"weights": sha256(weights).hexdigest(), "arrays": sha256(packed).hexdigest()},
        SHELF.cached,
    )
    _write(found, packed)
    return found


def _write(found: Evaluation, arrays: bytes) -> None:
    write(found.folder, {f"{found.name}.npz": arrays, f"{found.name}.json": found.to_json().encode()})


def publish(found: Evaluation) -> Evaluation:
    """Copy an evaluation into the committed ones; what is there already is never overwritten."""
    if there := SHELF.find(f"{found.name}.json", committed_only=True):
        return read(there)
    moved = replace(found, folder=SHELF.committed)
    _write(moved, (found.folder / f"{found.name}.npz").read_bytes())
    return moved
