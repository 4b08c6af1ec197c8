"""Corruptions: what they keep, what they take, and that each severity takes more."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from softlabels.errors import ConfigError
from softlabels.learning import corruptions

each = pytest.mark.parametrize("kind", corruptions.KINDS)


def images(n=6, size=32):
    """Smooth blobs with an edge, and room above and below: uint8."""
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=(n, size, size, 3)), (0, 2, 2, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 0.6 + 0.15
    smooth[:, :, size // 2 :] += 0.1
    return (smooth * 255).astype(np.uint8)


def corrupt(kind, severity, x, seed=0):
    return corruptions.corrupt(x, kind, severity, np.random.default_rng(seed))


@each
def test_each_severity_takes_more(kind):
    x = images()
    out = [corrupt(kind, s, x).astype(float) for s in corruptions.SEVERITIES]
    loss = [np.square(y - x).mean() for y in out]
    assert loss[0] > 0 and loss == sorted(loss)
    assert all(y.shape == x.shape for y in out)
    assert corrupt(kind, 1, x).dtype == np.uint8


@each
def test_the_same_seed_gives_the_same_images_and_the_input_is_kept(kind):
    x = images()
    before = x.copy()
    np.testing.assert_array_equal(corrupt(kind, 3, x), corrupt(kind, 3, x))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("kind", ["gaussian blur", "defocus blur", "motion blur", "contrast", "pixelate"])
def test_a_flat_image_stays_flat(kind):
    flat = np.full((2, 32, 32, 3), 90, np.uint8)
    for severity in corruptions.SEVERITIES:
        np.testing.assert_array_equal(corrupt(kind, severity, flat), flat)


@pytest.mark.parametrize(
    "kind", ["gaussian blur", "defocus blur", "motion blur", "gaussian noise", "shot noise"]
)
def test_blur_and_noise_keep_the_mean(kind):
    x = images()
    assert corrupt(kind, 5, x).mean() == pytest.approx(x.mean(), abs=1.5)


def test_noise_has_its_standard_deviation():
    grey = np.full((8, 32, 32, 3), 128, np.uint8)
    for s, sigma in zip(corruptions.SEVERITIES, corruptions.NOISE_SIGMA, strict=True):
        assert corrupt("gaussian noise", s, grey).std() / 255 == pytest.approx(sigma, rel=0.05)
    for s, photons in zip(corruptions.SEVERITIES, corruptions.SHOT_PHOTONS, strict=True):
        # Poisson: the variance of n / c is x / c
        expected = np.sqrt(128 / 255 / photons)
        assert corrupt("shot noise", s, grey).std() / 255 == pytest.approx(expected, rel=0.05)


def test_brightness_and_contrast_are_what_they_say():
    x = images()
    np.testing.assert_allclose(corrupt("brightness", 2, x).astype(float) - x, 25.5, atol=0.51)
    assert corrupt("contrast", 4, x).std((1, 2)) / x.std((1, 2)) == pytest.approx(0.3, rel=0.03)


def test_a_point_becomes_a_disc_and_a_line():
    point = np.zeros((1, 33, 33, 3), np.uint8)
    point[0, 16, 16] = 255
    disc = corrupt("defocus blur", 4, point)[0, :, :, 0].astype(float)
    np.testing.assert_array_equal(disc, disc.T)
    np.testing.assert_array_equal(disc, disc[::-1])
    assert (disc > 0).sum() == pytest.approx(np.pi * 2.5**2, rel=0.35)
    line = corrupt("motion blur", 5, point)[0, :, :, 0]
    assert 9 <= (line > 0).sum() <= 25 and np.ptp(np.nonzero(line)[1]) >= 5


def test_blur_is_scipys_and_none_changes_nothing():
    x = images()
    np.testing.assert_array_equal(corruptions.blurred(x, 0), x)
    expected = gaussian_filter(x[0, :, :, 1].astype(float), 1.3, mode="mirror")
    np.testing.assert_allclose(corruptions.blurred(x, 1.3)[0, :, :, 1], expected, atol=0.51)


def test_names_and_severities_are_checked():
    with pytest.raises(ConfigError, match="did you mean 'pixelate'"):
        corrupt("pixelat", 1, images(1))
    with pytest.raises(ConfigError, match="severity"):
        corrupt("jpeg", 6, images(1))
