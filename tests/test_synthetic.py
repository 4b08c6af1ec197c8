"""The generator: its statistics, its label distributions, and the files that hold it."""

import json
import multiprocessing

import numpy as np
import pytest
from softlabels import paths
from softlabels.datasets import checksum, load, synthetic
from softlabels.errors import ConfigError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def histogram():
    """Levels of each channel over 15,000 images at 224 px, int64 [3, 256]; drawn in pieces, never stored."""
    total = np.zeros((3, 256), np.int64)
    for images in synthetic._chunks(synthetic.scenes(0, synthetic.N_IMAGES), 224):
        total += [np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)]
    return total


def mean_entropy(p):
    p = p.astype(float)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(1).mean()


def folder():
    return paths.cache() / "datasets"


def test_channel_statistics_are_the_published_ones_at_224_px(histogram):
    level = np.arange(256) / 255
    mean = histogram @ level / histogram.sum(1)
    sd = np.sqrt(histogram @ level**2 / histogram.sum(1) - mean**2)
    np.testing.assert_allclose(mean, 0.165, atol=0.005)
    np.testing.assert_allclose(sd, 0.353, atol=0.01)


@pytest.mark.parametrize("seed", range(8))
def test_entropy_and_balance_hold_for_every_seed(seed):
    p = synthetic.distributions(synthetic.scenes(seed, synthetic.N_IMAGES))
    assert mean_entropy(p) == pytest.approx(0.60, abs=0.01)
    share = np.bincount(p.argmax(1), minlength=6) / len(p)
    np.testing.assert_allclose(share, 1 / 6, rtol=0.06)
    pure = p.max(1) == 1
    assert pure.mean() == pytest.approx(0.4)
    assert np.ptp(p[pure].sum(0)) == 0
    np.testing.assert_allclose(p.mean(0), 1 / 6, rtol=0.03)


def test_label_is_the_product_of_colour_and_shape_over_four_classes():
    data = load("synthetic", image_size=16, n_images=600)
    t, s = data.factors["colour_weight"], data.factors["shape_weight"]
    np.testing.assert_allclose(data.counts.sum(1), 1, atol=1e-6)
    assert ((data.counts > 0).sum(1) <= 4).all()
    circle, ellipse = data.counts[:, ::2].sum(1), data.counts[:, 1::2].sum(1)
    np.testing.assert_allclose(circle, 1 - s, atol=1e-6)
    np.testing.assert_allclose(ellipse, s, atol=1e-6)
    first = np.floor(data.factors["hue"] * 3 + 1e-6).astype(int)  # 0 red, 1 green, 2 blue
    colour = data.counts.reshape(-1, 3, 2).sum(2)[:, ::-1]  # red, green, blue
    np.testing.assert_allclose(colour[np.arange(600), first], 1 - t, atol=1e-6)
    np.testing.assert_allclose(colour[np.arange(600), (first + 1) % 3], t, atol=1e-6)


@pytest.mark.parametrize(
    ("hue", "rgb"),
    [(0, (1, 0, 0)), (1 / 6, (1, 1, 0)), (1 / 3, (0, 1, 0)), (0.5, (0, 1, 1)), (2 / 3, (0, 0, 1))],
)
def test_hue_is_that_of_the_hsv_circle(hue, rgb):
    np.testing.assert_allclose(synthetic.colours(np.array([hue])), [rgb], atol=1e-12)


def scene(**changes):
    one = {
        "hue": 0.0,
        "axis_ratio": 0.5,
        "colour_weight": 0.0,
        "shape_weight": 1.0,
        "primary": 0,
        "radius": 0.2,
        "cos": 1.0,
        "sin": 0.0,
        "x": 0.5,
        "y": 0.5,
    }
    return synthetic.Scenes(**{name: np.array([value]) for name, value in (one | changes).items()})


def test_picture_shows_the_scene():
    """Area, centre, direction and colour of an ellipse, measured in its pixels."""
    image = synthetic.render(scene(cos=0.8, sin=0.6, x=0.45, y=0.55), 128)[0] / 255
    assert not image[..., 1:].any()
    mass, grid = image[..., 0], (np.arange(128) + 0.5) / 128
    assert mass.mean() == pytest.approx(np.pi * 0.2**2, rel=0.005)
    x, y = mass.sum(0) @ grid / mass.sum(), mass.sum(1) @ grid / mass.sum()
    assert (x, y) == pytest.approx((0.45, 0.55), abs=1e-3)
    points = np.stack(np.meshgrid(grid - x, grid - y)).reshape(2, -1)
    values, vectors = np.linalg.eigh((points * mass.ravel()) @ points.T / mass.sum())
    assert np.sqrt(values[0] / values[1]) == pytest.approx(0.5, abs=0.01)
    assert abs(vectors[:, 1] @ [0.8, 0.6]) == pytest.approx(1, abs=1e-3)


