"""Training with annotators: planted truth, records, tables, ranks."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import executed
from softlabels import cli
from softlabels.analysis import published, statistics, verdicts
from softlabels.analysis.annotators import glossary, named
from softlabels.analysis.published import RANKED
from softlabels.analysis.table import gather, recorded, tabulate
from softlabels.chapters import annot_mix, annot_mix_ranks
from softlabels.chapters.annot_mix import captioned, full_rows, of
from softlabels.datasets import LOADERS, Annotations
from softlabels.datasets.crowds import crowd
from softlabels.errors import ConfigError
from softlabels.labels.agreement import confusion_error
from softlabels.labels.votes import hard_labels
from softlabels.learning.annotators import training
from softlabels.learning.annotators.methods import build
from softlabels.learning.config import METHODS, RunConfig
from softlabels.runs import grids, records
from softlabels.runs import run as runs

pytestmark = pytest.mark.usefixtures("one_thread")
MODELS = [m for m in METHODS if build(m, 2, 3, 4).aggregate is None]
QUALITY = (0.4, 0.95, 0.4, 0.95, 0.95, 0.4)  # three who know, three who guess
BASE = {
    "network": "mlp-256-128",
    "dropout": 0.5,  # without it a matrix for each image can explain the labels by itself
    "epochs": 45,
    "batch_size": 32,
    "lr": 0.05,  # matrices per annotator move by no more than this in a step, and they start far away
    "weight_decay": 0.0,
    "schedule": "cosine",
    "select": "last",
    "split": "official",
    "augmentation": "none",
}


def planted(image_size=None, n=420, per_image=3):
    """Three well separated classes and annotators of known quality."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=n)
    x = (3 * np.eye(3, 8)[truth] + rng.normal(size=(n, 8))).astype(np.float32)
    train = np.arange(n - 160)
    annotator = rng.random((len(train), len(QUALITY))).argsort(1)[:, :per_image].ravel()
    image = np.repeat(train, per_image)
    right = rng.random(len(image)) < np.array(QUALITY)[annotator]
    label = np.where(right, truth[image], (truth[image] + rng.integers(1, 3, len(image))) % 3)
    parts = np.split(np.arange(n), [n - 160, n - 120])
    splits = dict(zip(("train", "validation", "test"), parts, strict=True))
    return crowd("planted", x, truth, Annotations(image, annotator, label), ("a", "b", "c"), splits, "", "")


@pytest.fixture
def data(monkeypatch):
    monkeypatch.setitem(LOADERS, "planted", planted)


def config(method, **changes):
    return RunConfig.from_dict({**BASE, "dataset": "planted", "method": method, **changes})


