"""Names that people read on axes and in legends, for the short ones by which the code finds things."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# One name for what an arm learns from, everywhere; the glossary lists them with what they mean.
ARMS = {
    "truth": "dataset's label",
    "hard": "majority",
    "soft": "all votes",
    "sampled": "one vote",
    "class-mean": "mean votes of the class",
    "permuted": "votes shuffled in the class",
    "smoothed": "label smoothing",
    "mixup": "mixup",
    "distilled": "distillation",
}
MEANING = {
    "truth": "the label that the data came with: CIFAR-10's for CIFAR-10H, that of before for texts",
    "hard": "the class that most people chose: a hard label",
    "soft": "the shares of the votes: a soft label, the people's distribution",
    "sampled": "one vote, drawn once",
    "class-mean": "the mean shares over the training items of the class",
    "permuted": "the shares of another training item of the class",
    "smoothed": "the dataset's label with the same small doubt everywhere: the people's mean entropy",
    "mixup": "the dataset's labels of two images that are blended",
    "distilled": "what a network predicts that was trained on the dataset's label",
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
    "stated-64px": "as stated",
    "stated-pretrained": "pretrained",
    "public-code": "as the authors' code",
    "tuned": "tuned",
    "transferred": "tuned elsewhere",
    "transferred-weighted": "classes weighted",
    "human": "fine-tuned",
    "human-scratch": "from random weights",
    "text": "published logits",
}


def arm(name: str) -> str:
    """What an arm learns from: one of `ARMS`, or some of the votes, or one of them with a number."""
    if name in ARMS:
        return ARMS[name]
    kind, equals, value = name.partition("=")
    if not equals:
        return name
    kind, value = kind.strip(), value.strip()
    if kind == "n":
        return {"1": ARMS["sampled"], "all": ARMS["soft"]}.get(value, f"{value} votes")
    return f"smoothed majority, ε = {value}" if kind == "ε" else f"{ARMS['soft']}, {kind[-1]} = {value}"


def spoken(name: str) -> str:
    """An arm in a sentence."""
    return f"the {arm(name)}" if name in ("truth", "hard") else arm(name)


def less(arm_: str, base: str) -> str:
    """Heading of a column of differences."""
    return f"{arm(arm_)} − {arm(base)}"


def arms() -> str:
    """Markdown: every name with what it means, for the glossary."""
    lines = [f"| {name} | `{key}` | {MEANING[key]} |" for key, name in ARMS.items()]
    return "\n".join(["| name | in the code | learns from |", "|---|---|---|", *lines])


def title(place: str) -> str:
    """A setting as `analysis.table` names it, such as "synthetic 64 px · resnet9 · stated", in words."""
    parts = place.split(" · ")
    data, space, size = parts[0].partition(" ")
    words = [dataset(data) + (f", {size}" if space else "")]
    return " · ".join(words + [NETWORKS.get(p, RECIPES.get(p, p)) for p in parts[1:]])


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
