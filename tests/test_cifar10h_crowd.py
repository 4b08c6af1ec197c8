"""CIFAR-10H's annotators, read from a table made of the real counts: the authors' own file is not at hand."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from softlabels.datasets import Annotations, cifar10, cifar10_crowds, fetch
from softlabels.datasets.base import file_sha256
from softlabels.errors import DataError, DataUnavailable

HEADER = ("annotator_id", "trial_index", "is_attn_check", "chosen_label", "cifar10_test_test_idx")
NO_IMAGE, OUT = -99999, 16


@pytest.fixture(scope="module")
def rows():
    """Every vote of the real counts, given to annotators in turn; people left out; attention checks."""
    try:
        counts = cifar10.votes().astype(int)
    except DataUnavailable as error:
        pytest.skip(str(error))
    image, label = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    annotator = np.arange(len(image)) % (cifar10_crowds.PEOPLE - OUT)
    rng, each = np.random.default_rng(0), cifar10_crowds.EACH
    image = np.concatenate([image, *(rng.choice(len(counts), each, replace=False) for _ in range(OUT))])
    label = np.concatenate([label, rng.integers(10, size=OUT * each)])
    others = np.arange(cifar10_crowds.PEOPLE - OUT, cifar10_crowds.PEOPLE)
    annotator = np.concatenate([annotator, np.repeat(others, each)])
    votes = np.stack([annotator, annotator * 0, annotator * 0, label, image], 1)
    who = np.repeat(np.arange(cifar10_crowds.PEOPLE), 10)
    checks = np.stack([who, who * 0, who * 0 + 1, who * 0 + 3, who * 0 + NO_IMAGE], 1)
    return np.concatenate([votes, checks])


@pytest.fixture
def raw(rows, tmp_path, monkeypatch):
    """Write a table as the raw archive, with a digest of its own."""

    def write(table=rows, header=HEADER, name=cifar10_crowds.TABLE):
        text = pd.DataFrame(table, columns=header).to_csv(index=False)
        path = tmp_path / "data" / cifar10_crowds.RAW
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(name, text)
        counts = fetch.fetch(cifar10.COUNTS)
        (path.parent / "cifar10h-counts.npy").write_bytes(counts.read_bytes())
        monkeypatch.setenv("SOFTLABELS_DATA", str(tmp_path / "data"))
        monkeypatch.setitem(fetch.FILES, cifar10_crowds.RAW, fetch.File(file_sha256(path)))

    return write


def test_votes_come_back_as_single_judgements(raw, rows):
    raw()
    found = cifar10_crowds.judgements()
    n = cifar10_crowds.PEOPLE * cifar10_crowds.EACH
    assert len(found.image) == n
    assert np.array_equal(found.label, rows[:n, 3]) and np.array_equal(found.annotator, rows[:n, 0])


def test_a_label_that_differs_from_the_counts_is_found(raw, rows):
    wrong = rows.copy()
    wrong[700, 3] = (wrong[700, 3] + 1) % 10
    raw(wrong)
    with pytest.raises(DataError, match=rf"1 images, the first {wrong[700, 4]}, do not add up"):
        cifar10_crowds.judgements()


def test_a_missing_trial_is_found(raw, rows):
    raw(rows[1:])
    with pytest.raises(DataError, match="199 to 200; replace"):
        cifar10_crowds.judgements()


def test_an_image_outside_of_the_test_part_names_its_line(raw, rows):
    wrong = rows.copy()
    wrong[5, 4] = 10_000
    raw(wrong)
    with pytest.raises(DataError, match=r"line 7: class .* or image 10000"):
        cifar10_crowds.judgements()


def test_a_table_without_a_column_is_refused(raw, rows):
    raw(rows[:3], header=(*HEADER[:3], "label", HEADER[4]))
    with pytest.raises(DataError, match="expected a column chosen_label, found annotator_id"):
        cifar10_crowds.judgements()


def test_a_cell_without_a_number_names_its_line(raw, rows):
    wrong = rows[:3].astype(object)
    wrong[1, 3] = "cat"
    raw(wrong)
    with pytest.raises(DataError, match=r"line 3: no number in one of .*'cat'"):
        cifar10_crowds.judgements()


def test_a_table_without_rows_is_refused(raw, rows):
    raw(rows[:0])
    with pytest.raises(DataError, match="found 0 with"):
        cifar10_crowds.judgements()


def test_another_archive_is_refused(raw, rows):
    raw(rows[:3], name="other.csv")
    with pytest.raises(DataError, match=r"expected an archive with cifar10h-raw\.csv"):
        cifar10_crowds.judgements()


def test_the_authors_counts_leave_sixteen_people_out():
    try:
        answers = json.loads(fetch.fetch("cifar10h/answers_9500-9999.json").read_text())
        counts = cifar10.votes()
    except DataUnavailable as error:
        pytest.skip(str(error))
    found = np.array(
        [(int(i), int(who), label) for i, given in answers.items() for who, label in given.items()]
    )
    part = Annotations(*found.T)
    unseen = np.arange(cifar10.N_TEST) < found[:, 0].min()
    counts[unseen] = 0  # answers to the last 500 images only
    out = cifar10_crowds.left_out(part, counts)
    assert len(out) == OUT == cifar10_crowds.PEOPLE - counts_of_people()
    kept = ~np.isin(part.annotator, out)
    added = np.zeros_like(counts)
    np.add.at(added, (part.image[kept], part.label[kept]), 1)
    assert np.array_equal(added, counts)


def counts_of_people():
    """How many people's labels the authors' counts hold."""
    return cifar10.votes().sum() / cifar10_crowds.EACH


def test_the_least_accurate_come_first_and_keep_all_their_judgements():
    image = np.arange(6).repeat(4)
    annotator = np.tile([7, 3, 9, 5], 6)
    truth = np.zeros(6, np.int64)
    wrong = {7: 1, 3: 4, 9: 6, 5: 4}  # of six
    label = np.array([int(i < wrong[a]) for i, a in zip(image, annotator, strict=True)])
    found = cifar10_crowds.least_accurate(Annotations(image, annotator, label), truth, 3)
    assert len(found.image) == 18
    assert np.bincount(found.annotator, found.label).tolist() == [6, 4, 4]  # 9, then 3 before 5
    assert np.array_equal(found.label[found.annotator == 1], label[annotator == 3])


def test_the_parts_are_those_of_the_paper(raw, monkeypatch):
    try:
        base = cifar10.load_jpeg()
    except DataUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setattr(cifar10, "load_jpeg", lambda image_size: base)
    raw()
    data = cifar10_crowds.load_10h()
    assert data.n_annotators == cifar10_crowds.WORST
    assert {name: len(part) for name, part in data.splits.items() if name != "train"} == {
        "validation": 500,
        "test": 49_500,
    }
    assert np.bincount(data.truth[data.splits["validation"]]).tolist() == [50] * 10
    assert data.splits["train"].min() >= cifar10.N_TRAIN
    assert np.array_equal(np.unique(data.annotations.image), data.splits["train"])
    assert len(data.annotations.image) == cifar10_crowds.WORST * cifar10_crowds.EACH
