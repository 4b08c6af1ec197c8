"""The chapter on your own data: what is compared, what is answered, and what cannot be."""

import re
import shlex
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from softlabels import cli, datasets, figures, owndata, paths
from softlabels.analysis.table import recorded, tabulate
from softlabels.book import execute
from softlabels.datasets import Annotations, Dataset, Source
from softlabels.errors import ConfigError, DataError
from softlabels.learning.config import RunConfig
from softlabels.owndata import answers, frozen
from softlabels.runs import grids
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
        found.append(("your_data", cell, values and record(cell.config, *values)))
    return owndata.OwnData("mine", dataset(votes), tabulate(found, "laptop"))


def wobble(seed):
    return 0.001 * (seed - 1)


def soft_wins(arm, kept, seed):
    n = kept or 8
    kl = 0.10 + 0.2 / n + wobble(seed)
    return (0.80 if arm == "soft" else 0.75 + wobble(seed), kl if arm == "soft" else kl + 0.4 + wobble(seed))


def test_arms_and_budgets():
    runs = grids.your_data("laptop", [0, 1], "mine", annotations=4)
    assert [(c.recipe, c.arm) for c in runs if c.seed == 0] == [
        ("all annotations", "hard"),
        ("all annotations", "soft"),
        ("1 annotation", "soft"),
        ("2 annotations", "hard"),
        ("2 annotations", "soft"),
    ]
    assert grids.your_data("laptop", [0], "mine", annotations=1) == []
    with pytest.raises(ConfigError, match="did you mean 'laptop'"):
        grids.your_data("labtop", [0])


def test_the_answer_when_soft_wins():
    words = answers.answer(study(soft_wins))
    assert words[0] == "**Keeping the distribution pays here**: in KL, and in accuracy."
    assert "majority 0.750, all votes 0.800" in words[1] and "difference **+0.05" in words[1]
    assert "−0.400" in words[2] and "3 random splits" in words[2]
    assert "the mean label of all has KL" in words[3] and "a constant guess accuracy 0.3333" in words[3]
    text = "\n".join(words[4:])
    parts = ("even a model that knew", "More than 4 annotations an image are needed", "One annotation an")
    parts += ("Twice as many", "Ask again first", "The data name no annotators", "Dawid and Skene")
    asked = [text.find(part) for part in parts]
    assert -1 not in asked and asked == sorted(asked), text
    assert "One annotation an image gives KL 0.3000, all 8 give 0.1250: −0.1750 nats for 7 more." in text


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
    assert answers.answer(own)[0] == "**Not answered yet**: the runs with all annotations are missing."
    command = owndata.missing(own, "folder:here", "laptop")
    assert command.endswith("--chapter your_data --profile laptop --seeds 0 1 2 --dataset folder:here")
    assert owndata.budget_table(own)["KL, all votes"].tolist() == ["–"] * 4
    assert "nothing to compare" in answers.curve_in_words(own)
    assert figures.png(figures.budget(owndata.curves(own)))


def test_what_twice_the_annotators_would_bring():
    own = study(soft_wins)
    found = owndata.doubling(own)
    # KL = a + .2 / n: from 8 to 16 it falls by .0125, for every seed
    assert found.mean == pytest.approx(-0.2 / 16) and found.sign == -1 and found.n == 3
    assert re.search(r"\(16 an image\) would change it by about \*\*−0.0125", "\n".join(answers.answer(own)))


def test_the_curve_ends_with_all_and_shares_the_first_point():
    own = study(soft_wins)
    hard, soft = (owndata.curve(own, arm, "kl") for arm in ("hard", "soft"))
    assert [n for n, _, _ in soft] == [1, 2, 4, 8]
    assert hard[0] == soft[0], "of one annotation both labels are the same"
    assert "from 0.300 with 1 to 0.125 with 8" in answers.curve_in_words(own)
    assert figures.png(figures.budget(owndata.curves(own)))


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
    assert "features@" in text and "trained by `softlabels" not in text and "hard" in text
    assert "30 images, 3 classes, 90 annotations, 3 of the median image" in text


def test_one_annotation_an_image_is_said_to_answer_nothing(folder, store):
    text = executed(folder / "one", store / "out.ipynb")
    assert "**This cannot be answered.** The median image has 1 annotation; 0% of the images" in text
    assert "trained by `softlabels" not in text and not list((store / "cache" / "runs").glob("*.json"))


def test_the_command_line_trains_the_runs_of_a_folder(folder, store, capsys, one_thread):
    name = f"folder:{folder / 'three'}"
    arguments = ["--chapter", "your_data", "--profile", "smoke", "--seeds", "0", "--device", "cpu"]
    assert cli.main(["train", *arguments, "--dataset", name]) == 0
    own = owndata.study(name, "smoke", [0])
    assert own.pairs == 1 and owndata.missing(own, name, "smoke") is None
    assert own.runs.config.iloc[0].dataset == own.name == own.data.name
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
        assert {c.config.id for c in found} == set(own.runs.id[own.runs.record.isna()])


