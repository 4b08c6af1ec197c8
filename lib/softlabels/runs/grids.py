"""Which runs a chapter is drawn from: grids of configurations, from the numbers of the profiles.

The numbers stand in `profiles`, `recipes` and the modules ``experiments_…``, and nowhere else. A profile is a
set of numbers, never another code path; what each run took stands in its record.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from softlabels.errors import ConfigError, unknown
from softlabels.learning.config import RunConfig
from softlabels.runs import experiments_annotators, experiments_human, experiments_own, experiments_text
from softlabels.runs.profiles import (
    ANNOTATIONS,
    ARMS,
    DATA,
    DISTRIBUTIONS_RATE,
    PROFILES,
    SEEDS,
    SPACES,
    TUNED_LIKE,
    TUNING_RATES,
    Profile,
    Row,
    Space,
    settings,
)
from softlabels.runs.profiles import TUNED_RATES as TUNED_RATES


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
            **DATA.get(row.dataset, {}),
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


def _atlas(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Figure 1's runs, and Table 1's tuned ones on images that people judged."""
    people = [r for r in _profile(profile).table1 if r.dataset == "cifar10h-9500" and "tuned" in r.recipes]
    judged = [c for row in people for c in _cells(profile, row, ["tuned"], seeds)]
    return _figure1(profile, seeds) + judged


def _hyperparameters(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """List both arms of every combination, on the first seed only."""
    if profile not in SPACES:
        raise unknown("profile", profile, SPACES)
    space = SPACES[profile]
    return [
        _tried(profile, space, lr, schedule, decay, augmentation, arm, seeds[0])
        for lr in space.rates
        for schedule, decay in space.optimisers
        for augmentation in space.augmentations
        for arm in ARMS
    ]


def _tried(
    profile: str, space: Space, lr: float, schedule: str, decay: float, augmentation: str, arm: str, seed: int
) -> Cell:
    changes = {"lr": lr, "schedule": schedule, "weight_decay": decay, "augmentation": augmentation}
    found = cell(profile, space.row, "stated", arm, seed, **changes, **space.changes)
    recipe = f"lr {lr:g}, {schedule}, decay {decay:g}, {augmentation}"
    return Cell(found.dataset, found.network, recipe, arm, seed, found.config)


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
        for seed in seeds[: row.max_seeds]
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


_ARMS = experiments_human.GRIDS | experiments_text.GRIDS


def _arms(name: str) -> "Grid":
    def cells(profile: str, seeds: Sequence[int]) -> list[Cell]:
        runs = _ARMS[name](profile, seeds)
        return [Cell(r.config.dataset, r.config.network, name, r.arm, r.config.seed, r.config) for r in runs]

    return cells


def _annotators(runs: list[tuple[str, str, RunConfig]]) -> list[Cell]:
    return [Cell(row, c.network, "published", method, c.seed, c) for row, method, c in runs]


def your_data(
    profile: str,
    seeds: Sequence[int],
    dataset: str = experiments_own.STANDIN,
    annotations: int = experiments_own.STANDIN_ANNOTATIONS,
    length: int | None = None,
    vectors: bool = False,
) -> list[Cell]:
    """List the runs of the chapter on your own data, by default those of the stand-in."""
    runs = experiments_own.runs(profile, seeds, dataset, annotations, length, vectors)
    return [Cell(dataset, c.network, recipe, c.label, c.seed, c) for recipe, c in runs]


Grid = Callable[[str, Sequence[int]], list[Cell]]
CHAPTERS: dict[str, Grid] = {
    "quickstart": _quickstart,
    "table1": _table1,
    "figure1": _figure1,
    "figure2": _figure2,
    "atlas": _atlas,
    "tuning": _tuning,
    "hyperparameters": _hyperparameters,
    "why_distributions_help": _distributions,
    "annot_mix": lambda profile, seeds: _annotators(experiments_annotators.compared(profile, seeds)),
    "annot_mix_ablations": lambda profile, seeds: _annotators(experiments_annotators.ablated(profile, seeds)),
    "your_data": your_data,
    **{name: _arms(name) for name in _ARMS},
}


def seeds_of(given: int | str | Sequence[int]) -> list[int]:
    """Read seeds as people write them: a list, one number, or numbers in words ("[0, 1]", "0 1").

    Raises
    ------
    ConfigError
        Anything else.
    """
    words = re.findall(r"[^\s,\[\]()]+", given) if isinstance(given, str) else given
    listed = [words] if isinstance(words, int) else list(words)
    try:
        found = [int(str(seed)) for seed in listed]
    except ValueError as error:
        raise ConfigError(f"seeds: expected a list of numbers such as [0, 1, 2], not {given!r}") from error
    return list(dict.fromkeys(found))


def grid(chapter: str, profile: str = "laptop", seeds: int | str | Sequence[int] = SEEDS) -> list[Cell]:
    """List the runs that a chapter is drawn from, in the order in which they are worth training.

    `seeds` are as people write them: a list, a number, or numbers in words, as papermill hands them on.

    Raises
    ------
    ConfigError
        If there is no such chapter or profile.
    """
    if chapter not in CHAPTERS:
        raise unknown("chapter", chapter, CHAPTERS)
    return CHAPTERS[chapter](profile, seeds_of(seeds))


def profile_of(config: RunConfig, asked: str = "") -> str:
    """Name the profile whose grids contain this run, whatever the seed; "custom" if none does.

    Small runs belong to several profiles: the one that is `asked` for comes first, then their order.
    """
    names = sorted(PROFILES, key=lambda name: name != asked)
    if config.dataset.startswith(("folder@", "features@")):
        return next((name for name in names if experiments_own.is_of(name, config)), "custom")
    return next((name for name in names if config in _configs(name, config.seed)), "custom")


@cache
def _configs(profile: str, seed: int) -> frozenset[RunConfig]:
    """Every run of a profile with this seed; a figure of hundreds of runs asks hundreds of times."""
    return frozenset(c.config for chapter in CHAPTERS for c in grid(chapter, profile, [seed]))
