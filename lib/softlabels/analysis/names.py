"""Names that people read on axes and in legends, for the short ones by which the code finds things."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# One name for what an arm learns from, everywhere; the glossary explains each.
ARMS = {
    "truth": "dataset's label",
    "hard": "majority",
    "soft": "all votes",
    "sampled": "one vote",
    "class-mean": "mean of the class",
    "permuted": "votes on another image",
    "smoothed": "label smoothing",
    "mixup": "mixup",
    "distilled": "distillation",
    "people": "people",
}
DATASETS = {
    "synthetic": "Generated shapes",
    "micebone": "MiceBone",
    "micebone-standin": "Generated textures",
    "cifar10h-9500": "CIFAR-10H",
    "ferplus": "FER+",
    "chaosnli:snli/logits": "Pairs of sentences (SNLI)",
    "chaosnli:mnli/logits": "Pairs of sentences (MNLI)",
}
NETWORKS = {
    "resnet9": "ResNet-9",
    "resnet9-avg": "ResNet-9, averaging",
    "resnet9-tiny": "tiny ResNet-9",
    "resnet9-cifar": "ResNet-9",
    "resnet18": "ResNet-18",
    "resnet18-nomaxpool": "ResNet-18",
    "resnet50v2": "ResNet-50v2",
    "densenet121": "DenseNet-121",
    "densenet121-cifar": "DenseNet-121",
    "efficientnet-lite0": "EfficientNet-Lite0",
    "cifarnet-8": "tiny network",
    "cifarnet-32": "small network",
    "cifarnet-64": "wider network",
    "mlp-128": "small network",
}
RECIPES = {
    "stated": "as stated",
    "stated-pretrained": "pretrained",
    "public-code": "as the authors' code",
    "tuned": "tuned",
    "tuned-longer": "tuned, longer",
    "transferred": "tuned elsewhere",
    "text": "published logits",
}


def arm(name: str, words: Mapping[str, str] | None = None) -> str:
    """What an arm learns from, in a chapter's own words where it has some."""
    return (words or {}).get(name) or ARMS.get(name, name)


def setting(network: str, recipe: str, epochs: int) -> str:
    """Network, recipe and length of training in words."""
    return f"{NETWORKS.get(network, network)}, {RECIPES.get(recipe, recipe)}, {epochs} epochs"


def measure(words: str) -> str:
    """A measure with its unit, where it has one and does not say it."""
    natural = re.match(r"(KL|cross-entropy|entropy(?! corr)|loss)\b", words)
    return f"{words} [nats]" if natural and "[" not in words else words


def dataset(name: str) -> str:
    """A dataset in words."""
    return DATASETS.get(name, name)


def line(runs: "pd.DataFrame") -> tuple[str, str]:
    """Dataset and setting of runs that have both in common, in words."""
    first = runs.iloc[0]
    return dataset(first.dataset), setting(first.network, first.recipe, first.epochs)