def test_what_no_panel_judged_is_refused(store):
    with pytest.raises(DataError, match="exact distributions"):
        owndata.study("synthetic", "smoke")


def test_vectors_are_learnt_from_by_networks_for_vectors(store, monkeypatch):
    vectors = Dataset("letter", np.zeros((9, 4)), np.ones((9, 2)), ("a", "b"), SOURCE, np.arange(9))
    monkeypatch.setitem(datasets.LOADERS, "letter", lambda image_size=None: vectors)
    own = owndata.study("letter", "smoke")
    assert set(own.runs.network) == {"mlp-128"}


def test_the_grid_is_that_of_the_stand_in():
    cells = grids.grid("your_data", "laptop")
    assert {c.dataset for c in cells} == {"micebone-standin"} and len(cells) == 21
    assert all(isinstance(c.config, RunConfig) and c.config.seed == c.seed for c in cells)


# Competence first, and what people ask.


def learns_nothing(arm, kept, seed):
    return (1 / 3 + 0.02 * wobble(seed), 0.3 + wobble(seed))


def test_networks_that_did_not_learn_are_said_to_first():
    words = answers.answer(study(learns_nothing))
    assert (
        words[0].startswith("**The networks did not learn**") and "more seeds do not change that" in words[0]
    )
    text = " ".join(words)
    assert "Not decided" not in text and "narrow the interval" not in text
    assert "mean label of all images (KL 0." in words[0] and "constant guess (accuracy 0.3333)" in words[0]
    assert "KL (lower is better): majority 0.300" in text


def test_the_baselines_by_hand():
    own = owndata.OwnData("mine", dataset(np.array([[4, 0, 0], [0, 4, 0], [2, 2, 0], [4, 0, 0]])))
    p = np.array([10, 6]) / 16
    entropy = -(p * np.log(p)).sum()
    base = owndata.baselines(own)
    assert base.kl == pytest.approx(entropy - np.log(2) / 4)
    assert base.accuracy == 1 / 2, "nobody says the third class"


def test_better_in_kl_alone_is_learning():
    def score(arm, kept, seed):
        return (1 / 3, 0.01 + 0.001 * wobble(seed) if arm == "soft" else 0.9)

    assert owndata.learned(study(score))
    assert not owndata.learned(study(learns_nothing, seeds=(1,)))


def test_small_test_parts_do_not_hide_that_networks_learned():
    """Ninety photographs: accuracy .45, .6 and .75 of three classes on three test parts of eighteen."""
    own = study(lambda arm, kept, seed: (0.6 + 0.15 * (seed - 1), 0.9 + seed / 4))
    assert owndata.learned(own)
    assert not owndata.learned(study(lambda arm, kept, seed: (0.5 + 0.2 * (seed - 1), 1.3 + seed))), (
        "one at .3"
    )


def test_a_little_better_than_a_guess_is_no_learning():
    """1,200 faces, trained too short: accuracy .15 of eight classes, KL above that of the mean label."""
    own = study(lambda arm, kept, seed: (0.36 + 0.001 * wobble(seed), 1.3 + wobble(seed)))
    assert not owndata.learned(own) and "did not learn" in answers.answer(own)[0]
    assert owndata.learned(study(lambda arm, kept, seed: (0.7, 1.3)))


def test_unanimous_votes_answer_nothing():
    own = owndata.OwnData("mine", dataset(np.eye(3)[np.arange(N) % 3] * 5))
    [sentence] = answers.answer(own)
    assert sentence.startswith("**This cannot be answered.** The votes on each image are unanimous")


def test_without_a_seed_the_page_says_so():
    [sentence] = answers.answer(study(soft_wins, seeds=()))
    assert "no seed was given" in sentence and "annotation;" not in sentence


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (5, [5]),
        ("5", [5]),
        ("[0, 1]", [0, 1]),
        ("0 1 2", [0, 1, 2]),
        ([0, 1], [0, 1]),
        ("[]", []),
        ((1, 1), [1]),
    ],
)
def test_seeds_as_people_write_them(given, seeds):
    assert owndata.seeds_of(given) == seeds


@pytest.mark.parametrize("given", ["many", [0.5], ["a"]])
def test_seeds_that_are_none(given):
    with pytest.raises(ConfigError, match="seeds: expected a list of numbers"):
        owndata.seeds_of(given)


def test_fewer_votes_are_enough_where_kl_is_near():
    def score(arm, kept, seed):
        n = kept or 8
        return (0.8, 0.1 + (0.2 if n == 1 else 0.004 / n) + wobble(seed))

    kept, difference = owndata.enough(study(score))
    assert kept == 2 and difference.high < 0.01
    assert "2 annotations an image are enough" in " ".join(answers.answer(study(score)))


