"""Your own data: both forms of the table, every kind of image, and runs named after the content."""

import json
import shutil

import numpy as np
import pytest
from dcic_folders import write as write_dcic
from PIL import Image
from softlabels import datasets, runs
from softlabels.datasets import folder
from softlabels.datasets.images import decode
from softlabels.errors import ConfigError, DataError, DataUnavailable
from softlabels.labels import votes
from softlabels.learning import inputs
from softlabels.learning.config import RunConfig
from vote_folders import LABELS, N, images, long_table, said, wide_table, write

pytestmark = pytest.mark.usefixtures("store")
EXPECTED = np.array([[sum(said(i, a) == label for a in range(3)) for label in LABELS] for i in range(N)])


@pytest.fixture
def mine(tmp_path):
    return write(tmp_path / "mine")


def test_long_form(mine):
    data = datasets.load(f"folder:{mine}", image_size=12)
    assert data.classes == LABELS and np.array_equal(data.counts, EXPECTED)
    a = data.annotations
    assert np.array_equal(votes.counts(a.image, a.label, N, 3), EXPECTED)
    assert set(a.annotator) == {0, 1, 2} and data.splits == {}


@pytest.mark.parametrize(
    "table", [wide_table(), long_table().replace(",", ";"), long_table().replace(",", "\t")]
)
def test_wide_form_and_other_separators(tmp_path, table):
    data = datasets.load(f"folder:{write(tmp_path / 'w', table)}", image_size=12)
    assert data.classes == LABELS and np.array_equal(data.counts, EXPECTED)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("image,annotator,label", "Image, Annotator ,LABEL"),
        lambda text: text.replace("img", "./img"),
        lambda text: text.replace(".png", ""),
        lambda text: text.replace(",cat", ',"cat"').replace("\n", "\n\n"),
        lambda text: "\n".join(",".join(reversed(line.split(","))) for line in text.splitlines()),
    ],
    ids=["bom", "crlf", "case", "dot", "stem", "quotes", "order"],
)
def test_harmless_differences(tmp_path, change):
    data = datasets.load(f"folder:{write(tmp_path / 'w', change(long_table()))}", image_size=12)
    assert data.classes == LABELS and np.array_equal(data.counts, EXPECTED)


def test_nobody_named(tmp_path):
    table = "\n".join(",".join(line.split(",")[::2]) for line in long_table().splitlines())
    data = datasets.load(f"folder:{write(tmp_path / 'w', table)}", image_size=12)
    assert data.annotations is None and np.array_equal(data.counts, EXPECTED)


def test_images_in_folders_of_their_own(tmp_path):
    root = write(tmp_path / "w")
    (root / "deep" / "er").mkdir(parents=True)
    for path in sorted(root.glob("*.png"))[:5]:
        path.rename(root / "deep" / "er" / path.name)
    data = datasets.load(f"folder:{root}", image_size=12)
    assert np.array_equal(data.counts[:5], EXPECTED[:5]), "found by their names; 'deep' comes before 'img'"


def test_the_dcic_layout_has_official_splits(tmp_path):
    root = write_dcic(tmp_path, "Mine")
    data = datasets.load(f"folder:{root}", image_size=16, slice=2)
    assert set(data.splits) == {"train", "validation", "test"} and data.classes == ("g", "nr", "ug")


# Images of every kind.

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


