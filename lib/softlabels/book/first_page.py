"""The generated parts of the book's first page: one image with its votes, and the answer in one figure.

``python -m softlabels.book.first_page`` chooses the image anew; that needs the data.
"""

import ast
import html
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from softlabels import datasets, figures, paths
from softlabels.analysis import competence, names, published, table
from softlabels.analysis.formatting import number, signed
from softlabels.analysis.verdicts import CLAIMS
from softlabels.chapters import human_uncertainty, table1, verdicts
from softlabels.datasets.base import Dataset
from softlabels.errors import told
from softlabels.figures.base import light
from softlabels.figures.results import Setting
from softlabels.runs.profiles import SPLITS
from softlabels.store import Shelf, pack, read, unpack, write, write_atomically

SHELF, FILE = Shelf("datasets"), "most_divided.json"
DATASET = "cifar10h-9500"
PROFILES = ("laptop", "paper")
TITLE = "Learning from people who disagree"
SHOWN = 128  # pixels of the photograph on the page
# Lines of the picture for each dataset.
SETTINGS = {"Generated shapes": 2, "Generated textures": 1, "CIFAR-10H": 2, "Pairs of sentences (SNLI)": 1}


def most_divided(counts: np.ndarray) -> int:
    """The row whose votes [N, K] go to two classes and divide most evenly; of equals, with most votes."""
    ordered = -np.sort(-np.asarray(counts, np.int64), axis=1)
    total = ordered.sum(1)
    between_two = ordered[:, 0] + ordered[:, 1] == total
    difference = np.where(between_two, ordered[:, 0] - ordered[:, 1], total.max() + 1)
    return int(np.lexsort((-total, difference))[0])


def choose(data: Dataset) -> Path:
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
    """HTML: the chosen image, with what the people said and under which terms."""
    facts, _ = _chosen()
    said = sorted(((n, name) for name, n in facts["votes"].items() if n), reverse=True)
    total = sum(facts["votes"].values())
    bars = "".join(
        f'<li><span>{n} say {html.escape(name)}</span><b style="width:{100 * n / total:.0f}%"></b></li>'
        for n, name in said
    )
    words = ", ".join(f"{n} say {name}" for n, name in said)
    shape = f'src="_static/example.png" width="{SHOWN}" height="{SHOWN}"'
    terms = f"CIFAR-10, image {facts['image']}; votes: CIFAR-10H. Terms of {facts['licence']}"
    return (
        f'<figure class="asked"><img {shape} alt="A small, blurred photograph of which {words}.">'
        f"<figcaption><p>{total} people saw this, 32 pixels wide:</p><ul>{bars}</ul>"
        f"<p><small>{html.escape(terms)}</small></p></figcaption></figure>"
    )


def answer(found: Sequence[Setting] | None = None) -> str:
    """Markdown: what all votes change, in two sentences and in one figure; published, or of `found`."""
    found = settings() if found is None else found
    said = sentences(found)
    narrow = '<source media="(max-width: 600px)" srcset="_static/answer-narrow.svg">'
    image = f'<img class="line-art" src="_static/answer.svg" alt="{html.escape(_plain(said))}">'
    return (
        f'{said}\n\n<figure class="drawn"><picture>{narrow}{image}</picture><figcaption><p>'
        "All votes less the majority or the dataset’s label: paired 95 % intervals; blue where votes are "
        f"better, orange where worse, grey where open. {len(shown(found))} of {len(found)} settings with "
        'competent networks; <a href="chapters/03_table1.html">chapter 3</a> has the full table.</p>'
        "</figcaption></figure>"
    )