def test_splits_that_overlap_widen_every_interval_of_the_answer():
    def score(arm, kept, seed):
        n = kept or 8
        return (0.8 + wobble(seed), 0.1 + (0.02 + wobble(seed)) / n + (0.5 + wobble(seed)) * (arm == "hard"))

    def intervals(overlap):
        own = replace(study(score), runs=study(score).runs.assign(overlap=overlap))
        return owndata.difference(own.settings[0], "test.kl"), owndata.doubling(own), owndata.enough(own)[1]

    own = study(score)
    for plain, wide in zip(intervals(0.0), intervals(1 / 3), strict=True):
        assert (wide.high - wide.low) == pytest.approx(np.sqrt(2) * (plain.high - plain.low))
    assert own.overlap == 0


def test_small_sets_are_trained_for_as_many_steps():
    assert grids.own_epochs("laptop", 2400) == 23  # 45 steps an epoch, 1,000 in all
    assert grids.own_epochs("laptop", 90) == 1000
    assert grids.own_epochs("laptop", 10**6) == 8
    assert grids.own_epochs("smoke", 90) == 1
    assert grids.own_epochs("laptop", 1200, steps=220) == 10, "22 steps an epoch fit into the time"
    assert grids.own_epochs("laptop", 1200, steps=1) == 1
    own = owndata.OwnData("folder@" + "0" * 32, dataset(np.tile([4, 3, 1], (1200, 1))))
    assert {(c.config.epochs, c.config.patience) for c in owndata.runs_of(own, "laptop", [0])} == {(46, 23)}


def test_dawid_and_skene_beside_the_votes():
    """Half of sixteen people answer at random; Dawid and Skene find them, most votes do not."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    right = [rng.random(400) < (0.8 if a < 8 else 0.0) for a in range(16)]
    label = np.stack([np.where(known, truth, rng.integers(0, 3, 400)) for known in right])
    given = Annotations(np.tile(np.arange(400), 16), np.repeat(np.arange(16), 400), label.ravel())
    counts = np.stack([(label == k).sum(0) for k in range(3)], 1).astype(np.float32)
    images = np.zeros((400, 2, 2, 3), np.uint8)
    data = Dataset("mine", images, counts, ("a", "b", "c"), SOURCE, np.arange(400), given)
    own = owndata.OwnData("mine", data)
    found = owndata.dawid_skene_gain(own)
    assert found.sign == 1 and 0 < found.mean < 0.3
    assert "are better than most votes here" in answers.of_votes(own)[2]


# The command.


def test_who_stands_out_is_named(folder, store):
    lines = ["image,annotator,label"]
    for i in range(30):
        for who in ("anna", "ben", "carla", "dora"):
            lines.append(f"{i:02d}.png,{who},{'a' if i % 2 or who == 'ben' else 'b'}")
    (folder / "three" / "votes.csv").write_text("\n".join(lines))
    own = owndata.study(f"folder:{folder / 'three'}", "smoke", [])
    assert "annotators stand out: ben gives one label only" in owndata.conspicuous(own)


def test_the_answer_is_one_page_that_needs_nothing_else(folder, store, capsys, one_thread, monkeypatch):
    monkeypatch.setattr(frozen, "FEWER", 0)  # networks for images; test_features.py has the others
    out = store / "answer.html"
    arguments = ["--profile", "smoke", "--seeds", "0", "--device", "cpu", "--html", str(out)]
    assert cli.main(["answer", str(folder / "three"), *arguments, "--budget", "10min"]) == 0
    printed, text = capsys.readouterr().out, out.read_text()
    assert "Ask again first about" in printed and f"HTML page: {out}" in printed and "**" not in printed
    assert text.count("data:image/png;base64,") == 1 and "http" not in text.replace("http-equiv", "")
    assert (
        "<script" not in text
        and "Vote on these again" in text
        and "Profile smoke, 3 runs of at most 1 epochs" in text
    )


@pytest.mark.parametrize("fewer", [0, 500])
def test_a_budget_keeps_at_least_one_pair(folder, store, one_thread, monkeypatch, fewer):
    monkeypatch.setattr(frozen, "FEWER", fewer)
    own = answers.study(f"folder:{folder / 'three'}", "smoke", [0, 1], "cpu", budget=1e-6)
    assert own.pairs == 1 and len(recorded(own.runs)) == 2
    assert "left out for want of time" in answers.page(own, f"folder:{folder / 'three'}", "smoke")


@pytest.mark.parametrize(("text", "seconds"), [("10min", 600), ("90s", 90), ("1.5h", 5400), ("2 m", 120)])
def test_times(text, seconds):
    assert answers.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "min", "-1min", "0s", "10 days"])
def test_times_that_are_none(text):
    with pytest.raises(ConfigError, match="--budget: expected a time"):
        answers.seconds_of(text)
