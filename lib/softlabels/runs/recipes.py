"""The recipes by which networks are trained: what is published, what was tuned, what was taken over."""

from typing import Any

from softlabels.errors import ConfigError, unknown

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
    ("cifar10h-9500", "resnet9-cifar", "hard"): 0.01,
    ("cifar10h-9500", "resnet9-cifar", "soft"): 0.02,
}
TUNED_LIKE = {"resnet9-avg": "resnet9"}  # networks that take the rate of a near relative
DEFAULT_RATE = 0.05  # where nothing was tuned

# The recipe tuned on the synthetic images, taken over as it is: both arms had the same rate there. No choice
# looks at the dataset it is used on, which saves the compute of tuning there and favours neither arm.
TRANSFERRED: dict[str, Any] = {**TUNED, "lr": 0.02}
_TRANSFERRED_BY_DATASET = {
    "ferplus": {"augmentation": "crop-flip"},  # a face upside down is another task
    "micebone-standin": {"augmentation": "flips-turns"},
}

# `tuned-longer` has the settings of `tuned`; the row of the profile gives it more epochs.
RECIPES = ("stated", "stated-pretrained", "public-code", "tuned", "tuned-longer", "transferred")


def settings(recipe: str, dataset: str, network: str, arm: str) -> dict[str, Any]:
    """Return the settings of `RunConfig` that a recipe names.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it says nothing of this dataset.
    """
    if recipe in ("stated", "stated-pretrained"):
        pretrained = {"pretrained": True} if recipe == "stated-pretrained" else {}
        return STATED | _STATED_BY_DATASET.get(dataset, {}) | pretrained
    if recipe == "public-code":
        return PUBLIC_CODE | _of(dataset, _PUBLIC_CODE_BY_DATASET, recipe)
    if recipe in ("tuned", "tuned-longer"):
        rate = TUNED_RATES.get((dataset, TUNED_LIKE.get(network, network), arm), DEFAULT_RATE)
        return {**TUNED, **_of(dataset, _TUNED_BY_DATASET, recipe), "lr": rate}
    if recipe == "transferred":
        return TRANSFERRED | _of(dataset, _TRANSFERRED_BY_DATASET, recipe)
    raise unknown("recipe", recipe, RECIPES)


def _of(dataset: str, known: dict[str, dict[str, Any]], recipe: str) -> dict[str, Any]:
    if dataset not in known:
        raise ConfigError(
            f"recipe {recipe} is not defined for {dataset}, only for {', '.join(sorted(known))}"
        )
    return known[dataset]
