"""All numbers of all profiles: which runs a chapter is drawn from.

A profile is a set of numbers, never another code path. Minutes are those of two CPU cores; what each
run really took stands in its record.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from softlabels import experiments_annotators, experiments_human, experiments_own
from softlabels.config import RunConfig
from softlabels.errors import unknown
from softlabels.recipes import TUNED_LIKE, TUNING_RATES, settings
from softlabels.recipes import TUNED_RATES as TUNED_RATES

ARMS = ("hard", "soft")
SEEDS = (0, 1, 2)  # BHL report three splits

# What a dataset says about its images and split, where that is not the profile's to choose.
_DATA: dict[str, dict[str, Any]] = {
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
    """Numbers of a profile.

    Attributes
    ----------
    image_size : int
        Of the synthetic images, in pixels.
    limit : int
        Images used of each dataset; 0: all.
    table1 : tuple of Row
    figure1 : tuple of (Row, recipe)
        The network whose features Figure 1 shows; its classifying layer reads their average.
    distributions : Row
        The network that is trained on 1, 3, 10, 100 annotations per image and on the exact distribution.
    quickstart : dict
        Settings of the two live runs.
    figure2 : tuple of (Row, recipe)
        Networks on annotated images whose features Figure 2 shows; their runs are among Table 1's.
    """

    image_size: int
    limit: int
    table1: tuple[Row, ...]
    figure1: tuple[Row, str]
    distributions: Row
    quickstart: dict[str, Any]
    figure2: tuple[tuple[Row, str], ...]


_QUICKSTART = {"image_size": 64, "limit": 5000, "epochs": 8, "batch_size": 64, "lr": 0.02}

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
            Row("synthetic", "resnet9", 10),
            Row("synthetic", "resnet9-avg", 10, ("tuned",)),
            Row("synthetic", "resnet18-nomaxpool", 4, ("stated", "public-code")),
            Row("synthetic", "densenet121", 4, ("stated", "public-code"), max_seeds=1),
            Row("cifar10h-9500", "resnet9-cifar", 12),
            # The classifying layer of these two reads the average that Figure 2 maps.
            Row("ferplus", "resnet9-avg", 4, ("stated", "transferred")),
            Row("micebone-standin", "resnet9-avg", 12, ("stated", "public-code", "transferred")),
        ),
        figure1=(Row("synthetic", "resnet9-avg", 10), "tuned"),
        distributions=Row("synthetic", "resnet9-tiny", 8),
        quickstart=_QUICKSTART,
        figure2=(
            (Row("ferplus", "resnet9-avg", 4), "transferred"),
            (Row("micebone-standin", "resnet9-avg", 12), "transferred"),
        ),
    ),
    "paper": Profile(
        image_size=224,
        limit=0,
        table1=(
            Row("synthetic", "densenet121", 60, ("stated", "stated-pretrained", "public-code", "tuned")),
            Row("cifar10h-9500", "resnet18-nomaxpool", 60),
            Row("ferplus", "resnet18", 60, ("stated", "transferred")),
            Row("micebone-standin", "resnet50v2", 60, ("stated",)),
            Row("micebone", "resnet50v2", 60, ("stated-pretrained", "stated", "public-code")),
        ),
        figure1=(Row("synthetic", "densenet121", 60), "stated"),
        distributions=Row("synthetic", "resnet9", 15),
        quickstart=_QUICKSTART,
        figure2=(
            (Row("micebone", "resnet50v2", 60), "stated-pretrained"),
            (Row("ferplus", "resnet18", 60), "transferred"),
            (Row("micebone-standin", "resnet50v2", 60), "stated"),
        ),
    ),
}


@dataclass(frozen=True)
class Cell:
    """One run in its place in a table: what it is compared by, and its configuration."""

    dataset: str
    network: str
    recipe: str
    arm: str
    seed: int
    config: RunConfig


def cell(profile: str, row: Row, recipe: str, arm: str, seed: int, **changes: Any) -> Cell:
    """Configure one run of a profile; `changes` override the recipe."""
    numbers = _profile(profile)
    config = RunConfig.from_dict(
        {
            "dataset": row.dataset,
            "network": row.network,
            "epochs": row.epochs,
            "image_size": numbers.image_size,
            "limit": numbers.limit,
            "label": arm,
            "seed": seed,
            **_DATA.get(row.dataset, {}),
            **settings(recipe, row.dataset, row.network, arm),
            **changes,
        }
    )
    return Cell(row.dataset, row.network, recipe, arm, seed, config)


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]


def _cells(profile: str, row: Row, recipes: Iterable[str], seeds: Sequence[int]) -> list[Cell]:
    return [
        cell(profile, row, recipe, arm, seed)
        for seed in seeds[: row.max_seeds]
        for recipe in recipes
        for arm in ARMS
    ]


def _table1(profile: str, seeds: Sequence[int]) -> list[Cell]:
    return [c for row in _profile(profile).table1 for c in _cells(profile, row, row.recipes, seeds)]


def _figure1(profile: str, seeds: Sequence[int]) -> list[Cell]:
    row, recipe = _profile(profile).figure1
    return _cells(profile, row, [recipe], seeds)


def _figure2(profile: str, seeds: Sequence[int]) -> list[Cell]:
    return [c for row, recipe in _profile(profile).figure2 for c in _cells(profile, row, [recipe], seeds)]


def _hyperparameters(profile: str, seeds: Sequence[int]) -> list[Cell]:
    from softlabels import search  # which needs this module

    return search.cells(profile, seeds)


def _tuning(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Every rate on the first seed only, judged on its validation part; no test part is looked at."""
    rows = [r for r in _profile(profile).table1 if "tuned" in r.recipes and r.network not in TUNED_LIKE]
    return [
        cell(profile, row, "tuned", arm, seeds[0], lr=rate)
        for row in rows
        for rate in TUNING_RATES
        for arm in ARMS
    ]


