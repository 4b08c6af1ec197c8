"""CIFAR-10 with people's votes: pixels, order and sources. Needs the real files, or the network."""

import io
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from softlabels import paths
from softlabels.datasets import checksum, cifar10, fetch, load
from softlabels.datasets.base import file_sha256
from softlabels.errors import ConfigError, DataError, DataUnavailable
from softlabels.learning import models
from softlabels.runs import grids

NAMES = ("cifar10h", "cifar10h-9500", "cifar10-jpeg")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTLABELS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def obtained(get, name):
    try:
        return get(name)
    except DataUnavailable as error:
        pytest.skip(f"{name} is neither in SOFTLABELS_DATA nor to be downloaded: {error}")


@pytest.fixture(scope="module")
def lossless(own_cache):
    return obtained(load, "cifar10h-9500")


@pytest.fixture(scope="module")
def jpeg(own_cache):
    return obtained(load, "cifar10-jpeg")


@pytest.fixture(scope="module")
def files(own_cache):
    """Where the small real files lie."""
    return {key: obtained(fetch.fetch, key) for key in (cifar10.COUNTS, cifar10.TEST_LABELS)}


@pytest.fixture
def folder(files, tmp_path, monkeypatch):
    """A data folder with the small real files alone, an empty cache, and no network."""
    monkeypatch.setenv("SOFTLABELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / "cache"))
    for key, file in list(fetch.FILES.items()):
        monkeypatch.setitem(fetch.FILES, key, fetch.File(file.sha256))
    for key, source in files.items():
        (tmp_path / "data" / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / "data" / key)
    return tmp_path / "data"


@pytest.fixture
def publish(folder, monkeypatch):
    """Put a made-up file into the data folder and make it the registered one."""

    def as_registered(key, content):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        monkeypatch.setitem(fetch.FILES, key, fetch.File(file_sha256(path)))

    return as_registered


def archive(**batches):
    """Return an archive in the official binary layout: a label byte and 3,072 bytes of planes a row."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, (images, labels) in batches.items():
            planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
            content = np.concatenate([labels[:, None].astype(np.uint8), planes], axis=1).tobytes()
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def test_batch(lossless, files):
    """All 10,000 test rows: the real 9,500, black images for the rest, and the real labels."""
    images = np.concatenate([lossless.images, np.zeros((500, 32, 32, 3), np.uint8)])
    return images, np.load(files[cifar10.TEST_LABELS], allow_pickle=False)


# --- lossless images --------------------------------------------------------------------------------------


def test_votes_labels_and_ids_are_the_published_ones(lossless, files):
    total = lossless.counts.sum(1)
    assert lossless.images.shape == (9500, 32, 32, 3)
    assert (total.min(), total.max()) == (47, 63)
    np.testing.assert_array_equal(lossless.counts, np.load(files[cifar10.COUNTS])[:9500])
    np.testing.assert_array_equal(lossless.truth, np.load(files[cifar10.TEST_LABELS])[:9500])
    np.testing.assert_array_equal(lossless.ids, np.arange(9500))
    assert (lossless.counts.argmax(1) == lossless.truth).mean() > 0.99
    assert lossless.counts.dtype == np.float32


def test_the_first_pixels_are_those_of_the_official_file(lossless):
    np.testing.assert_array_equal(lossless.images[0, 0, :2], [(158, 112, 49), (159, 111, 47)])


def test_the_checksum_is_that_of_images_votes_and_labels(lossless):
    assert lossless.source.sha256 == checksum(lossless.images, lossless.counts, lossless.truth)


def test_archive_and_pngs_give_the_same_dataset(lossless, test_batch, publish):
    publish(cifar10.ARCHIVE, archive(test_batch=test_batch))
    again = load("cifar10h-9500")
    np.testing.assert_array_equal(again.images, lossless.images)
    assert again.source == lossless.source


def test_the_whole_test_set_comes_from_the_archive(lossless, test_batch, publish, files):
    publish(cifar10.ARCHIVE, archive(test_batch=test_batch))
    data = load("cifar10h")
    assert len(data) == 10_000
    np.testing.assert_array_equal(data.images[:9500], lossless.images)
    np.testing.assert_array_equal(data.counts, np.load(files[cifar10.COUNTS]))
    np.testing.assert_array_equal(data.truth, test_batch[1])


def test_one_wrong_pixel_is_an_error_and_nothing_is_cached(test_batch, publish):
    images, labels = test_batch
    images[9499, 31, 31, 2] ^= 1
    publish(cifar10.ARCHIVE, archive(test_batch=(images, labels)))
    with pytest.raises(DataError, match=cifar10.LOSSLESS_SHA256):
        load("cifar10h-9500")
    assert not list(paths.cache().rglob("*.np*"))


@pytest.mark.parametrize(
    ("batches", "found"), [({}, "found none"), ({"test_batch": 9_999}, f"found {9_999 * 3073} bytes")]
)
def test_an_archive_of_another_content_is_an_error(publish, batches, found):
    rows = {name: (np.zeros((n, 32, 32, 3), np.uint8), np.zeros(n)) for name, n in batches.items()}
    publish(cifar10.ARCHIVE, archive(**rows))
    with pytest.raises(DataError, match=found):
        load("cifar10h")


def png(size=(32, 32), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "missing", "message"),
    [
        (png((28, 28)), None, "RGB .28, 28."),
        (png(mode="L"), None, "found L"),
        (b"no image", None, "cannot identify"),
        (png(), 77, "the first 00077.png"),
    ],
)
def test_wrong_images_in_the_zip_are_named(publish, content, missing, message):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for i in range(9500):
            if i != missing:
                file.writestr(f"{i:05d}.png", content)
    publish(cifar10.PNGS, buffer.getvalue())
    with pytest.raises(DataError, match=message):
        load("cifar10h-9500")


def test_without_any_source_the_archive_is_asked_for(folder):
    with pytest.raises(DataUnavailable, match="cifar-10-binary"):
        load("cifar10h-9500")


@pytest.mark.parametrize("suffix", [".npy", ".labels.npy", ".json"])
def test_a_damaged_cache_is_decoded_again(lossless, suffix):
    path = paths.cache() / "datasets" / f"cifar10h-9500{suffix}"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.unlink()  # a new file: the old one is mapped
    path.write_bytes(content)
    again = load("cifar10h-9500")
    assert again.source == lossless.source
    np.testing.assert_array_equal(again.images[-1], lossless.images[-1])


@pytest.mark.parametrize("name", NAMES)
def test_another_size_is_an_error(name):
    with pytest.raises(ConfigError, match="expected 32"):
        load(name, image_size=64)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_an_unknown_option(name):
    with pytest.raises(ConfigError, match="seed"):
        load(name, seed=1)


# --- the JPEG copy ----------------------------------------------------------------------------------------


def test_the_jpeg_copy_has_both_parts_in_the_original_order(jpeg, files):
    assert jpeg.images.shape == (60_000, 32, 32, 3)
    np.testing.assert_array_equal(jpeg.splits["train"], np.arange(50_000))
    np.testing.assert_array_equal(jpeg.splits["test"], np.arange(50_000, 60_000))
    np.testing.assert_array_equal(jpeg.counts[50_000:], np.load(files[cifar10.COUNTS]))
    np.testing.assert_array_equal(jpeg.truth[50_000:], np.load(files[cifar10.TEST_LABELS]))
    np.testing.assert_array_equal(np.bincount(jpeg.truth[:50_000]), 5_000)
    np.testing.assert_array_equal(jpeg.counts[:50_000].sum(1), 1)
    np.testing.assert_array_equal(jpeg.counts[:50_000].argmax(1), jpeg.truth[:50_000])


def test_each_jpeg_is_a_lossy_copy_of_the_lossless_image_of_its_id(jpeg, lossless):
    ours = jpeg.images[50_000:59_500].astype(np.float32)
    error = np.square(ours - lossless.images).mean((1, 2, 3))
    psnr = 10 * np.log10(255**2 / error)
    assert np.median(psnr) == pytest.approx(30.5, abs=0.5)
    assert psnr.min() > 20
    other = np.square(np.roll(ours, 1, axis=0) - lossless.images).mean((1, 2, 3))
    assert (error < other).all()


def test_the_archive_gives_the_same_train_order(files, publish):
    key = cifar10.TRAIN_LABELS
    black = np.zeros((10_000, 32, 32, 3), np.uint8)
    labels = np.random.default_rng(0).integers(0, 10, 50_000)
    test = np.load(files[cifar10.TEST_LABELS])
    parts = {f"data_batch_{i + 1}": (black, part) for i, part in enumerate(np.split(labels, 5))}
    publish(cifar10.ARCHIVE, archive(**parts, test_batch=(black, test)))
    expected = np.concatenate([labels, test])
    np.testing.assert_array_equal(cifar10._labels(), expected)
    buffer = io.BytesIO()
    np.savez(buffer, clean=labels.astype(np.int8))
    publish(key, buffer.getvalue())
    (paths.data() / cifar10.ARCHIVE).unlink()
    np.testing.assert_array_equal(cifar10._labels(), expected)


# --- image order is vote order ----------------------------------------------------------------------------
#
# The committed network has seen CIFAR-10's training images alone. Within a class its predictions can know
# nothing about an image's votes but what the image shows; so where images and votes belong together, the
# votes' cross-entropy is lower than under a shuffle of the votes within the class. The mean and the variance
# over all shuffles have closed forms, so that none is drawn. Two segments a class (475 images): the least of
# the 20 gains is 6.4 standard deviations. Ten segments of the test set, over all classes, locate a slip:
# there the least gain is 10.7, and with votes that slipped by one image the largest is 1.6.


@pytest.fixture(scope="module")
def log_p(lossless):
    """Log-probabilities of each image, float64 [9500, 10]."""
    base = grids.grid("pretraining", "laptop")[0].config
    weights = load_file(paths.PROJECT / "results" / "weights" / f"{base.id}.safetensors")
    net = models.build(base.network, 10).eval()
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    images = torch.from_numpy(np.asarray(lossless.images)).permute(0, 3, 1, 2)
    with torch.no_grad():
        found = [net(some.float() / 255).log_softmax(1) for some in images.split(500)]
    return torch.cat(found).double().numpy()


def gain(log_p, q, groups):
    """Gain in cross-entropy over a shuffle of q within each group, in standard deviations of the shuffles."""
    total = variance = 0.0
    for rows in groups:
        table = -q[rows] @ log_p[rows].T  # cross-entropy of votes i with the prediction of image j
        centred = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
        total += len(rows) * table.mean() - np.trace(table)
        variance += np.square(centred).sum() / (len(rows) - 1)
    return total / np.sqrt(variance)


def by_class(truth):
    return [np.flatnonzero(truth == c) for c in range(10)]


def class_segments(log_p, q, truth):
    return np.array([gain(log_p, q, [rows]) for own in by_class(truth) for rows in np.array_split(own, 2)])


def order_segments(log_p, q, truth):
    parts = np.array_split(np.arange(len(truth)), 10)
    return np.array([gain(log_p, q, [part[truth[part] == c] for c in range(10)]) for part in parts])


def slipped(q, truth, first=0, last=None):
    """Give each image of rows first..last the votes of the one before it in its class."""
    q = q.copy()
    for rows in by_class(truth):
        rows = rows[(rows >= first) & (rows < (last or len(q)))]
        q[rows] = np.roll(q[rows], 1, axis=0)
    return q


@pytest.fixture(scope="module")
def q(lossless):
    return (lossless.counts / lossless.counts.sum(1, keepdims=True)).astype(float)


def test_the_gain_is_what_drawn_shuffles_give():
    rng = np.random.default_rng(0)
    q, p = rng.dirichlet(np.ones(4), 30), rng.dirichlet(np.ones(4), 30)
    drawn = [-(q[rng.permutation(30)] * np.log(p)).sum() for _ in range(20_000)]
    expected = (np.mean(drawn) + (q * np.log(p)).sum()) / np.std(drawn)
    assert gain(np.log(p), q, [np.arange(30)]) == pytest.approx(expected, abs=0.05)


def test_image_order_is_vote_order_in_every_segment_of_every_class(log_p, q, lossless):
    assert (class_segments(log_p, q, lossless.truth) > 4).all()


def test_image_order_is_vote_order_in_every_segment_of_the_test_set(log_p, q, lossless):
    assert (order_segments(log_p, q, lossless.truth) > 4).all()


def test_votes_that_slipped_by_one_image_are_noticed(log_p, q, lossless):
    wrong = slipped(q, lossless.truth)
    assert (class_segments(log_p, wrong, lossless.truth) < 4).all()
    assert (order_segments(log_p, wrong, lossless.truth) < 4).all()


def test_a_slip_in_one_segment_is_located(log_p, q, lossless):
    z = order_segments(log_p, slipped(q, lossless.truth, 950 * 7, 950 * 8), lossless.truth)
    np.testing.assert_array_equal(np.flatnonzero(z < 4), [7])
