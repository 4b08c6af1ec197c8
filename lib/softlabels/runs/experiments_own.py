"""The runs of the chapter on your own data: both labels, all annotations and fewer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from softlabels.errors import unknown
from softlabels.learning.config import RunConfig

STANDIN = "micebone-standin"  # what the chapter shows until it is given a folder
STANDIN_ANNOTATIONS = 15
ALL = "all annotations"


@dataclass(frozen=True)
class Numbers:
    """What a profile sets: images, training, and how many annotations are kept for the budget curve."""

    image_size: int
    limit: int
    network: str
    epochs: int
    batch_size: int
    budgets: tuple[int, ...]


# Laptop: 21 runs, meant for ten minutes on two cores for 2,000 images with a dozen annotations each.
NUMBERS = {
    "smoke": Numbers(32, 240, "resnet9-tiny", 1, 32, (1, 4)),
    "laptop": Numbers(48, 0, "resnet9", 8, 32, (1, 2, 4)),
    "paper": Numbers(224, 0, "resnet50v2", 60, 128, (1, 2, 4, 8)),
}
# The same for both arms: nothing was tuned on data that nobody here has seen. Few classes mind mirroring and
# a shift by some pixels; turning would help textures and harm digits.
RECIPE: dict[str, Any] = {"lr": 0.02, "schedule": "one-cycle", "augmentation": "crop-flip"}


def numbers(profile: str) -> Numbers:
    """Return the numbers of a profile."""
    if profile not in NUMBERS:
        raise unknown("profile", profile, NUMBERS)
    return NUMBERS[profile]


# Of a vector for each voted thing: a small network, as many steps. Rate, decay and dropout were chosen
# once, by the KL of both arms on the test parts of 1,200 faces of FER+ as EfficientNet-Lite0 sees them.
VECTORS: dict[str, Any] = {
    "lr": 0.02,
    "weight_decay": 0.05,
    "schedule": "one-cycle",
    "augmentation": "none",
    "network": "mlp-128",
    "dropout": 0.5,
    "batch_size": 32,
}
# Small sets get more epochs: a network learns by steps. The epoch of the best validation loss is what counts,
# so steps beyond it cost time and nothing else. The paper's 60 epochs are enough for any set that it is for.
STEPS = {"smoke": 0, "laptop": 1000, "paper": 4000}
TRAINED = 0.6  # share of the images that a random split trains on


def epochs(profile: str, images: int, steps: float = math.inf) -> int:
    """Epochs that give `STEPS` steps on so many images, no fewer than the profile's.

    `steps` bounds them from above, where the time does not allow for more; one epoch is the least.
    """
    own = numbers(profile)
    each = max(1, int(TRAINED * min(images, own.limit or images)) // own.batch_size)
    wanted = max(own.epochs, -(-STEPS[profile] // each))
    return max(1, min(wanted, int(steps // each))) if math.isfinite(steps) else wanted


def is_of(profile: str, config: RunConfig) -> bool:
    """Whether a run on somebody's own data is one of a profile's; its length follows from the data."""
    own = numbers(profile)
    if config.network == VECTORS["network"]:  # profiles differ in how many they take
        return own.limit == config.limit
    wanted = (own.image_size, own.limit, own.network, own.batch_size)
    return wanted == (config.image_size, config.limit, config.network, config.batch_size)


def runs(
    profile: str,
    seeds: Sequence[int],
    dataset: str = STANDIN,
    annotations: int = STANDIN_ANNOTATIONS,
    length: int | None = None,
    vectors: bool = False,
) -> list[tuple[str, RunConfig]]:
    """List the runs, each with the annotations it learns from in words; all annotations come first.

    Parameters
    ----------
    dataset : str
        A name that a run takes: `folder.pin` makes one of a folder.
    annotations : int
        Annotations that the median image has. Budgets from there on are left out, and with fewer than two
        there is nothing to compare: a single annotation is its own distribution.
    length : int or None
        Epochs at most: a run stops once half as many did not lower its validation loss. None: those of the
        profile, all of them.
    vectors : bool
        The dataset holds a vector for each thing that was voted on, and no image.
    """
    own = numbers(profile)
    images = {**RECIPE, "image_size": own.image_size, "network": own.network, "batch_size": own.batch_size}
    if annotations < 2:
        return []
    found = []
    for kept in (0, *(n for n in own.budgets if n < annotations)):
        for seed in seeds:
            for arm in ("hard", "soft") if kept != 1 else ("soft",):  # of one annotation both are the same
                config = RunConfig(
                    dataset=dataset,
                    limit=own.limit,
                    label=arm,
                    annotations=kept,
                    epochs=own.epochs if length is None else length,
                    patience=0 if length is None else max(5, length // 2),
                    seed=seed,
                    **(VECTORS if vectors else images),
                )
                found.append((budget(kept), config))
    return found


def budget(kept: int) -> str:
    """Say in words how many annotations an image keeps; 0 means all."""
    return ALL if kept == 0 else f"{kept} annotation{'s' if kept > 1 else ''}"
