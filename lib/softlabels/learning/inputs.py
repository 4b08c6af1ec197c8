"""From a configuration to what the training loop needs: images, targets and a split."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softlabels import datasets
from softlabels.datasets import Dataset
from softlabels.errors import ConfigError, DataError
from softlabels.labels import votes
from softlabels.learning.config import FRACTIONS, RunConfig, generator

if TYPE_CHECKING:  # what is drawn from records needs rows and labels, and no PyTorch
    from torch import Tensor

CONTROLS = ("truth", "smoothed", "class-mean", "permuted")  # labels that need the dataset's own


@dataclass(frozen=True)
class Task:
    """A dataset seen through one configuration."""

    dataset: Dataset
    # uint8 [N, H, W, C], a view of the memory map if the dataset is large; or vectors, float32 [N, D].
    images: "Tensor"
    targets: "Tensor"  # float32 [N, K], what this arm learns from
    soft: np.ndarray  # float32 [N, K], the people's distribution, which every arm is tested against
    rows: dict[str, np.ndarray]  # int64, image indices of "train", "validation" and "test"
    # Of each channel of the training images, [3] in [0, 1] intensities; of each feature of vectors, [D].
    mean: "Tensor"
    std: "Tensor"
    n_ties: int  # training images whose majority was a draw (hard labels only)


def split(n: int, seed: int) -> dict[str, np.ndarray]:
    """Random 60/20/20 split of `n` images (BHL, section 2); index arrays, sorted."""
    order = generator(seed, "split").permutation(n)
    ends = np.round(np.cumsum(list(FRACTIONS.values())) * n).astype(int)
    parts = np.split(order, ends[:-1])
    return {name: np.sort(part) for name, part in zip(FRACTIONS, parts, strict=True)}


def fold_split(n: int, n_folds: int, fold: int, seed: int) -> dict[str, np.ndarray]:
    """Test on one of `n_folds` fixed random parts of `n` images; index arrays, sorted.

    The parts are the same for every seed, so that all folds together test each image once. A part as
    large as a fold is drawn from the rest by the seed, for validation: no choice looks at the test fold.
    """
    parts = np.array_split(generator(n_folds, "folds").permutation(n), n_folds)
    test = parts.pop(fold)
    rest = generator(seed, "validation", fold).permutation(np.concatenate(parts))
    cut = min(len(test), len(rest) // 2)
    found = {"train": rest[cut:], "validation": rest[:cut], "test": test}
    return {name: np.sort(part) for name, part in found.items()}


def rows(data: Dataset, config: RunConfig) -> dict[str, np.ndarray]:
    """Image indices of "train", "validation" and "test", as `config.split` says.

    Raises `ConfigError` if an official split is asked for that the dataset does not have.
    """
    if config.split == "random":
        return split(len(data), config.seed)
    if config.split == "folds":
        return fold_split(len(data), config.n_folds, config.fold, config.seed)
    absent = [name for name in FRACTIONS if name not in data.splits]
    if absent:
        raise ConfigError(f"{config.dataset} has no official {' or '.join(absent)} part; use split='random'")
    return {name: data.splits[name] for name in FRACTIONS}


def fewer(parts: dict[str, np.ndarray], config: RunConfig) -> dict[str, np.ndarray]:
    """Keep `config.train_images` random images of the training part; 0: all."""
    if not config.train_images:
        return parts
    kept = generator(config.seed, "train images").permutation(parts["train"])[: config.train_images]
    return parts | {"train": np.sort(kept)}


def training_targets(
    counts: np.ndarray,
    config: RunConfig,
    truth: np.ndarray | None = None,
    parts: dict[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Targets of an arm, float32 [N, K], and a mask of the images whose majority vote was a draw.

    ``config.label`` is one of

    - hard: majority vote; sampled: one annotation of each image; soft: their distribution, at
      ``config.temperature``;
    - truth: the dataset's own label; smoothed: the same under the label smoothing whose entropy is the mean
      entropy of the training part's distributions;
    - class-mean: the mean distribution of the image's class over the training part; permuted: the
      distributions shuffled within each class, training and validation part each for itself;
    - distilled: the soft distributions until `runs.get` replaces them by a teacher's probabilities.

    The kinds of the second and third line need the dataset's own labels, int [N], and the rows of "train" and
    "validation", so that no control sees the test part; without them, `ConfigError`.
    """
    if config.annotations:
        counts = votes.subsample(counts, config.annotations, generator(config.seed, "annotations"))
    drawn = (counts == counts.max(1, keepdims=True)).sum(1) > 1
    rng, k = generator(config.seed, "labels"), counts.shape[1]
    if config.label == "hard":
        target = votes.one_hot(votes.hard_labels(counts, rng)[0], k)
    elif config.label == "sampled":
        target = votes.one_hot(votes.sampled_labels(counts, rng), k)
    else:
        target = votes.at_temperature(votes.soft_labels(counts), config.temperature)
    if config.label in CONTROLS:
        if truth is None or parts is None:
            raise ConfigError(f"label '{config.label}' needs a dataset with labels of its own")
        target = _control(target, config.label, truth, parts, rng)
    return votes.smoothed(target, config.smoothing), drawn


