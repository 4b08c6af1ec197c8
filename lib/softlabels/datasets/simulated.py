"""The synthetic shapes, measured, with twenty annotators of five kinds: here everything is known.

An annotator who judges an image first sees a class, drawn from the image's exact distribution, and then
answers by the row of a confusion matrix. So P(c | x, a) = Σ_k l(x)_k A_ak,c holds exactly, and what a model
says about annotators can be held against A.
"""

import numpy as np

from softlabels.datasets import synthetic
from softlabels.datasets.base import Annotations, Dataset, Source, checksum
from softlabels.labels import votes

N_IMAGES, PER_IMAGE = 4_000, 3
# Five kinds of annotators and how many there are of each.
KINDS = {"careful": 6, "sloppy": 5, "biased": 3, "colour-blind": 3, "spammer": 3}
N_ANNOTATORS = sum(KINDS.values())
CAREFUL, SLOPPY, BIAS, BLIND = 0.96, 0.65, 0.45, 0.5
FAVOURITE = (0, 2, 4)  # class that each biased annotator falls back on
_K = len(synthetic.CLASSES)
_CONFUSED = [0, 1, 4, 5, 2, 3]  # green (2, 3) and red (4, 5) change places, the shape stays


def load(image_size: int | None = None, seed: int = 0, n_images: int = N_IMAGES) -> Dataset:
    """Return ten measurements of each synthetic image and the answers of three of twenty annotators.

    The measurements (see `measure`) stand for a network's features, so that a run takes seconds.
    ``counts`` is the exact distribution, not the votes: what everything is tested against. Raises as
    `synthetic.load`.
    """
    shapes = synthetic.load(image_size or synthetic.IMAGE_SIZE, seed, n_images)
    x, p = measure(shapes.images), votes.soft_labels(shapes.counts)
    answers = annotate(p, np.random.default_rng([seed, 5]))
    content = checksum(x, p, answers.image, answers.annotator, answers.label)
    variant = f"10 measurements of {n_images:,} synthetic images; {N_ANNOTATORS} simulated annotators"
    return Dataset(
        name="synthetic-crowd",
        images=x,
        counts=shapes.counts,
        classes=shapes.classes,
        source=Source("synthetic-crowd", shapes.source.licence, variant, content),
        ids=shapes.ids,
        annotations=answers,
        truth=p.argmax(1),
    )


def kinds() -> list[str]:
    """Kind of each annotator, in order."""
    return [kind for kind, n in KINDS.items() for _ in range(n)]


def confusions() -> np.ndarray:
    """True confusion matrices A, float64 [20, 6, 6]; rows are what was seen, columns what is answered."""
    seen, uniform = np.eye(_K), np.full((_K, _K), 1 / _K)
    found = []
    for n, kind in enumerate(kinds()):
        if kind == "careful":
            a = CAREFUL * seen + (1 - CAREFUL) * uniform
        elif kind == "sloppy":
            a = SLOPPY * seen + (1 - SLOPPY) * uniform
        elif kind == "biased":
            a = (1 - BIAS) * seen + BIAS * seen[FAVOURITE[n % len(FAVOURITE)]]
        elif kind == "colour-blind":
            a = (1 - BLIND) * seen + BLIND * seen[_CONFUSED]
        else:
            a = uniform
        found.append(a)
    return np.stack(found)


def annotate(p: np.ndarray, rng: np.random.Generator) -> Annotations:
    """Let three different annotators judge each image whose exact distribution is a row of p [N, 6]."""
    n = len(p)
    annotator = rng.random((n, N_ANNOTATORS)).argsort(1)[:, :PER_IMAGE].ravel()
    image = np.repeat(np.arange(n), PER_IMAGE)
    seen = votes.sampled_labels(p[image], rng)
    answer = votes.sampled_labels(confusions()[annotator, seen], rng)
    return Annotations(image, annotator, answer)


def measure(images: np.ndarray) -> np.ndarray:
    """Measure colour, size, place and elongation of the shape from the pixels; float32 [N, 10]."""
    parts = np.array_split(images, max(1, len(images) // 256))
    return np.concatenate([_measure(part.astype(np.float32) / 255) for part in parts]).astype(np.float32)


def _measure(x: np.ndarray) -> np.ndarray:
    weight = x.max(3)  # [n, H, W]: the shape is saturated, what lies around it black
    mass = weight.sum((1, 2)) + 1e-6
    colour = x.sum((1, 2)) / mass[:, None]  # [n, 3]
    grid = np.linspace(-1, 1, x.shape[1], dtype=np.float32)
    cx, cy = (weight.sum(1) @ grid) / mass, (weight.sum(2) @ grid) / mass
    xx = (weight.sum(1) @ grid**2) / mass - cx**2
    yy = (weight.sum(2) @ grid**2) / mass - cy**2
    xy = np.einsum("nij,i,j->n", weight, grid, grid) / mass - cx * cy
    half, gap = (xx + yy) / 2, np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    ratio = np.sqrt(np.maximum(half - gap, 1e-6) / (half + gap + 1e-6))  # minor by major axis
    edge = weight[:, [0, -1], :].sum((1, 2)) + weight[:, :, [0, -1]].sum((1, 2))  # cut by the frame
    filled = mass / (half * x.shape[1] ** 2)
    shape = [np.log(mass), np.log(half + 1e-6), ratio, np.log1p(edge), cx, cy, filled]
    return np.concatenate([colour, np.stack(shape, 1)], 1)
