"""The table of runs: pairs, intervals, tables and verdicts, on records made by hand."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from softlabels import paths
from softlabels.analysis import table, tables
from softlabels.analysis.formatting import signed
from softlabels.analysis.statistics import paired_interval
from softlabels.analysis.verdicts import CLAIMS, GROUPS
from softlabels.chapters import adversarial, annotation_budget, blur_and_shift, human_uncertainty, table1
from softlabels.chapters import verdicts as book
from softlabels.chapters import when_to_ask_a_person as review
from softlabels.errors import ConfigError
from softlabels.labels import metrics
from softlabels.runs import grids, profiles, records
from softlabels.store import pack


def runs_of(values, **columns):
    """A table of one measure "kl": ``values[arm][seed]``."""
    rows = [
        {"arm": arm, "network": "net", "seed": seed, "fold": 0, "kl": x, "record": "here", **columns}
        for arm, found in values.items()
        for seed, x in found.items()
    ]
    return pd.DataFrame(rows, columns=["arm", "network", "seed", "fold", "kl", "record", *columns])


RUNS = runs_of({"truth": {1: 1.0, 2: 2.0, 3: 3.5}, "soft": {3: 2.4, 2: 1.0, 1: 0.1, 4: 9.0}})


def test_differences_are_paired_by_key_not_by_order():
    found = table.difference(RUNS, "kl", "soft", "truth")
    assert found == paired_interval([0.1, 1.0, 2.4], [1.0, 2.0, 3.5])
    assert found.mean == pytest.approx(-1.0) and found.n == 3
    assert table.difference(RUNS, "kl", "mixup", "truth") is None
    assert table.difference(RUNS, "no such measure", "soft", "truth") is None
    assert table.arms(RUNS, "kl") == ["truth", "soft"]
    assert table.summary(RUNS[RUNS.arm == "soft"], "kl")[2] == 4
    assert list(table.complete(RUNS, ("soft", "truth")).seed) == [1, 2, 3, 1, 2, 3]


def test_several_settings_are_never_mixed_up():
    with pytest.raises(ValueError, match="several runs with the same network, seed, fold"):
        table.difference(pd.concat([RUNS, RUNS]), "kl", "soft", "truth")


def test_splits_that_overlap_widen_the_interval():
    wide = table.difference(RUNS.assign(overlap=1 / 3), "kl", "soft", "truth")
    assert wide == paired_interval([0.1, 1.0, 2.4], [1.0, 2.0, 3.5], overlap=1 / 3)


def test_runs_with_one_test_part_are_compared_over_its_images_too():
    """The jackknife comes near to a bootstrap of the images, in all measures that the chapter shows."""
    faces = table.gather(["table1"], "laptop", [0, 1, 2], committed_only=True)
    faces = faces[(faces.dataset == "ferplus") & (faces.recipe == "transferred-weighted")]
    arrays = {
        arm: [r.arrays() for r in faces[faces.arm == arm].sort_values("seed").record] for arm in table.ARMS
    }
    rng, n, drawn = np.random.default_rng(0), len(arrays["soft"][0]["ids"]), []
    for _ in range(60):
        rows = rng.integers(n, size=n)
        means = {}
        for arm, found in arrays.items():
            every = [
                metrics.evaluate(a["log_probs"][rows], a["targets"][rows].astype(np.float32)) for a in found
            ]
            means[arm] = pd.DataFrame(every).mean()
        drawn.append(means["soft"] - means["hard"])
    spread = pd.DataFrame(drawn).std()
    for measure in ("macro_accuracy", "kl", "brier", "ece"):
        found = table.difference(faces, f"test.{measure}")
        alone = paired_interval(*table.pairs(faces, f"test.{measure}"))
        assert found.images == pytest.approx(spread[measure], rel=0.5)
        assert found.high - found.low >= alone.high - alone.low and found.mean == pytest.approx(alone.mean)
        assert found.p >= alone.p and (found.p < 0.05) == (found.sign != 0)
    assert table.difference(faces[:0], "test.kl") is None


def test_runs_with_test_parts_of_their_own_have_no_images_in_common():
    shapes = table.gather(["table1"], "laptop", [0, 1, 2], committed_only=True)
    [(_, shapes)] = table.settings(shapes[shapes.recipe == "stated-pretrained"])
    assert table.difference(shapes, "test.kl").images == 0


def test_a_sentence_speaks_of_the_pairs_that_it_compares():
    said = tables.sentence("KL", RUNS, "kl", "soft", "truth")  # without the fourth run of "soft", 9.0
    assert said.startswith(
        "KL is lower with all votes than with the dataset's label: 1.167 against 2.167 (difference −1.0"
    )
    assert said.endswith("3 pairs of runs).")


def test_relative_differences_are_shares_of_the_base():
    found = table.difference(runs_of({"a": {1: 1.0, 2: 3.0}, "b": {1: 2.0, 2: 4.0}}), "kl", "a", "b", True)
    assert found.mean == pytest.approx((-0.5 - 0.25) / 2)


def test_tables_hold_every_arm_and_its_difference():
    shown = tables.by_arm(RUNS, {"KL": "kl"}, "truth", 2)
    assert list(shown["arm"]) == ["dataset's label", "all votes"]
    apart = shown["KL: − dataset's label"]
    assert apart[0] == "–" and apart[1].startswith("**−1.00 [")
    assert tables.by_arm(RUNS[:0], {"KL": "kl"}, "truth").empty
    tested = tables.tests(RUNS, "kl", "truth")
    assert list(tested["arm"]) == ["all votes"] and float(tested["p"][0]) < 0.05
    surely = runs_of({"truth": dict.fromkeys(range(9), 0.0), "soft": {k: 1 + k / 100 for k in range(9)}})
    assert tables.tests(surely, "kl", "truth")["p"][0] == "< 0.001"


def test_holm_counts_the_arms():
    rng = np.random.default_rng(0)
    base = {k: float(v) for k, v in enumerate(rng.normal(size=8))}
    arms = {f"a{i}": {k: v + 0.4 + rng.normal() * 0.4 for k, v in base.items()} for i in range(5)}
    one, many = (
        tables.tests(runs_of({"b": base, **dict(list(arms.items())[:n])}), "kl", "b") for n in (1, 5)
    )
    assert float(many["p (Holm)"][0]) >= float(one["p (Holm)"][0]) == pytest.approx(float(one["p"][0]))


def made(config, shift):
    """A record whose predictions lie `shift` nearer to the people's."""
    rng = np.random.default_rng([config.seed, config.fold])
    q = rng.dirichlet(np.full(10, 0.2), 200)
    p = (1 - shift) * rng.dirichlet(np.full(10, 0.5), 200) + shift * q
    truth = q.argmax(1)
    arrays = pack(
        ids=np.arange(200), log_probs=np.log(p).astype(np.float16), targets=q.astype(np.float16), truth=truth
    )
    one_hot = np.eye(10)[truth]
    record = records.Record(
        config,
        {
            "test": metrics.evaluate(np.log(p), q),
            "truth": metrics.evaluate(np.log(p), one_hot),
            "validation": {"loss": 1.0, "accuracy": 0.5},
        },
        [{"epoch": 1, "seconds": 1.0}],
        1,
        {"ties": 0},
        {"name": "made here", "variant": "", "sha256": "0" * 64},
        {
            "device": "cpu",
            "machine": "none",
            "threads": 1,
            "precision": "fp32",
            "commit": "unknown",
            "versions": {},
        },
        1.0,
        {"arrays": hashlib.sha256(arrays).hexdigest(), "features": "0" * 64},
        records.SHELF.cached,
    )
    records.write(record, arrays)
    return record


