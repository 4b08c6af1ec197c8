"""The DCIC format: what is read is what was written, folds are the authors', each damage has its error."""

import shutil
import stat
import zipfile

import numpy as np
import pytest
from dcic_folders import CLASSES, N, annotation_sets, edit, pixels, write
from PIL import Image
from softlabels import datasets, paths
from softlabels.datasets import dcic, fetch
from softlabels.errors import ConfigError, DataError, DataUnavailable
from softlabels.labels import votes
from softlabels.learning import inputs
from softlabels.learning.config import RunConfig


@pytest.fixture
def given(store, monkeypatch):
    """A data folder of its own, with nothing to download from."""
    data = store / "data"
    (data / "dcic").mkdir(parents=True)
    monkeypatch.setenv("SOFTLABELS_DATA", str(data))
    monkeypatch.setattr(fetch, "RECORD", "http://127.0.0.1:9/record")
    monkeypatch.setattr("softlabels.datasets.fetch.PAUSES", ())
    return data / "dcic"


@pytest.fixture
def bone(given):
    return write(given)


def zipped(folder, archive):
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder.parent))
    return archive


def test_images_and_votes_are_those_of_the_files(bone):
    data = datasets.load("micebone", image_size=16)
    assert data.name == "micebone" and data.classes == CLASSES and len(data) == N
    order = sorted(range(N), key=lambda i: f"img{i:02d}")
    for row, i in enumerate(order):
        assert np.array_equal(data.images[row], np.repeat(pixels(i)[..., None], 3, 2))
    expected = np.zeros((N, 3))
    for session in annotation_sets():
        for i, entry in enumerate(session["annotations"]):
            row = int(entry["image_path"].split("img")[1][:2])
            if entry["class_label"]:
                expected[row, CLASSES.index(entry["class_label"])] += 1
            assert i < N
    assert np.array_equal(data.counts, expected)
    assert data.counts[4].sum() == 2, "a null label is skipped"
    assert np.array_equal(data.counts[0], [2, 1, 0])


def test_annotations_know_their_annotator_over_sessions(bone):
    data = datasets.load("dcic:MiceBone", image_size=16)
    a = data.annotations
    assert set(a.annotator) == {0, 1, 2} and (a.annotator == 2).sum() == N
    assert np.array_equal(votes.counts(a.image, a.label, N, 3), data.counts)


def test_a_hash_in_the_name_is_not_in_the_file(given):
    folder = write(given, "Treeversity1")
    edit(folder, lambda sets: _relabel(sets, {"g": "bark", "nr": "bud", "ug": "leaf"}))
    for name in ("dcic:Treeversity#1", "dcic:Treeversity1", "dcic:treeversity#1"):
        data = datasets.load(name, image_size=8)
        assert data.name == "dcic:Treeversity#1"
        assert data.classes == tuple(dcic.KNOWN["Treeversity#1"].classes)
        assert data.counts[:, 2].sum() == 0, "a class that nobody gave keeps its column"


def _relabel(sets, names):
    for session in sets:
        for entry in session["annotations"]:
            entry["class_label"] = names.get(entry["class_label"])


@pytest.mark.parametrize(
    ("slice", "validation", "test"), [(1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 1), (5, 1, 2)]
)
def test_slices_are_cut_as_by_the_authors_code(bone, slice, validation, test):
    data = datasets.load("micebone", image_size=16, slice=slice)
    folds = np.array([i % 5 + 1 for i in range(N)])
    assert set(folds[data.splits["validation"]]) == {validation}
    assert set(folds[data.splits["test"]]) == {test}
    assert sorted(np.concatenate(list(data.splits.values()))) == list(range(N))
    rows = inputs.prepare(RunConfig(dataset="micebone", image_size=16, split="official", fold=slice - 1)).rows
    assert all(np.array_equal(rows[name], data.splits[name]) for name in rows)


@pytest.mark.parametrize("option", [{"slice": 0}, {"slice": 6}, {"image_size": 4}, {"slize": 1}])
def test_impossible_options(bone, option):
    with pytest.raises(ConfigError):
        datasets.load("micebone", **{"image_size": 16, **option})


def test_all_ten_names_are_known():
    assert len(dcic.KNOWN) == 10
    for name, known in dcic.KNOWN.items():
        assert dcic.official(name.replace("#", "").lower()) == name
        assert list(known.classes) == sorted(known.classes) and len(known.folds) == 5
        assert sum(known.classes.values()) == sum(known.folds)
    with pytest.raises(ConfigError, match="did you mean 'Turkey'"):
        datasets.load("dcic:Turky")


# Each kind of damage has an error that names the place and says what to do.


