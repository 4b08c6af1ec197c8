"""Run records: one small JSON and its arrays per run, written once, checked when read; archives of them."""

import json
import math
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from softlabels import store
from softlabels.errors import RecordError, StorageError
from softlabels.labels import metrics, votes
from softlabels.learning.config import RunConfig
from softlabels.store import Shelf, checked_bytes, read_arrays, write_atomically

SCHEMA = 1
SHELF = Shelf("runs")
GROUPS = 20  # of test images, for the variance over images
SUFFIXES = (".json", ".npz", ".features.npz")  # of the files of a run
FILE = re.compile(r"([0-9a-f]{12})(\.features)?\.(json|npz)")  # name of one
DIGEST = re.compile("[0-9a-f]{64}")
TEXTS = {"data": ("name", "variant", "sha256"), "environment": ("device", "machine", "precision", "commit")}
# Entries of a record's JSON after its configuration.
KEPT = ("metrics", "best_epoch", "labels", "data", "environment", "seconds", "checksums", "history")


def _without_groups(n: int) -> list[np.ndarray]:
    """All of n images but those of each of `GROUPS` groups, drawn once and for all: bool [GROUPS, n]."""
    group = np.random.default_rng(0).permutation(n) % GROUPS
    return [group != g for g in range(GROUPS)]


@dataclass(frozen=True)
class Record:
    """What a run left behind.

    Attributes
    ----------
    config : RunConfig
    metrics : dict
        "test": every measure of `metrics.evaluate`, for the chosen epoch; "truth": the same against the
        dataset's own label, where it has one; "validation": its loss (nats, against the arm's own labels)
        and accuracy, and KL and macro accuracy against the people's labels. The oldest records have
        neither "truth" nor the last two.
    history : list of dict
        One row per epoch: losses (nats), accuracy, seconds of wall time and of the processor (not in the
        oldest records).
    labels : dict
        "ties": training images whose majority was a draw.
    data : dict
        Name, variant, SHA-256 of the decoded content, sizes of the parts.
    environment : dict
        Device, machine, threads, precision, versions, commit.
    seconds : float
        Wall time of training and testing.
    folder : Path
        Where the record was read from; its arrays lie beside it.
    """

    config: RunConfig
    metrics: dict[str, dict[str, float]]
    history: list[dict[str, float]]
    best_epoch: int
    labels: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    seconds: float
    checksums: dict[str, str]
    folder: Path = field(compare=False)

    @property
    def id(self) -> str:
        """Identity of the run."""
        return self.config.id

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds of the training, over all threads; wall seconds where only these were kept."""
        return cpu_seconds(self.history, self.seconds)

    def arrays(self) -> dict[str, np.ndarray]:
        """Per-image results of the test part.

        Returns
        -------
        dict
            "ids" int64 [n], "log_probs" float16 [n, K], "targets" float16 [n, K] (the people's
            distribution), "truth" int64 [n] where the dataset has its own label, and, where they were kept,
            "features" float16 [n, D]. Where these n images are a sample of the test part, "all_predicted"
            and "all_truth" int16 [n_test] are the most probable and the true class of each of its images.

        Raises
        ------
        RecordError
            If a file is damaged or does not belong to the record.
        """
        found = read_arrays(self.folder / f"{self.id}.npz", self.checksums["arrays"])
        features = self.features_file()
        return found | (read_arrays(features, self.checksums["features"]) if features else {})

    def left_out(self, measure: str) -> np.ndarray | None:
        """One measure of the test part without each of `GROUPS` groups of its images in turn.

        Where the record keeps the probabilities of a sample of n images out of N, the spread of all but the
        accuracy is the sample's times √(n / N), so that its jackknife variance is that of the whole part.

        Parameters
        ----------
        measure : str
            "test.NAME" or "truth.NAME", with a measure of `metrics.evaluate`, or "test.accuracy".

        Returns
        -------
        ndarray
            float64 [GROUPS]; None where the record has no such part.
        """
        found, (part, name) = self.arrays(), measure.split(".")
        log_p, targets = found["log_probs"], found["targets"]
        if measure == "test.accuracy":
            predicted, truth = found.get("all_predicted"), found.get("all_truth")
            if predicted is None or truth is None:
                predicted, truth = log_p.argmax(1), targets.argmax(1)
            right = predicted == truth
            values = np.array([right[kept].mean() for kept in _without_groups(len(right))])
            return self._scaled(values, len(right))
        if part == "truth":
            if "truth" not in found:
                return None
            targets = votes.one_hot(found["truth"], log_p.shape[1])
        q = targets.astype(np.float32)
        each = [metrics.evaluate(log_p[k], q[k], only=[name]) for k in _without_groups(len(q))]
        return self._scaled(np.array([one.get(name, np.nan) for one in each]), len(q))

    def _scaled(self, values: np.ndarray, n: int) -> np.ndarray:
        """Values of n images out of the test part, with a spread as if they were of all."""
        return values.mean() + np.sqrt(n / self.data["n_test"]) * (values - values.mean())

    def check_files(self) -> None:
        """Hold the files beside the record to their checksums; `RecordError` names the one that differs."""
        checked_bytes(self.folder / f"{self.id}.npz", self.checksums["arrays"])
        if (features := self.folder / f"{self.id}.features.npz").exists():
            checked_bytes(features, self.checksums["features"])

    def features_file(self) -> Path | None:
        """File of the features: beside the record, else in the cache if this very training left it."""
        beside, cached = (f / f"{self.id}.features.npz" for f in (self.folder, SHELF.cached))
        if beside.exists():
            return beside
        same = cached.exists() and sha256(cached.read_bytes()).hexdigest() == self.checksums["features"]
        return cached if same else None

    def to_json(self) -> str:
        """Canonical text of the record."""
        body = {"schema": SCHEMA, "id": self.id, "config": self.config.to_dict()}
        body |= {name: getattr(self, name) for name in KEPT}
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def cpu_seconds(history: list[dict[str, float]], otherwise: float) -> float:
    """Sum of an epoch's processor seconds; `otherwise` where an epoch does not state them."""
    if all("cpu_seconds" in row for row in history):
        return round(sum(row["cpu_seconds"] for row in history), 3)
    return otherwise


