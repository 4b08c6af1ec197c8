"""The numbers of all profiles: networks, epochs, sizes, rates and recipes of every grid.

A profile is a set of numbers, never another code path; what each run took stands in its record. The grids
that are made of them stand in `grids`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from softlabels.errors import ConfigError, unknown
from softlabels.learning.config import METHODS, AttackSuite, BlurSuite, CorruptionSuite, ShiftSuite, Suite

T = TypeVar("T")


def chosen(numbers: Mapping[str, T], profile: str) -> T:
    """What a profile sets; an unknown name raises `ConfigError` with the nearest known one."""
    if profile not in numbers:
        raise unknown("profile", profile, numbers)
    return numbers[profile]


# Table 1, its figures, and the chapter on theory.

ARMS = ("hard", "soft")
SEEDS = (0, 1, 2)  # BHL report three splits
SPLITS = (0, 1, 2, 3, 4)  # of Table 1; costly rows take fewer

# What a dataset says about its images and split, where that is not the profile's to choose.
DATA: dict[str, dict[str, Any]] = {
    "cifar10h-9500": {"image_size": 32},
    "ferplus": {"image_size": 48, "split": "official"},  # the seed draws all but the split
    "micebone": {"image_size": 224},  # its size where it is published
    "micebone-standin": {"image_size": 64},
}

# Annotations per image of the chapter on theory; 0: the exact distribution.
ANNOTATIONS = (1, 3, 10, 100, 0)
DISTRIBUTIONS_RATE = 0.02  # what both arms of the wider ResNet-9 chose


@dataclass(frozen=True)
class Row:
    """One block of Table 1: a network on a dataset, under some recipes, over some seeds."""

    dataset: str
    network: str
    epochs: int
    recipes: tuple[str, ...] = ("stated", "public-code", "tuned")
    max_seeds: int = 10**6  # costly networks get fewer


@dataclass(frozen=True)
class Profile:
    """Numbers of a profile; a recipe stands beside the rows of the figures."""

    image_size: int  # of the synthetic images, in pixels
    limit: int  # images used of each dataset; 0: all
    table1: tuple[Row, ...]
    figure1: tuple[Row, str]  # whose features Figure 1 shows; its classifying layer reads their average
    distributions: Row  # trained on 1, 3, 10, 100 annotations per image and on the exact distribution
    quickstart: dict[str, Any]  # settings of the live runs
    figure2: tuple[tuple[Row, str], ...]  # whose features Figure 2 shows; their runs are among Table 1's


# Three pairs of these are trained in some twenty seconds on one core.
_QUICKSTART = {
    "image_size": 20,
    "limit": 4000,
    "network": "cifarnet-8",
    "epochs": 6,
    "batch_size": 64,
    "lr": 0.4,
    "momentum": 0.85,
    "nesterov": True,
    "schedule": "triangular",
}

PROFILES: dict[str, Profile] = {
    "smoke": Profile(
        image_size=32,
        limit=240,
        table1=(
            Row("synthetic", "resnet9-tiny", 1),
            Row("cifar10h-9500", "resnet9-tiny", 1, ("stated", "tuned")),
            Row("micebone-standin", "resnet9-tiny", 1, ("transferred",)),
        ),
        figure1=(Row("synthetic", "resnet9-tiny", 1), "tuned"),
        distributions=Row("synthetic", "resnet9-tiny", 1),
        quickstart={"image_size": 32, "limit": 240, "epochs": 1, "network": "resnet9-tiny"},
        figure2=((Row("micebone-standin", "resnet9-tiny", 1), "transferred"),),
    ),
    "laptop": Profile(
        image_size=64,
        limit=0,
        table1=(
            # Table 1's primary comparison.
            Row("synthetic", "efficientnet-lite0", 20, ("stated-pretrained",)),
            Row("synthetic", "resnet9-tiny", 60, ("stated",)),
            # Another rate for each arm, chosen by its own validation loss.
            Row("synthetic", "resnet9", 10, ("tuned",), max_seeds=3),
            # The classifying layer of these reads the average that Figure 2 maps.
            Row("ferplus", "resnet9-avg", 20, ("transferred-weighted",), max_seeds=3),
            Row("micebone-standin", "resnet9-avg", 12, ("stated", "public-code", "transferred")),
        ),
        figure1=(Row("synthetic", "efficientnet-lite0", 20, max_seeds=3), "stated-pretrained"),
        distributions=Row("synthetic", "resnet9-tiny", 8, max_seeds=3),
        quickstart=_QUICKSTART,
        figure2=(
            (Row("ferplus", "resnet9-avg", 20, max_seeds=3), "transferred-weighted"),
            (Row("micebone-standin", "resnet9-avg", 12, max_seeds=3), "transferred"),
        ),
    ),
    "paper": Profile(
        image_size=224,
        limit=0,
        table1=(
            # At the size of profile laptop the paper's network takes minutes on one GPU, not an hour.
            Row("synthetic", "densenet121", 60, ("stated-64px",)),
            Row("synthetic", "densenet121", 60, ("stated", "stated-pretrained", "public-code", "tuned")),
            Row("cifar10h-9500", "resnet18-nomaxpool", 60),
            Row("ferplus", "resnet18", 60, ("stated", "transferred")),
            # What weighting the classes changes: without it the rarest one is never answered.
            Row("ferplus", "resnet9-avg", 20, ("transferred",), max_seeds=3),
            Row("micebone-standin", "resnet50v2", 60, ("stated",)),
            Row("micebone", "resnet50v2", 60, ("stated-pretrained", "stated", "public-code")),
        ),
        figure1=(Row("synthetic", "densenet121", 60, max_seeds=3), "stated-64px"),
        distributions=Row("synthetic", "resnet9", 15),
        quickstart=_QUICKSTART,
        figure2=(
            (Row("micebone", "resnet50v2", 60), "stated-pretrained"),
            (Row("ferplus", "resnet18", 60), "transferred"),
            (Row("micebone-standin", "resnet50v2", 60), "stated"),
        ),
    ),
}


# The hyperparameter search: a part of the published grid, for both arms.
#
# BHL (section 2) speak of one predefined grid and do not print it. The public code of the same authors'
# benchmark has one (github Emprime/dcic @ 4357451): learning rate {0.1, 0.3, 1e-4, 1e-5}, dropout {0, .5},
# six networks, augmentation {none, all}, optimiser {SGD, SGDW, SGDW with warm restarts, Adam}, weight decay
# {5e-4, 1e-3}, upsampling, class weights, ImageNet weights; 20 epochs while tuning, batch 128, selected by KL
# on one fold.
#
# Of the published rates 0.1 and 0.3, with the 0.01 and 0.03 that the public code's schedule makes of them;
# 1e-4 and 1e-5 belong to Adam and would leave SGD where it starts.
RATES = (0.3, 0.1, 0.03, 0.01)
# Schedule with weight decay: what BHL state for synthetic images, what they state for MiceBone, and one
# between, so that the effect of either can be told.
OPTIMISERS = (("cosine", 5e-4), ("warm-restarts", 5e-4), ("warm-restarts", 1e-3))
AUGMENTATIONS = ("none", "flips-turns-colour-zoom")


@dataclass(frozen=True)
class Space:
    """What is searched: one network on the synthetic images, over all combinations of the axes.

    Left out of the published space, to fit two cores: dropout (0), class weights (none), upsampling, ImageNet
    weights, Adam, and all networks but one.
    """

    row: Row
    changes: dict[str, Any]
    rates: tuple[float, ...] = RATES
    optimisers: tuple[tuple[str, float], ...] = OPTIMISERS
    augmentations: tuple[str, ...] = AUGMENTATIONS


SPACES = {
    "smoke": Space(Row("synthetic", "resnet9-tiny", 1), {}, RATES[:2], OPTIMISERS[:1], AUGMENTATIONS),
    # 3,000 training images; ten epochs at 46 steps each would be too few, so batches are half the published.
    "laptop": Space(Row("synthetic", "resnet9-tiny", 10), {"limit": 5000, "batch_size": 64}),
    "paper": Space(Row("synthetic", "densenet121", 20), {}),
}


# The recipes by which networks are trained: what is published, what was tuned, what was taken over.


# What BHL state (section 2), and nothing they do not: no augmentation, no class weights.
STATED: dict[str, Any] = {"lr": 0.1, "schedule": "cosine", "weight_decay": 5e-4, "augmentation": "none"}
_MICEBONE: dict[str, Any] = {"schedule": "warm-restarts", "weight_decay": 1e-3}
_STATED_BY_DATASET = {"micebone": _MICEBONE, "micebone-standin": _MICEBONE}

# What the public DCIC code does. Its schedule is evaluated once, at step 0, and multiplied by the base
# rate and the decay: constants 0.1 · 0.1 and 0.1 · 5e-4. It tests the last epoch.
PUBLIC_CODE: dict[str, Any] = {
    "lr": 0.01,
    "schedule": "constant",
    "weight_decay": 5e-5,
    "balanced": True,
    "select": "last",
}
_PUBLIC_CODE_BY_DATASET: dict[str, dict[str, Any]] = {
    "synthetic": {"dropout": 0.5, "augmentation": "flips-turns-colour-zoom"},
    "cifar10h-9500": {"dropout": 0.0, "augmentation": "none"},
    # The weight decay there is 1e-3, so a constant 0.1 · 1e-3.
    "micebone": {"weight_decay": 1e-4, "augmentation": "flips-turns-colour-zoom"},
    "micebone-standin": {"weight_decay": 1e-4, "augmentation": "flips-turns-colour-zoom"},
}

# One recipe tuned for each arm on the validation part of split 0, by the arm's own validation loss.
TUNING_RATES = (0.01, 0.02, 0.05, 0.1)
TUNED: dict[str, Any] = {"schedule": "one-cycle", "weight_decay": 5e-4}
_TUNED_BY_DATASET = {
    "synthetic": {"augmentation": "flips-turns"},
    "cifar10h-9500": {"augmentation": "crop-flip"},
}
# (dataset, network, arm) -> the rate with the least validation loss in the committed tuning records.
TUNED_RATES = {
    ("synthetic", "resnet9", "hard"): 0.02,
    ("synthetic", "resnet9", "soft"): 0.02,
}
DEFAULT_RATE = 0.05  # where nothing was tuned

# The recipe tuned on the synthetic images, taken over as it is: both arms had the same rate there. No choice
# looks at the dataset it is used on, which saves the compute of tuning there and favours neither arm.
TRANSFERRED: dict[str, Any] = {**TUNED, "lr": 0.02}
_TRANSFERRED_BY_DATASET = {
    "ferplus": {"augmentation": "crop-flip"},  # a face upside down is another task
    "micebone-standin": {"augmentation": "flips-turns"},
}

# The same with classes weighted, as the public code does, where a rare class is never answered otherwise.
# The best epoch of a weighted loss is not that of the unweighted one on validation data: the last is tested.
WEIGHTED: dict[str, Any] = {**TRANSFERRED, "balanced": True, "select": "last"}

# name -> settings, and what is added for a dataset.
RECIPES: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    "stated": (STATED, _STATED_BY_DATASET),
    "stated-64px": ({**STATED, "image_size": 64}, {}),
    "stated-pretrained": ({**STATED, "pretrained": True}, _STATED_BY_DATASET),
    "public-code": (PUBLIC_CODE, _PUBLIC_CODE_BY_DATASET),
    "tuned": (TUNED, _TUNED_BY_DATASET),
    "transferred": (TRANSFERRED, _TRANSFERRED_BY_DATASET),
    "transferred-weighted": (WEIGHTED, _TRANSFERRED_BY_DATASET),
}


def of_recipe(recipe: str, dataset: str, network: str, arm: str) -> dict[str, Any]:
    """The settings of `RunConfig` that a recipe names; `ConfigError` if it says nothing of this dataset."""
    if recipe not in RECIPES:
        raise unknown("recipe", recipe, RECIPES)
    settings, added = RECIPES[recipe]
    if dataset not in added and not recipe.startswith("stated"):
        raise ConfigError(
            f"recipe {recipe} is not defined for {dataset}, only for {', '.join(sorted(added))}"
        )
    if recipe.startswith("tuned"):
        rate = TUNED_RATES.get((dataset, network, arm), DEFAULT_RATE)
        settings = {**settings, "lr": rate}
    return settings | added.get(dataset, {})


# The chapters on human uncertainty (Peterson et al. 2019): arms, folds, budgets.
#
# Networks are pretrained on CIFAR-10's training images and fine-tuned on nine tenths of CIFAR-10H, as those
# that the paper attacks; and trained on CIFAR-10H alone, from random weights, as those whose generalisation
# it reports. Within a grid all arms share start, schedule, number of steps and learning rate: a rate of its
# own for each arm would be one more difference between them. The common rate of fine-tuning is a tenth of
# that of pretraining, set before any run: every image of CIFAR-10H is tested in one of the ten folds, so none
# is left to tune on. The grid "human-rates" shows on one fold what other common rates would have changed.

# name -> what the arm learns from. "hard" is the majority of the people, "truth" CIFAR-10's own label.
HUMAN_ARMS: dict[str, dict[str, Any]] = {
    **{a: {"label": a} for a in ("truth", "hard", "soft", "sampled", "class-mean", "permuted", "smoothed")},
    "mixup": {"label": "truth", "mixup": 1.0},
    "distilled": {"label": "distilled"},
}


CIFAR10H: dict[str, Any] = {"dataset": "cifar10h-9500", "image_size": 32, "split": "folds"}
# What small networks of convolutions are trained by, to the end of the schedule.
SHORT: dict[str, Any] = {
    "momentum": 0.85,
    "nesterov": True,
    "schedule": "triangular",
    "augmentation": "shift-alternate",
    "select": "last",
}
CONVENTIONAL: dict[str, Any] = {"schedule": "one-cycle", "augmentation": "crop-flip"}


@dataclass(frozen=True)
class Scratch:
    """Runs from random weights: network, epochs, peak learning rate, and the number of folds of each arm."""

    network: str
    epochs: int
    lr: float
    folds: Mapping[str, int]
    recipe: Mapping[str, Any] = field(default_factory=lambda: SHORT)


@dataclass(frozen=True)
class Human:
    """Numbers of a profile."""

    networks: tuple[str, ...]  # the first one is the network of all chapters but the first
    epochs: int
    lr: float  # peak learning rate of every arm
    recipe: Mapping[str, Any] = field(default_factory=lambda: SHORT)  # what else the runs have in common
    # How the networks were trained that fine-tuning starts from; empty: it starts from random weights.
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    pretrained: int = 3  # how many of these there are; fold f starts from number f modulo this
    # How their training went on from its end, to see what length does; no fine-tuning starts there.
    continued: Mapping[str, Any] = field(default_factory=dict)
    scratch: Scratch = Scratch("", 0, 0.0, {})  # the runs that start from random weights; none
    limit: int = 0  # images used; 0: all
    batch_size: int = 128
    n_folds: int = 10
    # Folds tested with each seed: seed s begins with fold s, so that seeds 0, 1, 2 with one fold each are
    # three folds with a seed of their own.
    folds: int = 1
    max_seeds: int = 10**6
    few: int = 1  # few annotations are learnt from on every such fold; every arm is trained on all of them
    temperatures: tuple[float, ...] = ()  # of the human distribution
    annotations: tuple[int, ...] = ()  # per image; one is the arm "sampled", all is the arm "soft"
    # Annotations in all, and how many of them an image gets: more on fewer images.
    totals: tuple[tuple[int, tuple[int, ...]], ...] = ()
    compared: tuple[tuple[str, int], ...] = ()  # other networks and epochs: accuracy for the time
    rates: tuple[float, ...] = ()  # other common rates, tried on the first fold with `rate_arms`
    rate_arms: tuple[str, ...] = ("truth", "soft", "smoothed")


HUMAN: dict[str, Human] = {
    "smoke": Human(
        ("cifarnet-8",),
        epochs=1,
        lr=0.02,
        pretraining={**CIFAR10H, **SHORT, "limit": 300, "split": "random", "epochs": 1, "lr": 0.2},
        pretrained=1,
        scratch=Scratch("cifarnet-8", 2, 0.2, {"truth": 1, "soft": 1, "smoothed": 1, "permuted": 1}),
        compared=(("cifarnet-8", 1),),
        limit=300,
        batch_size=32,
        temperatures=(2.0,),
        annotations=(3,),
        totals=((240, (1, 2)),),
        rates=(0.05,),
    ),
    "laptop": Human(
        ("cifarnet-64",),
        epochs=10,
        lr=0.05,
        pretraining={**SHORT, "dataset": "cifar10-jpeg-train", "split": "official", "epochs": 20, "lr": 0.5},
        continued={**CONVENTIONAL, "epochs": 16, "lr": 0.2},
        scratch=Scratch("cifarnet-32", 60, 0.5, {"truth": 10, "soft": 10, "smoothed": 5, "permuted": 5}),
        compared=(("cifarnet-16", 20), ("cifarnet-16", 60), ("cifarnet-32", 20), ("cifarnet-64", 20)),
        folds=10,
        max_seeds=1,
        few=2,
        temperatures=(0.5, 2.0, 10.0),
        annotations=(2, 5, 10, 20),
        totals=((7600, (1, 2, 5, 10)),),
        rates=(0.02, 0.1),
    ),
    "paper": Human(
        ("resnet18-nomaxpool", "wrn28-10", "densenet121-cifar"),
        epochs=15,
        lr=0.01,
        recipe={**CONVENTIONAL, "select": "last"},
        pretraining={**CONVENTIONAL, "dataset": "cifar10", "split": "official", "epochs": 100, "lr": 0.1},
        scratch=Scratch(
            "resnet18-nomaxpool", 150, 0.05, dict.fromkeys(HUMAN_ARMS, 10), {**CONVENTIONAL, "select": "last"}
        ),
        folds=10,
        max_seeds=1,
        temperatures=(0.25, 0.5, 0.75, 2.0, 3.0, 10.0),
        annotations=(2, 3, 5, 10, 20),
        totals=((7600, (1, 2, 5, 10, 20)), (15200, (2, 5, 10, 20))),
        rates=(0.003, 0.03),
    ),
}

# What is measured with the trained networks of the grid "human": attacks, shifts, corruptions, blur.


@dataclass(frozen=True)
class Plan:
    """A suite and the arms of the grid "human" that it is for."""

    suite: Suite
    arms: tuple[str, ...]


_ALL = tuple(HUMAN_ARMS)
_ATTACKED = ("truth", "soft", "smoothed", "permuted", "mixup")

PLANS: dict[str, dict[str, Plan]] = {
    "smoke": {
        "attacks": Plan(
            AttackSuite(24, (0, 1, 4), steps=2, more_steps=3, restarts=2, curve=(1, 3), landscape=(0, 1, 4)),
            ("truth", "soft", "smoothed"),
        ),
        "shift": Plan(ShiftSuite(24, 0, ()), ("truth", "soft", "smoothed")),
        "corruptions": Plan(CorruptionSuite(24, (1, 5)), ("truth", "soft", "smoothed")),
        "blur": Plan(BlurSuite(0, (0, 1, 3), 2), ("truth", "soft", "smoothed")),
    },
    "laptop": {
        "attacks": Plan(
            AttackSuite(
                300, (0, 0.5, 1, 2, 4, 8), (1,), more_steps=20, restarts=2, landscape=(0, 0.5, 1, 2, 4, 8)
            ),
            _ATTACKED,
        ),
        "shift": Plan(ShiftSuite(0, 10_000), _ALL),
        "corruptions": Plan(CorruptionSuite(400, (1, 3, 5)), _ALL),
        "blur": Plan(BlurSuite(), ("truth", "soft", "smoothed", "permuted", "mixup")),
    },
    "paper": {
        "attacks": Plan(
            AttackSuite(1000, few=(0.5, 1, 2, 4, 8), restarts=10, autoattack=(0.25, 0.5, 1, 2)), _ALL
        ),
        "shift": Plan(ShiftSuite(), _ALL),
        "corruptions": Plan(CorruptionSuite(), _ALL),
        "blur": Plan(BlurSuite(), _ALL),
    },
}


def plan(profile: str, kind: str) -> Plan:
    """Plan of a profile; an unknown name raises `ConfigError` with the nearest known one."""
    plans = chosen(PLANS, profile)
    if kind not in plans:
        raise unknown("evaluation", kind, plans)
    return plans[kind]


# Chapter 18: pairs of texts with a hundred votes each, learnt from ready-made features. Arms of a setting
# share network, schedule and rate. Rates were chosen once for each kind of features, on the validation part
# of one split of SNLI, for both arms together (grid "text-rates").

# What a competent model can be had for: the main settings. The three logits of a published model, and votes.
TEXT_MAIN = ("chaosnli:snli/logits", "chaosnli:mnli/logits")
TEXT_DATASETS = (
    *TEXT_MAIN,
    "chaosnli:snli+logits",
    "chaosnli:mnli+logits",
    "chaosnli:snli",
    "chaosnli:mnli",
    "chaosnli:alpha",
    "chaosnli:snli/words",
)
TEXT_ARMS = {a: HUMAN_ARMS[a] for a in ("truth", "hard", "soft", "smoothed", "permuted", "class-mean")}
# Label smoothing of the majority, from weak to strong: the published strengths are not stated.
TEXT_STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4)
TEXT_SMOOTHED = {f"ε = {e:g}": {"label": "hard", "smoothing": e} for e in TEXT_STRENGTHS}
TEXT_BUDGET = (1, 2, 5, 10, 20, 50)  # votes kept for each pair; all hundred are the arm "soft"
TEXT_RATES = tuple((lr, decay) for lr in (0.005, 0.02, 0.1) for decay in (0.005, 0.1))
# Kind of features -> rate and weight decay with the least sum of both arms' own validation losses.
TEXT_CHOSEN = {"": (0.02, 0.1), "/words": (0.02, 0.1), "+logits": (0.02, 0.1), "/logits": (0.02, 0.005)}
TEXT_RECIPE: dict[str, Any] = {"batch_size": 32, "schedule": "one-cycle", "augmentation": "none"}


@dataclass(frozen=True)
class Text:
    """Numbers of a profile: epochs, pairs used of each dataset (0: all), and budgets."""

    epochs: int = 30
    limit: int = 0
    budget: tuple[int, ...] = TEXT_BUDGET


# The features are small: laptop and paper differ in their seeds only.
TEXT = {"smoke": Text(1, 200, (2,)), "laptop": Text(), "paper": Text()}


# Chapter 11: annot-mix and its competitors. Settings are AM's (section 5 and its public configuration);
# features are small enough that profiles laptop and paper run the same configurations on them, the latter
# with more seeds and with images beside.

# RAdam and the cosine belong to the method; momentum has no part in it.
CROWD: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 64,
    "lr": 0.01,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "augmentation": "none",
    "select": "last",
    "split": "official",
}
_MLP: dict[str, Any] = {**CROWD, "network": "mlp-256-128"}
CROWD_SETTINGS: dict[str, dict[str, Any]] = {
    "mgc": {**_MLP, "dataset": "mgc", "dropout": 0.5},
    # AM put one layer of 128 on frozen DINOv2 features; ours are VGG16's.
    "labelme": {**CROWD, "dataset": "labelme", "network": "mlp-128", "dropout": 0.5, "weight_decay": 1e-4},
    "mgc, random splits": {**_MLP, "dataset": "mgc", "dropout": 0.5, "split": "random"},
    "synthetic-crowd": {**_MLP, "dataset": "synthetic-crowd", "split": "random"},
    "letter": {**_MLP, "dataset": "letter"},
    "sentiment": {**_MLP, "dataset": "sentiment", "dropout": 0.5},
    # AM put the same layer on BERT's features; ours are a smaller sentence model's.
    "trec6": {**CROWD, "dataset": "trec6", "network": "mlp-128", "dropout": 0.5, "weight_decay": 1e-4},
}
_IMAGES = {**CROWD, "lr": 0.001, "weight_decay": 1e-4, "augmentation": "crop-flip", "batch_size": 128}
_CIFAR10N = {**_IMAGES, "dataset": "cifar10n-jpeg", "image_size": 32}
_FULL = {**_CIFAR10N, "network": "resnet18-nomaxpool", "epochs": 100}
_SMALL = {**_CIFAR10N, "network": "resnet9-cifar", "epochs": 10, "train_images": 3000}
CROWD_IMAGES: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {
        "labelme-64px": {**_IMAGES, "dataset": "labelme-64px", "network": "resnet9", "epochs": 10},
        "cifar10n": _SMALL,
        "cifar10n, shuffled workers": {**_SMALL, "workers": "shuffled"},
    },
    "paper": {
        "labelme-64px": {**_IMAGES, "dataset": "labelme-64px", "network": "resnet18", "epochs": 100},
        "cifar10h": {**_FULL, "dataset": "cifar10h-crowd-jpeg"},
        "cifar10n": _FULL,
        "cifar10n, shuffled workers": {**_FULL, "workers": "shuffled"},
    },
}
# Settings of every row of the chapter's table, by profile and name.
CROWD_ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {"synthetic-crowd": {**CROWD_SETTINGS["synthetic-crowd"], "limit": 240, "epochs": 2}},
    "laptop": CROWD_SETTINGS | CROWD_IMAGES["laptop"],
    "paper": CROWD_SETTINGS | CROWD_IMAGES["paper"],
}
# The row that ablations are made on.
FIRST = {"smoke": "synthetic-crowd", "laptop": "mgc", "paper": "mgc"}
CROWD_LAPTOP_SEEDS = 5
IMAGE_METHODS = ("annot-mix", "mv-base", "mv-mixup", "ds-mixup", "true-base", "trace-reg", "geo-reg-w")
# Methods that count votes do not ask whose they are: their runs are the same with shuffled workers.
WORKER_METHODS = ("annot-mix", "ds-mixup", "trace-reg", "geo-reg-w")

# Ablations, each against annot-mix as published (α = 1, η = 0.9, everything mixed).
ABLATIONS: dict[str, dict[str, Any]] = {
    "α = 0": {"mix_alpha": 0.0},
    "α = 0.5": {"mix_alpha": 0.5},
    "α = 2": {"mix_alpha": 2.0},
    "α = 4": {"mix_alpha": 4.0},
    "annotators only": {"mix_within": True},
    "η = 0.5": {"eta": 0.5},
    "η = 0.8": {"eta": 0.8},
    "η = 0.98": {"eta": 0.98},
}
UNMIXED = "α = 0"  # of this change every row is made, not only the first
PRINTED = ("labelme", "letter")  # other rows of vectors with published numbers, on the paper's own split
AMOUNTS = (1, 2, 3, 5)  # judgements kept per image, and all
AMOUNT_METHODS = ("annot-mix", "soft-mixup")


def crowd_methods(profile: str, row: str) -> Sequence[str]:
    """Methods that a row of the main table compares."""
    images = CROWD_IMAGES.get(profile, {})
    if row not in images:
        return tuple(METHODS)
    return WORKER_METHODS if "workers" in images[row] else IMAGE_METHODS


def unmixed(profile: str) -> dict[str, str]:
    """Name of the runs of annot-mix without mixup, by row of vectors; the first row's is an ablation."""
    rows = [row for row in CROWD_ROWS[profile] if row not in CROWD_IMAGES.get(profile, {})]
    return {row: UNMIXED if row == FIRST[profile] else f"{UNMIXED}, {row}" for row in rows}


