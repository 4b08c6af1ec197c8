"""Numbers of the chapters on human uncertainty (Peterson et al. 2019): arms, folds, budgets, evaluations.

Networks are pretrained on CIFAR-10's training images and fine-tuned on nine tenths of CIFAR-10H, as those
that the paper attacks; and trained on CIFAR-10H alone, from random weights, as those whose generalisation
it reports. Within a grid all arms share start, schedule, number of steps and learning rate: a rate of its
own for each arm would be one more difference between them. The common rate of fine-tuning is a tenth of
that of pretraining, set before any run: every image of CIFAR-10H is tested in one of the ten folds, so
none is left to tune on. The grid "human-rates" shows on one fold what other common rates would have
changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from softlabels.errors import unknown
from softlabels.learning.config import RunConfig

# name -> what the arm learns from. "hard" is the majority of the people, "truth" CIFAR-10's own label.
ARMS: dict[str, dict[str, Any]] = {
    "truth": {"label": "truth"},
    "hard": {"label": "hard"},
    "soft": {"label": "soft"},
    "sampled": {"label": "sampled"},
    "class-mean": {"label": "class-mean"},
    "permuted": {"label": "permuted"},
    "smoothed": {"label": "smoothed"},
    "mixup": {"label": "truth", "mixup": 1.0},
    "distilled": {"label": "distilled"},
}
CONTROLS = ("class-mean", "permuted", "smoothed", "mixup", "distilled")  # softening without the people


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
class Numbers:
    """Numbers of a profile.

    Attributes
    ----------
    networks : tuple of str
        The first one is the network of all chapters but the first.
    epochs : int
    lr : float
        Peak learning rate of every arm.
    recipe : dict
        What else the runs have in common.
    pretraining : dict
        How the networks were trained that fine-tuning starts from; empty: it starts from random weights.
    pretrained : int
        How many of these there are; fold f starts from number f modulo this.
    scratch : Scratch or None
        The runs that start from random weights.
    limit : int
        Images used; 0: all.
    batch_size : int
    n_folds : int
    folds : int
        Folds tested with each seed: seed s begins with fold s, so that seeds 0, 1, 2 with one fold each are
        three folds with a seed of their own.
    max_seeds : int
    temperatures : tuple of float
        Of the human distribution.
    annotations : tuple of int
        Annotations per image; one is the arm "sampled", all is the arm "soft".
    totals : tuple of (int, tuple of int)
        Annotations in all, and how many of them an image gets: more on fewer images.
    compared : tuple of (str, int)
        Networks and epochs among which that of `scratch` was chosen, by validation accuracy for the time.
    rates : tuple of float
        Other common rates, tried on the first fold with the arms `rate_arms`.
    """

    networks: tuple[str, ...]
    epochs: int
    lr: float
    recipe: Mapping[str, Any] = field(default_factory=lambda: SHORT)
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    pretrained: int = 3
    scratch: Scratch | None = None
    limit: int = 0
    batch_size: int = 128
    n_folds: int = 10
    folds: int = 1
    max_seeds: int = 10**6
    temperatures: tuple[float, ...] = ()
    annotations: tuple[int, ...] = ()
    totals: tuple[tuple[int, tuple[int, ...]], ...] = ()
    compared: tuple[tuple[str, int], ...] = ()
    rates: tuple[float, ...] = ()
    rate_arms: tuple[str, ...] = ("truth", "soft", "smoothed", "permuted")


NUMBERS: dict[str, Numbers] = {
    "smoke": Numbers(
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
    "laptop": Numbers(
        ("cifarnet-64",),
        epochs=10,
        lr=0.05,
        pretraining={**SHORT, "dataset": "cifar10-jpeg-train", "split": "official", "epochs": 20, "lr": 0.5},
        scratch=Scratch("cifarnet-32", 60, 0.5, {"truth": 10, "soft": 10, "smoothed": 5, "permuted": 5}),
        compared=(("cifarnet-16", 20), ("cifarnet-16", 60), ("cifarnet-32", 20), ("cifarnet-64", 20)),
        folds=10,
        max_seeds=1,
        temperatures=(0.5, 2.0, 10.0),
        rates=(0.02, 0.1),
    ),
    "paper": Numbers(
        ("resnet18-nomaxpool", "wrn28-10", "densenet121-cifar"),
        epochs=15,
        lr=0.01,
        recipe={**CONVENTIONAL, "select": "last"},
        pretraining={**CONVENTIONAL, "dataset": "cifar10", "split": "official", "epochs": 100, "lr": 0.1},
        scratch=Scratch(
            "resnet18-nomaxpool", 150, 0.05, dict.fromkeys(ARMS, 10), {**CONVENTIONAL, "select": "last"}
        ),
        folds=10,
        max_seeds=1,
        temperatures=(0.25, 0.5, 0.75, 2.0, 3.0, 10.0),
        annotations=(2, 3, 5, 10, 20),
        totals=((7600, (1, 2, 5, 10, 20)), (15200, (2, 5, 10, 20))),
        rates=(0.003, 0.03),
    ),
}
# Few annotations, at laptop still by a smaller network from random weights, for ten epochs of three folds.
BUDGETS: dict[str, Numbers] = NUMBERS | {
    "laptop": Numbers(
        ("resnet9-cifar",),
        epochs=10,
        lr=0.02,
        recipe=CONVENTIONAL,
        max_seeds=3,
        annotations=(2, 3, 5, 10, 20),
        totals=((7600, (1, 2, 5, 10)),),
    )
}


@dataclass(frozen=True)
class Run:
    """One run in its place; runs of equal network and `pair` are compared."""

    arm: str
    config: RunConfig

    @property
    def pair(self) -> tuple[int, int]:
        """Seed and fold."""
        return self.config.seed, self.config.fold


def numbers(profile: str, budgets: bool = False) -> Numbers:
    """Numbers of a profile; an unknown name raises `ConfigError` with the nearest known one."""
    if profile not in NUMBERS:
        raise unknown("profile", profile, NUMBERS)
    return (BUDGETS if budgets else NUMBERS)[profile]


def _pretrained(n: Numbers, network: str, number: int) -> RunConfig:
    """One of the networks that fine-tuning starts from."""
    common = {"image_size": 32, "label": "truth", "select": "last", "network": network, "seed": number}
    return RunConfig.from_dict({**common, "batch_size": n.batch_size, **n.pretraining})


def pretraining(profile: str, seeds: Sequence[int] = ()) -> list[Run]:
    """Every network that fine-tuning starts from; they have numbers of their own, whatever the seeds."""
    n = numbers(profile)
    found = [(network, i) for network in n.networks for i in range(n.pretrained if n.pretraining else 0)]
    return [Run("truth", _pretrained(n, *place)) for place in found]


def base_of(config: RunConfig) -> RunConfig | None:
    """The run whose network another one starts from; None where no profile names it."""
    every = (run.config for profile in NUMBERS for run in pretraining(profile))
    return next((base for base in every if base.id == config.start), None)


def _runs(
    n: Numbers, seeds: Sequence[int], arms: Mapping[str, Mapping[str, Any]], networks: int = 10**6
) -> Iterator[Run]:
    """Every arm on every network, pair by pair, so that an early stop leaves whole pairs."""
    for network in n.networks[:networks]:
        for seed in seeds[: n.max_seeds]:
            for fold in ((seed + i) % n.n_folds for i in range(n.folds)):
                common = {**CIFAR10H, **n.recipe, "network": network, "epochs": n.epochs, "lr": n.lr}
                common |= {"batch_size": n.batch_size, "limit": n.limit}
                common |= {"n_folds": n.n_folds, "seed": seed, "fold": fold}
                if n.pretraining:
                    common["start"] = _pretrained(n, network, fold % n.pretrained).id
                for arm, settings in arms.items():
                    yield Run(arm, RunConfig.from_dict({**common, **settings}))


def human(profile: str, seeds: Sequence[int]) -> list[Run]:
    """All arms, and the human distribution at several temperatures."""
    n = numbers(profile)
    heated = {f"soft T={t:g}": {"label": "soft", "temperature": t} for t in n.temperatures}
    return list(_runs(n, seeds, ARMS | heated))


def rates(profile: str, seeds: Sequence[int]) -> list[Run]:
    """A few arms at other common learning rates, on the first fold of the first seed."""
    n = numbers(profile)
    arms = {a: ARMS[a] for a in n.rate_arms}
    first = [run for run in _runs(n, seeds[:1], arms, 1) if run.config.fold == seeds[0] % n.n_folds]
    return [Run(run.arm, run.config.replace(lr=lr)) for lr in n.rates for run in first]


def scratch(profile: str, seeds: Sequence[int]) -> list[Run]:
    """From random weights to the end of the schedule, as in the paper's study of generalisation."""
    n = numbers(profile)
    if n.scratch is None:
        return []
    own = replace(
        n,
        networks=(n.scratch.network,),
        epochs=n.scratch.epochs,
        lr=n.scratch.lr,
        recipe=n.scratch.recipe,
        pretraining={},
    )
    runs = _runs(own, seeds, {arm: ARMS[arm] for arm in n.scratch.folds})
    return [run for run in runs if (run.config.fold - run.config.seed) % n.n_folds < n.scratch.folds[run.arm]]