def read(path: Path) -> Record:
    """Read a record from its JSON file.

    Raises `RecordError` if it is damaged, of another version, or its id does not follow from its
    configuration.
    """

    def parse(content: bytes) -> tuple[str, Record]:
        body = json.loads(content)
        if body.pop("schema") != SCHEMA:
            raise RecordError(f"written by another version (schema is not {SCHEMA})")
        stated, config = body.pop("id"), RunConfig.from_dict(body.pop("config"))
        check_form(body)
        return stated, Record(config=config, folder=path.parent, **body)

    remedy = "take it from git again, or delete it to train again"
    stated, record = store.read(path, parse, "a run record", remedy)
    if not path.stem == stated == record.id:
        raise RecordError(
            f"{path}: named {path.stem}, says {stated}, but its configuration gives {record.id}"
        )
    return record


def check_form(body: dict[str, Any]) -> None:
    """Hold the entries of a record (`Record` describes them) to their form.

    Raises KeyError, TypeError or ValueError, which name the first entry that is missing or not of its form.
    """
    metrics, history = _names("metrics", body["metrics"]), body["history"]
    for part in ("test", "validation", *metrics):
        _numbers(f"metrics.{part}", metrics[part])
    if not isinstance(history, list) or not history:
        raise TypeError("history: expected a list of epochs")
    for number, row in enumerate(history, 1):
        _numbers(f"history of epoch {number}", row)
    if type(body["best_epoch"]) is not int or not 1 <= body["best_epoch"] <= len(history):
        raise ValueError(f"best_epoch: expected one of {len(history)}")
    _numbers("the record", {"seconds": body["seconds"]})
    _names("labels", body["labels"])
    for name, keys in TEXTS.items():
        entry = _names(name, body[name])
        for key in keys:
            if not isinstance(entry[key], str):
                raise TypeError(f"{name}.{key}: expected text")
    check_digests(body["checksums"], ("arrays", "features"))


def check_digests(found: Any, names: Iterable[str]) -> None:
    """Raise as `check_form` does unless these checksums are there, each of 64 hexadecimal digits."""
    for name in names:
        if not DIGEST.fullmatch(str(_names("checksums", found)[name])):
            raise ValueError(f"checksums.{name}: expected 64 hexadecimal digits")


