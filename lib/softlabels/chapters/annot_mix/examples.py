"""What the figures of chapter 11 show: two judgements to mix, one annotator of each kind."""

from typing import TYPE_CHECKING

import numpy as np

from softlabels.analysis.results import Results
from softlabels.datasets import simulated, synthetic

if TYPE_CHECKING:
    from softlabels.runs.records import Record

Judgements = tuple[np.ndarray, list[int], list[int], tuple[str, ...]]


def two_judgements(n_images: int = 120) -> Judgements:
    """Two synthetic images that different annotators called different names, and the classes."""
    shapes = synthetic.load(n_images=n_images)
    found = simulated.load(n_images=n_images).annotations
    assert found is not None
    differs = (found.annotator != found.annotator[0]) & (found.label != found.label[0])
    i, j = 0, int(np.flatnonzero(differs & (found.image != found.image[0]))[0])
    pair = [i, j]
    images = np.asarray(shapes.images[found.image[pair]])
    return images, found.annotator[pair].tolist(), found.label[pair].tolist(), shapes.classes


def confusions(
    results: Results,
    row: str = "synthetic-crowd",
    methods: tuple[str, ...] = ("annot-mix", "trace-reg", "madl"),
) -> "tuple[dict[str, np.ndarray], list[str], tuple[str, ...], list[Record]]":
    """True and estimated confusion matrices of one annotator of each kind, and the records behind.

    Returns
    -------
    matrices : dict of source to [n, C, C]
        Empty where no run is here.
    titles : list of n str
    classes : tuple of C str
    records : list of Record
    """
    kinds = simulated.kinds()
    first = [kinds.index(kind) for kind in simulated.KINDS]
    found = {m: results.of(row, m)[0] for m in methods if results.of(row, m)}
    matrices = {m: r.arrays()["confusions"][first].astype(np.float32) for m, r in found.items()}
    if matrices:
        matrices = {"truth": simulated.confusions()[first]} | matrices
    return matrices, list(simulated.KINDS), synthetic.CLASSES, list(found.values())
