"""All numbers of all profiles: which runs a chapter is drawn from.

A profile is a set of numbers, never another code path. Minutes are those of two CPU cores; what each
run really took stands in its record.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from softlabels import experiments_own
from softlabels.config import RunConfig
from softlabels.errors import unknown

ARMS = ("hard", "soft")
SEEDS = (0, 1, 2)  # BHL report three splits

# What BHL state (section 2), and nothing they do not: no augmentation, no class weights.
STATED: dict[str, Any] = {"lr": 0.1, "schedule": "cosine", "weight_decay": 5e-4, "augmentation": "none"}

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
    ("cifar10h-9500", "resnet9-cifar", "hard"): 0.01,
    ("cifar10h-9500", "resnet9-cifar", "soft"): 0.02,
}
TUNED_LIKE = {"resnet9-avg": "resnet9"}  # networks that take the rate of a near relative
DEFAULT_RATE = 0.05  # where nothing was tuned

RECIPES = ("stated", "stated-pretrained", "public-code", "tuned")


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
    quickstart : dict
        Settings of the two live runs.
    """

    image_size: int
    limit: int
    table1: tuple[Row, ...]
    figure1: tuple[Row, str]
    quickstart: dict[str, Any]


_QUICKSTART = {"image_size": 64, "limit": 5000, "epochs": 8, "batch_size": 64, "lr": 0.02}

PROFILES: dict[str, Profile] = {
    "smoke": Profile(
        image_size=32,
        limit=240,
        table1=(
            Row("synthetic", "resnet9-tiny", 1),
            Row("cifar10h-9500", "resnet9-tiny", 1, ("stated", "tuned")),
        ),
        figure1=(Row("synthetic", "resnet9-tiny", 1), "tuned"),
        quickstart={"image_size": 32, "limit": 240, "epochs": 1, "network": "resnet9-tiny"},
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
        ),
        figure1=(Row("synthetic", "resnet9-avg", 10), "tuned"),
        quickstart=_QUICKSTART,
    ),
    "paper": Profile(
        image_size=224,
        limit=0,
        table1=(
            Row("synthetic", "densenet121", 60, ("stated", "stated-pretrained", "public-code", "tuned")),
            Row("cifar10h-9500", "resnet18-nomaxpool", 60),
        ),
        figure1=(Row("synthetic", "densenet121", 60), "stated"),
        quickstart=_QUICKSTART,
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


def _settings(recipe: str, dataset: str, network: str, arm: str) -> dict[str, Any]:
    if recipe == "stated":
        return STATED
    if recipe == "stated-pretrained":
        return {**STATED, "pretrained": True}
    if recipe == "public-code":
        return PUBLIC_CODE | _PUBLIC_CODE_BY_DATASET[dataset]
    if recipe == "tuned":
        rate = TUNED_RATES.get((dataset, TUNED_LIKE.get(network, network), arm), DEFAULT_RATE)
        return {**TUNED, **_TUNED_BY_DATASET[dataset], "lr": rate}
    raise unknown("recipe", recipe, RECIPES)


def cell(profile: str, row: Row, recipe: str, arm: str, seed: int, **changes: Any) -> Cell:
    """Configure one run of a profile; `changes` override the recipe."""
    numbers = _profile(profile)
    config = RunConfig.from_dict(
        {
            "dataset": row.dataset,
            "network": row.network,
            "epochs": row.epochs,
            "image_size": numbers.image_size if row.dataset == "synthetic" else 32,
            "limit": numbers.limit,
            "label": arm,
            "seed": seed,
            **_settings(recipe, row.dataset, row.network, arm),
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


def _tuning(profile: str, seeds: Sequence[int]) -> list[Cell]:
    """Every rate on the first seed only, judged on its validation part; no test part is looked at."""
    rows = [r for r in _profile(profile).table1 if "tuned" in r.recipes and r.network not in TUNED_LIKE]
    return [
        cell(profile, row, "tuned", arm, seeds[0], lr=rate)
        for row in rows
        for rate in TUNING_RATES
        for arm in ARMS
    ]


def _quickstart(profile: str, seeds: Sequence[int]) -> list[Cell]:
    configs = [
        RunConfig.from_dict({**_profile(profile).quickstart, "label": arm, "seed": seed})
        for seed in seeds
        for arm in ARMS
    ]
    return [Cell(c.dataset, c.network, "quickstart", c.label, c.seed, c) for c in configs]


def your_data(
    profile: str,
    seeds: Sequence[int],
    dataset: str = experiments_own.STANDIN,
    annotations: int = experiments_own.STANDIN_ANNOTATIONS,
) -> list[Cell]:
    """List the runs of the chapter on your own data, by default those of the stand-in."""
    runs = experiments_own.runs(profile, seeds, dataset, annotations)
    return [Cell(dataset, c.network, recipe, c.label, c.seed, c) for recipe, c in runs]


CHAPTERS: dict[str, Callable[[str, Sequence[int]], list[Cell]]] = {
    "quickstart": _quickstart,
    "table1": _table1,
    "figure1": _figure1,
    "tuning": _tuning,
    "your_data": your_data,
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
    for name in PROFILES:
        for chapter in CHAPTERS:
            if config in (c.config for c in grid(chapter, name, [config.seed])):
                return name
    return "custom"