def networks(profile: str, seeds: Sequence[int]) -> list[Run]:
    """Votes on the first fold from random weights: other networks and lengths, and what was chosen."""
    n = numbers(profile)
    chosen = [run for run in scratch(profile, seeds[:1]) if run.arm == "soft"][:1]
    tried = [run.config.replace(network=name, epochs=epochs) for run in chosen for name, epochs in n.compared]
    return [*(Run("soft", config) for config in tried), *chosen]


def annotations(profile: str, seeds: Sequence[int]) -> list[Run]:
    """Soft labels from n annotations an image, from one (the arm "sampled") to all (the arm "soft")."""
    n = numbers(profile, budgets=True)
    some = {f"n={k}": {"label": "soft", "annotations": k} for k in n.annotations}
    return list(_runs(n, seeds, {"n=1": ARMS["sampled"], **some, "n=all": ARMS["soft"]}, 1))


def totals(profile: str, seeds: Sequence[int]) -> list[Run]:
    """A fixed number of annotations on fewer and fewer images, with the same number of steps."""
    n = numbers(profile, budgets=True)
    whole = (n.limit or 9500) * (n.n_folds - 2) // n.n_folds  # images of the training part
    arms = {}
    for total, per_image in n.totals:
        for k in per_image:
            images = total // k
            settings = ARMS["sampled"] if k == 1 else {"label": "soft", "annotations": k}
            if images < whole:
                settings = settings | {"train_images": images, "epochs": _epochs(n, whole, images)}
            arms[f"{images} × {k}"] = settings
    return list(_runs(n, seeds, arms, 1))


def _epochs(n: Numbers, whole: int, images: int) -> int:
    """Epochs on `images` images with as many steps as the profile's on `whole` of them."""
    steps, fewer = (max(1, size // n.batch_size) for size in (whole, images))
    return max(1, round(n.epochs * steps / fewer))


GRIDS = {
    "human": human,
    "human-rates": rates,
    "human-scratch": scratch,
    "networks": networks,
    "pretraining": pretraining,
    "budget": annotations,
    "budget-total": totals,
}