def delete_image(folder):
    (folder / "fold2" / "img01.png").unlink()


def unannotated(folder):
    shutil.copy(folder / "fold1" / "img00.png", folder / "fold1" / "stray.png")


def only_null(folder):
    def change(sets):
        for session in sets:
            for entry in session["annotations"]:
                if "img03" in entry["image_path"]:
                    entry["class_label"] = None

    edit(folder, change)


def unknown_class(folder):
    edit(folder, lambda sets: sets[1]["annotations"][5].update(class_label="uggg"))


def broken_json(folder):
    path = folder / "annotations.json"
    path.write_text('[\n{"name": "A",\n "annotations": [}\n]')


def unreadable(folder):
    (folder / "fold1" / "img05.png").write_bytes(b"this is no picture")


def cut_off(folder):
    path = folder / "fold1" / "img05.png"
    path.write_bytes(path.read_bytes()[:80])


def duplicate(folder):
    shutil.copy(folder / "fold1" / "img00.png", folder / "fold2" / "img00.png")


def misplaced(folder):
    shutil.move(folder / "fold1" / "img00.png", folder / "img00.png")


def bad_path(folder):
    edit(folder, lambda sets: sets[0]["annotations"][0].update(image_path="MiceBone/../../etc/fold1/x.png"))


def number_label(folder):
    edit(folder, lambda sets: sets[0]["annotations"][0].update(class_label=3))


def no_list(folder):
    edit(folder, lambda sets: {"sets": sets})


def nameless(folder):
    edit(folder, lambda sets: sets[2].update(name=""))


def not_utf8(folder):
    path = folder / "annotations.json"
    path.write_bytes(path.read_bytes().replace(b"INVALID", b"\xff\xfe", 1))


