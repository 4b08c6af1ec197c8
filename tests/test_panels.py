"""Arms side by side: pairs, intervals, tables and verdicts, on records made by hand."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from softlabels.analysis import panels, published, verdicts_human
from softlabels.analysis.claims import CLAIMS, GROUPS
from softlabels.analysis.formatting import signed
from softlabels.analysis.panels import Collection, Evaluated, Panel
from softlabels.analysis.statistics import paired_interval
from softlabels.chapters import all_verdicts, human_uncertainty
from softlabels.chapters import when_to_ask_a_person as review
from softlabels.labels import metrics
from softlabels.runs import experiments_human, records
from softlabels.runs.experiments_human import WORDS, Run
from softlabels.store import pack

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


def made(run, shift):
    """A record whose predictions lie `shift` nearer to the people's."""
    rng = np.random.default_rng([run.config.seed, run.config.fold])
    q = rng.dirichlet(np.full(10, 0.2), 200)
    p = (1 - shift) * rng.dirichlet(np.full(10, 0.5), 200) + shift * q
    truth = q.argmax(1)
    arrays = pack(
        ids=np.arange(200), log_probs=np.log(p).astype(np.float16), targets=q.astype(np.float16), truth=truth
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
        records.SHELF.cached,
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
    scratch = panels.collect("human-scratch", "smoke", [0, 1, 2])
    found = {v.id: v for v in [*verdicts_human.held_out(scratch, filled), *verdicts_human.controls(filled)]}
    assert {found[name].verdict for name in ("huc-loss", "singh-kl", "huc-fine-tuned")} == {"reproduced"}
    assert found["people-smoothing"].verdict == found["people-permuted"].verdict == "reproduced"
    assert found["huc-loss"].reason.endswith("fine-tuned: lower") and found["huc-loss"].ours.endswith(" %")
    assert verdicts_human.budget(panels.collect("budget", "smoke", [0, 1, 2]))[0].verdict == "not tested"


def test_networks_that_did_not_learn_decide_nothing(filled):
    guessing = replace(filled, records={arm: {} for arm in filled.records} | {"soft": {}, "truth": {}})
    for arm in ("soft", "truth"):
        guessing.records[arm].update(
            {pair: made(Run(arm, record.config), 0.0) for pair, record in filled.records[arm].items()}
        )
    loss = verdicts_human.held_out(guessing, guessing)[0]
    assert loss.verdict == "not tested" and "did not learn: soft: accuracy only" in loss.reason


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
    assert len(truth) == 200
    assert p.shape == (200, 10) and ((person > 0) & (person <= 1)).all()
    table = review.working_table(source, (0.1, 0.5))
    recall = table.set_index(["labels", "budget"])["recall"].astype(float)
    assert recall["soft", "50 %"] > recall["soft", "10 %"] > 0
    assert review.area_table([source])["n"].tolist() == ["3"] * 3
    assert review.verdicts([source])[0].verdict in ("reproduced", "undecided")
    assert "lowers the error" in review.claim([source], 0.2)


def test_records_without_a_label_of_their_own_take_what_most_people_said(filled):
    record = filled.records["soft"][("cifarnet-8", 0, 0)]
    arrays = record.arrays()
    del arrays["truth"]
    bare = replace(record, checksums=record.checksums)
    object.__setattr__(bare, "arrays", lambda: arrays)
    np.testing.assert_array_equal(review.answers(bare)[1], arrays["targets"].argmax(1))


def test_the_book_of_verdicts_counts_every_row(filled):
    found = all_verdicts.collect("smoke", [0, 1, 2])
    assert set(found) == set(all_verdicts.CHAPTERS)
    counted = sum(sum(row.values()) for row in all_verdicts.counts(found).values())
    assert counted == sum(map(len, found.values()))
    assert counted == sum(len(all_verdicts.table(found, group)) for group in GROUPS)
    for group in GROUPS:
        assert f"of {len(all_verdicts.table(found, group))} claims" in all_verdicts.sentence(found, group)
    assert set(CLAIMS) == {v.id for rows in found.values() for v in rows}, "every claim is judged somewhere"


def test_the_summary_looks_at_committed_records_only(filled):
    text = all_verdicts.summary("smoke", [0, 1, 2])
    assert "not tested" in text and "| The three papers | 0 | 0 | 0 |" in text


def test_an_empty_collection_gives_empty_tables():
    empty = Collection("budget", "laptop", {"n=1": {}, "n=all": {}})
    assert human_uncertainty.annotations(empty).empty
    assert isinstance(panels.levels(lambda x: Panel({}), [1.0]), pd.DataFrame)
    assert Evaluated("blur", empty, {}).cases() == []