def test_edges_are_anti_aliased_as_by_supersampling():
    shape = scene(cos=0.8, sin=0.6, axis_ratio=0.7)
    fine = synthetic.render(shape, 1024)[0, ..., 0].reshape(64, 16, 64, 16).mean((1, 3))
    coarse = synthetic.render(shape, 64)[0, ..., 0].astype(float)
    assert 0 < ((coarse > 0) & (coarse < 255)).mean() < 0.1
    assert np.abs(coarse - fine).max() < 0.12 * 255  # a straight edge through each pixel is the approximation
    edge = (fine > 0) & (fine < 255)
    assert np.abs(coarse - fine)[edge].mean() < 0.02 * 255
    assert np.abs(coarse - fine)[~edge].max() < 0.05 * 255


def test_the_scene_does_not_depend_on_the_size():
    every = synthetic.scenes(3, 60)
    small = synthetic.render(every, 32).astype(float)
    large = synthetic.render(every, 256).reshape(60, 32, 8, 32, 8, 3).mean((2, 4))
    assert np.abs(small - large).mean() < 0.5
    a, b = (load("synthetic", image_size=size, seed=3, n_images=60) for size in (32, 48))
    np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(a.factors["hue"], b.factors["hue"])


def test_the_first_images_of_a_larger_set_are_the_smaller_set():
    small, large = (load("synthetic", image_size=16, seed=5, n_images=n) for n in (47, 200))
    np.testing.assert_array_equal(small.images, large.images[:47])
    np.testing.assert_array_equal(small.counts, large.counts[:47])


def test_the_seed_decides_everything(tmp_path, monkeypatch):
    first = load("synthetic", image_size=16, n_images=90)
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / "elsewhere"))
    again = load("synthetic", image_size=16, n_images=90)
    other = load("synthetic", image_size=16, n_images=90, seed=1)
    assert first.source == again.source
    np.testing.assert_array_equal(first.images, again.images)
    assert other.source.sha256 != first.source.sha256


def test_default_is_64_px_and_memory_mapped():
    data = load("synthetic", n_images=30)
    assert data.images.shape == (30, 64, 64, 3)
    assert data.images.dtype == np.uint8
    assert isinstance(data.images, np.memmap)
    assert data.truth is None
    assert data.classes == ("bc", "be", "gc", "ge", "rc", "re")


def test_the_checksum_is_that_of_images_and_distributions():
    data = load("synthetic", image_size=16, n_images=90)
    assert data.source.sha256 == checksum(data.images, data.counts)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def blacken(path):
    content = bytearray(path.read_bytes())
    content[128:] = bytes(len(content) - 128)
    path.write_bytes(content)


def other_images(path):
    np.save(path, synthetic.render(synthetic.scenes(9, 90), 16))


@pytest.mark.parametrize("damage", [cut, empty, blacken, other_images])
def test_damaged_images_are_drawn_again(damage):
    before = load("synthetic", image_size=16, n_images=90)
    expected = np.array(before.images)
    del before
    (path,) = folder().glob("*.npy")
    damage(path)
    after = load("synthetic", image_size=16, n_images=90)
    np.testing.assert_array_equal(after.images, expected)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 3}'])
def test_a_damaged_checksum_file_is_written_again(content):
    before = load("synthetic", image_size=16, n_images=90).source
    (path,) = folder().glob("*.json")
    path.write_text(content)
    assert load("synthetic", image_size=16, n_images=90).source == before
    assert json.loads(path.read_text())["sha256"] == before.sha256


def test_nothing_half_written_remains_when_drawing_fails(monkeypatch):
    def fail(scene, image_size):
        raise MemoryError

    monkeypatch.setattr(synthetic, "render", fail)
    with pytest.raises(MemoryError):
        load("synthetic", image_size=16, n_images=90)
    assert not [path for path in folder().iterdir() if path.suffix != ".lock"]


def _load_in_process(_):
    return load("synthetic", image_size=32, n_images=3000).source.sha256


def test_two_processes_at_once_get_the_same_whole_set():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(_load_in_process, range(2), chunksize=1)
    data = load("synthetic", image_size=32, n_images=3000)
    assert first == second == checksum(data.images, data.counts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 4}, "image_size"),
        ({"image_size": 64.0}, "image_size"),
        ({"n_images": 0}, "n_images"),
        ({"seed": -1}, "seed"),
        ({"image_sise": 64}, "image_size"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        load("synthetic", **options)


def test_an_unknown_dataset_gets_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'synthetic'"):
        load("syntetic")
