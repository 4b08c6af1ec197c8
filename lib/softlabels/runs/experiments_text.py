"""Numbers of chapter 18: pairs of texts with a hundred votes each, learnt from ready-made features.

Arms of a setting share network, schedule and rate. Rates were chosen once for each kind of features, on the
validation part of one split of SNLI, for both arms together (grid "text-rates").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from softlabels.errors import unknown
from softlabels.learning.config import RunConfig
from softlabels.runs.experiments_human import Run

# What a competent model can be had for: the main settings. The three logits of a published model, and votes.
MAIN = ("chaosnli:snli/logits", "chaosnli:mnli/logits")
DATASETS = (
    *MAIN,
    "chaosnli:snli+logits",
    "chaosnli:mnli+logits",
    "chaosnli:snli",
    "chaosnli:mnli",
    "chaosnli:alpha",
    "chaosnli:snli/words",
)
ARMS: dict[str, dict[str, Any]] = {
    "truth": {"label": "truth"},
    "hard": {"label": "hard"},
    "soft": {"label": "soft"},
    "smoothed": {"label": "smoothed"},
    "permuted": {"label": "permuted"},
    "class-mean": {"label": "class-mean"},
}
CONTROLS = ("smoothed", "permuted", "class-mean")  # softening without the people's votes on this pair
# Label smoothing of the majority, from weak to strong: the published strengths are not stated.
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4)
SMOOTHED = {f"ε = {e:g}": {"label": "hard", "smoothing": e} for e in STRENGTHS}
BUDGET = (1, 2, 5, 10, 20, 50)  # votes kept for each pair; all hundred are the arm "soft"
FEWER = 2  # splits of features other than the main ones
RATES = tuple((lr, decay) for lr in (0.005, 0.02, 0.1) for decay in (0.005, 0.1))
# Kind of features -> rate and weight decay with the least sum of both arms' own validation losses.
CHOSEN = {"": (0.02, 0.1), "/words": (0.02, 0.1), "+logits": (0.02, 0.1), "/logits": (0.02, 0.005)}
RECIPE: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 32,
    "schedule": "one-cycle",
    "augmentation": "none",
}


@dataclass(frozen=True)
class Numbers:
    """Numbers of a profile: epochs, pairs used of each dataset (0: all), and budgets."""

    epochs: int = 30
    limit: int = 0
    budget: tuple[int, ...] = BUDGET


# The features are small: laptop and paper differ in their seeds only.
NUMBERS = {"smoke": Numbers(1, 200, (2,)), "laptop": Numbers(), "paper": Numbers()}


def numbers(profile: str) -> Numbers:
    """Numbers of a profile; an unknown name raises `ConfigError` with the nearest known one."""
    if profile not in NUMBERS:
        raise unknown("profile", profile, NUMBERS)
    return NUMBERS[profile]


def features(dataset: str) -> str:
    """What follows the name of a dataset: "/logits" of "chaosnli:snli/logits"."""
    return next(kind for kind in sorted(CHOSEN, key=len, reverse=True) if dataset.endswith(kind))


def _runs(
    profile: str,
    seeds: Sequence[int],
    datasets: Sequence[str],
    arms: Mapping[str, Mapping[str, Any]],
    network: str = "mlp-128",
) -> Iterator[Run]:
    n = numbers(profile)
    for dataset in datasets:
        lr, decay = CHOSEN[features(dataset)]
        common = RECIPE | {"epochs": n.epochs, "limit": n.limit, "lr": lr, "weight_decay": decay}
        common |= {"dataset": dataset, "network": network, "dropout": 0.5 * (network != "linear")}
        for seed in seeds:
            for arm, settings in arms.items():
                yield Run(arm, RunConfig.from_dict({**common, "seed": seed, **settings}))


def arms(profile: str, seeds: Sequence[int]) -> list[Run]:
    """All arms on the main settings."""
    return list(_runs(profile, seeds, MAIN, ARMS | SMOOTHED))


def kinds(profile: str, seeds: Sequence[int]) -> list[Run]:
    """Majority and votes on every dataset and every kind of features; on logits with a linear layer too.

    Features that turn out to say little of entailment have fewer splits.
    """
    both = {arm: ARMS[arm] for arm in ("hard", "soft")}
    others = [name for name in DATASETS if name not in MAIN]
    main = [run for network in ("mlp-128", "linear") for run in _runs(profile, seeds, MAIN, both, network)]
    return [*main, *_runs(profile, seeds[:FEWER], others, both)]


def budget(profile: str, seeds: Sequence[int]) -> list[Run]:
    """Votes kept for each pair of the training and validation parts, on the main settings."""
    some = {f"n={n}": {"label": "soft", "annotations": n} for n in numbers(profile).budget}
    return list(_runs(profile, seeds, MAIN, {**some, "n=100": ARMS["soft"]}))


def rates(profile: str, seeds: Sequence[int]) -> list[Run]:
    """Rates and weight decays of every kind of features, on SNLI with the first seed."""
    datasets = [name for name in DATASETS if name.startswith("chaosnli:snli")]
    both = {arm: ARMS[arm] for arm in ("hard", "soft")}
    return [
        Run(run.arm, run.config.replace(lr=lr, weight_decay=decay))
        for lr, decay in RATES
        for run in _runs(profile, seeds[:1], datasets, both)
    ]


GRIDS = {"text": arms, "text-features": kinds, "text-budget": budget, "text-rates": rates}
