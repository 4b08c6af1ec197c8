"""The chapter on your own data: what is compared, what is answered, and what cannot be."""

import re
import shlex

import numpy as np
import pytest
from PIL import Image
from softlabels import cli, datasets, figures, owndata, paths
from softlabels.analysis import comparisons
from softlabels.book import execute
from softlabels.datasets import Dataset, Source
from softlabels.errors import ConfigError, DataError
from softlabels.learning.config import RunConfig
from softlabels.owndata import answers
from softlabels.runs import experiments_own, grids
from softlabels.runs.records import Record

N = 60
SOURCE = Source("mine", "none", "made here", "0")


def dataset(votes):
    n = len(votes)
    return Dataset(
        "mine", np.zeros((n, 8, 8, 3), np.uint8), np.float32(votes), ("a", "b", "c"), SOURCE, np.arange(n)
    )


def record(config, accuracy, kl):
    metrics = {"test": {"macro_accuracy": accuracy, "kl": kl}, "validation": {}}
    return Record(config, metrics, [], 1, {}, {}, {}, 1.0, {}, paths.results())


def study(score, per_image=8, seeds=(0, 1, 2)):
    """A study whose runs score as `score(arm, annotations or None, seed)` says; None: no record."""
    votes = np.random.default_rng(0).multinomial(per_image, [0.6, 0.3, 0.1], N)
    cells = grids.your_data("laptop", seeds, "micebone-standin", per_image)
    found = []
    for cell in cells:
        values = score(cell.arm, cell.config.annotations or None, cell.seed)
        found.append((cell, values and record(cell.config, *values)))
    return owndata.OwnData("mine", dataset(votes), comparisons.arrange(found))


def wobble(seed):
    return 0.001 * (seed - 1)


def soft_wins(arm, kept, seed):
    n = kept or 8
    kl = 0.10 + 0.2 / n + wobble(seed)
    return (0.80 if arm == "soft" else 0.75 + wobble(seed), kl if arm == "soft" else kl + 0.4 + wobble(seed))


def test_arms_and_budgets():
    runs = experiments_own.runs("laptop", [0, 1], "mine", annotations=4)
    assert [(kept, c.label) for kept, c in runs if c.seed == 0] == [
        ("all annotations", "hard"),
        ("all annotations", "soft"),
        ("1 annotation", "soft"),
        ("2 annotations", "hard"),
        ("2 annotations", "soft"),
    ]
    assert experiments_own.runs("laptop", [0], "mine", annotations=1) == []
    with pytest.raises(ConfigError, match="did you mean 'laptop'"):
        experiments_own.runs("labtop", [0])


def test_the_answer_when_soft_wins():
    words = answers.answer(study(soft_wins))
    assert words[0] == "**Keeping the distribution pays here**: in KL, and in accuracy."
    assert "hard 0.7500, soft 0.8000" in words[1] and "soft − hard **+0.0500 [" in words[1]
    assert "−0.4000" in words[2] and "3 random splits" in words[2]
    assert "One annotation an image gives KL 0.3000, all 8 give 0.1250: −0.1750 nats for 7 more." in words[3]


def test_the_answer_when_hard_wins():
    words = answers.answer(
        study(lambda arm, kept, seed: soft_wins({"hard": "soft", "soft": "hard"}[arm], kept, seed))
    )
    assert (
        words[0]
        == "**Keeping the distribution does not pay here**: hard labels are better in KL and accuracy."
    )


def test_the_answer_when_kl_and_accuracy_disagree():
    def score(arm, kept, seed):
        return (0.8 if arm == "hard" else 0.7 + wobble(seed), soft_wins(arm, kept, seed)[1])

    assert "if you use the probabilities" in answers.answer(study(score))[0]


def test_one_pair_decides_nothing():
    words = answers.answer(study(soft_wins, seeds=(0,)))
    assert words[0].startswith("**Not decided** by 1 pair of runs") and "(one pair)" in words[1]


def test_without_records_nothing_is_answered():
    own = study(lambda *_: None)
    assert answers.answer(own) == ["**Not answered yet**: the runs with all annotations are missing."]
    command = owndata.missing(own, "folder:here", "laptop")
    assert command.endswith("--chapter your_data --profile laptop --seeds 0 1 2 --dataset folder:here")
    assert owndata.budget_table(own)["KL, soft"].tolist() == ["–"] * 4
    assert "nothing to compare" in answers.curve_in_words(own)
    assert figures.png(figures.budget(own))


def test_what_twice_the_annotators_would_bring():
    own = study(soft_wins)
    found = owndata.doubling(own)
    # KL = a + .2 / n: from 8 to 16 it falls by .0125, for every seed
    assert found.mean == pytest.approx(-0.2 / 16) and found.sign == -1 and found.n == 3
    assert re.search(r"\(16 an image\) would change it by about \*\*−0.0125", answers.answer(own)[4])


