"""annot-mix on somebody's own votes: what a network and the people together make of each thing.

The estimate of a thing comes from a network and matrices that never saw its votes (five folds), put together
with these votes: q(k | x, z) ∝ p(k | x) Π_m A(x, m)_{k, z_m}. Features are the user's own, or those of
EfficientNet-Lite0 as ImageNet trained it.
"""

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from softlabels.datasets import Annotations, Dataset, Source, features, folder
from softlabels.datasets.collection import Collection
from softlabels.errors import DataError
from softlabels.labels import votes
from softlabels.learning.config import RunConfig
from softlabels.owndata import frozen
from softlabels.runs.profiles import CROWD_SETTINGS

FOLDS = 5
PEOPLE = 2  # named annotators below which there is nobody to tell apart
# As on LabelMe, whose images are ready-made features too.
SETTING = {**CROWD_SETTINGS["labelme"], "method": "annot-mix", "split": "folds", "n_folds": FOLDS}
CHUNK = 4096  # judgements whose matrices are held at once


def of_collection(found: Collection, path: Path, given: Path | None) -> Dataset:
    """What was voted on as vectors: of the file `given`, else of the images in the folder `path`.

    A file of votes without images and features, or features that do not fit, raise `DataError`.
    """
    if given is None:
        if not path.is_dir():
            raise DataError(
                f"{path}: annot-mix learns from images or features; name these with --features FILE"
            )
        given = frozen.of_folder(folder.pin(f"{folder.PATH_PREFIX}{path}"), path)
    values = features.read(given, path, found.files)
    source = Source(found.name, "its owner's", found.form, "")
    return Dataset(
        found.name, values, found.counts, found.classes, source, np.arange(len(found)), found.annotations
    )


class OutOfTime(Exception):
    """The next fold would not be over in time."""


def estimate(data: Dataset, device: str | None = None, seed: int = 0, until: float = math.inf) -> np.ndarray:
    """Distribution of the true class of each thing, float64 [N, K]; rows sum to 1.

    The data are vectors with named annotators; counts are not looked at. `OutOfTime` is raised where a fold
    that takes as long as the longest so far would end later than `until`, in seconds of `time.monotonic`;
    `DataError` where there are no vectors, or fewer than `PEOPLE` annotators are named.
    """
    import torch

    from softlabels.learning.annotators import training
    from softlabels.learning.hardware import hardware

    given = data.annotations
    if data.images.ndim != 2:
        raise DataError(f"{data.name}: annot-mix learns from features here; give them with --features")
    if given is None or len(np.unique(given.annotator)) < PEOPLE:
        raise DataError(
            f"{data.name}: annot-mix tells annotators apart, and fewer than {PEOPLE} are named; leave it out"
        )
    n, k = len(data), len(data.classes)
    counts = votes.counts(given.image, given.label, n, k)
    data = replace(data, truth=counts.argmax(1))  # chooses nothing: the last epoch is taken
    hw, found, longest = hardware(device, "fp32"), np.zeros((n, k)), 0.0
    for fold in tqdm(range(FOLDS), "annot-mix", unit="fold", leave=False):
        begin = time.monotonic()
        if begin + longest > until:
            raise OutOfTime
        config = RunConfig.from_dict({**SETTING, "fold": fold, "seed": seed})
        task = training.of_dataset(data, config)
        both = training.fit(config, task, hw)[0].eval()
        rows = task.rows["test"]
        log_p, h = training.predict(both, task, rows, hw)
        found[rows] = log_p.numpy()
        mine = np.flatnonzero(np.isin(given.image, rows))
        place = torch.from_numpy(np.searchsorted(rows, given.image[mine]))
        for part in range(0, len(mine), CHUNK):
            some = mine[part : part + CHUNK]
            log_a = _log_likelihood(both["method"], h[place[part : part + CHUNK]].to(hw.device), given, some)
            np.add.at(found, given.image[some], log_a)
        longest = max(longest, time.monotonic() - begin)
    found = np.exp(found - found.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)


def _log_likelihood(method, h, given: Annotations, some: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Log A(x, m)_{k, z} of some judgements, float64 [n, K (true)]."""
    import torch

    annotator, label = (torch.from_numpy(v[some]).to(h.device) for v in (given.annotator, given.label))
    with torch.inference_mode():
        log_a = method.logits(h, method.embedding(annotator)).log_softmax(1)  # [K (true), K (given), n]
        chosen = log_a.gather(1, label.expand(len(log_a), 1, -1))[:, 0]
    return chosen.T.double().cpu().numpy()
