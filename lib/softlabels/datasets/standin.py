"""`micebone-standin`: generated grey textures with simulated annotators, in the format of the DCIC datasets.

MiceBone's images have to be fetched from its authors. This set has its shape, so that every step can be
tried without them: three classes, 70 % of one, textures between the classes, about fifteen annotators with
errors of their own. Its numbers say nothing about MiceBone and never stand under that name.
"""

import json
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from softlabels import paths
from softlabels.datasets import dcic
from softlabels.datasets.base import Dataset, Source, demand_integer
from softlabels.datasets.cache import whole_folder

NAME = "micebone-standin"
CLASSES = ("g", "nr", "ug")  # oriented streaks, diffuse, tangled fibres
SHARES = (0.15, 0.70, 0.15)
PIXELS = 64
N_IMAGES = 2400
N_ANNOTATORS = 18
PRESENT = 0.85  # share of the images that an annotator sees: fifteen annotations an image
NULL = 0.02  # share of the annotations that are invalid
AMBIGUOUS = 0.40  # share of the images between two classes
DEVIATION = 0.22  # of the intensities within an image
BLOCK = 64  # images drawn at a time


def load(image_size: int | None = None, seed: int = 0, n_images: int = N_IMAGES, slice: int = 1) -> Dataset:
    """Return the stand-in, written in the DCIC format on first use and read like any other such dataset.

    It is drawn at 64 pixels; other sizes are resized. The first n images of a larger set are the set of n.
    Fewer than ten, a negative seed, or a slice unknown to `dcic.load` raise `ConfigError`.
    """
    root = folder(seed, n_images)
    variant = f"generated textures, simulated annotators, seed {seed}, {n_images} images"
    source = Source(NAME, "CC BY 4.0", variant, "")
    return dcic.dataset(dcic.read(root, NAME, CLASSES), source, image_size or PIXELS, slice)


def folder(seed: int = 0, n_images: int = N_IMAGES) -> Path:
    """Return the folder of the stand-in, which is written on first use."""
    for option, value, least in (("n_images", n_images, 10), ("seed", seed, 0)):
        demand_integer(NAME, option, value, least)
    target = paths.cache() / "generated" / f"{NAME}-seed{seed}-{n_images}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{target.name}.lock")):
        if not target.is_dir():
            whole_folder(target, lambda part: write(part, seed, n_images))
    return target


def write(root: Path, seed: int, n_images: int) -> None:
    """Write folds and annotations below `root`."""
    for fold in range(1, dcic.N_FOLDS + 1):
        (root / f"fold{fold}").mkdir(parents=True, exist_ok=True)
    mix = mixtures(seed, n_images)
    names = [f"fold{i % dcic.N_FOLDS + 1}/{i:06d}.png" for i in range(n_images)]
    for start in range(0, n_images, BLOCK):
        part = slice(start, start + BLOCK)
        for name, image in zip(names[part], textures(mix[part], seed, start), strict=True):
            Image.fromarray(image).save(root / name)
    sets = annotation_sets(names, annotate(mix, seed))
    (root / dcic.ANNOTATIONS).write_text(json.dumps(sets), "utf-8")


def mixtures(seed: int, n_images: int) -> np.ndarray:
    """Shares of streaks, diffuse and tangle in each image, float64 ``[n, 3]``; most are nearly pure."""
    u = np.random.default_rng([seed, 1]).random((n_images, 4))
    own = np.searchsorted(np.cumsum(SHARES), u[:, 0])
    other = (own + 1 + (u[:, 1] < 0.5)) % 3
    m = np.where(u[:, 2] < AMBIGUOUS, u[:, 3] * 0.5, u[:, 3] * 0.06)  # share of the other class
    rows, mix = np.arange(n_images), np.zeros((n_images, 3))
    mix[rows, own], mix[rows, other] = 1 - m, m
    return mix


