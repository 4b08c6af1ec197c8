"""Chapter 17, the atlas: maps of the test images by two networks, to be pointed at.

``python -m softlabels.chapters.atlas`` makes the committed maps and pictures.
"""

import argparse
import base64
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from softlabels import datasets, figures
from softlabels.analysis import embeddings, names, table
from softlabels.analysis.embeddings import Embedding
from softlabels.analysis.formatting import NOTHING, number
from softlabels.datasets import cifar10
from softlabels.datasets.base import checksum
from softlabels.errors import DataError, DataUnavailable, RecordError, told
from softlabels.figures import interactive
from softlabels.labels.votes import entropy
from softlabels.learning import inputs
from softlabels.runs.records import Record
from softlabels.store import Shelf, write_atomically

GRIDS = ("atlas",)
SHELF = Shelf("atlas")  # the test images of a run side by side in one small file
TILE = 32  # pixels
QUALITY = 40  # of WebP: 0.3 MB for two to three thousand tiles
ARMS = ("hard", "soft")
TITLES = {"people": "People", "hard": "Trained on the majority", "soft": "Trained on all votes"}
LICENCES = {
    "synthetic": "Images are generated; their true distribution is known. CC BY 4.0, like the text.",
    "cifar10h-9500": "Images: test set of CIFAR-10 (Krizhevsky 2009), shown small and compressed. Votes: "
    f"CIFAR-10H (Peterson et al. 2019, {cifar10.URL}), CC BY-NC-SA 4.0, which holds for this copy too.",
}
# Colour and mark of each class; those of the generator's classes are what they look like.
MARKS: dict[str, list[list[int]]] = {"synthetic": [[0, 0], [0, 1], [2, 0], [2, 1], [1, 0], [1, 1]]}
collect = partial(embeddings.gather_with_maps, GRIDS)


@dataclass(frozen=True)
class Atlas:
    """Both networks on the test images of one split."""

    dataset: str
    classes: tuple[str, ...]
    records: Mapping[str, Record]  # the run of either arm
    maps: Mapping[str, Embedding]  # their maps, in the order of the records' images
    sheet: bytes  # the images side by side as WebP, in the same order; empty where they are not at hand

    @property
    def ids(self) -> np.ndarray:
        """Ids of the images, int64 [N]."""
        return self.maps["hard"].ids

    def shares(self) -> dict[str, np.ndarray]:
        """Distribution of the people and of either network, float64 [N, K]."""
        arrays = {arm: record.arrays() for arm, record in self.records.items()}
        found = {"people": arrays["hard"]["targets"].astype(np.float64)}
        return found | {arm: np.exp(arrays[arm]["log_probs"].astype(np.float64)) for arm in ARMS}


def atlases(runs: pd.DataFrame, draw: bool = False) -> dict[str, Atlas]:
    """The atlas of every dataset of which runs and maps of both arms are here.

    Missing pictures are drawn if asked for, where their data can be had.
    """
    found = {}
    for dataset, here in runs.groupby("dataset", sort=False):
        pair = embeddings.pair(here).set_index("arm")
        if pair.empty:
            continue
        records, maps = dict(pair.record), dict(pair.embedding)
        if not np.array_equal(maps["hard"].ids, maps["soft"].ids):
            ids = " and ".join(record.id for record in records.values())
            raise RecordError(f"runs {ids}: their test images differ, so that their maps cannot be linked")
        sheet = find_sheet(records["hard"], draw)
        found[dataset] = Atlas(dataset, datasets.CLASSES[dataset], records, maps, sheet)
    return found


def data(atlas: Atlas) -> dict[str, Any]:
    """What the page's script reads: places in 1/65535 of a map, shares in percent, entropy in 1/1000 nats."""
    shares, k, sheet = atlas.shares(), len(atlas.classes), None
    if atlas.sheet:
        url = "data:image/webp;base64," + base64.b64encode(atlas.sheet).decode("ascii")
        sheet = {"url": url, "tile": TILE, "columns": columns(len(atlas.ids))}
    return {
        "title": f"{names.dataset(atlas.dataset)}: {len(atlas.ids):,} test images, seen by two networks",
        "classes": list(atlas.classes),
        "marks": MARKS.get(atlas.dataset, [[c % 5, c % 10] for c in range(k)]),
        "ids": atlas.ids.tolist(),
        "arms": [
            {"key": a, "title": TITLES[a], "points": _packed(_placed(atlas.maps[a].points))} for a in ARMS
        ],
        "voices": [
            {
                "key": who,
                "title": TITLES[who],
                "percent": _packed(np.round(100 * p).astype(np.uint8)),
                "top": _packed(p.argmax(1).astype(np.uint8)),
            }
            for who, p in shares.items()
        ],
        "entropy": _packed(np.round(1000 * entropy(shares["people"])).astype("<u2")),
        "sheet": sheet,
        "source": LICENCES.get(atlas.dataset, ""),
    }


def _placed(points: np.ndarray) -> np.ndarray:
    """Points ``[N, 2]`` in a square of 16 bits, one scale for both axes, in the middle of it."""
    low, high = points.min(0), points.max(0)
    side = float((high - low).max()) or 1.0
    inside = (points - (low + high) / 2) / side + 0.5  # [0, 1]
    return np.round(65535 * np.clip(inside, 0, 1)).astype("<u2")


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def summary(wanted: Sequence[str], found: Mapping[str, Atlas]) -> pd.DataFrame:
    """How often the two networks answer alike, and like most people; a row for each name of a dataset."""
    rows = []
    for name in wanted:
        counts = {"images": len(found[name].ids)} | _agreement(found[name]) if name in found else {}
        said = {word: f"{count:,}" for word, count in counts.items()}
        rows.append({"test images of": names.dataset(name), **said})
    return pd.DataFrame(rows).fillna(NOTHING)


