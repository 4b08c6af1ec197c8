"""FER+: which images are kept, with which votes, and that no face is shown."""

import numpy as np
import pytest
from softlabels import figures
from softlabels.chapters import label_distributions
from softlabels.datasets import ferplus, fetch, load
from softlabels.errors import ConfigError, DataError, DataUnavailable
from softlabels.learning import inputs
from softlabels.learning.config import RunConfig

HEAD = ",".join(ferplus.COLUMNS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTLABELS_CACHE", str(tmp_path_factory.mktemp("cache")))
        try:
            yield load("ferplus")
        except DataUnavailable as error:
            pytest.skip(f"FER+ is not in SOFTLABELS_DATA: {error}")


def test_the_official_parts_without_what_shows_no_emotion(data):
    assert {name: len(rows) for name, rows in data.splits.items()} == {
        "train": 27_953,
        "validation": 3_505,
        "test": 3_505,
    }
    assert data.images.shape == (34_963, 48, 48, 1) and data.counts.shape == (34_963, 8)
    assert len(np.unique(data.ids)) == len(data)
    total = data.counts.sum(1)
    assert total.min() == 6 and total.max() == 10 and np.array_equal(data.counts, data.counts.round())


def test_a_file_that_is_known_by_its_number_has_its_votes(data):
    """The first rows of the table, read by eye."""
    found = {int(i): row.astype(int).tolist() for i, row in zip(data.ids, data.counts, strict=True) if i < 2}
    assert found == {0: [4, 0, 0, 1, 3, 2, 0, 0], 1: [6, 0, 1, 1, 0, 0, 0, 0]}


def test_the_first_images_are_a_sample_of_all_parts(data):
    small = data.first(240)
    shares = {name: len(rows) / len(small) for name, rows in small.splits.items()}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.01)


def test_faces_are_not_shown(data):
    with pytest.raises(DataError, match="must not be shown"):
        data.pictures([0])
    assert np.array_equal(load("synthetic", n_images=30).pictures(slice(2)).shape, (2, 64, 64, 3))


def test_its_card_has_numbers_and_no_faces(data):
    card = label_distributions.describe("ferplus")
    assert len(card.examples) == 0 and len(card.distributions) > 0
    assert card.facts["annotations_per_image"] == [6, 10]
    [axes] = figures.tiles(card.examples, card.distributions, data.classes).axes
    assert "not to be shown" in axes.texts[0].get_text()


def test_a_task_sees_grey_three_times_without_storing_it(data):
    config = RunConfig(dataset="ferplus", image_size=48, split="official", limit=1000)
    task = inputs.prepare(config)
    assert task.images.shape == (1000, 48, 48, 3) and task.images.stride()[-1] == 0
    assert task.mean.shape == task.std.shape == (3,) and len(set(task.mean.tolist())) == 1
    assert sum(map(len, task.rows.values())) == 1000


def votes(*numbers):
    return np.array([numbers])


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (votes(10, 0, 0, 0, 0, 0, 0, 0, 0, 0), True),
        (votes(0, 0, 0, 0, 0, 0, 0, 0, 0, 10), False),  # not a face
        (votes(2, 1, 0, 0, 0, 0, 0, 0, 7, 0), False),  # unknown leads
        (votes(6, 0, 0, 0, 0, 0, 0, 0, 4, 0), True),  # unknown follows
        (votes(4, 0, 0, 0, 0, 0, 0, 0, 5, 1), False),
        (votes(5, 0, 0, 0, 0, 0, 0, 0, 5, 0), False),  # an emotion holds no more than half
        (votes(1, 1, 1, 1, 1, 1, 1, 1, 1, 1), False),  # single votes only
        (votes(2, 2, 2, 2, 2, 0, 0, 0, 0, 0), False),  # five classes share the lead
        (votes(4, 3, 3, 0, 0, 0, 0, 0, 0, 0), True),
        (votes(3, 2, 2, 1, 1, 1, 0, 0, 0, 0), True),
    ],
)
def test_the_authors_rule(row, kept):
    assert ferplus.keeps(row).tolist() == [kept]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["Usage,Image name,neutral"], r":1: expected the columns"),
        ([HEAD, "Training,fer0000000.png,4,0,0,1,3,2,0,0,0"], r":2: expected .* ten numbers"),
        ([HEAD, "Training,face.png,4,0,0,1,3,2,0,0,0,0"], r":2: expected usage, image name"),
        ([HEAD, "Holiday,fer0000000.png,4,0,0,1,3,2,0,0,0,0"], r":2: expected one of Training"),
        ([HEAD, "Training,fer0000000.png,4,0,0,x,3,2,0,0,0,0"], r":2: expected"),
        ([HEAD, "Training,fer0000000.png,4,0,0,-1,3,2,0,0,0,0"], r":2: expected"),
        ([HEAD], r"no line of votes"),
    ],
)
def test_a_damaged_table_names_its_line(tmp_path, lines, words):
    path = tmp_path / "votes.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=words):
        ferplus.votes(path)


def test_another_size_is_refused():
    with pytest.raises(ConfigError, match="expected 48"):
        load("ferplus", image_size=64)


def test_without_the_images_it_says_where_to_put_them(store, monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTLABELS_DATA", str(tmp_path / "empty"))
    for key in (ferplus.IMAGES, ferplus.VOTES):
        monkeypatch.setitem(fetch.FILES, key, fetch.File(fetch.FILES[key].sha256))
    with pytest.raises(DataUnavailable, match="SOFTLABELS_DATA"):
        load("ferplus")