def test_the_curve_ends_with_all_and_shares_the_first_point():
    own = study(soft_wins)
    hard, soft = (owndata.curve(own, arm, "kl") for arm in ("hard", "soft"))
    assert [n for n, _, _ in soft] == [1, 2, 4, 8]
    assert hard[0] == soft[0], "of one annotation both labels are the same"
    assert "from 0.300 with 1 to 0.125 with 8" in answers.curve_in_words(own)
    assert figures.png(figures.budget(own))


def test_the_ceiling_needs_panels():
    own = study(soft_wins)
    assert "even a model that knew the true distribution would have KL" in answers.ceiling_in_words(own)
    assert "is not known: fewer than 50 images" in answers.ceiling_in_words(study(soft_wins, per_image=3))


@pytest.fixture
def folder(tmp_path):
    """Thirty images whose class is their brightness, with three votes an image and with one."""
    rng = np.random.default_rng(0)
    for form, votes in (("three", 3), ("one", 1)):
        (tmp_path / form).mkdir()
        lines = ["image,annotator,label"]
        for i in range(30):
            bright = rng.integers(0, 256)
            Image.fromarray(np.full((8 + i % 3, 9), bright, np.uint8)).save(tmp_path / form / f"{i:02d}.png")
            said = np.clip(bright + rng.normal(0, 40, votes), 0, 255) // 86
            lines += [f"{i:02d}.png,p{a},{'abc'[int(k)]}" for a, k in enumerate(said)]
        (tmp_path / form / "votes.csv").write_text("\n".join(lines))
    return tmp_path


def executed(folder, out):
    path = paths.PROJECT / "notebooks" / "12_your_data.ipynb"
    parameters = {"profile": "smoke", "seeds": [0, 1], "train": True, "dataset": f"folder:{folder}"}
    execute.execute(path, out, parameters)
    return out.read_text()


def test_a_folder_goes_through_the_chapter(folder, store):
    text = executed(folder / "three", store / "out.ipynb")
    assert "folder@" in text and "No run is missing." in text and "hard" in text
    assert "30 images, 3 classes, 90 annotations, 3 of the median image" in text


def test_one_annotation_an_image_is_said_to_answer_nothing(folder, store):
    text = executed(folder / "one", store / "out.ipynb")
    assert "**This cannot be answered.** The median image has 1 annotation; 0% of the images" in text
    assert "No run is missing." in text and not list((store / "cache" / "runs").glob("*.json"))


def test_the_command_line_trains_the_runs_of_a_folder(folder, store, capsys, one_thread):
    name = f"folder:{folder / 'three'}"
    arguments = ["--chapter", "your_data", "--profile", "smoke", "--seeds", "0", "--device", "cpu"]
    assert cli.main(["train", *arguments, "--dataset", name]) == 0
    own = owndata.study(name, "smoke", [0])
    assert len(own.whole.seeds) == 1 and owndata.missing(own, name, "smoke") is None
    assert own.whole.config.dataset == own.name == own.data.name
    assert owndata.conspicuous(own).startswith("None of the 3 annotators")


def test_a_folder_with_problems_is_refused(folder, store):
    (folder / "three" / "00.png").unlink()
    with pytest.raises(DataError, match=r"3 problems in three:\n.*line 2: there is no image '00.png'"):
        owndata.study(f"folder:{folder / 'three'}", "smoke")


def test_the_command_that_is_printed_names_the_missing_runs(folder, store):
    spaced = (folder / "three").rename(folder / "my data")
    pinned = owndata.study(f"folder:{spaced}", "smoke", [0]).name
    for name in (f"folder:{spaced}", pinned):
        own = owndata.study(name, "smoke", [0])
        words = shlex.split(owndata.missing(own, name, "smoke"))
        found = cli._cells(cli.parser().parse_args(words[1:]))
        assert {c.config.id for c in found} == {c.config.id for s in own.settings for c in s.missing}


@pytest.mark.parametrize(("name", "found"), [("synthetic", "exact distributions"), ("letter", "vectors")])
def test_what_no_panel_judged_by_eye_is_refused(name, found, store, monkeypatch):
    if name == "letter":
        vectors = Dataset(name, np.zeros((9, 4)), np.ones((9, 2)), ("a", "b"), SOURCE, np.arange(9))
        monkeypatch.setitem(datasets.LOADERS, name, lambda image_size=None: vectors)
    with pytest.raises(DataError, match=found):
        owndata.study(name, "smoke")


def test_the_grid_is_that_of_the_stand_in():
    cells = grids.grid("your_data", "laptop")
    assert {c.dataset for c in cells} == {"micebone-standin"} and len(cells) == 21
    assert all(isinstance(c.config, RunConfig) and c.config.seed == c.seed for c in cells)
