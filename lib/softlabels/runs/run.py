"""A run is the unit of work: `get` returns its record, training it only if nobody has yet."""

import hashlib
import importlib.metadata
import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from softlabels import paths
from softlabels.errors import DataUnavailable, RecordError
from softlabels.labels import metrics, votes
from softlabels.learning import starts, training
from softlabels.learning.annotators import training as learning
from softlabels.learning.config import LABELS, RunConfig
from softlabels.learning.hardware import Hardware, hardware
from softlabels.learning.inputs import Task, prepare
from softlabels.learning.training import Progress, snapshot
from softlabels.runs import grids, records
from softlabels.runs.records import Record, find
from softlabels.store import pack, set_aside, write_atomically

__all__ = ["Record", "RunConfig", "find", "get", "get_all", "restored"]

_VERSIONS = ("softlabels", "torch", "timm", "numpy")


def get(config: RunConfig, device: str | None = None, fresh: bool = False) -> Record:
    """Return the record of a run: committed, else cached, else trained now.

    Parameters
    ----------
    device : str, optional
        "cpu", "cuda" …; by default the GPU if there is one. It is no part of the run's identity.
    fresh : bool
        Train again, even if there is a record; committed records are never overwritten.

    Notes
    -----
    A second process that asks for the same run waits for the first and reads its record. A damaged record
    of the cache is set aside with a warning and trained again; a damaged committed one is an error.
    """
    if not fresh and (record := _sound(config)):
        return record
    with _lock(config):
        if not fresh and (record := _sound(config, aside=True)):
            return record
        return train_in(records.SHELF.cached, config, device, fresh)


def _sound(config: RunConfig, aside: bool = False) -> Record | None:
    """Return the record of a run, or None where it has to be made: a damaged one of the cache does not count.

    If `aside`, the files of such a one are set aside, so that another can be written. A damaged committed
    record raises `RecordError`: git has the whole one.
    """
    try:
        record = records.find(config)
        if record and record.folder == records.SHELF.cached:
            record.check_files()
        return record
    except RecordError as error:
        if records.SHELF.find(f"{config.id}.json", committed_only=True):
            raise
        if aside:
            files = [records.SHELF.cached / f"{config.id}{suffix}" for suffix in records.SUFFIXES]
            set_aside([path for path in files if path.exists()], str(error))
        return None


def _filled(model: nn.Module, path: Path) -> bool:
    """Load weights into a network; False where there is no file, or none that fits: that is set aside."""
    if not path.exists():
        return False
    try:
        model.load_state_dict(load_file(path))
        return True
    except (SafetensorError, RuntimeError, OSError) as error:
        set_aside([path], f"{path}: not the weights of this run ({error})")
        return False


def get_all(
    configs: Iterable[RunConfig], train: bool = False, device: str | None = None
) -> dict[str, Record]:
    """Return the records of several runs by id; those that are missing are trained only if `train`.

    Runs whose data cannot be had here are left out.
    """
    found: dict[str, Record] = {}
    for config in configs:
        try:
            record = get(config, device) if train else find(config)
        except DataUnavailable:
            continue
        if record:
            found[record.id] = record
    return found


def _lock(config: RunConfig) -> FileLock:
    folder = records.SHELF.cached
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{config.id}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"run {config.id} is being trained by another process; waiting for it", flush=True)
    return lock


def train_in(
    folder: Path,
    config: RunConfig,
    device: str | None = None,
    fresh: bool = True,
    precision: str | None = None,
) -> Record:
    """Train a run, test it once, and leave record, arrays, features and weights in `folder`."""
    hw = hardware(device, precision or _precision_of_pair(config, device))
    unfinished = folder / f"{config.id}.checkpoint"
    for left in folder.glob(f".{config.id}.*.partial"):  # by a process that was killed while it wrote
        left.unlink()
    if fresh:
        unfinished.unlink(missing_ok=True)
    if config.method:
        return _train_method(folder, config, device)
    _have_base(config, device)
    task = prepare(config)
    if config.label == "distilled":
        task = _distilled(config, task, hw)
    model, done = training.train(config, task, hw, unfinished)
    start = time.perf_counter()
    log_p, features = training.predict(model, task, task.rows["test"], hw)  # the test part's only use
    arrays = _arrays(task, log_p)
    kept = pack(features=features.astype(np.float16))
    seconds = sum(row["seconds"] for row in done.history) + time.perf_counter() - start
    rows, truth = task.rows["test"], task.dataset.truth
    found = {"test": metrics.evaluate(log_p, task.soft[rows])}
    if truth is not None:
        found["truth"] = metrics.evaluate(log_p, votes.one_hot(truth[rows], task.soft.shape[1]))
    record = _record(config, task, hw, done, found, seconds, {"arrays": arrays, "features": kept}, folder)
    write_atomically(folder / f"{config.id}.safetensors", save(snapshot(model)))
    records.write(record, arrays, kept)
    unfinished.unlink(missing_ok=True)
    return record


def _have_base(config: RunConfig, device: str | None) -> None:
    """Train the network that a run starts from, where it is neither committed nor here; once for all runs."""
    if config.start in ("scratch", "imagenet") or starts.here(config.start):
        return
    if (base := grids.base_of(config)) is None:
        starts.packed(config.start)  # which says what to do
        return
    with _lock(base):
        if not starts.here(base.id):
            train_in(records.SHELF.cached, base, device, fresh=False)


