"""Corruptions of small photographs at five severities, uint8 in and out.

The kinds are those of Hendrycks and Dietterich (2019). Severities are ours, set for 32 pixels: at the first
one a person hardly notices, at the fifth most images can still be told. Each definition stands above its
code, for an image x in [0, 1] and severity s; results are cut to [0, 1] and rounded to 1/255.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from softlabels.errors import ConfigError, unknown

SEVERITIES = (1, 2, 3, 4, 5)
Array = np.ndarray

GAUSSIAN_SIGMA = (0.4, 0.6, 0.8, 1.0, 1.5)  # pixels
DEFOCUS_RADIUS = (0.7, 1.0, 1.5, 2.0, 2.5)  # pixels
MOTION_LENGTH = (2, 3, 5, 7, 9)  # pixels
NOISE_SIGMA = (0.02, 0.04, 0.06, 0.08, 0.10)  # intensities
SHOT_PHOTONS = (500, 250, 100, 60, 30)  # per full intensity
CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)  # what is left of it
BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)  # intensities
PIXELS = (28, 24, 20, 16, 12)  # per 32
JPEG_QUALITY = (80, 60, 40, 25, 15)


def blurred(images: Array, sigma: float) -> Array:
    """Blur images uint8 [N, H, W, C] with a Gaussian of `sigma` pixels, edges mirrored; 0 changes nothing.

    x' = x ∗ G_σ, each channel for itself.
    """
    from scipy.ndimage import gaussian_filter

    if sigma == 0:
        return images.copy()
    return _bytes(gaussian_filter(_floats(images), (0, sigma, sigma, 0), mode="mirror"))


def _gaussian_blur(images: Array, s: int, rng: np.random.Generator) -> Array:
    return blurred(images, GAUSSIAN_SIGMA[s - 1])


def _defocus_blur(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = x ∗ D_r, D_r a disc of radius r; its edge is drawn on a grid eight times as fine
    r, fine = DEFOCUS_RADIUS[s - 1], 8
    half = int(np.ceil(r))
    axis = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    disc = (axis[:, None] ** 2 + axis[None, :] ** 2 <= r**2).astype(np.float64)
    kernel = disc.reshape(2 * half + 1, fine, 2 * half + 1, fine).mean((1, 3))
    return _convolved(images, kernel[None])


def _motion_blur(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = x ∗ L_{n, θ}, a line of n pixels at an angle θ ~ U(-45°, 45°) drawn for each image
    angles = np.deg2rad(rng.uniform(-45, 45, len(images)))
    return _convolved(images, np.stack([_line(MOTION_LENGTH[s - 1], angle) for angle in angles]))


def _line(length: int, angle: float) -> Array:
    """A line through the middle of a square, each of its points shared among the four nearest pixels."""
    half = length // 2 + 1
    along = np.linspace(-(length - 1) / 2, (length - 1) / 2, 8 * length)
    spots = np.stack([along * np.sin(angle), along * np.cos(angle)]) + half
    low = np.floor(spots).astype(int)
    part, kernel = spots - low, np.zeros((2 * half + 1, 2 * half + 1))
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - part[0]) * np.abs(1 - right - part[1])
        np.add.at(kernel, (low[0] + down, low[1] + right), share)
    return kernel


def _convolved(images: Array, kernels: Array) -> Array:
    """Correlate with one kernel for all images, or with one for each; kernels [1 or N, h, h]."""
    half = kernels.shape[1] // 2
    kernels = (kernels / kernels.sum((1, 2), keepdims=True)).astype(np.float32)
    padded = np.pad(_floats(images), ((0, 0), (half, half), (half, half), (0, 0)), mode="reflect")
    h, w = images.shape[1:3]
    out = np.zeros(images.shape, np.float32)
    for i, j in zip(*np.nonzero(kernels.any(0)), strict=True):
        out += kernels[:, i, j][:, None, None, None] * padded[:, i : i + h, j : j + w]
    return _bytes(out)


def _gaussian_noise(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = x + n, n ~ N(0, σ²) for each pixel and channel
    return _bytes(_floats(images) + rng.normal(0, NOISE_SIGMA[s - 1], images.shape))


def _shot_noise(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = Poisson(c x) / c, c photons for a full intensity
    return _bytes(rng.poisson(_floats(images) * SHOT_PHOTONS[s - 1]) / SHOT_PHOTONS[s - 1])


def _contrast(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = m + c (x - m), m the image's mean of each channel
    x = _floats(images)
    mean = x.mean((1, 2), keepdims=True)
    return _bytes(mean + CONTRAST[s - 1] * (x - mean))


def _brightness(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = x + b
    return _bytes(_floats(images) + BRIGHTNESS[s - 1])


def _pixelate(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = x averaged down to m × m boxes and back up without smoothing
    small = max(1, round(PIXELS[s - 1] * images.shape[1] / 32))
    size = (images.shape[2], images.shape[1])

    def change(image: Image.Image) -> Image.Image:
        return image.resize((small, small), Image.Resampling.BOX).resize(size, Image.Resampling.NEAREST)

    return _each(images, change)


def _jpeg(images: Array, s: int, rng: np.random.Generator) -> Array:
    # x' = x stored as JPEG of quality q and read again
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=JPEG_QUALITY[s - 1])
        return Image.open(buffer)

    return _each(images, change)


def _each(images: Array, change: Callable[[Image.Image], Image.Image]) -> Array:
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


def _floats(images: Array) -> Array:
    return images.astype(np.float32) / 255


def _bytes(x: Array) -> Array:
    return (np.clip(x, 0, 1) * 255).round().astype(np.uint8)


KINDS: dict[str, Callable[[Array, int, np.random.Generator], Array]] = {
    "gaussian blur": _gaussian_blur,
    "defocus blur": _defocus_blur,
    "motion blur": _motion_blur,
    "gaussian noise": _gaussian_noise,
    "shot noise": _shot_noise,
    "contrast": _contrast,
    "brightness": _brightness,
    "pixelate": _pixelate,
    "jpeg": _jpeg,
}


def corrupt(images: Array, kind: str, severity: int, rng: np.random.Generator) -> Array:
    """Corrupt images uint8 [N, H, W, 3] by one of `KINDS`; `rng` draws noise and directions.

    An unknown kind, or a severity that is not 1 to 5, raises `ConfigError`.
    """
    if kind not in KINDS:
        raise unknown("corruption", kind, KINDS)
    if severity not in SEVERITIES:
        raise ConfigError(f"severity must be one of {SEVERITIES}, not {severity}")
    return KINDS[kind](images, severity, rng)
