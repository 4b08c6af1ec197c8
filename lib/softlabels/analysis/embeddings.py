"""t-SNE maps of features (BHL, figures 1 and 2), and how regular the features are.

BHL (section 3) judge by eye that soft labels make the feature space more regular than hard labels do. The
measures here can disagree with the eye. They compare features, or a map, with the known hue and shape. Maps
are drawn from a store because each one takes minutes.

``python -m softlabels.analysis.embeddings`` makes the committed ones.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis import names
from softlabels.analysis.formatting import interval, number
from softlabels.analysis.table import ARMS, complete, difference, gather, summary
from softlabels.datasets import synthetic
from softlabels.datasets.base import checksum
from softlabels.errors import DataUnavailable, told
from softlabels.labels.votes import entropy
from softlabels.runs import grids, records
from softlabels.store import Shelf, pack, read, unpack, write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from softlabels.runs import Record

NEIGHBOURS = 30  # as many as the perplexity of the maps
PAIRS = 200_000


def coordinates(hue: np.ndarray, shape_weight: np.ndarray) -> np.ndarray:
    """Place images in the space that generated them, float64 ``[N, 3]``.

    Hue in [0, 1) runs around a circle of radius one. The shape, 0 for a circle and 1 for an ellipse, is
    scaled by √3: a pure circle is as far from the ellipse of its colour as from the circle of the next one.
    """
    angle = 2 * np.pi * np.asarray(hue, np.float64)
    return np.stack([np.cos(angle), np.sin(angle), np.sqrt(3) * np.asarray(shape_weight)], axis=1).round(9)


def trustworthiness(known: np.ndarray, mapped: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Measure how far the k neighbours in `mapped` are neighbours in `known` too (Venna and Kaski 2001).

    1 is perfect, about .5 is chance. Pure images share their coordinates [N, C], so many distances tie: the
    rank of a neighbour is one more than the number of images strictly nearer, and ties cost nothing. k is
    less than half of N.
    """
    from scipy.spatial.distance import cdist

    n = len(known)
    if not 0 < k < n / 2:
        raise ValueError(f"k must lie between 1 and {(n - 1) // 2} for {n} images; found {k}")
    # [N, N]; 72 MB for 3,000 images
    right, found = (cdist(x, x) for x in (np.asarray(known, np.float64), np.asarray(mapped, np.float64)))
    np.fill_diagonal(found, np.inf)
    np.fill_diagonal(right, np.inf)
    nearest = np.argpartition(found, k, axis=1)[:, :k]  # [N, k]
    ordered = np.sort(right, axis=1)
    ranks = np.stack([np.searchsorted(o, r[j]) for o, r, j in zip(ordered, right, nearest, strict=True)]) + 1
    penalty = np.maximum(ranks - k, 0).sum()
    return float(1 - penalty * 2 / (n * k * (2 * n - 3 * k - 1)))


