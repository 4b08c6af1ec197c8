"""Small folders of images with a CSV file of votes, drawn here."""

import numpy as np
from PIL import Image

N = 12
LABELS = ("cat", "dog", "owl")


def names():
    return [f"img{i:02d}.png" for i in range(N)]


def images(root, size=12):
    root.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names()):
        pixels = np.random.default_rng(i).integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return root


def said(i, annotator):
    """What an annotator says of an image: the first two as by its number, the third of some otherwise."""
    return LABELS[(i + (annotator == 2 and i % 4 == 0)) % 3]


def long_table(annotators=3):
    lines = ["image,annotator,label"]
    lines += [f"{name},ann{a},{said(i, a)}" for i, name in enumerate(names()) for a in range(annotators)]
    return "\n".join(lines) + "\n"


def wide_table():
    lines = ["image," + ",".join(LABELS)]
    for i, name in enumerate(names()):
        votes = [said(i, a) for a in range(3)]
        lines.append(name + "," + ",".join(str(votes.count(label)) for label in LABELS))
    return "\n".join(lines) + "\n"


def write(root, table=None):
    """Write images and a table below `root`; returns it."""
    images(root)
    (root / "annotations.csv").write_text(long_table() if table is None else table, encoding="utf-8")
    return root