@pytest.fixture(scope="module")
def trained():
    """Every method on the planted problem, trained once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOADERS, "planted", planted)
        return {m: training.train(config(m), "cpu") for m in METHODS}


def vote():
    """How often the majority of the judgements is right on the images that were judged."""
    data = planted()
    rows = np.unique(data.annotations.image)
    return (hard_labels(data.counts, np.random.default_rng(0))[0] == data.truth)[rows].mean()


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_truth_is_recovered_better_than_by_the_vote(trained, method):
    assert trained[method].metrics["last"]["accuracy"] > vote() + 0.02


@pytest.mark.parametrize("method", MODELS)
def test_planted_annotators_are_found(trained, method):
    truth = np.stack([q * np.eye(3) + (1 - q) / 2 * (1 - np.eye(3)) for q in QUALITY])
    estimate = trained[method].arrays["confusions"].astype(np.float64)
    error, nothing = (confusion_error(a, truth) for a in (estimate, np.full_like(truth, 1 / 3)))
    # trace-reg starts at matrices that are sure (e⁶ against 1), where the gradient of a row softmax is
    # nearly zero: so short a training finds who is good, not how good.
    assert error < (0.9 if method == "trace-reg" else 0.35) * nothing
    assert set(np.trace(estimate, axis1=1, axis2=2).argsort()[-3:]) == {1, 3, 4}
    assert trained[method].metrics["annotators"]["auroc"] > 0.8


def test_both_epochs_are_tested_and_last_is_chosen(trained):
    for result in trained.values():
        assert result.metrics["test"] == result.metrics["last"]
        assert result.progress.best_epoch == BASE["epochs"]
        best = max(row["validation_accuracy"] for row in result.progress.history)
        first = next(r["epoch"] for r in result.progress.history if r["validation_accuracy"] == best)
        assert result.labels["best_epoch"] == first


def test_a_run_repeats_bit_by_bit(data):
    a, b = (training.train(config("annot-mix", epochs=2), "cpu") for _ in range(2))
    assert np.array_equal(a.log_p, b.log_p) and a.metrics == b.metrics


def test_annotators_can_be_shuffled_and_judgements_left_out(data):
    own, mixed = (training.prepare(config("annot-mix", workers=w)) for w in ("own", "shuffled"))
    assert not np.array_equal(own.pairs.annotator, mixed.pairs.annotator)
    assert np.array_equal(own.pairs.label, mixed.pairs.label)
    one = training.prepare(config("annot-mix", annotations=1))
    assert len(one.pairs.label) == len(one.rows["train"]) == 260


def test_a_random_split_trains_on_annotated_images_only(data):
    task = training.prepare(config("annot-mix", split="random", seed=3))
    assert task.rows["train"].max() < 260 and len(task.rows["train"]) == round(260 * 6 / 7)
    assert np.array_equal(np.sort(np.concatenate(list(task.rows.values()))), np.arange(420))


def test_a_dataset_without_annotators_is_refused(store):
    with pytest.raises(ConfigError, match="no annotators"):
        training.prepare(RunConfig(method="annot-mix", limit=60, image_size=16))


def test_a_misspelt_method_is_refused_before_anything_is_loaded():
    with pytest.raises(ConfigError, match="did you mean 'annot-mix'"):
        RunConfig(method="annotmix")


def test_images_are_learnt_like_vectors(monkeypatch):
    def pictures(image_size=None):
        base = planted(n=200)
        image = np.zeros((200, 16, 16, 3), np.uint8)
        image[np.arange(200), :, :, base.truth] = 200
        a = base.annotations
        return crowd("pictures", image, base.truth, a, base.classes, base.splits, "", "")

    monkeypatch.setitem(LOADERS, "planted", pictures)
    found = training.train(config("annot-mix", network="resnet9-tiny", epochs=2, dropout=0.0), "cpu")
    assert math.isfinite(found.metrics["last"]["kl"])


# Records


def test_a_record_is_small_complete_and_read_back(store, data):
    record = runs.get(config("annot-mix", epochs=2), "cpu")
    again = records.read(record.folder / f"{record.id}.json")
    assert again.metrics.keys() == {"last", "best", "test", "validation", "annotators"}
    assert {"ids", "log_probs", "targets", "confusions", "features"} <= set(again.arrays())
    assert (record.folder / f"{record.id}.npz").stat().st_size < 8_000
    assert again.labels["scored"] == "train" and again.labels["annotators"] == len(QUALITY)
    records.publish(record)
    assert runs.get(config("annot-mix", epochs=2)).folder == records.SHELF.committed


def test_of_a_large_test_part_a_record_keeps_all_classes_and_the_probabilities_of_a_sample(
    store, data, monkeypatch
):
    whole = runs.get(config("annot-mix", epochs=2), "cpu")
    every = whole.arrays()  # the same files are written again
    without = {name: whole.left_out(f"test.{name}") for name in ("accuracy", "kl")}
    monkeypatch.setattr(training, "WHOLE", 100)
    monkeypatch.setattr(training, "KEPT", 30)
    record = runs.get(config("annot-mix", epochs=2), "cpu", fresh=True)
    found = record.arrays()
    assert len(found["ids"]) == 30 < len(found["all_predicted"]) == len(every["ids"]) == record.data["n_test"]
    assert set(found["ids"]) <= set(every["ids"])
    assert found["all_predicted"].tolist() == every["log_probs"].argmax(1).tolist()
    right = found["all_predicted"] == found["all_truth"]
    assert right.mean() == pytest.approx(record.metrics["last"]["accuracy"])
    np.testing.assert_array_equal(record.left_out("test.accuracy"), without["accuracy"])
    wide, narrow = (of.std() for of in (record.left_out("test.kl"), without["kl"]))
    assert wide == pytest.approx(narrow, rel=0.7)  # thirty images stand for 120


def test_the_command_line_trains_the_grid(store, capsys):
    ids = [c.config.id for c in grids.grid("annot_mix", "smoke", [0]) if c.arm in ("annot-mix", "mv-base")]
    arguments = ["train", "--chapter", "annot_mix", "--profile", "smoke", "--seeds", "0", "--device", "cpu"]
    assert cli.main([*arguments, "--only", *ids]) == 0
    found = gather(["annot_mix"], "smoke", [0])
    assert len(recorded(found)) == 2 and found.record.isna().sum() == len(METHODS) - 2
    frame = executed("11_annot_mix", "def accuracies", runs=found)["accuracies"]("synthetic-crowd")
    assert list(frame["method"]) == [named(m) for m in METHODS] and set(frame["n"]) == {"0", "1"}
    assert set(ranked(found)["ranked"]) == {("printed", "last"), ("printed", "best")}
    claims = annot_mix.verdicts(found) + annot_mix_ranks.verdicts(found)
    assert {c.verdict for c in claims} == {"not tested"} and len(verdicts.table(claims)) == 3


# Ranks


def test_friedman_is_scipys():
    from scipy.stats import friedmanchisquare

    scores = np.random.default_rng(0).integers(0, 8, (9, 5)).astype(float)  # with ties
    ours = statistics.ranks(scores)
    theirs = friedmanchisquare(*scores.T)
    assert ours.statistic == pytest.approx(theirs.statistic) and ours.p == pytest.approx(theirs.pvalue)
    assert ours.mean.sum() == pytest.approx(15)


def test_nemenyi_is_scikit_posthocs():
    posthocs = pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is not installed")
    scores = np.random.default_rng(1).normal(size=(12, 6))
    ours = statistics.ranks(scores)
    theirs = posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    apart = np.abs(ours.mean[:, None] - ours.mean) > ours.critical_difference()
    assert np.array_equal(apart, (theirs < 0.05) & ~np.eye(6, dtype=bool))


def test_the_best_method_on_every_dataset_ranks_first_and_holm_spares_its_equal():
    scores = np.tile([5.0, 4.9, 2.0, 1.0], (12, 1))
    found = statistics.ranks(scores)
    assert found.mean.tolist() == [1, 2, 3, 4]
    p = found.against(0)
    assert np.isnan(p[0]) and p[1] > 0.05 and p[2] < 0.01 and p[3] < 0.001


def made(values, **metrics):
    """A table of runs: `values[row, method]` holds one number for each seed, for `metrics` or accuracy."""
    found = []
    for (row, method), listed in values.items():
        for seed, value in enumerate(listed):
            config = RunConfig(dataset=row.partition(",")[0], seed=seed)
            record = SimpleNamespace(
                id=f"{row} {method} {seed}", config=config, data={}, metrics=measured(value, **metrics)
            )
            found.append(("annot_mix", grids.Cell(row, "mlp", "published", method, seed, config), record))
    return tabulate(found, "paper")


def measured(value, part="last", metric="accuracy"):
    return {part: {metric: value}}


def test_two_splits_of_one_dataset_are_ranked_as_one():
    rows = ("mgc", "labelme", "mgc, random splits")
    runs = made(
        {(row, method): [0.5] for row in rows for method in RANKED} | {("letter", "annot-mix"): [0.5]}
    )
    assert full_rows(runs) == ["mgc", "labelme"]


def test_every_method_has_a_name_of_its_own_and_a_line():
    lines = glossary().set_index("method")
    assert lines.index.is_unique and (lines["what it does"].str.len() > 15).all()
    assert {"Dawid-Skene + mixup (ds-mixup)", "conal", "all votes + mixup"} <= set(lines.index)


def test_a_number_of_seeds_that_all_rows_share_goes_to_the_caption():
    frame = pd.DataFrame({"method": ["a", "b"], "n": ["3", "3"], "x": ["1", "2"]})
    shorter, words = captioned(frame, "X in %.")
    assert list(shorter) == ["method", "x"] and words == "X in %. Each number is of 3 seeds."
    frame.loc[1, "n"] = "2"
    assert captioned(frame, "X in %.") == (frame, "X in %.")


def two_datasets():
    """annot-mix is ahead on one dataset, and behind ds-mixup on another."""
    values = {("mgc", method): [0.60, 0.62] for method in METHODS}
    values |= {("sentiment", method): [0.50, 0.52] for method in METHODS}
    values |= {("mgc", "annot-mix"): [0.70, 0.72], ("sentiment", "ds-mixup"): [0.58, 0.60]}
    return made(values)


def beside(runs):
    """The cells of chapter 11 that say and draw what these runs give."""
    cells = ("rows = [row for", "ahead, best =", "sources =", "winners =")
    chapter = SimpleNamespace(collect=lambda *how: runs, MAIN=annot_mix.MAIN)
    how = {"profile": "paper", "seeds": [0, 1], "train": False, "device": None, "fresh": False}
    return executed("11_annot_mix", *cells, chapter=chapter, **how)


def test_the_map_of_all_methods_has_the_published_beside_ours():
    found = beside(two_datasets())["sources"]
    ours, theirs = found["ours"], found["published"]
    assert list(ours) == ["mgc", "sentiment"] and list(theirs) == ["mgc"]
    assert list(ours.index[:2]) == ["annot-mix", "ds-mixup"] and set(ours.index) == set(METHODS)
    assert set(ours.index[len(RANKED) :]) == {"true-base", "soft-mixup"}
    assert ours.loc["annot-mix", "mgc"] == pytest.approx(71) and theirs.loc["madl", "mgc"] == 72.0
    assert "soft-mixup" not in theirs.index
    assert all(frame.empty for frame in beside(two_datasets()[:0])["sources"].values())


def test_the_answer_counts_datasets_and_names_who_is_ahead():
    said, printed = beside(two_datasets())["says"]
    assert "names the class of 71.0 % of the test songs; the paper prints 73.8 %." in said
    assert "on 1 of 2 datasets (on Film reviews Dawid-Skene + mixup is)." in said
    assert "by 1.0 points, and of the majority vote by 5.0." in said
    assert beside(two_datasets()[:0])["says"][0] == "No dataset has runs of all methods yet."
    assert "most accurate on 10 of them" in printed


def ranked(runs, *texts):
    """Cells of chapter 19 on these runs: the ranks, and those that hold these texts."""
    chapter = SimpleNamespace(
        collect=lambda *how: runs, GRIDS=annot_mix_ranks.GRIDS, SHUFFLED=annot_mix_ranks.SHUFFLED
    )
    how = {"profile": "paper", "seeds": [0, 1], "train": False, "device": None, "fresh": False}
    cells = ("compared, changed =", "ranked, p =", *texts)
    return executed("19_annot_mix_ranks", *cells, chapter=chapter, **how)


def test_the_answer_on_ranks_says_what_tests_mixing_and_people_give():
    runs = two_datasets()
    [said] = ranked(runs, "told_from =")["says"]
    assert "it comes in place 1 and is told from 0." in said
    assert "printed ranks tell annot-mix from 11 of 11 other methods" in said
    same = {("mgc", "annot-mix"): [0.70, 0.72, 0.71], ("α = 0", "annot-mix"): [0.60, 0.62, 0.60]}
    more = made(same | {("shuffled workers", "annot-mix"): [0.65, 0.67, 0.66]})
    every = pd.concat([runs[(runs.dataset != "mgc") | (runs.arm != "annot-mix")], more])
    [said] = ranked(every, "told_from =")["says"]
    assert "more accurate than without on 1 of 1 datasets, and less on 0;" in said
    assert "accuracy on music genres changes by −5.0 [−5.0, −5.0] points." in said
    assert said.count(". ") == 2


def people(runs, *texts):
    """Cells of chapter 20 on these runs: those that hold these texts, after that which collects."""
    chapter = SimpleNamespace(collect=lambda *how: runs.copy(), of_profile=lambda profile: [], GRIDS=())
    small = lambda *how: runs[:0]
    how = {"profile": "paper", "seeds": [0, 1], "train": False, "device": None, "fresh": False}
    return executed("20_annot_mix_people", "small = gather(", *texts, chapter=chapter, gather=small, **how)


def test_the_answer_on_people_compares_losses_rankings_and_matrices():
    def runs(losses, auroc, error):
        found = []
        for method in METHODS:
            last = {"accuracy": 0.5, "kl": losses[method], "cross_entropy": losses[method]}
            known = method in auroc
            people = {"auroc": auroc[method], "confusion_error": error[method]} if known else {}
            for row in ("synthetic-crowd", "sentiment"):
                config = RunConfig(dataset=row, seed=0)
                metrics = {"last": last, "annotators": people}
                record = SimpleNamespace(id="", config=config, data={}, metrics=metrics)
                found.append(("annot_mix", grids.Cell(row, "mlp", "published", method, 0, config), record))
        return tabulate(found, "paper")

    losses = dict.fromkeys(METHODS, 1.0) | {"annot-mix": 0.5, "madl": 0.4}
    auroc = {"annot-mix": 0.8, "madl": 0.9, "conal": 0.7}
    error = {"annot-mix": 0.1, "madl": 0.2, "conal": 0.3}
    table = runs(losses, auroc, error)
    drawn = people(table, "others, said =", "losses =")
    [said] = drawn["says"]
    assert said.startswith("On 2 of 2 datasets annot-mix estimates") and "but not on" not in said
    assert "AUROC of 0.80" in said and "of 3 models of annotators it is the best at it on 0 of 2" in said
    assert "nearest to them: they are off by 0.10 on average, those of the others by 0.20 to 0.30." in said
    shown = drawn["losses"]
    assert list(shown.index[:2]) == ["annot-mix", "madl"] and shown.loc["madl", "sentiment"] == 0.4
    more = runs(losses | {"annot-mix": 2.0}, auroc, error | {"madl": 0.05})
    [worse] = people(more, "others, said =")["says"]
    assert "On 0 of 2 datasets" in worse and "not on Generated shapes and Film reviews" in worse
    assert "not nearest to them" in worse
    assert "not here yet" in people(table[:0], "others, said =")["says"][0]


def test_mixing_is_decided_only_where_seeds_and_images_agree():
    runs = made({("mgc", "annot-mix"): [0.70, 0.72, 0.71], ("α = 0", "annot-mix"): [0.72, 0.741, 0.731]})
    words = []
    for split, spread in (("official", 1e-4), ("official", 0.01), ("random", 0.01)):
        for record in runs.record:
            sign = 1 if "α" in record.id else -1
            record.config = record.config.replace(select="last")
            found = 0.7 + sign * spread * np.linspace(-1, 1, 20)
            record.left_out = lambda measure, found=found: found
        runs["config"] = [record.config for record in runs.record]
        runs["shared"] = split == "official"
        words.append(annot_mix_ranks.mixing_verdict(runs, "mgc", ""))
    assert [w.verdict for w in words] == ["contradicted", "undecided", "contradicted"]
    assert words[1].needs == "more test images"  # no number of seeds would decide


def test_changes_are_corrected_for_their_number():
    lucky = [0.715, 0.725, 0.72, 0.75]
    values = {"mgc": [0.70, 0.72, 0.71, 0.73], "a": lucky, "b": [0.601, 0.62, 0.611, 0.629], "c": [0.7]}
    runs = made({(row, "annot-mix"): found for row, found in (values | {"d": lucky}).items()})

    def changed(names):
        chapter = SimpleNamespace(SHUFFLED=names[-1])
        settings = SimpleNamespace(ABLATIONS=names[:-1])
        known = {"chapter": chapter, "settings": settings, "runs": runs, "changed": runs, "profile": "paper"}
        known |= {"first": "mgc", "as_published": of(runs, "mgc")}
        found = executed("19_annot_mix_ranks", "p_change =", '"change": "none"', **known)
        return found["shows"][0].set_index("change")["p (Holm)"], found["says"][0]

    alone, many = changed(["a"])[0]["a"], changed(["a", "b", "c"])[0]
    assert float(alone) < 0.05 and float(many["a"]) == pytest.approx(float(alone))  # the largest p is kept
    p_twice = changed(["a", "d"])[0]["a"]
    assert float(p_twice) == pytest.approx(2 * float(alone), abs=2e-3) and float(p_twice) > 0.05
    assert many["b"] == "< 0.001" and many["c"] == many["none"] == "–"
    assert "leaves 1 worse (b) and 0 better (none)" in changed(["a", "b", "d"])[1]


def test_too_few_datasets_or_methods_cannot_be_ranked():
    with pytest.raises(ValueError, match="found 1 and 4"):
        statistics.ranks(np.zeros((1, 4)))


def test_a_correct_holm_step_spares_ds_mixup_at_the_best_epoch():
    found = ranked(two_datasets())["ranked"]
    last, best = (found["printed", part] for part in ("last", "best"))
    control, ds = RANKED.index("annot-mix"), RANKED.index("ds-mixup")
    p = last.against(control)
    assert (p[np.isfinite(p)] <= 0.05).all()
    assert best.against(control)[ds] > 0.05


def test_welch_is_scipys():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=8), rng.normal(1, 2, 6)
    pair = [(*statistics.mean_sd(v), len(v)) for v in (a, b)]
    assert statistics.welch_p(*pair) == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)
    assert math.isnan(statistics.welch_p(pair[0], (1.0, 0.5, 1)))


def test_performance_stands_beside_what_is_printed():
    def runs(values):
        found = {("letter", method): [value, value + 0.01] for method, value in values.items()}
        return made(found, part="annotators", metric="auroc")

    printed = published.get("annotmix", "auroc_last", "letter")
    alike = {method: mean / 200 for method, (mean, _) in printed.items()}

    def shown(values):
        found = people(runs(values), "winners =", "lines, both =", "rho =")
        return found["shows"][0], found["says"][-1]

    frame, said = shown(alike)
    frame = frame.set_index("method")
    assert list(frame) == ["Letters, published", "Letters, ours"]  # all of two seeds, as the caption says
    assert frame.loc["annot-mix"].tolist() == ["93.1 ± 0.7", "47.0 ± 0.7"]
    assert said == "Letters: rank correlation 1.00; first are annot-mix and annot-mix (published, ours)."
    reverse = {method: 1 - value for method, value in alike.items()}
    assert "rank correlation −1.00" in shown(reverse)[1]
    del reverse["conal"]
    assert "No row" in shown(reverse)[1]
