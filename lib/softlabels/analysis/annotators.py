"""Words for the methods that learn from several annotators, and for the data that they are compared on.

Chapters 11, 19 and 20 and the glossary take them from here, so that a method has one name on every axis.
"""

from typing import TYPE_CHECKING

from softlabels.analysis.formatting import NOTHING
from softlabels.learning.config import METHODS, OWN

if TYPE_CHECKING:
    import pandas as pd


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
    return METHODS[method].name


def row(name: str) -> str:
    """A row of the comparison in words."""
    return ROWS.get(name, name)


def glossary() -> "pd.DataFrame":
    """The methods in one line each, in the order of AM's table; in brackets what AM call them."""
    import pandas as pd

    lines = []
    for method, (name, does, models, source) in METHODS.items():
        known = f"{name} ({method})" if source != OWN and name != method else name
        lines.append((known, does, models, source or NOTHING))
    return pd.DataFrame(lines, columns=["method", "what it does", "what it models of people", "source"])