def _distributions(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Both arms from the same annotations; one rate for all, so that the number alone differs."""
    row = _profile(profile).distributions
    return [
        replace(
            cell(profile, row, "tuned", arm, seed, lr=DISTRIBUTIONS_RATE, annotations=n),
            recipe=f"{n or 'all'} annotation{'' if n == 1 else 's'}",
        )
        for seed in seeds
        for n in ANNOTATIONS
        for arm in ARMS
    ]


def _quickstart(profile: str, seeds: Sequence[int]) -> list[Cell]:
    configs = [
        RunConfig.from_dict({**_profile(profile).quickstart, "label": arm, "seed": seed})
        for seed in seeds
        for arm in ARMS
    ]
    return [Cell(c.dataset, c.network, "quickstart", c.label, c.seed, c) for c in configs]


def _human(name: str) -> "Grid":
    def cells(profile: str, seeds: Sequence[int]) -> list[Cell]:
        runs = experiments_human.GRIDS[name](profile, seeds)
        return [Cell(r.config.dataset, r.config.network, name, r.arm, r.config.seed, r.config) for r in runs]

    return cells


def _annotators(runs: list[tuple[str, str, RunConfig]]) -> list[Cell]:
    return [Cell(row, c.network, "published", method, c.seed, c) for row, method, c in runs]


def your_data(
    profile: str,
    seeds: Sequence[int],
    dataset: str = experiments_own.STANDIN,
    annotations: int = experiments_own.STANDIN_ANNOTATIONS,
) -> list[Cell]:
    """List the runs of the chapter on your own data, by default those of the stand-in."""
    runs = experiments_own.runs(profile, seeds, dataset, annotations)
    return [Cell(dataset, c.network, recipe, c.label, c.seed, c) for recipe, c in runs]


Grid = Callable[[str, Sequence[int]], list[Cell]]
CHAPTERS: dict[str, Grid] = {
    "quickstart": _quickstart,
    "table1": _table1,
    "figure1": _figure1,
    "figure2": _figure2,
    "tuning": _tuning,
    "hyperparameters": _hyperparameters,
    "why_distributions_help": _distributions,
    "annot_mix": lambda profile, seeds: _annotators(experiments_annotators.compared(profile, seeds)),
    "annot_mix_ablations": lambda profile, seeds: _annotators(experiments_annotators.ablated(profile, seeds)),
    "your_data": your_data,
    **{name: _human(name) for name in experiments_human.GRIDS},
}


def grid(chapter: str, profile: str = "laptop", seeds: Sequence[int] = SEEDS) -> list[Cell]:
    """List the runs that a chapter is drawn from, in the order in which they are worth training.

    Raises
    ------
    ConfigError
        If there is no such chapter or profile.
    """
    if chapter not in CHAPTERS:
        raise unknown("chapter", chapter, CHAPTERS)
    return CHAPTERS[chapter](profile, list(seeds))


def profile_of(config: RunConfig) -> str:
    """Name the first profile whose grids contain this run, whatever the seed; "custom" if none does."""
    return next((name for name in PROFILES if config in _configs(name, config.seed)), "custom")


@cache
def _configs(profile: str, seed: int) -> frozenset[RunConfig]:
    """Every run of a profile with this seed; a figure of hundreds of runs asks hundreds of times."""
    return frozenset(c.config for chapter in CHAPTERS for c in grid(chapter, profile, [seed]))