def kinds():
    rgb = np.stack([GREY, GREY.T, 255 - GREY], -1)
    deep = Image.fromarray(GREY.astype(np.uint16) * 16)  # twelve bits
    palette = Image.fromarray(rgb).quantize(32)
    clear = Image.fromarray(np.dstack([rgb, np.zeros((16, 16), np.uint8)]))
    return {
        "grey": (Image.fromarray(GREY), np.stack([GREY] * 3, -1)),
        "rgb": (Image.fromarray(rgb), rgb),
        "opaque": (Image.fromarray(np.dstack([rgb, np.full((16, 16), 255, np.uint8)])), rgb),
        "transparent": (clear, np.full_like(rgb, 255)),
        "grey-alpha": (Image.fromarray(GREY).convert("LA"), np.stack([GREY] * 3, -1)),
        "sixteen": (deep, np.stack([GREY] * 3, -1)),
        "palette": (palette, np.asarray(palette.convert("RGB"))),
        "one-bit": (Image.fromarray(GREY > 127), np.stack([(GREY > 127) * 255] * 3, -1)),
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_image_becomes_three_channels(tmp_path, kind):
    image, expected = kinds()[kind]
    image.save(tmp_path / "a.png")
    found = decode(tmp_path / "a.png", 16, 12)
    assert found.shape == (16, 16, 3) and np.abs(found.astype(int) - expected).max() <= 1


def test_kinds_and_sizes_may_be_mixed(mine):
    for name, (image, _) in zip(sorted(p.name for p in mine.glob("*.png")), kinds().values(), strict=False):
        image.resize((24, 10), Image.Resampling.NEAREST).save(mine / name)
    Image.fromarray(np.full((30, 30), 4095, np.uint16)).save(mine / "img11.png")
    data = datasets.load(f"folder:{mine}")
    assert data.images.shape == (N, 15, 15, 3), "the median of the mean sides"
    assert (data.images[11] == 255).all(), "twelve bits are scaled by twelve bits"
    assert datasets.load(f"folder:{mine}", image_size=20).images.shape == (N, 20, 20, 3)


def test_jpeg_is_turned_upright(tmp_path):
    image = Image.new("RGB", (20, 10), "black")
    image.paste("white", (0, 0, 10, 10))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    found = decode(tmp_path / "a.jpg", 20)
    assert found[:8].mean() > 250 and found[12:].mean() < 5


def test_resizing_does_not_alias(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "a.png")
    assert np.abs(decode(tmp_path / "a.png", 16).astype(int) - 127).max() < 12


# Runs are named after the data.


def test_the_name_depends_on_the_content_not_on_the_place(mine, tmp_path):
    name = folder.pin(f"folder:{mine}")
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(mine, moved)
    assert folder.pin(f"folder:{moved}") == name
    (moved / "annotations.csv").write_text(long_table().replace("img00.png,ann0,cat", "img00.png,ann0,dog"))
    assert folder.pin(f"folder:{moved}") != name
    assert folder.pin("synthetic") == "synthetic"


def test_a_changed_pixel_changes_the_name(mine):
    name = folder.pin(f"folder:{mine}")
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(mine / "img03.png")
    assert folder.pin(f"folder:{mine}") != name
    with pytest.raises(DataError, match="the folder has changed"):
        datasets.load(name)


@pytest.mark.parametrize("name", ["folder@" + "0" * 32, "folder@abc", "folder@../../x", "folder@"])
def test_an_unknown_checksum(name):
    with pytest.raises(DataUnavailable, match="expected a folder that was named here before"):
        datasets.load(name)


def test_a_run_is_not_named_after_a_folder(mine):
    with pytest.raises(ConfigError, match=r"use softlabels.datasets.folder.pin\('folder:"):
        RunConfig(dataset=f"folder:{mine}")


def test_a_folder_can_be_trained_on(mine, one_thread):
    config = RunConfig(
        dataset=folder.pin(f"folder:{mine}"), image_size=16, network="resnet9-tiny", epochs=1, batch_size=4
    )
    record = runs.get(config, "cpu")
    body = json.loads(record.to_json())
    assert body["config"]["dataset"] == config.dataset == body["data"]["name"]
    assert str(mine) not in record.to_json(), "a record does not say where the data lay"
    assert len(body["data"]["sha256"]) == 64


@pytest.mark.parametrize("k", [2, 1000])
def test_two_and_a_thousand_classes(tmp_path, k):
    root = images(tmp_path / "w")
    rows = [f"img{i % N:02d}.png,{i:04d}" for i in range(max(k, N))]
    rows = rows if k > 2 else [f"img{i:02d}.png,{i % 2}" for i in range(N)]
    (root / "votes.csv").write_text("image,label\n" + "\n".join(rows))
    task = inputs.prepare(RunConfig(dataset=folder.pin(f"folder:{root}"), image_size=8))
    assert task.targets.shape == (N, k)


def test_votes_without_images_are_led_to_the_command_for_them(tmp_path):
    (tmp_path / "votes.csv").write_text("image,annotator,label\na,r,cat\n")
    with pytest.raises(
        DataError, match=r"not a folder; give the folder that .*softlabels labels .*votes\.csv -o"
    ):
        datasets.load(f"folder:{tmp_path / 'votes.csv'}")


def test_a_folder_that_is_not_there():
    with pytest.raises(DataError, match=r"/nowhere: no such file or folder; give the path"):
        datasets.load("folder:/nowhere")