def _names(where: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError(f"{where}: expected names with values")
    return found


def _numbers(where: str, found: Any) -> None:
    for name, value in _names(where, found).items():
        limit = 2**63 if type(value) is int else math.inf  # as NumPy takes them
        if type(value) not in (int, float) or not abs(value) < limit:
            raise TypeError(f"{name} of {where}: expected a number")


def write(record: Record, arrays: bytes, features: bytes | None = None) -> None:
    """Write arrays first and the JSON last, so that a JSON never stands without its arrays."""
    kept = {} if features is None else {f"{record.id}.features.npz": features}
    files = {f"{record.id}.npz": arrays, f"{record.id}.json": record.to_json().encode()}
    store.write(record.folder, kept | files)


def find(config: RunConfig, committed_only: bool = False) -> Record | None:
    """Return the record of a run from the committed ones, else from the cache, else None."""
    path = SHELF.find(f"{config.id}.json", committed_only)
    return read(path) if path else None


def publish(record: Record, features: bool = False) -> Record:
    """Copy a record into the committed ones; its features only if asked for (they are large)."""
    target = SHELF.committed
    if record.folder == target:
        return record
    source = record.features_file() if features else None
    moved = replace(record, folder=target)
    for left in target.glob(f".{record.id}.*.partial"):  # by a process that was killed while it wrote
        left.unlink()
    arrays = (record.folder / f"{record.id}.npz").read_bytes()
    write(moved, arrays, source.read_bytes() if source else None)
    return moved


def everything() -> list[Record]:
    """All records at hand, committed ones first, ordered by id within each folder."""
    return [read(path) for path in SHELF.files()]


# Records packed into one archive, to be carried from the machine that trained to the repository.


_LARGEST = 64 << 20  # bytes of one member; a record's arrays are well below
_TOTAL = 8 << 30  # bytes of all
_RATIO = 100  # of text to what it is packed to; arrays are packed already
_SLACK = 1 << 20  # bytes below which that ratio says nothing


def export(path: Path, ids: Collection[str] | None = None, features: bool = False) -> int:
    """Pack records (all at hand, or those of `ids`) into a zip file; returns how many.

    Raises `RecordError` if none of the chosen runs has a record.
    """
    chosen = [r for r in everything() if ids is None or r.id in ids]
    if not chosen:
        raise RecordError("none of the chosen runs has a record here; train them first (softlabels train)")
    part = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(part, "w") as archive:
        for record in chosen:
            files = [record.folder / f"{record.id}{suffix}" for suffix in SUFFIXES[:2]]
            for file in [*files, record.features_file() if features else None]:
                if file:
                    archive.write(file, file.name)
    part.replace(path)
    return len(chosen)


def load(path: Path) -> tuple[int, int]:
    """Check every record of an archive, then add the new ones to the committed records.

    Features that a committed record came without are added to it. Returns how many records were new, and how
    many were here already with the same results. If the archive or a record in it is damaged, or contradicts
    a record that is here, `RecordError` is raised and nothing is added.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _extract(path, Path(scratch))
        found = [read(file) for file in sorted(Path(scratch).glob("*.json"))]
        if not found:
            raise RecordError(f"{path}: no records in it")
        for record in found:
            record.arrays()
        fresh = [record for record in found if not _known(record)]
        for record in found:
            name = f"{record.id}.features.npz"
            brings = (record.folder / name).exists() and not (SHELF.committed / name).exists()
            if record in fresh or brings:
                publish(record, features=brings)
    return len(fresh), len(found) - len(fresh)


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if (total := sum(member.file_size for member in members)) > _TOTAL:
                raise RecordError(f"{path}: it unpacks to {total} bytes, more than {_TOTAL}")
            for member in members:
                packed = _RATIO * member.compress_size
                large = member.file_size > min(_LARGEST, max(_SLACK, packed))
                if large or not FILE.fullmatch(member.filename):
                    raise RecordError(f"{path}: {member.filename!r} is not a file of a record")
                write_atomically(folder / member.filename, archive.read(member))
    except (RecordError, StorageError):
        raise
    except FileNotFoundError:
        raise RecordError(f"{path}: no such file; give what `softlabels records export` wrote") from None
    except Exception as error:  # zipfile raises whatever a damaged file makes it
        raise RecordError(f"{path}: not an archive of records ({error})") from error


def _known(record: Record) -> bool:
    here = SHELF.committed / f"{record.id}.json"
    if not here.exists():
        return False
    if read(here).metrics != record.metrics:
        raise RecordError(
            f"run {record.id}: the archive's metrics differ from those of {here}; "
            "keep one: delete the other and import again"
        )
    return True
