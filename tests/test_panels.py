"""Arms side by side: pairs, intervals, tables and verdicts, on records made by hand."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from softlabels.analysis import panels, published, verdicts_human
from softlabels.analysis.formatting import signed
from softlabels.analysis.panels import Collection, Evaluated, Panel
from softlabels.analysis.statistics import paired_interval
from softlabels.chapters import all_verdicts, human_uncertainty
from softlabels.chapters import when_to_ask_a_person as review
from softlabels.labels import metrics
from softlabels.runs import experiments_human, records
from softlabels.runs.experiments_human import WORDS

PANEL = Panel({"truth": {1: 1.0, 2: 2.0, 3: 3.5}, "soft": {3: 2.4, 2: 1.0, 1: 0.1, 4: 9.0}, "mixup": {}})


def test_differences_are_paired_by_key_not_by_order():
    found = PANEL.difference("soft", "truth")
    assert found == paired_interval([0.1, 1.0, 2.4], [1.0, 2.0, 3.5])
    assert found.mean == pytest.approx(-1.0) and found.n == 3
    assert PANEL.difference("mixup", "truth") is None
    assert PANEL.arms == ["truth", "soft"]
    assert PANEL.summary("soft")[2] == 4


def test_a_sentence_speaks_of_the_pairs_that_it_compares():
    said = panels.sentence("KL", PANEL, "soft", "truth")  # without the fourth run of "soft", 9.0
    assert said.startswith("KL: 1.167 with soft, 2.167 with truth labels, difference −1.000 [")
    assert said.endswith("3 pairs of runs.")


def test_relative_differences_are_shares_of_the_base():
    found = Panel({"a": {1: 1.0, 2: 3.0}, "b": {1: 2.0, 2: 4.0}}).relative("a", "b")
    assert found.mean == pytest.approx((-0.5 - 0.25) / 2)


def test_tables_hold_every_arm_and_its_difference():
    table = panels.table({"KL": PANEL}, "truth", {"soft": "people"}, 2)
    assert list(table["arm"]) == ["truth", "people"]
    assert table["KL: − truth"][0] == "–" and table["KL: − truth"][1].startswith("**−1.00 [")
    assert panels.table({"KL": Panel({})}, "truth").empty
    tested = panels.tests(PANEL, "truth")
    assert list(tested["arm"]) == ["soft"] and float(tested["p"][0]) < 0.05
    surely = Panel({"truth": dict.fromkeys(range(9), 0.0), "soft": {k: 1 + k / 100 for k in range(9)}})
    assert panels.tests(surely, "truth")["p"][0] == "< 0.001"


def test_holm_counts_the_arms():
    rng = np.random.default_rng(0)
    base = {k: float(v) for k, v in enumerate(rng.normal(size=8))}
    arms = {f"a{i}": {k: v + 0.4 + rng.normal() * 0.4 for k, v in base.items()} for i in range(5)}
    one, many = (panels.tests(Panel({"b": base, **dict(list(arms.items())[:n])}), "b") for n in (1, 5))
    assert float(many["p (Holm)"][0]) >= float(one["p (Holm)"][0]) == pytest.approx(float(one["p"][0]))


@pytest.mark.parametrize(
    ("values", "better", "word"),
    [
        ([-1.0, -1.1, -0.9], verdicts_human.LOWER, "reproduced"),
        ([-1.0, -1.1, -0.9], verdicts_human.HIGHER, "not reproduced"),
        ([-1.0, 1.1, -0.1], verdicts_human.LOWER, "not reproduced"),
        ([-1.0], verdicts_human.LOWER, "not tested"),
    ],
)
def test_a_verdict_follows_from_the_interval(values, better, word):
    found = verdicts_human.verdict("c", "p", {"": paired_interval(values, [0.0] * len(values))}, better)
    assert found.verdict == word
    assert ("n = 3" in found.reason) == (len(values) == 3)


@pytest.mark.parametrize(("value", "word"), [(-0.3, "excludes"), (-0.04, "holds")])
def test_an_open_comparison_says_whether_the_published_effect_is_still_possible(value, word):
    ours = paired_interval([-0.05, 0.04, 0.0], [0.0, 0.0, 0.0])
    found = verdicts_human.verdict("c", "p", {"": ours}, verdicts_human.LOWER, value=value)
    assert found.verdict == "not reproduced"
    assert found.reason.endswith(f"; the interval {word} the published value")


def test_ours_is_shown_in_the_unit_of_what_is_published():
    ours = paired_interval([0.02, 0.03, 0.025], [0.0, 0.0, 0.0])
    found = verdicts_human.verdict(
        "c", "+1.14 points", {"": ours}, verdicts_human.HIGHER, 2, 0.0114, "points"
    )
    assert found.ours.startswith("**+2.50 [") and found.ours.endswith(" points")
    assert found.reason.endswith("the interval excludes the published value")


def test_one_control_that_is_as_good_makes_the_claim_partial():
    good, open_ = paired_interval([-1, -1.1, -0.9], [0, 0, 0]), paired_interval([-1, 1, 0.1], [0, 0, 0])
    found = verdicts_human.verdict("c", "p", {"permuted": good, "smoothed": open_}, verdicts_human.LOWER)
    assert found.verdict == "partly" and "smoothed" in found.ours


def made(run, shift):
    """A record whose predictions lie `shift` nearer to the people's."""
    rng = np.random.default_rng([run.config.seed, run.config.fold])
    q = rng.dirichlet(np.full(10, 0.2), 60)
    p = (1 - shift) * rng.dirichlet(np.full(10, 0.5), 60) + shift * q
    truth = q.argmax(1)
    arrays = records.pack(
        ids=np.arange(60), log_probs=np.log(p).astype(np.float16), targets=q.astype(np.float16), truth=truth
    )
    one_hot = np.eye(10)[truth]
    record = records.Record(
        run.config,
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
        records.cache_folder(),
    )
    records.write(record, arrays)
    return record