def deep(folder):
    (folder / "annotations.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (delete_image, r"\[0\].annotations\[1\]: there is no image 'MiceBone/fold2/img01.png'; add the"),
        (unannotated, r"fold1/stray.png: no annotation in annotations.json; annotate it"),
        (only_null, r"img03.png: no annotation in"),
        (unknown_class, r"\[1\].annotations\[5\]: unknown class 'uggg', expected one of g, nr, ug"),
        (broken_json, r"annotations.json, line 3: broken JSON: .* at column 18"),
        (unreadable, r"img05.png: no image that can be read; replace"),
        (cut_off, r"img05.png: .*; replace"),
        (duplicate, r"fold2/img00.png: id 'img00' is also that of 'fold1/img00.png'"),
        (misplaced, r"img00.png: not a PNG file in a folder fold<number>; move it"),
        (bad_path, r"expected a path such as Name/fold1/image.png, found"),
        (number_label, r"annotations\[0\].class_label: expected a class name or null, found '3'"),
        (no_list, r"expected a list of annotation sets, found dict"),
        (nameless, r"annotations.json\[2\].name: expected a set with a name"),
        (not_utf8, r"annotations.json, line 1: byte \d+ is no UTF-8"),
        (deep, r"JSON that cannot be read|broken JSON"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_damage_has_its_error(bone, damage, message):
    damage(bone)
    with pytest.raises(DataError, match=message):
        datasets.load("micebone", image_size=16)


def test_all_problems_are_counted(bone):
    delete_image(bone)
    unannotated(bone)
    unknown_class(bone)
    found = dcic.read(bone, "MiceBone", CLASSES).problems
    kinds = [problem.kind for problem in found]
    assert kinds.count("missing image") == 3 and kinds.count("unknown class") == 1
    with pytest.raises(DataError, match=f"{len(found)} problems in MiceBone"):
        datasets.load("micebone")


def test_changed_pixels_are_decoded_again(bone):
    before = datasets.load("micebone", image_size=16)
    shutil.copy(bone / "fold1" / "img00.png", bone / "fold1" / "img05.png")
    after = datasets.load("micebone", image_size=16)
    assert np.array_equal(after.images[5], after.images[0]) and not np.array_equal(
        before.images[5], after.images[5]
    )
    assert before.source.sha256 != after.source.sha256


# The archive.


def test_an_archive_in_the_data_folder_is_unpacked_once(bone, given):
    zipped(bone, given / "MiceBone.zip")
    shutil.rmtree(bone)
    first = datasets.load("micebone", image_size=16)
    assert len(first) == N
    (given / "MiceBone.zip").unlink()
    assert datasets.load("micebone", image_size=16).source == first.source


def test_an_archive_that_changed_is_refused(bone, given):
    archive = zipped(bone, given / "MiceBone.zip")
    shutil.rmtree(bone)
    datasets.load("micebone", image_size=16)
    shutil.rmtree(paths.cache() / "dcic")
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"MiceBone.zip: expected SHA-256 .* found .*; remove"):
        datasets.load("micebone", image_size=16)


def test_nowhere_to_be_had(given):
    with pytest.raises(DataUnavailable, match=r"put the file at .*dcic/MiceBone.zip"):
        datasets.load("micebone")


def evil(tmp_path, name, content=b"x", mode=None, compress=zipfile.ZIP_STORED):
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w", compress) as opened:
        opened.writestr("MiceBone/annotations.json", "[]")
        member = zipfile.ZipInfo(name)
        member.compress_type = compress
        if mode:
            member.external_attr = mode << 16
        opened.writestr(member, content)
    return archive


@pytest.mark.parametrize(
    "name", ["../evil.png", "MiceBone/../../evil.png", "/evil.png", "c:/evil.png", "a\\..\\b"]
)
def test_nothing_is_unpacked_outside(tmp_path, name):
    with pytest.raises(DataError, match="it would lie outside of the target folder"):
        fetch.unpack(evil(tmp_path, name), tmp_path / "in" / "target")
    assert list((tmp_path / "in").iterdir()) == []


def test_links_are_refused(tmp_path):
    archive = evil(tmp_path, "MiceBone/link", b"/etc/passwd", stat.S_IFLNK | 0o777)
    with pytest.raises(DataError, match="'MiceBone/link' is refused: it is a symbolic link"):
        fetch.unpack(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_bombs_are_refused(tmp_path, monkeypatch):
    archive = evil(tmp_path, "MiceBone/zeros", bytes(1 << 22), compress=zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=f"bytes that unpack to {1 << 22}"):
        fetch.unpack(archive, tmp_path / "target")
    monkeypatch.setattr(fetch, "MAX_TOTAL", 1000)
    with pytest.raises(DataError, match=f"{(1 << 22) + 2} bytes in all"):
        fetch.unpack(archive, tmp_path / "target")


def test_a_member_that_occurs_twice(tmp_path):
    archive = tmp_path / "twice.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a", "2")
    with pytest.raises(DataError, match="'a' is refused: it occurs twice"):
        fetch.unpack(archive, tmp_path / "target")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_a_damaged_archive(bone, tmp_path, keep):
    content = zipped(bone, tmp_path / "a.zip").read_bytes()
    archive = tmp_path / "b.zip"
    archive.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(DataError, match="damaged"):
        fetch.unpack(archive, tmp_path / "target")


def test_a_flipped_byte_is_noticed(bone, tmp_path):
    archive = zipped(bone, tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    at = content.find(b"IDAT") + 20
    content[at] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        fetch.unpack(archive, tmp_path / "target")


# The images.


def test_a_picture_that_claims_to_be_huge(bone, monkeypatch):
    monkeypatch.setattr("softlabels.datasets.images.MAX_PIXELS", 100)
    with pytest.raises(DataError, match="16 x 16 pixels, more than 100 in all"):
        datasets.load("micebone", image_size=16)


def test_other_sizes_are_resized(bone):
    Image.fromarray(np.full((40, 20), 77, np.uint8)).save(bone / "fold1" / "img00.png")
    assert (datasets.load("micebone", image_size=16).images[0] == 77).all()
    assert datasets.load("micebone").images.shape == (N, 224, 224, 3)


# Published facts, where the real data is.


@pytest.mark.parametrize("name", dcic.KNOWN)
def test_the_real_data_is_as_published(name):
    folder, known = name.replace("#", ""), dcic.KNOWN[name]
    data = paths.data()
    if data is None or not any((data / "dcic" / f).exists() for f in (folder, f"{folder}.zip")):
        pytest.skip(f"{name} is not in the data folder")
    found = datasets.load(f"dcic:{name}")
    assert dict(zip(found.classes, np.bincount(found.counts.argmax(1)), strict=True)) == known.classes
    root = fetch.unpacked(folder)
    folds = np.bincount(dcic.read(root, name).folds)[1:]
    assert tuple(folds) == tuple(known.folds)
    pixels = found.images.reshape(len(found), -1, 3)
    mean = np.mean([image.mean(0) for image in pixels], 0) / 255
    square = np.mean([(image.astype(np.float64) ** 2).mean(0) for image in pixels], 0) / 255**2
    assert mean == pytest.approx(known.mean, abs=5e-4)
    assert np.sqrt(square - mean**2) == pytest.approx(known.sd, abs=2e-3)


def test_names_do_not_leave_the_data_folder(given):
    with pytest.raises(ConfigError):
        datasets.load("dcic:../MiceBone")