def distance_correlation(known: np.ndarray, features: np.ndarray, seed: int = 0, pairs: int = PAIRS) -> float:
    """Spearman correlation of distances in feature space with distances in `known`, over random pairs."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, len(known), (2, pairs))
    a, b = a[a != b], b[a != b]
    known, features = np.asarray(known, np.float64), np.asarray(features, np.float32)
    lengths = [np.linalg.norm(x[a] - x[b], axis=1) for x in (known, features)]
    return float(spearmanr(*lengths).statistic)


def neighbour_r2(features: np.ndarray, target: np.ndarray, k: int = 15, seed: int = 0) -> float:
    """R² of predicting `target` (``[N]`` or ``[N, C]``) from the k nearest neighbours, in five folds."""
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.neighbors import KNeighborsRegressor

    target = np.asarray(target, np.float64).reshape(len(features), -1)
    folds = KFold(5, shuffle=True, random_state=seed)
    model = KNeighborsRegressor(k)
    guess = cross_val_predict(model, np.asarray(features, np.float32), target, cv=folds)
    guess = guess.reshape(target.shape)
    return float(1 - ((target - guess) ** 2).sum() / ((target - target.mean(0)) ** 2).sum())


def measure(
    features: np.ndarray, embedding: np.ndarray, known: dict[str, np.ndarray], seed: int = 0
) -> dict[str, float]:
    """Compute all measures of structure of one run; in each, more is more regular.

    They are the trustworthiness of the features [N, D] and of their map [N, 2], the correlation of distances,
    and how well what is `known` (as in `Embedding`) can be read off the neighbours. Where nobody knows what
    generated the images, they are taken against the labels, in the coordinates √q, in which the Euclidean
    distance is Hellinger's. These carry the noise of finite panels, which lowers every measure of either arm;
    and they are what the soft arm learns from, so what they can show is less than generator coordinates show.
    """
    if "q" in known:
        q = np.asarray(known["q"], np.float64) / np.asarray(known["q"], np.float64).sum(1, keepdims=True)
        space = np.sqrt(q)
        parts = {"label": space, "entropy": entropy(q)}
    else:
        space = coordinates(known["hue"], known["shape_weight"])
        parts = {"hue": space[:, :2], "shape": space[:, 2]}
    k = min(NEIGHBOURS, max(1, (len(space) - 1) // 3))
    return {
        "trustworthiness_features": trustworthiness(space, features, k),
        "trustworthiness_map": trustworthiness(space, embedding, k),
        "distance_correlation": distance_correlation(space, features, seed),
        **{f"{name}_r2": neighbour_r2(features, part, seed=seed) for name, part in parts.items()},
    }


SHELF = Shelf("embeddings")
MEASURES = {
    "trustworthiness_features": "trustworthiness of the features",
    "trustworthiness_map": "trustworthiness of the map",
    "distance_correlation": "distance correlation",
    "hue_r2": "R² of hue",
    "shape_r2": "R² of shape",
    "label_r2": "R² of the label distribution",
    "entropy_r2": "R² of its entropy",
}
_COMMON = ("trustworthiness_features", "trustworthiness_map", "distance_correlation")
KNOWN = ("hue", "shape_weight", "q")  # coordinates of the images, or their soft labels


@dataclass(frozen=True)
class Settings:
    """Settings of a map; the defaults are BHL's (section 2), the rest is openTSNE's.

    "exact" is also what is faster up to some ten thousand images. Approximate are neighbours by "annoy", and
    openTSNE's gradients "bh" (Barnes-Hut), "fft" (on a grid) and "auto", its choice of the two.
    """

    perplexity: float = 30.0
    n_iter: int = 5000  # in all, those with early exaggeration included
    early: int = 250  # with early exaggeration
    seed: int = 0
    n_jobs: int = 2  # threads: openTSNE's own gradients repeat bit by bit only at the same number
    neighbors: str = "exact"
    gradient: str = "exact"

    @property
    def id(self) -> str:
        """Eight hex digits of the canonical JSON of the settings."""
        named = asdict(self)
        if self.gradient == "auto":
            del named["gradient"]  # the only one there was, when the first maps were named
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:8]


BHL = Settings()
SMOKE = Settings(perplexity=5, n_iter=50, early=25, n_jobs=1)


@dataclass(frozen=True)
class Embedding:
    """A map of one run's test images and the measures of structure that were taken with it."""

    ids: np.ndarray  # int64 [N]
    points: np.ndarray  # float32 [N, 2]
    # Float32, of the images: "hue" and "shape_weight" [N], which generated them; else "q" [N, K], soft
    # labels.
    known: dict[str, np.ndarray]
    measures: dict[str, float]  # as `measure` gives them


def tsne(features: np.ndarray, settings: Settings = BHL) -> np.ndarray:
    """Map features ``[N, D]`` to float32 ``[N, 2]`` with t-SNE, started from their principal components.

    Of fewer points than three times the perplexity and one more, this is lowered as far as they allow.
    """
    from openTSNE import TSNE

    from softlabels.analysis.tsne import exact_gradient

    early = min(settings.early, settings.n_iter)
    model = TSNE(
        perplexity=min(settings.perplexity, (len(features) - 1) / 3),
        early_exaggeration_iter=early,
        n_iter=settings.n_iter - early,
        initialization="pca",
        neighbors=settings.neighbors,
        negative_gradient_method=exact_gradient if settings.gradient == "exact" else settings.gradient,
        random_state=settings.seed,
        n_jobs=settings.n_jobs,
    )
    return np.asarray(model.fit(np.asarray(features, np.float64)), np.float32)


def get(record: "Record", settings: Settings = BHL, fresh: bool = False) -> Embedding:
    """Return the map of a run: from the results, else from the cache, else computed (half a minute).

    Raises `DataUnavailable` if no map is stored and the record holds no features.
    """
    if not fresh and (found := find(record, settings)):
        return found
    found = _compute(record, settings)
    _write(found, SHELF.cached / _name(record, settings))
    return found


def find(record: "Record", settings: Settings = BHL, committed_only: bool = False) -> Embedding | None:
    """Return the stored map of a run, or None; where no other is, one with an approximate gradient does."""
    approximate = replace(settings, gradient="auto")
    return _stored(record, settings, committed_only) or _stored(record, approximate, committed_only)


def _stored(record: "Record", settings: Settings, committed_only: bool = False) -> Embedding | None:
    path = SHELF.find(_name(record, settings), committed_only)
    return read(path, _parsed, "a stored map", "delete it to compute it again") if path else None


def publish(record: "Record", settings: Settings = BHL, fresh: bool = False) -> Path:
    """Compute the map where needed and keep it with the committed results; returns the file."""
    path = SHELF.committed / _name(record, settings)
    found = None if fresh else _stored(record, settings)
    _write(found or _compute(record, settings), path)
    return path


