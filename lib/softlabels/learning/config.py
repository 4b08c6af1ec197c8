"""What gives a run its meaning: its configuration, its random streams, and the settings of an evaluation."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from softlabels.errors import ConfigError, unknown

LABELS = ("hard", "soft", "sampled", "truth", "class-mean", "permuted", "smoothed", "distilled")
SCHEDULES = ("constant", "cosine", "one-cycle", "triangular", "warm-restarts")
AUGMENTATIONS = ("none", "flips-turns", "flips-turns-colour-zoom", "crop-flip", "shift-alternate")
SELECTIONS = ("loss", "last")
SPLITS = ("random", "folds", "official")
WORKERS = ("own", "shuffled")
LONGEST = 200  # characters of a name
START = re.compile("scratch|imagenet|[0-9a-f]{12}")


class Words(NamedTuple):
    """What is said of a method: its name on axes and in tables, what it does, what it models, its source."""

    name: str
    does: str
    models: str
    source: str = ""


OWN = "this book's own"
# Methods that learn from several people, from the JSON file beside this module: the twelve of AM and their
# upper reference, in the order of its table, and one of ours. `learning.annotators.methods` builds them.
_SAID = json.loads(Path(__file__).with_name("methods.json").read_text("utf-8"))
METHODS = {name: Words(*words) for name, words in _SAID.items()}
# As the public code trains three of them: parameters that never reach its optimiser.
PUBLIC = {
    "conal-public": ("conal", ("common", "own")),
    "crowd-ar-public": ("crowd-ar", ("matrix", "skill")),
    "madl-public": ("madl", ("bandwidth",)),
}
FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}  # BHL, section 2


@dataclass(frozen=True)
class RunConfig:
    """Everything that gives a run its meaning; two runs with equal configurations are the same run.

    Neither the device nor the folder the data came from belongs here: the record keeps them.
    """

    dataset: str = "synthetic"  # a name that `datasets.load` takes
    image_size: int = 64  # pixels
    limit: int = 0  # use the first so many images only; 0: all
    data_seed: int = 0  # of a generated dataset
    label: str = "soft"  # hard: majority vote; soft: distribution; … as `inputs.training_targets` says
    annotations: int = 0  # annotations kept per training image; 0: all
    smoothing: float = 0.0  # label smoothing ε
    temperature: float = 1.0  # of the training labels
    network: str = "resnet9"  # one of models.NETWORKS
    start: str = "scratch"  # or imagenet, or the id of a run whose network, all but its last layer, is taken
    dropout: float = 0.0  # before the classifying layer
    epochs: int = 15
    batch_size: int = 128
    lr: float = 0.05  # peak learning rate of SGD
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    balanced: bool = False  # weight classes by inverse frequency
    augmentation: str = "flips-turns"
    select: str = "loss"  # test the epoch with the least validation loss, or the last one
    patience: int = 0  # stop after so many epochs without a lower validation loss; 0: train all epochs
    seed: int = 0  # draws the 60/20/20 split, the initial weights, order, augmentation, ties
    split: str = "random"  # 60/20/20; or fold `fold` of `n_folds` for testing; or the dataset's own
    n_folds: int = 10
    fold: int = 0  # counted from 0
    train_images: int = 0  # keep so many random images of the training part; 0: all
    mixup: float = 0.0  # α of the Beta distribution that mixes pairs of images; 0: no mixing
    method: str = ""  # one of METHODS learns from single judgements; empty: one label per image
    mix_alpha: float = 1.0  # annotators: mixup weights are drawn from Beta(α, α); 0: no mixup
    mix_within: bool = False  # annot-mix: mix only annotators of the same image
    eta: float = 0.9  # annot-mix: diagonal that confusion matrices start from
    workers: str = "own"  # annotators: who gave a label; shuffled: anybody, to see what people matter

    def __post_init__(self) -> None:
        for name, value in vars(self).copy().items():
            if value is not _DEFAULTS[name]:
                object.__setattr__(self, name, _typed(name, _KINDS[name], value))
        if self.dataset.startswith("folder:"):
            raise ConfigError(
                "dataset: a run is named after its data, not after a folder; use "
                f"softlabels.datasets.folder.pin({self.dataset!r})"
            )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        if not START.fullmatch(self.start):
            raise ConfigError(
                f"start: expected scratch, imagenet or the id of a run (12 hex digits), not {self.start!r}"
            )
        for name, (low, high) in (_RANGES | {"fold": (0, self.n_folds - 1)}).items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must lie in [{low}, {high}], not {getattr(self, name)}")

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Build a configuration; an unknown field raises `ConfigError` naming the nearest known one."""
        if not isinstance(settings, dict):
            raise ConfigError(f"settings must be names with values, not {type(settings).__name__}")
        settings = _current(settings)
        for name in settings:
            if name not in _DEFAULTS:
                raise unknown("setting", name, _DEFAULTS)
        return cls(**settings)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some settings changed; unknown names raise as in `from_dict`."""
        return self.from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """All settings, in the order of their declaration."""
        return {name: getattr(self, name) for name in _DEFAULTS}

    def meaning(self) -> dict[str, Any]:
        """The settings that differ from their defaults."""
        return {name: value for name, value in self.to_dict().items() if value != _DEFAULTS[name]}

    @cached_property
    def id(self) -> str:
        """Twelve hex digits, from the settings that differ from their defaults.

        Leaving defaults out lets a later version add settings without renaming every earlier run;
        it also means that a default, once released, must never change.
        """
        meaning = self.meaning()
        if self.start == "imagenet":  # the name this setting had when the first ids were given
            meaning["pretrained"] = bool(meaning.pop("start"))
        canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


# Looked up once: a plan of ten thousand runs asks for them as often.
_DEFAULTS = {f.name: f.default for f in fields(RunConfig)}
_KINDS = {f.name: f.type for f in fields(RunConfig)}
_CHOICES = {
    "label": LABELS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
    "select": SELECTIONS,
    "split": SPLITS,
    "workers": WORKERS,
    "method": ("", *METHODS, *PUBLIC),
}
_RANGES: dict[str, tuple[float, float]] = {
    "image_size": (8, 4096),
    "limit": (0, 10**9),
    "annotations": (0, 10**6),
    "smoothing": (0, 1),
    "temperature": (1e-3, 1e3),
    "dropout": (0, 0.99),
    "epochs": (1, 10**5),
    "patience": (0, 10**5),
    "batch_size": (2, 10**5),
    "lr": (1e-12, 1e3),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 10),
    "n_folds": (2, 10**4),
    "mix_alpha": (0, 10**3),
    "eta": (1e-6, 1 - 1e-6),
    "seed": (0, 2**31),
    "data_seed": (0, 2**31),
    "train_images": (0, 10**9),
    "mixup": (0, 100),
}


def _current(settings: dict[str, Any]) -> dict[str, Any]:
    """Translate what older records call `pretrained`."""
    if "pretrained" not in settings:
        return settings
    kept = {name: value for name, value in settings.items() if name != "pretrained"}
    if type(settings["pretrained"]) is not bool or "start" in kept:
        raise ConfigError("pretrained: an older name of start; write start: imagenet or start: scratch")
    return kept | {"start": "imagenet" if settings["pretrained"] else "scratch"}


def _typed(name: str, kind: Any, value: Any) -> Any:
    """Return `value` as its declared type, so that 1 and 1.0 give one id; reject what does not fit."""
    if kind is float and type(value) in (int, float):
        try:
            return float(value) + 0.0  # -0.0 becomes 0.0
        except OverflowError:
            raise ConfigError(f"{name} must be a number that a computer can hold") from None
    if type(value) is not kind:
        raise ConfigError(f"{name} must be {kind.__name__}, not {repr(value)[:80]}")
    if kind is str and len(value) > LONGEST:
        raise ConfigError(f"{name} must have at most {LONGEST} characters, not {len(value)}")
    return value


# Random streams: a name for each purpose, so that nothing drawn for one moves what is drawn for another.


# The numbers are part of every run's meaning and stay. Where two purposes have the same one, no run has both.
STREAMS = {
    "split": 1,  # random parts
    "annotations": 2,  # which of an image's annotations are kept
    "labels": 3,  # ties, and labels drawn from annotations
    "epoch": 4,  # order, augmentation and mixtures of an epoch
    "weights": 5,  # initial ones
    "folds": 6,  # parts that are the same for every seed
    "audit": 6,  # which records are trained again
    "validation": 7,  # part drawn from the rest of a fold
    "train images": 8,  # which are kept where a run has fewer
    "crowd split": 8,  # training and validation where a crowd judged a part
    "mixup": 9,  # partners and weights of an epoch
    "shuffled workers": 9,
    "mirrored": 10,  # in the first epoch, then in turn
    "crowd dropout": 10,
    "corruption": 20,
    "copied images": 21,  # of CIFAR-10's training part
    "attack": 22,  # where attacks begin
    "person": 30,  # who is asked
}


def generator(seed: int, purpose: str, *more: int) -> np.random.Generator:
    """A random stream of its own for each seed and purpose, and for each epoch or fold in `more`."""
    return np.random.default_rng([seed, STREAMS[purpose], *more])


# Settings of what is measured with a trained network.


Row = tuple[str, float, str, float]  # what a suite finds: case, level, measure, value


@dataclass(frozen=True)
class Suite:
    """Settings of one kind of evaluation; its id is a hash of the settings that differ from the defaults."""

    kind: ClassVar[str] = ""
    images: int = 0  # held-out images used, the first of the fold; 0: all

    @cached_property
    def id(self) -> str:
        """Kind and eight hex digits."""
        default = asdict(type(self)())
        meaning = {k: v for k, v in asdict(self).items() if v != default[k]}
        canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
        return f"{self.kind}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class AttackSuite(Suite):
    """Attacks on held-out images and the checks for masking; radii in units of 1/255."""

    kind: ClassVar[str] = "attacks"
    # l∞ radii; the l2 radii are these times the root of the number of values, the same per value.
    epsilons: tuple[float, ...] = (0, 0.25, 0.5, 1, 2, 4, 8)
    few: tuple[float, ...] = (1, 4)  # of the other losses, of targets and of the check of steps and restarts
    steps: int = 10  # of PGD
    more_steps: int = 40  # of that check
    restarts: int = 3
    curve: tuple[int, ...] = (1, 2, 3, 4, 5, 7, 9)  # steps of length 1/255 at radius 4/255, as published
    autoattack: tuple[float, ...] = ()  # radii; empty: not run
    landscape: tuple[float, ...] = (0, 0.25, 0.5, 1, 2, 4, 8)  # how far to go along the gradient


@dataclass(frozen=True)
class ShiftSuite(Suite):
    """Other photographs of the same classes."""

    kind: ClassVar[str] = "shift"
    # Random CIFAR-10 training images from the JPEG copy, for networks that were not pretrained on them; the
    # held-out fold is read from the same copy.
    train_images: int = 50_000
    sets: tuple[str, ...] = ("cifar10.1-v4", "cifar10.1-v6")  # measured where they can be had


@dataclass(frozen=True)
class CorruptionSuite(Suite):
    """All kinds of `corruptions.KINDS` at some severities."""

    kind: ClassVar[str] = "corruptions"
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class BlurSuite(Suite):
    """Gaussian blur of rising width."""

    kind: ClassVar[str] = "blur"
    sigmas: tuple[float, ...] = (0, 0.5, 1, 1.5, 2, 3)  # standard deviations in pixels
    pictures: int = 4  # images that are kept with their predictions


def settings_of(suite: Suite) -> dict[str, Any]:
    """All settings as JSON holds them."""
    return json.loads(json.dumps(asdict(suite)))
