"""The rule of the verdicts: on intervals made by hand, on invented effects, and who is competent."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from softlabels.analysis import competence, published, verdicts
from softlabels.analysis.statistics import Interval, paired_interval
from softlabels.analysis.verdicts import CLAIMS, GROUPS, HIGHER, LOWER, Claim
from softlabels.learning.config import RunConfig
from softlabels.runs import grids

CLAIM = Claim("c", "papers", "a claim", "a comparison", HIGHER, effect=0.10)
NONE = replace(CLAIM, better=0, effect=0.0, margin=0.02)


def between(low, high, n=5):
    return Interval((low + high) / 2, low, high, n)


@pytest.mark.parametrize(
    ("claim", "interval", "word"),
    [
        (CLAIM, between(0.01, 0.2), "reproduced"),
        (CLAIM, between(-0.01, 0.2), "undecided"),  # it holds the published value
        (CLAIM, between(-0.01, 0.06), "undecided"),  # half of the published effect is still possible
        (CLAIM, between(-0.01, 0.04), "contradicted"),  # everything from half of it upwards is excluded
        (CLAIM, between(0.01, 0.04), "reproduced"),  # small, but on the claimed side
        (CLAIM, between(-0.2, -0.01), "contradicted"),
        (replace(CLAIM, better=LOWER, effect=-0.10), between(-0.2, -0.01), "reproduced"),
        (replace(CLAIM, better=LOWER, effect=-0.10), between(-0.04, 0.01), "contradicted"),
        (replace(CLAIM, effect=None), between(-0.2, 0.01), "undecided"),
        (replace(CLAIM, effect=None), between(-0.2, -0.01), "contradicted"),
        (NONE, between(-0.01, 0.015), "reproduced"),
        (NONE, between(-0.01, 0.03), "undecided"),
        (NONE, between(0.021, 0.03), "contradicted"),
        (CLAIM, Interval(0.1, None, None, 1), "not tested"),
    ],
)
def test_the_word_follows_from_the_interval(claim, interval, word):
    assert verdicts.word(claim, interval) == word
    assert verdicts.judge(claim, interval).verdict == word


def test_without_pairs_or_competence_nothing_is_decided():
    assert verdicts.judge(CLAIM, None).verdict == "not tested"
    found = verdicts.judge(CLAIM, between(0.01, 0.2), lacking="soft: guesses")
    assert (
        found.verdict == "not tested"
        and "did not learn: soft: guesses" in found.reason
        and found.found is None
    )


def test_values_are_shown_in_the_unit_of_what_is_published():
    claim = replace(CLAIM, effect=0.0114, unit="points", digits=2)
    found = verdicts.judge(claim, paired_interval([0.02, 0.03, 0.025], [0.0, 0.0, 0.0]))
    assert found.published == "+1.14 points"
    assert found.ours.startswith("**+2.50 [") and found.ours.endswith(" points")


def test_an_undecided_claim_says_how_many_pairs_would_decide():
    rng = np.random.default_rng(0)
    ours = paired_interval([0.15, -0.05, 0.09, 0.01], np.zeros(4))
    found = verdicts.judge(CLAIM, ours)
    n = verdicts.pairs_to_decide(CLAIM, ours)
    assert found.verdict == "undecided" and found.needs == f"about {n} pairs" and n > 4
    # With so many pairs the rule does decide in about four of five tries, for the published effect or none.
    sd = (ours.high - ours.low) / 2 / verdicts.t_quantile(0.975, 3) * 2
    for truth in (0.0, 0.10):
        words = [
            verdicts.word(CLAIM, paired_interval(rng.normal(truth, sd, n), np.zeros(n))) for _ in range(400)
        ]
        assert words.count("undecided") / 400 < 0.3


def test_where_the_images_leave_it_open_no_number_of_pairs_is_named():
    few = np.array([0.15, -0.05, 0.09, 0.01])
    known, open_ = (
        paired_interval(few, np.zeros(4), left_out=0.05 + width * np.linspace(-1, 1, 20))
        for width in (1e-4, 0.02)
    )
    assert verdicts.pairs_to_decide(CLAIM, known) == verdicts.pairs_to_decide(
        CLAIM, paired_interval(few, np.zeros(4))
    )
    assert open_.times(100).images == pytest.approx(100 * open_.images) and open_.images > known.images
    assert verdicts.pairs_to_decide(CLAIM, open_) is None
    assert verdicts.judge(CLAIM, open_).needs == "more test images"


def test_overlapping_splits_widen_the_interval_as_nadeau_and_bengio_say():
    d = np.array([0.01, 0.03, 0.02, 0.05])
    plain, wide = (paired_interval(d, np.zeros(4), overlap=x) for x in (0.0, 1 / 3))
    assert wide.mean == plain.mean
    ratio = (wide.high - wide.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(np.sqrt((1 / 4 + 1 / 3) / (1 / 4)))


def test_the_rule_on_trial():
    """Shares of words for invented effects agree with a simulation by hand."""
    sure = verdicts.judge(replace(CLAIM, id="huc-accuracy"), between(0.05, 0.15, 10))
    effect = CLAIMS["huc-accuracy"].effect
    narrow = replace(sure, found=between(effect - effect / 5, effect + effect / 5, 10))
    table = verdicts.rule_on_trial([narrow]).set_index("true effect")
    share = {row: {w: float(v.rstrip(" %")) for w, v in values.items()} for row, values in table.T.items()}
    assert share["as published"]["reproduced"] > 99 and share["reversed"]["contradicted"] > 99
    assert share["none"]["contradicted"] > 90 and share["none"]["reproduced"] < 5
    for truth, words in share.items():
        assert sum(words.values()) == pytest.approx(100, abs=2), truth
    rng = np.random.default_rng(5)
    sd = (narrow.found.high - narrow.found.low) / 2 / verdicts.t_quantile(0.975, 9) * np.sqrt(10)
    claim = CLAIMS["huc-accuracy"]
    by_hand = [
        verdicts.word(claim, paired_interval(rng.normal(effect / 8, sd, 10), np.zeros(10)))
        for _ in range(2000)
    ]
    for word, often in verdicts.how_often(claim, narrow.found, 1 / 8).items():
        assert by_hand.count(word) / 2000 == pytest.approx(often, abs=0.05)


def test_every_claim_names_what_decides_it_and_where_it_is_from():
    assert {c.group for c in CLAIMS.values()} == set(GROUPS)
    assert all(c.primary and c.text and c.better in (HIGHER, LOWER, 0) for c in CLAIMS.values())
    assert all(c.source for c in CLAIMS.values() if c.group == "papers")
    assert all(c.margin > 0 for c in CLAIMS.values() if not c.better)
    assert all(np.sign(c.effect) == c.better for c in CLAIMS.values() if c.effect and c.better)
    assert len({c.text for c in CLAIMS.values()}) == len(CLAIMS)


def test_published_effects_are_those_of_the_sources():
    assert CLAIMS["bhl-accuracy"].effect == pytest.approx(0.9096 - 0.8247)
    assert CLAIMS["huc-loss"].effect == pytest.approx(0.480829 / 0.692761 - 1)
    assert CLAIMS["huc-fgsm-loss"].effect == pytest.approx(2.813 / 5.667 - 1)
    tuned = published.get("human_uncertainty", "fine_tuned")
    lengths = {len(tuned[arm][m]) for arm in ("hard", "soft") for m in tuned[arm]} | {len(tuned["networks"])}
    assert lengths == {8}
    assert CLAIMS["huc-fine-tuned"].effect == pytest.approx(2.45 / 4.17 - 1, abs=1e-3)


# Competence


def record(log_p, q, label="soft"):
    arrays = {"log_probs": np.log(np.maximum(log_p, 1e-7)), "targets": q}
    return SimpleNamespace(config=RunConfig(label=label), arrays=lambda: arrays)


def normalised(p):
    return p / p.sum(1, keepdims=True)


def votes(seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(5, 0.3), 400)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda q: record(0.8 * q + 0.04, q), ""),
        (lambda q: record(np.tile(q.mean(0), (400, 1)), q), "above the constant guess"),
        (
            lambda q: record(normalised((0.5 * q + 0.1) * [1, 1, 1, 1, 1e-3]), q),
            "one class without recall in 1 of 1 runs",
        ),
        (lambda q: record((q == q.max(1, keepdims=True)) + 0.0, q), "of that of the mean label"),
        (
            lambda q: record((q == q.max(1, keepdims=True)) + 0.0, q, "hard"),
            "",
        ),  # for hard labels that is the aim
    ],
)
def test_who_is_competent(make, words, store):
    found = competence.shortcoming([make(votes())])
    assert (words in found) if words else (found == "")


def test_far_behind_what_can_be_reached_is_not_competent(monkeypatch):
    q = votes()
    half = 0.5 * q + 0.5 * np.random.default_rng(1).dirichlet(np.full(5, 0.5), 400)
    monkeypatch.setattr(competence, "reached", lambda dataset, folder: 0.95)
    assert competence.shortcoming([record(0.9 * q + 0.02, q)]) == ""
    assert "where 0.95 can be reached" in competence.shortcoming([record(half, q)])


def test_what_can_be_reached_is_read_from_the_records(tmp_path):
    for i, (dataset, accuracy) in enumerate([("a", 0.5), ("a", 0.7), ("b", 0.9)]):
        body = {"config": {"dataset": dataset}, "metrics": {"test": {"macro_accuracy": accuracy}}}
        (tmp_path / f"{i}.json").write_text(json.dumps(body))
    assert competence.reached("a", str(tmp_path)) == 0.7 and competence.reached("c", str(tmp_path)) == 0.0


def test_no_runs_lack_nothing():
    assert competence.shortcoming([]) == ""


def test_the_grids_of_the_primary_comparisons_have_enough_pairs():
    for grid in ("human", "human-scratch"):
        for arm in ("truth", "soft"):
            assert len([r for r in grids.grid(grid, "laptop", [0, 1, 2]) if r.arm == arm]) == 10
