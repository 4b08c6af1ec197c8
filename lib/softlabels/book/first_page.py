"""The generated parts of the book's first page: one image with its votes, and the answer in one figure.

``python -m softlabels.book.first_page`` chooses the image anew; that needs the data.
"""

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from softlabels import datasets, paths
from softlabels.analysis import table
from softlabels.command import told
from softlabels.runs.profiles import SPLITS
from softlabels.store import Shelf, pack, read, unpack, write, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from softlabels.datasets.base import Dataset

SHELF, FILE = Shelf("datasets"), "most_divided.json"
DATASET = "cifar10h-9500"
PROFILES = ("laptop", "paper")


def most_divided(counts: np.ndarray) -> int:
    """Choose the row whose votes go to two classes and divide most evenly; of equals, that with most votes.

    Parameters
    ----------
    counts : [N, K]
        Votes by class.
    """
    ordered = -np.sort(-np.asarray(counts, np.int64), axis=1)
    total = ordered.sum(1)
    between_two = ordered[:, 0] + ordered[:, 1] == total
    difference = np.where(between_two, ordered[:, 0] - ordered[:, 1], total.max() + 1)
    return int(np.lexsort((-total, difference))[0])


def choose(data: "Dataset") -> Path:
    """Write the most divided image of a dataset, with its votes and source, into the committed results."""
    row = most_divided(data.counts)
    facts = {
        "dataset": data.name,
        "image": int(data.ids[row]),
        "votes": {name: int(n) for name, n in zip(data.classes, data.counts[row], strict=True)},
        "variant": data.source.variant,
        "licence": data.source.licence,
        "url": data.source.url,
    }
    path = SHELF.committed / FILE
    picture = pack(image=data.pictures(np.array([row]))[0])
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    write(path.parent, {path.with_suffix(".npz").name: picture, path.name: text.encode()})
    return path


def _chosen() -> tuple[dict[str, Any], np.ndarray]:
    path, remedy = SHELF.committed / FILE, "`python -m softlabels.book.first_page` renews it"
    facts = read(path, json.loads, "a chosen image", remedy)
    return facts, read(path.with_suffix(".npz"), unpack, "a chosen image", remedy)["image"]


def example() -> str:
    """Markdown: the chosen image, with what the people said and under which terms."""
    facts, _ = _chosen()
    said = sorted(((n, name) for name, n in facts["votes"].items() if n), reverse=True)
    words = ", ".join(f"{n} say {name}" for n, name in said)
    tie = " The majority vote has to be drawn by lot." if said[0][0] == said[1][0] else ""
    caption = (
        f"{sum(facts['votes'].values())} people saw this photograph, 32 pixels wide: {words}.{tie} "
        f"Of all images whose votes go to two classes, it divides people most evenly.\n\n"
        f"Image {facts['image']} of CIFAR-10's test part {{cite}}`krizhevsky2009`, "
        f"votes of CIFAR-10H {{cite}}`peterson2019` · terms: {facts['licence']}"
    )
    alt = f"A small, blurred photograph beside bars of its votes: {words}; no other class has any."
    return _directive("example", alt, caption)


def answer() -> str:
    """Markdown: where soft labels are better by accuracy and by KL, in sentences and in one figure."""
    from softlabels import figures
    from softlabels.analysis import tables

    found = settings()
    runs = table.recorded(found)
    said = " ".join(tables.winners_sentence(found, metric) for metric in ("macro_accuracy", "kl"))
    caption = (
        "Soft minus hard with paired 95 % intervals, for every setting that has a pair of runs: accuracy "
        f"above, KL below.\n\n{figures.caption_line(runs, PROFILES[0])}"
    )
    return f"{said}\n\n{_directive('answer', said, caption)}"


def headline() -> str:
    """Markdown: the published row of Table 1 and ours."""
    from softlabels.chapters import table1

    return table1.headline(settings())


def _directive(name: str, alt: str, caption: str) -> str:
    return f"```{{figure}} _static/{name}.png\n:alt: {alt}\n:name: {name}\n\n{caption}\n```"


def draw() -> "dict[str, Figure]":
    """Figures of the first page by the name of their file in ``book/_static``."""
    from softlabels import figures

    facts, image = _chosen()
    return {"example": figures.votes(image, facts["votes"]), "answer": figures.differences(settings())}


def renew(folder: Path | None = None) -> list[Path]:
    """Write the figures that have changed; returns their files."""
    from softlabels import figures

    changed = []
    for name, figure in draw().items():
        file = (folder or paths.PROJECT / "book" / "_static") / f"{name}.png"
        drawn = _light(figures.png(figure))
        if not file.exists() or file.read_bytes() != drawn:
            write_atomically(file, drawn)
            changed.append(file)
    return changed


def _light(image: bytes) -> bytes:
    """The same PNG with a palette of 128 colours, a third of its size: the first page is to be light."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(image)).convert("RGB").quantize(128).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def settings() -> "pd.DataFrame":
    """Runs of the settings of Table 1 that have a pair of committed runs of competent networks.

    The local cache is left out: the page must be the same in every clone.
    """
    import pandas as pd

    from softlabels.chapters import table1

    every = [table.gather(["table1"], profile, SPLITS, committed_only=True) for profile in PROFILES]
    pairs = [here for runs in every for _, here in table.settings(runs)]
    return table1.competent(pd.concat(pairs))[0]


@told(2)
def main() -> None:
    """Choose the image of the first page; 2 where the data cannot be had here."""
    print(choose(datasets.load(DATASET)))


if __name__ == "__main__":
    sys.exit(main())