@pytest.fixture
def filled(store):
    """Every run of the smoke grids, the soft arms nearest to the people."""
    for name in ("human", "human-rates", "human-scratch", "pretraining", "budget", "budget-total"):
        for run in grids.grid(name, "smoke", [0, 1, 2]):
            near = {"soft": 0.7, "n=all": 0.7, "n=3": 0.68, "soft T=2": 0.6}.get(run.arm, 0.4)
            made(run.config, near + 0.002 * run.config.seed if name != "human-rates" else 0.5)
    return human_uncertainty.collect("smoke", [0, 1, 2])


def test_the_table_holds_every_arm_and_says_what_is_missing(filled):
    runs = filled[0]
    human = runs[runs.grid == "human"]
    assert runs.record.notna().all() and table.missing(runs) == ""
    assert set(human.arm) == {*profiles.HUMAN_ARMS, "soft T=2"}
    assert (human.arm == "soft").sum() == 3
    lacking = table.gather(["human"], "smoke", [0, 9])
    assert set(lacking.seed[lacking.record.isna()]) == {9}
    assert lacking["test.kl"].isna().sum() == lacking.record.isna().sum()
    assert "softlabels train --chapter human --profile smoke --seeds 9" in table.missing(lacking)


@pytest.mark.parametrize("name", ["train", "fresh"])
def test_a_word_is_not_taken_for_a_yes(store, name):
    """Papermill hands on ``-p train false`` as a word, and a word is true: it would train for hours."""
    with pytest.raises(ConfigError, match=f"{name} has to be True or False, not 'false'"):
        table.gather(["human"], "smoke", [0], **{name: "false"})
    assert records.everything() == []