@pytest.fixture
def filled(store):
    """Every run of the smoke grids, the soft arms nearest to the people."""
    for name, grid in experiments_human.GRIDS.items():
        for run in grid("smoke", [0, 1, 2]):
            near = {"soft": 0.7, "n=all": 0.7, "n=3": 0.68, "soft T=2": 0.6}.get(run.arm, 0.4)
            made(run, near + 0.002 * run.config.seed if name != "human-rates" else 0.5)
    return panels.collect("human", "smoke", [0, 1, 2])


def test_a_collection_holds_every_arm_and_misses_nothing(filled):
    assert not filled.missing and "No run" in filled.note()
    assert set(filled.records) == {*experiments_human.ARMS, "soft T=2"}
    assert len(filled.records["soft"]) == 3
    lacking = panels.collect("human", "smoke", [0, 9])
    assert {run.config.seed for run in lacking.missing} == {9}
    assert "softlabels train --chapter human --profile smoke --seeds 9" in lacking.note()


def test_claims_are_judged_from_the_records(filled):
    found = {v.claim: v for v in [*verdicts_human.held_out(filled), verdicts_human.controls(filled)]}
    assert [v.verdict for v in found.values()].count("reproduced") >= 4
    [controls] = [v for claim, v in found.items() if "per-image" in claim]
    assert controls.verdict == "reproduced" and "5 of 5" in controls.reason
    few, kl, _ = verdicts_human.budget(panels.collect("budget", "smoke", [0, 1, 2]))
    assert few.verdict == "reproduced"
    assert kl.verdict == "not tested", "smoke has no run with ten annotations"


def test_claims_are_judged_at_every_length_of_training(filled):
    longer = panels.collect("human-epochs", "smoke", [0, 1, 2])
    entropy, *_ = verdicts_human.held_out(filled, longer)
    assert "2 of 2" in entropy.reason and "2 epochs (last)" in entropy.ours
    assert entropy.reason.count("the published value") == 2 and "of 1 epochs" in entropy.reason
    controls = verdicts_human.controls(filled, longer)
    assert "6 of 6" in controls.reason and "label smoothing, same mean entropy, 2 epochs" in controls.ours
    nothing = panels.collect("human-epochs", "smoke", [9])
    alone = verdicts_human.held_out(filled, nothing)[0]
    assert "1 of 1" in alone.reason and "2 epochs" not in alone.ours


def test_tables_put_the_published_numbers_beside_ours(filled):
    heat = human_uncertainty.temperatures(filled).set_index("temperature")
    entry = published.get("human_uncertainty", "temperature", "2")
    assert heat["published accuracy"]["2"] == f"{entry['accuracy']:.4f}"
    assert heat["accuracy"]["2"] != "–" and heat["accuracy"]["0.25"] == "–"
    budget = human_uncertainty.annotations(panels.collect("budget", "smoke", [0, 1, 2]))
    assert list(budget["annotations an image"]) == ["1", "3", "all"]
    assert 70 <= float(budget["KL: share"][1].rstrip(" %")) <= 100
    totals = human_uncertainty.totals(panels.collect("budget-total", "smoke", [0, 1, 2]))
    assert set(totals["in all"]) == {"240"}
    rates = human_uncertainty.rates(filled, panels.collect("human-rates", "smoke", [0, 1, 2]))
    assert set(rates["learning rate"]) == {"0.02", "0.05"} and len(rates) == 8
    others = panels.collect("human-rates", "smoke", [0, 1, 2])
    said = human_uncertainty.own_rates(filled, others)
    assert "human distribution 0.02" in said, "the first of equal losses"
    at_rate = rates[rates["learning rate"] == "0.02"].set_index("arm").loc[[WORDS["soft"], WORDS["truth"]]]
    accuracy = at_rate["accuracy"].astype(float)
    assert f"be {signed(accuracy.iloc[0] - accuracy.iloc[1], 3)}"[:-1] in said
    assert "No run" in human_uncertainty.own_rates(filled, replace(others, records={}))