def as_in_public(profile: str, row: str, method: str) -> str:
    """Name of a row's runs of a method of `PUBLIC`."""
    return method if row == FIRST[profile] else f"{method}, {row}"


def printed_rows(profile: str) -> list[str]:
    """Rows on which methods also run as in the public code: the first, and those with published numbers."""
    return [row for row in CROWD_ROWS[profile] if row in (FIRST[profile], *PRINTED)]


# The chapter on your own data: both labels, all annotations and fewer.

STANDIN = "micebone-standin"  # what the chapter shows until it is given a folder
STANDIN_ANNOTATIONS = 15
OWN_ALL = "all annotations"


@dataclass(frozen=True)
class Own:
    """What a profile sets: images, training, and how many annotations are kept for the budget curve.

    Small sets get more epochs, for `steps` steps: a network learns by steps. The epoch of the best validation
    loss is what counts, so steps beyond it cost time and nothing else. The paper's 60 epochs are enough for
    any set that it is for.
    """

    image_size: int
    limit: int
    network: str
    epochs: int
    batch_size: int
    budgets: tuple[int, ...]
    steps: int


# Laptop: 21 runs, meant for ten minutes on two cores for 2,000 images with a dozen annotations each.
OWN = {
    "smoke": Own(32, 240, "resnet9-tiny", 1, 32, (1, 4), 0),
    "laptop": Own(48, 0, "resnet9", 8, 32, (1, 2, 4), 1000),
    "paper": Own(224, 0, "resnet50v2", 60, 128, (1, 2, 4, 8), 4000),
}
# The same for both arms: nothing was tuned on data that nobody here has seen. Few classes mind mirroring and
# a shift by some pixels; turning would help textures and harm digits.
OWN_RECIPE: dict[str, Any] = {"lr": 0.02, "schedule": "one-cycle", "augmentation": "crop-flip"}
# Of a vector for each voted thing: a small network, as many steps. Rate, decay and dropout were chosen
# once, by the KL of both arms on the test parts of 1,200 faces of FER+ as EfficientNet-Lite0 sees them.
OWN_VECTORS: dict[str, Any] = {
    "lr": 0.02,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "augmentation": "none",
    "network": "mlp-128",
    "dropout": 0.5,
    "batch_size": 32,
}
