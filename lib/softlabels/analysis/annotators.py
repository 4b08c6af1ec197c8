"""Words for the methods that learn from several annotators, and for the data that they are compared on.

Chapters 11, 19 and 20 and the glossary take them from here, so that a method has one name on every axis.
"""

from typing import TYPE_CHECKING, NamedTuple

from softlabels.analysis.formatting import NOTHING
from softlabels.learning.config import METHODS

if TYPE_CHECKING:
    import pandas as pd


class Words(NamedTuple):
    """What is said of a method: its name on axes and in tables, what it does, what it models, its source."""

    name: str
    does: str
    models: str
    source: str


OWN = "this book's own"
WORDS = {
    "true-base": Words("true labels", "learns from the true classes: the upper reference", "nothing", ""),
    "mv-base": Words("majority", "learns from the majority of an image's judgements", "nothing", ""),
    "mv-mixup": Words(
        "majority + mixup",
        "the same, with images and their labels mixed in pairs",
        "nothing",
        "Zhang et al. 2018",
    ),
    "ds-mixup": Words(
        "Dawid-Skene + mixup",
        "learns from the class that Dawid-Skene takes for true, with mixup",
        "a matrix for each, before training",
        "Dawid and Skene 1979",
    ),
    "crowd-layer": Words(
        "crowd-layer",
        "puts a free matrix behind the class probabilities, for each person",
        "a matrix for each",
        "Rodrigues and Pereira 2018",
    ),
    "trace-reg": Words(
        "trace-reg",
        "confusion matrices, made to look as unreliable as the data allow",
        "a matrix for each",
        "Tanno et al. 2019",
    ),
    "conal": Words(
        "conal",
        "weighs a matrix that all share and one of each person's own, image by image",
        "a common matrix and one for each",
        "Chu et al. 2021",
    ),
    "union-net": Words(
        "union-net",
        "has one transition from the class to the labels of all people together",
        "a matrix for each",
        "Wei et al. 2022",
    ),
    "madl": Words(
        "madl",
        "confusion matrices; people who resemble each other count less",
        "a matrix for each pair",
        "Herde et al. 2023",
    ),
    "geo-reg-f": Words(
        "geo-reg-f",
        "confusion matrices, with a volume of the class probabilities kept large",
        "a matrix for each",
        "Ibrahim et al. 2023",
    ),
    "geo-reg-w": Words(
        "geo-reg-w",
        "confusion matrices, with a volume of the matrices kept large",
        "a matrix for each",
        "Ibrahim et al. 2023",
    ),
    "crowd-ar": Words(
        "crowd-ar",
        "crowd-layer, with labels softened by how reliable a person is on this image",
        "a matrix for each, trust by pair",
        "Cao et al. 2023",
    ),
    "annot-mix": Words(
        "annot-mix",
        "mixes images, people and labels by the same weights",
        "a matrix for each pair",
        "Herde et al. 2024",
    ),
    "soft-mixup": Words(
        "all votes + mixup", "learns from the shares of the votes, with mixup", "nothing", OWN
    ),
}
ROWS = {
    "mgc": "Music genres",
    "mgc, random splits": "Music genres, random splits",
    "labelme": "LabelMe",
    "labelme-64px": "LabelMe, 64 px",
    "letter": "Letters",
    "trec6": "Questions",
    "sentiment": "Film reviews",
    "synthetic-crowd": "Generated shapes",
    "cifar10h": "CIFAR-10H",
    "cifar10h-crowd-jpeg": "CIFAR-10H",
    "cifar10n": "CIFAR-10N",
    "cifar10n, shuffled workers": "CIFAR-10N, shuffled workers",
}


def named(method: str) -> str:
    """Name of a method that people read."""
    return WORDS[method].name


def row(name: str) -> str:
    """A row of the comparison in words."""
    return ROWS.get(name, name)


def glossary() -> "pd.DataFrame":
    """The methods in one line each, in the order of AM's table; in brackets what AM call them."""
    import pandas as pd

    lines = []
    for method in METHODS:
        name, does, models, source = WORDS[method]
        known = f"{name} ({method})" if source != OWN and name != method else name
        lines.append(
            {
                "method": known,
                "what it does": does,
                "what it models of people": models,
                "source": source or NOTHING,
            }
        )
    return pd.DataFrame(lines)