def _precision_of_pair(config: RunConfig, device: str | None) -> str | None:
    """Precision of the records that this run will be compared with, so that no pair mixes two; else None.

    Compared are runs that differ in nothing but what they learn from: label, annotations, softening.
    """
    kind = hardware(device, "fp32").device.type
    plain = {"annotations": 0, "smoothing": 0.0, "temperature": 1.0, "mixup": 0.0}
    for changes in ({}, plain):
        for label in LABELS:
            found = find(config.replace(label=label, **changes))
            if found and found.id != config.id and (found.environment["device"] == "cpu") == (kind == "cpu"):
                return found.environment["precision"]
    return None


def restored(config: RunConfig, task: Task, hw: Hardware) -> nn.Module:
    """Return the network of a run with its trained weights, ready to predict.

    The weights are those of the local cache; where they are not there, the run is trained (again). A file
    that holds no weights of this run is set aside with a warning.
    """
    path = records.SHELF.cached / f"{config.id}.safetensors"
    _have_base(config, str(hw.device))
    model, _ = training.build(config, task, hw)
    if not _filled(model, path):
        with _lock(config):
            if not _filled(model, path):
                train_in(records.SHELF.cached, config, str(hw.device), fresh=False)
        model.load_state_dict(load_file(path))
    return model.eval()


def _distilled(config: RunConfig, task: Task, hw: Hardware) -> Task:
    """Targets become the probabilities of a teacher: the same run on the dataset's own hard labels.

    The teacher has seen its training images, as in born-again networks (Furlanello et al. 2018); the
    validation part it has not. It reads no annotation, so its doubt owes nothing to people.
    """
    teacher = restored(config.replace(label="truth"), task, hw)
    targets = task.targets.clone()
    for part in ("train", "validation"):
        rows = task.rows[part]
        log_p, _ = training.predict(teacher, task, rows, hw)
        targets[rows] = torch.from_numpy(log_p).exp()
    return replace(task, targets=targets)


def _train_method(folder: Path, config: RunConfig, device: str | None) -> Record:
    """Train one of `config.METHODS`; such runs take seconds to minutes and keep no checkpoint."""
    result = learning.train(config, device)
    rows = result.kept
    arrays = pack(
        ids=result.task.dataset.ids[rows].astype(np.int64),
        log_probs=result.log_p.astype(np.float16),
        targets=result.task.soft[rows].astype(np.float16),
        **result.arrays,
    )
    kept = pack(features=result.features.astype(np.float16))
    files = {"arrays": arrays, "features": kept}
    seconds = sum(row["seconds"] for row in result.progress.history)
    record = _record(config, result.task, result.hw, result.progress, result.metrics, seconds, files, folder)
    record.labels.update(result.labels)
    write_atomically(folder / f"{config.id}.safetensors", save(result.progress.best))
    records.write(record, arrays, kept)
    return record


def _arrays(task: Task, log_p: np.ndarray) -> bytes:
    rows = task.rows["test"]
    truth = {} if task.dataset.truth is None else {"truth": task.dataset.truth[rows].astype(np.int64)}
    return pack(
        **truth,
        ids=task.dataset.ids[rows].astype(np.int64),
        log_probs=log_p.astype(np.float16),
        targets=task.soft[rows].astype(np.float16),
    )


def _record(
    config: RunConfig,
    task: Task,
    hw: Hardware,
    done: Progress,
    found: dict[str, dict[str, float]],
    seconds: float,
    files: dict[str, bytes],
    folder: Path,
) -> Record:
    best = done.history[done.best_epoch - 1]
    validation = {name: best[key] for key in best if (name := key.removeprefix("validation_")) != key}
    source = task.dataset.source
    return Record(
        config=config,
        metrics=found | {"validation": validation},
        history=done.history,
        best_epoch=done.best_epoch,
        labels={"ties": task.n_ties},
        data={
            "name": task.dataset.name,
            "variant": source.variant,
            "sha256": source.sha256,
            **{f"n_{part}": len(rows) for part, rows in task.rows.items()},
            **starts.source(config.start, config.network),
        },
        environment=environment(hw),
        seconds=round(seconds, 3),
        checksums={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        folder=folder,
    )


def environment(hw: Hardware) -> dict[str, Any]:
    """Where and with what something was made: device, machine, versions, commit."""
    versions = {}
    for name in _VERSIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a source tree that is not installed
            versions[name] = "unknown"
    return {**hw.describe(), "versions": versions, "commit": _commit()}


def _commit() -> str:
    """Commit the code stands at, with "+" if tracked files differ from it; "unknown" outside git.

    ``SOFTLABELS_COMMIT`` says it for a copy of the files that has no git, or another one's.
    """
    if stated := os.environ.get("SOFTLABELS_COMMIT"):
        return stated
    git = ["git", "-C", str(paths.PROJECT)]
    try:
        head = subprocess.check_output([*git, "rev-parse", "--short=10", "HEAD"], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "lib"], capture_output=True).returncode
    return head.decode().strip() + ("+" if changed else "")