def textures(mix: np.ndarray, seed: int, first: int = 0) -> np.ndarray:
    """Draw textures as uint8 ``[n, 64, 64]``: white noise whose spectrum is that of the mixture."""
    numbers, shape = range(first, first + len(mix)), (PIXELS, PIXELS)
    noise = np.stack([np.random.default_rng([seed, 2, i]).standard_normal(shape) for i in numbers])
    u = np.stack([np.random.default_rng([seed, 3, i]).random(2) for i in numbers])
    fy = np.fft.fftfreq(PIXELS)[:, None]
    fx = np.fft.rfftfreq(PIXELS)[None, :]
    f, theta = np.hypot(fx, fy), 2 * np.arctan2(fy, fx)
    band = np.exp(-(((f - 0.12) / 0.05) ** 2))
    phi = 2 * np.pi * u[:, 0, None, None]  # twice the direction of the streaks
    streaks = band * np.exp((np.cos(theta) * np.cos(phi) + np.sin(theta) * np.sin(phi) - 1) / 0.06)
    spectra = (streaks, np.exp(-((f / 0.045) ** 2))[None], band[None])  # of g, nr and ug
    # Of equal total power, so that a share of the mixture is a share of the variance.
    powers = [power / power.sum((1, 2), keepdims=True) for power in spectra]
    amplitude = np.sqrt(sum(mix[:, k, None, None] * power for k, power in enumerate(powers)))
    field = np.fft.irfft2(np.fft.rfft2(noise) * amplitude, s=(PIXELS, PIXELS))
    field /= field.std((1, 2), keepdims=True)
    brightness = 0.35 + 0.2 * u[:, 1, None, None]
    # Rounding makes the pixels the same on machines whose last bits differ.
    return np.clip(255 * (brightness + DEVIATION * field).round(6) + 0.5, 0, 255).astype(np.uint8)


def confusions(seed: int) -> np.ndarray:
    """Confusion matrix of each annotator, float64 ``[A, 3, 3]``: rows what was seen, columns what is said.

    Skill lies between .90 and .99. One annotator in nine is careless (.50), one in nine errs towards nr.
    """
    u = np.random.default_rng([seed, 4]).random((N_ANNOTATORS, 4))
    skill = 0.90 + 0.09 * u[:, 0]
    skill[0::9] = 0.50
    lean = 0.15 + 0.7 * u[:, 1:4]
    lean[1::9] = (0.02, 1.0, 0.02)
    matrices = np.empty((N_ANNOTATORS, 3, 3))
    for k in range(3):
        wrong = lean * (np.arange(3) != k)
        matrices[:, k] = (1 - skill[:, None]) * wrong / wrong.sum(1, keepdims=True)
        matrices[:, k, k] = skill
    return matrices


def annotate(mix: np.ndarray, seed: int) -> np.ndarray:
    """What each annotator says of each image, int64 ``[n, A]``: 0 to 2 a class, -1 invalid, -2 not asked."""
    u = np.random.default_rng([seed, 5]).random((len(mix), N_ANNOTATORS, 3))
    seen = mix**2 / (mix**2).sum(1, keepdims=True)  # people settle on the stronger impression
    p = np.einsum("nk,akl->nal", seen, confusions(seed))
    said = (u[..., 0, None] >= p.cumsum(2)[..., :2]).sum(2)
    said[u[..., 1] < NULL] = -1
    asked = u[..., 2] < PRESENT
    asked[:, 2] = True  # somebody has seen every image
    said[:, 2] = np.maximum(said[:, 2], 0)
    return np.where(asked, said, -2)


def annotation_sets(names: list[str], said: np.ndarray) -> list[dict]:
    """Put annotations into the format; some annotators have two sessions, some paths the legacy suffix."""
    sets = []
    for a in range(said.shape[1]):
        paths = [f"{n.removesuffix('.png')}-[0, 0].png" for n in names] if a % 5 == 4 else names
        for part in np.array_split(np.flatnonzero(said[:, a] > -2), 1 + a % 2):
            entries = [
                {
                    "image_path": f"{NAME}/{paths[i]}",
                    "class_label": None if said[i, a] < 0 else CLASSES[said[i, a]],
                    "created_at": "01-01-2000-00-00-00",
                }
                for i in part
            ]
            header = {"name": f"annotator {a:02d}", "dataset_name": NAME, "user_mail": "INVALID"}
            sets.append({**header, "annotation_time": -1, "annotations": entries})
    return sets