def _agreement(atlas: Atlas) -> dict[str, int]:
    people, hard, soft = (p.argmax(1) for p in atlas.shares().values())
    return {
        "answer differently": int((hard != soft).sum()),
        "both agree with people": int(((hard == people) & (soft == people)).sum()),
        "only the majority's agrees": int(((hard == people) & (soft != people)).sum()),
        "only that of all votes agrees": int(((hard != people) & (soft == people)).sum()),
        "neither agrees": int(((hard != people) & (soft != people)).sum()),
    }


def finding(atlas: Atlas) -> str:
    """What the maps show, in one sentence of numbers."""
    shares, counts = atlas.shares(), _agreement(atlas)
    doubt = entropy(shares["people"])
    differ = shares["hard"].argmax(1) != shares["soft"].argmax(1)
    words = (
        f"{names.dataset(atlas.dataset)}: the two networks answer differently on "
        f"{counts['answer differently']:,} of {len(atlas.ids):,} test images"
    )
    if differ.all() or not differ.any():
        return f"{words}."
    there, elsewhere = (number(float(doubt[part].mean()), 2) for part in (differ, ~differ))
    return (
        f"{words}; the mean entropy of the people's distribution is {there} nats there and {elsewhere} nats "
        "where they answer alike."
    )


def show(atlas: Atlas | None, profile: str) -> None:
    """Display an atlas, or that there is none; where scripts are off, its maps as a figure."""
    if atlas is None:
        figures.show(figures.figure2({}, ()), "No maps of both arms are here yet.", profile=profile)
        return
    interactive.show("atlas", f"atlas-{atlas.dataset}", data(atlas), picture(atlas, profile))


def picture(atlas: Atlas, profile: str) -> str:
    """The maps as a static figure in HTML, each point the mixture of its classes' colours."""
    q = atlas.shares()["people"].astype(np.float32)
    maps = {arm: replace(found, known={"q": q}) for arm, found in atlas.maps.items()}
    text = f"t-SNE maps, left trained on the majority, right on all votes. {finding(atlas)}"
    words = f"{finding(atlas)} With scripts on, each point shows its image. {LICENCES.get(atlas.dataset, '')}"
    figure = figures.figure2(maps, atlas.classes)
    return figures.markup(figure, text, words, list(atlas.records.values()), profile)


def columns(n: int) -> int:
    """Tiles in a row of a sheet of `n`."""
    return int(np.ceil(np.sqrt(n)))


def sheet(images: np.ndarray) -> bytes:
    """Lay images uint8 ``[N, S, S, 3]`` side by side, row by row, and return them as one WebP file."""
    n, size, wide = len(images), images.shape[1], columns(len(images))
    high = -(-n // wide)
    tiles = np.zeros((high * wide, size, size, 3), np.uint8)
    tiles[:n] = images
    whole = tiles.reshape(high, wide, size, size, 3).swapaxes(1, 2).reshape(high * size, wide * size, 3)
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, "webp", quality=QUALITY, method=6)
    return buffer.getvalue()


def find_sheet(record: Record, draw: bool = False) -> bytes:
    """Return the stored sheet of a run's test images; if asked to, draw it; empty where there is none."""
    name = _sheet_name(record)
    if path := SHELF.find(name):
        return path.read_bytes()
    if not draw:
        return b""
    try:
        return draw_sheet(record, SHELF.cached / name)
    except (DataUnavailable, DataError):
        return b""


def draw_sheet(record: Record, path: Path) -> bytes:
    """Draw the test images of a run, in the order of its record, and write them to a file.

    Raises `DataError` or `DataUnavailable` if they must not be shown, or are neither here nor to be
    downloaded.
    """
    data = inputs.load(record.config)
    rows = np.searchsorted(data.ids, record.arrays()["ids"])
    small = [
        Image.fromarray(image.squeeze()).convert("RGB").resize((TILE, TILE), Image.Resampling.BOX)
        for image in data.pictures(rows)
    ]
    content = sheet(np.stack([np.asarray(image) for image in small]))
    write_atomically(path, content)
    return content


def _sheet_name(record: Record) -> str:
    content, chosen = record.data["sha256"][:8], checksum(record.arrays()["ids"])[:8]
    return f"{record.config.dataset}-{content}-{chosen}-{TILE}px.webp"


@told(2)
def main(arguments: list[str] | None = None) -> None:
    """Make the committed maps and pictures from runs at hand; prints their files."""
    parser = argparse.ArgumentParser(prog="python -m softlabels.chapters.atlas", description=main.__doc__)
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    runs = table.gather(GRIDS, options.profile, [options.seed])
    for _, here in table.settings(runs, complete_only=False):
        found = sorted(table.recorded(here), key=lambda record: record.config.label)
        for record in found:
            print(embeddings.publish(record, embeddings.settings_of(options.profile)), flush=True)
        for record in found[:1]:
            path = SHELF.committed / _sheet_name(record)
            draw_sheet(record, path)
            print(path, flush=True)


if __name__ == "__main__":
    sys.exit(main())