def rebuilt(root: Path, changed: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Draw the first page's picture of the book in `root`, built with other settings; the parts of its page.

    Of the settings, as `site.head.together` gives them, profile and seeds count.
    """
    profile = next(iter(changed.get("profile", ())), PROFILES[0])
    seeds = ast.literal_eval(next(iter(changed.get("seeds", ())), str(list(SPLITS))))
    found = settings((profile,), seeds, committed_only=False)
    for name, width in (("answer.svg", 7.2), ("answer-narrow.svg", 4.8)):
        write_atomically(root / "_static" / name, figures.svg(figures.answer(shown(found), width)))
    judged = verdicts.sentence(verdicts.collect(profile, seeds)).partition(": of ")[2]
    counts = judged.replace(" claims, ", " claims: ")
    return {"answer": answer(found), "verdict-counts": f"[{counts}](chapters/15_verdicts.ipynb)"}


def sentences(found: Sequence[Setting]) -> str:
    """The answer: by KL over all settings, and by accuracy for networks begun and trained to the end."""
    if not found:
        return "No setting has two pairs of networks that learnt: nothing can be said."
    better = [s for s in found if s.kl.sign < 0]
    change = float(np.median([s.kl.mean for s in found]))
    first = (
        f"Trained on all votes, networks predict people’s doubt better: KL is lower in **{len(better)} of "
        f"{len(found)} settings**, by **{number(-100 * change, 0)} %** in the median."
    )
    parts = [
        f"by {signed(100 * float(np.median([s.accuracy.mean for s in some])), 1)} points where they {words}"
        for words, some in (
            ("are pretrained or trained briefly", [s for s in found if s.begun]),
            ("are trained to the end from random weights", [s for s in found if not s.begun]),
        )
        if some
    ]
    up, down = (sum(s.accuracy.sign == sign for s in found) for sign in (1, -1))
    return (
        f"{first}\nTheir accuracy changes {' and '.join(parts)} (medians): up beyond doubt in **{up}** "
        f"settings, down in **{down}**, open in **{len(found) - up - down}**."
    )


def _plain(markdown: str) -> str:
    return markdown.replace("**", "").replace("\n", " ")


def headline() -> str:
    """Markdown: the published row of Table 1 and ours."""
    kept = [
        here
        for profile in PROFILES
        for _, here in table.settings(table.gather(["table1"], profile, SPLITS, committed_only=True))
        if not competence.lacking(table.complete(here), table.ARMS)
    ]
    return table1.headline(pd.concat(kept))


def draw() -> dict[str, bytes]:
    """Pictures of the first page by the name of their file in ``book/_static``."""
    (_, image), found, size = _chosen(), settings(), (2 * SHOWN, 2 * SHOWN)  # twice as fine as it is shown
    card = figures.png(figures.card(image, TITLE, _plain(sentences(found))))
    return {
        "example.png": light(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), 128),
        "answer.svg": figures.svg(figures.answer(shown(found))),
        "answer-narrow.svg": figures.svg(figures.answer(shown(found), 4.8)),
        "social.png": light(Image.open(io.BytesIO(card)), 128),
    }


def renew(folder: Path | None = None) -> list[Path]:
    """Write the pictures that have changed; returns their files."""
    changed = []
    for name, drawn in draw().items():
        file = (folder or paths.PROJECT / "book" / "_static") / name
        if not file.exists() or file.read_bytes() != drawn:
            write_atomically(file, drawn)
            changed.append(file)
    return changed


def shown(found: Sequence[Setting]) -> list[Setting]:
    """The first settings of each dataset of `SETTINGS`, as many as it says: what the picture has room for."""
    kept: list[Setting] = []
    for one in found:
        if sum(other.dataset == one.dataset for other in kept) < SETTINGS.get(one.dataset, 0):
            kept.append(one)
    return kept


def settings(
    profiles: Sequence[str] = PROFILES, seeds: Sequence[int] = SPLITS, committed_only: bool = True
) -> list[Setting]:
    """Settings with a paired interval between competent networks.

    The local cache is left out of the published book: its page must be the same in every clone.
    """

    def gathered(grid: str, profile: str) -> pd.DataFrame:
        return table.gather([grid], profile, seeds, committed_only=committed_only)

    every = [_of_arms(gathered("table1", profile)) for profile in profiles]
    folds = _of_folds([gathered(grid, profiles[0]) for grid in ("human", "human-scratch")])
    return [one for found in (*every, folds, _of_arms(gathered("text", profiles[0]))) for one in found]


def _of_arms(runs: pd.DataFrame) -> Iterator[Setting]:
    """Soft less hard labels of the same seeds."""
    for _, here in table.settings(runs):
        whole = table.complete(here)
        if competence.lacking(whole, table.ARMS):
            continue
        one = _setting(here, ("soft", "hard"), names.line(here)[1])
        if one and here.dataset.iloc[0] == "synthetic":
            soft, hard = (published.bhl("synthetic", arm, "kl")[0] for arm in ("soft", "hard"))
            effect = CLAIMS["bhl-accuracy"].effect
            one = replace(one, published_accuracy=effect, published_kl=soft / hard - 1)
        if one:
            yield one


def _of_folds(grids: Sequence[pd.DataFrame]) -> Iterator[Setting]:
    """All votes less CIFAR-10's label, over the folds of CIFAR-10H: fine-tuned, and from scratch."""
    arms = human_uncertainty.PEOPLE, human_uncertainty.LABEL
    for here, words, claim in zip(grids, ("fine-tuned", "from scratch"), (None, "huc-accuracy"), strict=True):
        here = here[here.record.notna()]
        if here.empty or competence.lacking(here, arms):
            continue
        network, epochs = here[["network", "epochs"]].iloc[0]
        one = _setting(here, arms, f"{names.NETWORKS[network]}, {words}, {epochs} epochs")
        if one:
            yield replace(one, published_accuracy=CLAIMS[claim].effect) if claim else one


def _setting(here: pd.DataFrame, arms: tuple[str, str], words: str) -> Setting | None:
    """The paired differences of two arms of one setting; None with fewer than two pairs."""
    accuracy = table.difference(here, f"{'truth' if 'truth' in arms else 'test'}.macro_accuracy", *arms)
    kl = table.difference(here, "test.kl", *arms, relative=True)
    if accuracy is None or kl is None or kl.n < 2:
        return None
    config = here.config.iloc[0]
    # Not trained from random weights for as many epochs as BHL train.
    begun = config.start != "scratch" or config.epochs < published.get("bhl", "epochs")
    return Setting(names.dataset(here.dataset.iloc[0]), words, accuracy, kl, begun=begun)


@told(2)
def main() -> None:
    """Choose the image of the first page; 2 where the data cannot be had here."""
    print(choose(datasets.load(DATASET)))


if __name__ == "__main__":
    sys.exit(main())