def test_longer_training_is_compared_on_the_same_folds(filled):
    seeds = [0, 1, 2]
    lengths = human_uncertainty.lengths(filled, panels.collect("human-epochs", "smoke", seeds))
    short, long = "1 epochs (least validation loss)", "2 epochs (last)"
    assert list(lengths["trained"]) == [short] * 4 + [long] * 4
    assert lengths["soft − truth"][0].strip("*").startswith("+0.3")
    assert {"smoothed − truth", "soft, relative"} < set(lengths)
    some = human_uncertainty.lengths(filled, panels.collect("human-epochs", "smoke", [0]))
    assert len(some) == 8 and some["soft − truth"].str.contains("one pair").all()
    assert human_uncertainty.lengths(filled, panels.collect("human-epochs", "smoke", [9])).empty


def test_the_share_of_an_improvement():
    panel = Panel({"n=1": {1: 1.0, 2: 1.1}, "n=3": {1: 0.4, 2: 0.7}, "n=all": {1: 0.2, 2: 0.31}})
    assert panels.share_reached(panel, "n=3").values["n=3"][1] == pytest.approx(0.75)
    unsure = Panel({"n=1": {1: 1.0, 2: 1.0}, "n=3": {1: 0.4, 2: 0.7}, "n=all": {1: 0.9, 2: 1.2}})
    assert panels.share_reached(unsure, "n=3").values["n=3"] == {}


def test_arms_shown_together_are_of_the_same_images(filled):
    def of(pair):
        return {("net", seed, 0): f"seed {seed}" for seed in pair}

    found = Evaluated("blur", filled, {"truth": of([0, 2, 1]), "soft": of([2, 1]), "smoothed": {}})
    assert found.together(("truth", "soft", "smoothed")) == {"truth": "seed 1", "soft": "seed 1"}
    apart = Evaluated("blur", filled, {"truth": of([0]), "soft": of([1])})
    assert apart.together(("truth", "soft")) == {} == apart.together(("mixup",))


def test_missing_evaluations_name_their_command(filled):
    found = filled.evaluated("attacks")
    assert not found.cases() and "softlabels evaluate --chapter human --profile smoke" in found.note()
    lacking = panels.collect("human", "smoke", [9]).evaluated("blur").note()
    assert lacking.index("softlabels train") < lacking.index("softlabels evaluate")
    assert verdicts_human.attacked(found)[0].verdict == "not tested"
    assert human_uncertainty.checks(found).empty and human_uncertainty.shifts(found).empty


def test_review_draws_on_the_right_answer_and_the_votes(filled):
    source = review.Source("folds", "truth", filled.records, "")
    p, truth, person = review.answers(source.records[0])
    assert len(truth) == 60
    assert p.shape == (60, 10) and ((person > 0) & (person <= 1)).all()
    table = review.working_table(source, (0.1, 0.5))
    recall = table.set_index(["labels", "budget"])["recall"].astype(float)
    assert recall["soft", "50 %"] > recall["soft", "10 %"] > 0
    assert review.area_table([source])["n"].tolist() == ["3"] * 3
    assert review.verdicts([source])[0].verdict in ("reproduced", "not reproduced")
    assert "lowers the error" in review.claim([source], 0.2)


def test_records_without_a_label_of_their_own_take_what_most_people_said(filled):
    record = filled.records["soft"][("resnet9-tiny", 0, 0)]
    arrays = record.arrays()
    del arrays["truth"]
    bare = replace(record, checksums=record.checksums)
    object.__setattr__(bare, "arrays", lambda: arrays)
    np.testing.assert_array_equal(review.answers(bare)[1], arrays["targets"].argmax(1))


def test_the_book_of_verdicts_counts_every_row(filled):
    found = all_verdicts.collect("smoke", [0, 1, 2])
    assert set(found) == set(all_verdicts.CHAPTERS)
    counted = sum(sum(row.values()) for row in all_verdicts.counts(found).values())
    assert counted == sum(map(len, found.values())) == len(all_verdicts.table(found))
    assert str(counted) in all_verdicts.sentence(found)


def test_the_summary_looks_at_committed_records_only(filled):
    text = all_verdicts.summary("smoke", [0, 1, 2])
    assert "not tested" in text and "| Human uncertainty | 0 | 0 | 0 |" in text


def test_an_empty_collection_gives_empty_tables():
    empty = Collection("budget", "laptop", {"n=1": {}, "n=all": {}})
    assert human_uncertainty.annotations(empty).empty
    assert isinstance(panels.levels(lambda x: Panel({}), [1.0]), pd.DataFrame)
    assert Evaluated("blur", empty, {}).cases() == []
