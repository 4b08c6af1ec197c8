"""Numbers of the chapters on human uncertainty (Peterson et al. 2019): arms, folds, budgets, evaluations.

Within a profile all arms share network, schedule, number of steps and learning rate: a rate of its own for
each arm would be one more difference between them. The grid "human-rates" shows on one fold what another
common rate would have changed, the grid "human-epochs" on all folds what longer training would.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
LONG_ARMS = ("truth", "soft", "smoothed")
WORDS = {
    "truth": "hard: CIFAR-10 label",
    "hard": "hard: majority of people",
    "soft": "human distribution",
    "sampled": "one sampled annotation",
    "class-mean": "mean distribution of the class",
    "permuted": "distribution of another image of the class",
    "smoothed": "label smoothing, same mean entropy",
    "mixup": "mixup",
    "distilled": "self-distillation",
}


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
    rates : tuple of float
        Other common rates, tried on the first fold with the arms `rate_arms`.
    longer : int
        Epochs of longer runs of the arms `LONG_ARMS`, tested at their last epoch.
    """

    networks: tuple[str, ...]
    epochs: int
    lr: float
    limit: int = 0
    batch_size: int = 128
    n_folds: int = 10
    folds: int = 1
    max_seeds: int = 10**6
    temperatures: tuple[float, ...] = ()
    annotations: tuple[int, ...] = ()
    totals: tuple[tuple[int, tuple[int, ...]], ...] = ()
    rates: tuple[float, ...] = ()
    rate_arms: tuple[str, ...] = ("truth", "soft", "smoothed", "permuted")
    longer: int = 0


NUMBERS: dict[str, Numbers] = {
    "smoke": Numbers(
        ("resnet9-tiny",),
        epochs=1,
        lr=0.02,
        limit=300,
        batch_size=32,
        temperatures=(2.0,),
        annotations=(3,),
        totals=((240, (1, 2)),),
        rates=(0.05,),
        longer=2,
    ),
    "laptop": Numbers(
        ("resnet9-cifar",),
        epochs=10,
        lr=0.02,
        temperatures=(0.5, 2.0, 10.0),
        annotations=(2, 3, 5, 10, 20),
        totals=((7600, (1, 2, 5, 10)),),
        rates=(0.01, 0.05),
        longer=30,
    ),
    "paper": Numbers(
        ("resnet18-nomaxpool", "wrn28-10", "densenet121-cifar"),
        epochs=60,
        lr=0.05,
        folds=10,
        max_seeds=1,
        temperatures=(0.25, 0.5, 0.75, 2.0, 3.0, 10.0),
        annotations=(2, 3, 5, 10, 20),
        totals=((7600, (1, 2, 5, 10, 20)), (15200, (2, 5, 10, 20))),
        rates=(0.01, 0.1),
        longer=150,
    ),
}
RECIPE: dict[str, Any] = {
    "dataset": "cifar10h-9500",
    "image_size": 32,
    "schedule": "one-cycle",
    "weight_decay": 5e-4,
    "augmentation": "crop-flip",
    "split": "folds",
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


def numbers(profile: str) -> Numbers:
    """Numbers of a profile; an unknown name raises `ConfigError` with the nearest known one."""
    if profile not in NUMBERS:
        raise unknown("profile", profile, NUMBERS)
    return NUMBERS[profile]


def _runs(
    profile: str, seeds: Sequence[int], arms: Mapping[str, Mapping[str, Any]], networks: int = 10**6
) -> Iterator[Run]:
    """Every arm on every network, pair by pair, so that an early stop leaves whole pairs."""
    n = numbers(profile)
    for network in n.networks[:networks]:
        for seed in seeds[: n.max_seeds]:
            for fold in ((seed + i) % n.n_folds for i in range(n.folds)):
                common = RECIPE | {"network": network, "epochs": n.epochs, "lr": n.lr, "limit": n.limit}
                common |= {"batch_size": n.batch_size, "n_folds": n.n_folds, "seed": seed, "fold": fold}
                for arm, settings in arms.items():
                    yield Run(arm, RunConfig.from_dict({**common, **settings}))


def human(profile: str, seeds: Sequence[int]) -> list[Run]:
    """All arms, and the human distribution at several temperatures."""
    heated = {f"soft T={t:g}": {"label": "soft", "temperature": t} for t in numbers(profile).temperatures}
    return list(_runs(profile, seeds, ARMS | heated))


def rates(profile: str, seeds: Sequence[int]) -> list[Run]:
    """A few arms at other common learning rates, on the first fold of the first seed."""
    n = numbers(profile)
    arms = {a: ARMS[a] for a in n.rate_arms}
    first = [run for run in _runs(profile, seeds[:1], arms, 1) if run.config.fold == seeds[0] % n.n_folds]
    return [Run(run.arm, run.config.replace(lr=lr)) for lr in n.rates for run in first]


def longer(profile: str, seeds: Sequence[int]) -> list[Run]:
    """The arms of the first claim and one control, trained longer, to the end, as those of the paper."""
    changed = {"epochs": numbers(profile).longer, "select": "last"}
    return list(_runs(profile, seeds, {arm: ARMS[arm] | changed for arm in LONG_ARMS}, 1))


def annotations(profile: str, seeds: Sequence[int]) -> list[Run]:
    """Soft labels from n annotations an image, from one (the arm "sampled") to all (the arm "soft")."""
    some = {f"n={n}": {"label": "soft", "annotations": n} for n in numbers(profile).annotations}
    return list(_runs(profile, seeds, {"n=1": ARMS["sampled"], **some, "n=all": ARMS["soft"]}, 1))


def totals(profile: str, seeds: Sequence[int]) -> list[Run]:
    """A fixed number of annotations on fewer and fewer images, with the same number of steps."""
    n = numbers(profile)
    whole = (n.limit or 9500) * (n.n_folds - 2) // n.n_folds  # images of the training part
    arms = {}
    for total, per_image in n.totals:
        for k in per_image:
            images = total // k
            settings = ARMS["sampled"] if k == 1 else {"label": "soft", "annotations": k}
            if images < whole:
                settings = settings | {"train_images": images, "epochs": _epochs(n, whole, images)}
            arms[f"{images} × {k}"] = settings
    return list(_runs(profile, seeds, arms, 1))


def _epochs(n: Numbers, whole: int, images: int) -> int:
    """Epochs on `images` images with as many steps as the profile's on `whole` of them."""
    steps, fewer = (max(1, size // n.batch_size) for size in (whole, images))
    return max(1, round(n.epochs * steps / fewer))


GRIDS = {
    "human": human,
    "human-rates": rates,
    "human-epochs": longer,
    "budget": annotations,
    "budget-total": totals,
}
