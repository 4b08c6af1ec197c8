"""Numbers of chapters 11, 19 and 20: which runs compare annot-mix with its competitors, in all profiles.

Settings are AM's (section 5 and its public configuration); features are small enough that profiles laptop
and paper run the same configurations on them, the latter with more seeds and with images beside.
"""

from collections.abc import Sequence
from typing import Any

from softlabels.errors import unknown
from softlabels.learning.config import METHODS, PUBLIC, RunConfig

# RAdam and the cosine belong to the method; momentum has no part in it.
COMMON: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 64,
    "lr": 0.01,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "augmentation": "none",
    "select": "last",
    "split": "official",
}
_MLP: dict[str, Any] = {**COMMON, "network": "mlp-256-128"}
SETTINGS: dict[str, dict[str, Any]] = {
    "mgc": {**_MLP, "dataset": "mgc", "dropout": 0.5},
    # AM put one layer of 128 on frozen DINOv2 features; ours are VGG16's.
    "labelme": {**COMMON, "dataset": "labelme", "network": "mlp-128", "dropout": 0.5, "weight_decay": 1e-4},
    "mgc, random splits": {**_MLP, "dataset": "mgc", "dropout": 0.5, "split": "random"},
    "synthetic-crowd": {**_MLP, "dataset": "synthetic-crowd", "split": "random"},
    "letter": {**_MLP, "dataset": "letter"},
    "sentiment": {**_MLP, "dataset": "sentiment", "dropout": 0.5},
    # AM put the same layer on BERT's features; ours are a smaller sentence model's.
    "trec6": {**COMMON, "dataset": "trec6", "network": "mlp-128", "dropout": 0.5, "weight_decay": 1e-4},
}
_IMAGES = {**COMMON, "lr": 0.001, "weight_decay": 1e-4, "augmentation": "crop-flip", "batch_size": 128}
_CIFAR10N = {**_IMAGES, "dataset": "cifar10n-jpeg", "image_size": 32}
_FULL = {**_CIFAR10N, "network": "resnet18-nomaxpool", "epochs": 100}
_SMALL = {**_CIFAR10N, "network": "resnet9-cifar", "epochs": 10, "train_images": 3000}
IMAGES: dict[str, dict[str, dict[str, Any]]] = {
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
SMOKE: dict[str, dict[str, Any]] = {
    "synthetic-crowd": {**SETTINGS["synthetic-crowd"], "limit": 240, "epochs": 2, "lr": 0.01},
}
# The row that ablations are made on.
FIRST = {"smoke": "synthetic-crowd", "laptop": "mgc", "paper": "mgc"}
LAPTOP_SEEDS = 5
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


def settings(profile: str) -> dict[str, dict[str, Any]]:
    """Settings of every row of the chapter's table, by name."""
    known = {"smoke": SMOKE, "laptop": SETTINGS | IMAGES["laptop"], "paper": SETTINGS | IMAGES["paper"]}
    if profile not in known:
        raise unknown("profile", profile, known)
    return known[profile]


def compared(profile: str, seeds: Sequence[int]) -> list[tuple[str, str, RunConfig]]:
    """Runs of the main table as (row, method, configuration); on images only `IMAGE_METHODS`."""
    return [
        (row, method, RunConfig.from_dict({**chosen, "method": method, "seed": seed}))
        for row, chosen in settings(profile).items()
        for seed in _seeds(profile, seeds)
        for method in methods(profile, row)
    ]


def methods(profile: str, row: str) -> Sequence[str]:
    """Methods that a row of the main table compares."""
    images = IMAGES.get(profile, {})
    if row not in images:
        return METHODS
    return WORKER_METHODS if "workers" in images[row] else IMAGE_METHODS


def unmixed(profile: str) -> dict[str, str]:
    """Name of the runs of annot-mix without mixup, by row of vectors; the first row's is an ablation."""
    rows = [row for row in settings(profile) if row not in IMAGES.get(profile, {})]
    return {row: UNMIXED if row == FIRST[profile] else f"{UNMIXED}, {row}" for row in rows}


def ablated(profile: str, seeds: Sequence[int]) -> list[tuple[str, str, RunConfig]]:
    """Runs of the ablations, of fewer judgements, and of what the public code leaves untrained."""
    base, found = settings(profile)[FIRST[profile]], []
    amounts = {f"{n} per image": {"annotations": n} for n in AMOUNTS}
    for seed in _seeds(profile, seeds):
        changes = [(name, "annot-mix", change) for name, change in ABLATIONS.items()]
        changes += [(name, m, change) for name, change in amounts.items() for m in AMOUNT_METHODS]
        changes += [("shuffled workers", "annot-mix", {"workers": "shuffled"})]
        found += [
            (name, m, RunConfig.from_dict({**base, "method": m, "seed": seed, **change}))
            for name, m, change in changes
        ]
    return found + _unmixed(profile, seeds) + _as_in_public(profile, seeds)


def _unmixed(profile: str, seeds: Sequence[int]) -> list[tuple[str, str, RunConfig]]:
    """annot-mix without mixup on every other row of vectors: on one test part a difference is one draw."""
    change = {"method": "annot-mix", **ABLATIONS[UNMIXED]}
    return [
        (name, "annot-mix", RunConfig.from_dict({**settings(profile)[row], **change, "seed": seed}))
        for row, name in unmixed(profile).items()
        for seed in _seeds(profile, seeds)
        if row != FIRST[profile]
    ]


def as_in_public(profile: str, row: str, method: str) -> str:
    """Name of a row's runs of a method of `PUBLIC`."""
    return method if row == FIRST[profile] else f"{method}, {row}"


def printed_rows(profile: str) -> list[str]:
    """Rows on which methods also run as in the public code: the first, and those with published numbers."""
    return [row for row in settings(profile) if row in (FIRST[profile], *PRINTED)]


def _as_in_public(profile: str, seeds: Sequence[int]) -> list[tuple[str, str, RunConfig]]:
    return [
        (
            as_in_public(profile, row, method),
            method,
            RunConfig.from_dict({**settings(profile)[row], "method": method, "seed": seed}),
        )
        for row in printed_rows(profile)
        for seed in _seeds(profile, seeds)
        for method in PUBLIC
    ]


def _seeds(profile: str, seeds: Sequence[int]) -> Sequence[int]:
    return seeds[:LAPTOP_SEEDS] if profile == "laptop" else seeds