def _control(
    soft: np.ndarray, label: str, truth: np.ndarray, parts: dict[str, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    train, k = parts["train"], soft.shape[1]
    if label == "class-mean":
        return votes.class_means(soft, truth, train)
    if label == "permuted":
        return votes.permuted(votes.permuted(soft, truth, train, rng), truth, parts["validation"], rng)
    epsilon = 0.0
    if label == "smoothed":
        epsilon = votes.smoothing_of_entropy(float(votes.entropy(soft[train]).mean()), k)
    return votes.smoothed(votes.one_hot(truth, k), epsilon)


def load(config: RunConfig) -> Dataset:
    """Load the dataset of a run, cut to its limit."""
    options, known = {"image_size": config.image_size}, datasets.options_of(config.dataset)
    if "n_images" in known:  # generated: the first n images of a larger set are the set of n
        options |= {"seed": config.data_seed} | ({"n_images": config.limit} if config.limit else {})
    if config.split == "official" and "slice" in known:
        options["slice"] = config.fold + 1
    return datasets.load(config.dataset, **options).first(config.limit)


def statistics(images: np.ndarray, rows: np.ndarray) -> "tuple[Tensor, Tensor]":
    """Mean and standard deviation of each channel (in [0, 1] intensities), or of each feature of vectors."""
    import torch

    if images.ndim == 2:
        std = images[rows].std(0, dtype=np.float64)
        std[std < 1e-8] = 1  # a feature that never changes stays as it is
        mean = images[rows].mean(0, dtype=np.float64)
        return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)
    # Counting each of the 256 levels is exact, and several times faster than adding up floats.
    counts = np.zeros((images.shape[-1], 256))
    # Bounded memory, whatever the size of the dataset and of its images: 512 at 64 px, fewer where larger.
    block = max(1, min(512, (512 * 64 * 64 * 3) // max(1, images[:1].nbytes)))
    for part in np.array_split(rows, max(1, len(rows) // block)):
        channels = images[part].reshape(-1, images.shape[-1]).T
        counts += [np.bincount(values, minlength=256) for values in channels]
    level, n = np.arange(256, dtype=np.float32) / 255, counts[0].sum()
    mean = counts @ level.astype(np.float64) / n
    std = np.sqrt(np.maximum(counts @ np.square(level).astype(np.float64) / n - mean**2, 1e-8))
    mean, std = (np.broadcast_to(values, 3) for values in (mean, std))  # grey: the same three times
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


def prepare(config: RunConfig) -> Task:
    """Load the dataset of a run, split it and make its targets.

    Raises `ConfigError` if the split leaves a part without images, or vectors are to be augmented or to start
    from images, and `DataError` if the images are not of the size that was asked for.
    """
    import torch

    data = load(config)
    vectors = data.images.ndim == 2
    if not vectors and data.images.shape[1:3] != (config.image_size, config.image_size):
        height, width = data.images.shape[1:3]
        raise DataError(f"{config.dataset}: images of {height} × {width} pixels, not {config.image_size}")
    if vectors and config.augmentation != "none":
        raise ConfigError(
            f"{config.dataset} holds vectors, which cannot be augmented; use augmentation='none', "
            f"not '{config.augmentation}'"
        )
    if vectors and config.start != "scratch":
        raise ConfigError(f"{config.dataset} holds vectors; use start='scratch', not '{config.start}'")
    parts = fewer(rows(data, config), config)
    for name, part in parts.items():
        if len(part) < 2:
            raise ConfigError(
                f"{config.dataset}: {len(data)} images leave {len(part)} for {name}; raise limit"
            )
    target, drawn = training_targets(data.counts, config, data.truth, parts)
    mean, std = statistics(data.images, parts["train"])
    images = torch.from_numpy(np.asarray(data.images))
    if not vectors:  # Networks take three channels; grey is seen three times and stored once.
        images = images.expand(-1, -1, -1, 3)
    n_ties = int(drawn[parts["train"]].sum()) if config.label == "hard" else 0
    soft = votes.soft_labels(data.counts)
    return Task(data, images, torch.from_numpy(target), soft, parts, mean, std, n_ties)