def test_claims_are_judged_from_the_records(filled):
    found = {v.id: v for v in human_uncertainty.verdicts(*filled)}
    assert {found[name].verdict for name in ("huc-loss", "singh-kl", "huc-fine-tuned")} == {"reproduced"}
    assert found["people-smoothing"].verdict == found["people-permuted"].verdict == "reproduced"
    assert found["huc-loss"].reason.endswith("fine-tuned: lower") and found["huc-loss"].ours.endswith(" %")
    budget = annotation_budget.collect("smoke", [0, 1, 2])
    assert annotation_budget.verdicts(budget)[0].verdict == "not tested"


def test_networks_that_did_not_learn_decide_nothing(filled):
    runs, found = filled
    here = runs.arm.isin(["soft", "truth"])
    for config in runs.config[here]:
        made(config, 0.0)
    again = human_uncertainty.collect("smoke", [0, 1, 2])[0]
    loss = human_uncertainty.verdicts(again, found)[0]
    assert loss.verdict == "not tested" and "did not learn: all votes: accuracy only" in loss.reason


def test_arms_at_other_rates_stand_beside_their_own(filled):
    runs, _ = filled
    rates = human_uncertainty.rates(runs)
    assert set(rates["learning rate"]) == {"0.02", "0.05"} and len(rates) == 2 * 3
    said = human_uncertainty.own_rates(runs)
    assert "all votes 0.02" in said, "the first of equal losses"
    at_rate = rates[rates["learning rate"] == "0.02"].set_index("arm").loc[["all votes", "dataset's label"]]
    accuracy = at_rate["accuracy"].astype(float)
    assert f"be {signed(accuracy.iloc[0] - accuracy.iloc[1], 3)}"[:-1] in said
    assert "No run" in human_uncertainty.own_rates(runs[runs.grid != "human-rates"])


def test_the_share_of_an_improvement():
    sure = runs_of({"n=1": {1: 1.0, 2: 1.1}, "n=3": {1: 0.4, 2: 0.7}, "n=all": {1: 0.2, 2: 0.31}})
    assert tables.share_reached(sure, "kl", "n=3")[0] == pytest.approx(0.75)
    unsure = runs_of({"n=1": {1: 1.0, 2: 1.0}, "n=3": {1: 0.4, 2: 0.7}, "n=all": {1: 0.9, 2: 1.2}})
    assert len(tables.share_reached(unsure, "kl", "n=3")) == 0


def test_arms_shown_together_are_of_the_same_images():
    found = runs_of({"truth": {0: 1, 2: 1, 1: 1}, "soft": {2: 1, 1: 1}}, evaluation="here")
    here = blur_and_shift.together(found, ("truth", "soft", "smoothed"))
    assert list(zip(here.arm, here.seed, strict=True)) == [("truth", 1), ("soft", 1)]
    apart = runs_of({"truth": {0: 1}, "soft": {1: 1}}, evaluation="here")
    assert blur_and_shift.together(apart, ("truth", "soft")).empty
    assert blur_and_shift.together(apart, ("mixup",)).empty


def test_missing_evaluations_name_their_command(filled):
    runs, found = adversarial.collect("smoke", [0, 1, 2])
    said = table.unevaluated(found, runs)
    assert found.case.isna().all() and "softlabels evaluate --chapter human --profile smoke" in said
    lacking, blur = blur_and_shift.collect("smoke", [9])
    both = table.unevaluated(blur, lacking)
    assert both.index("softlabels train") < both.index("softlabels evaluate")
    assert adversarial.verdicts(runs, found)[0].verdict == "not tested"
    assert adversarial.checks(found).empty and adversarial.steps(found).empty
    assert tables.levels(found, "FGSM").empty and table.curves(table.at(found, "FGSM", level=None)) == {}


