"""Chapter 20: the annotators behind the labels, and whether a model of them estimates a distribution.

What each dataset's annotators are like stands in one small committed file, so that the chapter needs no data;
``python -m softlabels.chapters.annot_mix_people`` writes it from the datasets that can be had here.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from softlabels import datasets
from softlabels.analysis import table
from softlabels.chapters import descriptions
from softlabels.chapters.annot_mix import COMPARED
from softlabels.datasets import cifar10_crowds
from softlabels.datasets.cifar10 import CLASSES, TRAIN_LABELS
from softlabels.datasets.fetch import fetch
from softlabels.errors import DataUnavailable
from softlabels.labels.agreement import facts, heterogeneity
from softlabels.labels.votes import Annotations, chosen, shuffled
from softlabels.learning.annotators import aggregation
from softlabels.store import Shelf

GRIDS = (COMPARED,)
# Datasets whose annotators are described.
CARDS = (
    "mgc",
    "labelme",
    "letter",
    "synthetic-crowd",
    "cifar10h-crowd-jpeg",
    "cifar10n",
    "sentiment",
    "trec6",
)
COMBINED = ("mgc", "labelme", "sentiment")  # people on vectors, few enough for slow libraries
SHELF, FILE = Shelf("datasets"), "annotators.json"
Card = dict[str, Any]
collect = partial(table.gather, GRIDS)


def describe(name: str, **options: Any) -> Card:
    """Describe the annotators of a dataset's training part; options as for `datasets.load`.

    Of CIFAR-10N only labels and workers are read, no image. For `COMBINED`, "combined" says how often the
    labels that `aggregation.accuracies` makes of the judgements are right. Beside the ratio of χ² to its
    degrees of freedom stands that of the same labels with annotators shuffled.
    """
    combined: Card = {}
    if name == "cifar10n":
        found, truth, n_classes = cifar10_crowds.annotations(), _clean(), len(CLASSES)
    else:
        data = datasets.load(name, **options)
        assert data.annotations is not None and data.truth is not None
        part = data.splits.get("train", np.arange(len(data)))
        found, truth, n_classes = chosen(data.annotations, part), data.truth, len(data.classes)
        if name in COMBINED:
            shares = aggregation.accuracies(found, data.images, truth, n_classes)
            combined = {"combined": {way: round(share, 6) for way, share in shares.items()}}
    chance = heterogeneity(shuffled(found, np.random.default_rng(0)), truth).get("chi2_df", float("nan"))
    return {
        "name": name,
        "classes": n_classes,
        "labelled": len(np.unique(found.image)),
        **{key: round(value, 6) for key, value in facts(found, truth).items()},
        "chi2_df_shuffled": round(chance, 6),
        **combined,
    }


def worker_tests() -> dict[str, float]:
    """χ² over its degrees of freedom for CIFAR-10N's workers, paired with its labels in four ways.

    A label that is "worse" than the truth may come from any column of workers, one that is right comes from
    the first, because the first who gave it is taken. That rule alone makes workers differ, whoever they are:
    it does so too after whole batches have been given to other workers.
    """
    given, worse = cifar10_crowds.answers()
    columns, truth = cifar10_crowds.workers(), _clean()
    image, first = np.arange(len(worse)), (given == worse[:, None]).argmax(1)
    batches = columns.reshape(-1, cifar10_crowds.BATCH, 3)
    mixed = batches[np.random.default_rng(0).permutation(len(batches))].reshape(columns.shape)

    def ratio(rows: np.ndarray, workers: np.ndarray, answers: np.ndarray) -> float:
        return round(heterogeneity(Annotations(rows, workers, answers), truth)["chi2_df"], 6)

    kept = first == 0
    return {
        "all three labels, their own workers": ratio(np.repeat(image, 3), columns.ravel(), given.ravel()),
        "worse label, first worker who gave it (AM)": ratio(image, columns[image, first], worse),
        "the same, batches given to other workers": ratio(image, mixed[image, first], worse),
        "worse label where the first worker gave it": ratio(image[kept], columns[kept, 0], worse[kept]),
    }


def _clean() -> np.ndarray:
    with np.load(fetch(TRAIN_LABELS), allow_pickle=False) as arrays:
        return arrays["clean"].astype(np.int64)


def of_profile(profile: str) -> list[Card]:
    """Return the committed cards; for profile smoke, one that is made now."""
    if profile == "smoke":
        return [describe("synthetic-crowd", n_images=240)]
    return descriptions.find(SHELF, FILE, "annot_mix_people", list) or []


def publish() -> Path:
    """Write the cards of all datasets that can be had here, and name those that cannot; returns the file."""
    found = []
    for name in CARDS:
        try:
            found.append(describe(name) | ({"tests": worker_tests()} if name == "cifar10n" else {}))
        except DataUnavailable as error:
            print(f"{name}: left out: {error}")
    return descriptions.write(SHELF, FILE, found)


if __name__ == "__main__":
    sys.exit(descriptions.command("annot_mix_people", {"annotators": publish}))