def gather_with_maps(
    grids: Sequence[str],
    profile: str,
    seeds: Sequence[int],
    train: bool = False,
    device: str | None = None,
    fresh: bool = False,
    committed_only: bool = False,
    compute: bool | None = None,
) -> "pd.DataFrame":
    """As `table.gather`, with the maps of runs and their measures.

    The maps are in the column "embedding" (None where there is none), each of `MEASURES` in a column
    "structure.NAME" (nan where it was not taken). What is not stored is computed if `compute`, by default if
    `train`, where the features are at hand.
    """
    import pandas as pd

    runs = gather(grids, profile, seeds, train, device, fresh, committed_only)
    make = (train if compute is None else compute) and not committed_only
    style, found = settings_of(runs.profile.iloc[0]), []
    for record in runs.record:
        try:
            one = record and (get(record, style) if make else find(record, style, committed_only))
        except DataUnavailable:
            one = None
        found.append(one)
    taken = [{f"structure.{m}": one.measures.get(m) if one else None for m in MEASURES} for one in found]
    columns = pd.DataFrame(taken, index=runs.index, columns=[f"structure.{m}" for m in MEASURES], dtype=float)
    maps = pd.Series(found, runs.index, object)
    return runs.assign(embedding=maps).join(columns)


def pair(runs: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of both arms, hard first, for the first seed that has both maps; empty where there is none."""
    both = complete(runs[runs.embedding.notna()])
    return both[both.seed == both.seed.min()]


def measured(runs: "pd.DataFrame") -> dict[str, str]:
    """Names and titles of the measures that all maps have; without maps, those that every dataset has."""
    known = runs[runs.embedding.notna()]
    if known.empty:
        return {name: MEASURES[name] for name in _COMMON}
    return {name: title for name, title in MEASURES.items() if known[f"structure.{name}"].notna().all()}


def structure_table(runs: "pd.DataFrame") -> "pd.DataFrame":
    """Mean of each measure of structure for both arms and the difference with its interval."""
    import pandas as pd

    rows = []
    for name, title in measured(runs).items():
        column, row = f"structure.{name}", {"measure": title}
        row |= {names.arm(a): number(summary(runs[runs.arm == a], column)[0], 3) for a in ARMS}
        rows.append(row | {names.less("soft", "hard"): interval(difference(runs, column), 3)})
    return pd.DataFrame(rows)


def settings_of(profile: str) -> Settings:
    """Settings of a profile: BHL's, but for "smoke"."""
    return SMOKE if profile == "smoke" else BHL


def factors(record: "Record") -> tuple[np.ndarray, np.ndarray]:
    """Return hue and shape weight of a run's test images, drawn again from the generator's seed."""
    if record.config.dataset != "synthetic":
        raise DataUnavailable(f"run {record.id}: {record.config.dataset} has no generator coordinates")
    ids = record.arrays()["ids"]
    scene = synthetic.scenes(record.config.data_seed, int(ids.max()) + 1)[ids]
    return scene.hue.astype(np.float32), scene.shape_weight.astype(np.float32)


def _compute(record: "Record", settings: Settings) -> Embedding:
    arrays = record.arrays()
    if "features" not in arrays:
        raise DataUnavailable(
            f"run {record.id}: neither a stored map nor features to compute one from; train it again with "
            "runs.get(record.config, fresh=True), which keeps the features in the cache"
        )
    features = arrays["features"]
    points = tsne(features, settings)
    if record.config.dataset == "synthetic":
        known = dict(zip(("hue", "shape_weight"), factors(record), strict=True))
    else:
        known = {"q": arrays["targets"].astype(np.float32)}
    measures = measure(features, points, known, settings.seed)
    return Embedding(arrays["ids"], points, known, measures)


def _name(record: "Record", settings: Settings) -> str:
    # The predictions' digest is part of the name: a run trained again has other features, so another map.
    trained = checksum(record.arrays()["log_probs"])[:8]
    return f"{record.id}-{trained}-{settings.id}.npz"


def _write(embedding: Embedding, path: Path) -> None:
    names, values = (np.array(part) for part in zip(*embedding.measures.items(), strict=True))
    arrays = {"ids": embedding.ids, "points": embedding.points, **embedding.known}
    write_atomically(path, pack(**arrays, names=names, values=values))


def _parsed(content: bytes) -> Embedding:
    arrays = unpack(content)
    measures = dict(zip(arrays["names"].tolist(), arrays["values"].tolist(), strict=True))
    known = {name: values for name, values in arrays.items() if name in KNOWN}
    return Embedding(arrays["ids"], arrays["points"], known, measures)


@told(2)
def main(arguments: list[str] | None = None) -> None:
    """Make the committed maps of a figure from the features at hand; prints their files."""
    parser = argparse.ArgumentParser(
        prog="python -m softlabels.analysis.embeddings", description=main.__doc__
    )
    parser.add_argument("--chapter", default="figure1", choices=("figure1", "figure2"))
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(grids.SEEDS))
    options = parser.parse_args(arguments)
    for cell in grids.grid(options.chapter, options.profile, options.seeds):
        if record := records.find(cell.config):
            print(publish(record, settings_of(options.profile)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