def test_review_draws_on_the_right_answer_and_the_votes(filled):
    runs = review.collect("smoke", [0, 1, 2])
    p, truth, person = review.answers(table.recorded(runs)[0])
    assert len(truth) == 200
    assert p.shape == (200, 10) and ((person > 0) & (person <= 1)).all()
    _, (title, hard, folds) = review.sources(runs)  # from random weights, and fine-tuned
    assert title.endswith("fine-tuned")
    shown = review.working_table(folds, (0.1, 0.5))
    recall = shown.set_index(["trained on", "budget"])["recall"].astype(float)
    assert hard == "truth" and recall["all votes", "50 %"] > recall["all votes", "10 %"] > 0
    assert review.area_table(folds)["n"].tolist() == ["3"] * 3
    assert review.verdicts(folds)[0].verdict in ("reproduced", "undecided")
    assert "lowers the error" in review.claim(folds, 0.2)


def test_records_without_a_label_of_their_own_take_what_most_people_said(filled):
    record = table.recorded(filled[0])[0]
    arrays = record.arrays()
    del arrays["truth"]
    object.__setattr__(record, "arrays", lambda: arrays)
    np.testing.assert_array_equal(review.answers(record)[1], arrays["targets"].argmax(1))


def test_the_book_of_verdicts_counts_every_row(filled):
    found = book.collect("smoke", [0, 1, 2])
    assert set(found) == set(book.CHAPTERS)
    counted = sum(sum(row.values()) for row in book.counts(found).values())
    assert counted == sum(map(len, found.values()))
    assert counted == sum(len(book.table(found, group)) for group in GROUPS)
    for group in GROUPS:
        assert f"of {len(book.table(found, group))} claims" in book.sentence(found, group)
    assert set(CLAIMS) == {v.id for rows in found.values() for v in rows}, "every claim is judged somewhere"


def test_the_summary_looks_at_committed_records_only(filled):
    text = book.summary("smoke", [0, 1, 2])
    assert "not tested" in text and "| The three papers | 0 | 0 | 0 |" in text


def test_the_course_of_a_training_by_arm_and_epoch():
    def run(arm, kl):
        history = [{"epoch": e + 1, "validation_kl": value} for e, value in enumerate(kl)]
        return {"arm": arm, "record": SimpleNamespace(history=history)}

    rows = [run("truth", [1.0, 0.9]), run("soft", [0.8, 0.95]), run("soft", [0.6, 0.85]), {"arm": "soft"}]
    runs = pd.DataFrame(rows).astype({"record": object})
    runs["record"] = runs.record.where(runs.record.notna(), None)
    found = table.by_epoch(runs, "validation_kl")
    assert found == {"truth": {1: [1.0], 2: [0.9]}, "soft": {1: [0.8, 0.6], 2: [0.95, 0.85]}}
    assert table.by_epoch(runs, "validation_macro_accuracy") == {}


def test_the_course_in_words():
    def run(arm, accuracy, kl):
        rows = zip(accuracy, kl, strict=True)
        history = [
            {"epoch": e, "validation_macro_accuracy": a, "validation_kl": k}
            for e, (a, k) in enumerate(rows, 1)
        ]
        return {"arm": arm, "record": SimpleNamespace(history=history)}

    runs = pd.DataFrame(
        [run("hard", [0.3, 0.6, 0.9], [1, 0.8, 0.9]), run("soft", [0.5, 0.7, 0.8], [1.1, 0.5, 0.4])]
    )
    assert tables.course(runs) == (
        "In the mean of 1 runs all votes are ahead in accuracy in 2 of 3 epochs, not in the last (difference "
        "+0.200 after epoch 1, where it is greatest, −0.100 after the last); in KL in 2 of 3 epochs, all "
        "from 2 on (difference −0.500 after epoch 3, where it is greatest, −0.500 after the last)."
    )
    assert tables.course(runs[:1]) == "No pair of runs is here yet."


def test_a_figure_names_every_profile_whose_runs_it_shows():
    of_laptop, of_paper = (
        pd.DataFrame({"profile": [name] * 2, "record": ["here", None]}) for name in ("laptop", "paper")
    )
    assert table1.shown([of_laptop, of_paper, of_laptop], "laptop") == "laptop and paper"
    assert table1.shown([of_paper[1:]], "smoke") == "smoke", "it shows no run"
    page = (paths.PROJECT / "book" / "chapters" / "03_table1.ipynb").read_text(encoding="utf-8")
    assert page.count("profile laptop and paper") == 2
