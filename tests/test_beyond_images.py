"""Chapter 18: shapes of votes, temperatures, shares of an improvement, and verdicts from known numbers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import data_or_skip
from softlabels import labels, metrics
from softlabels.chapters.beyond_images import facts, tables
from softlabels.datasets import chaosnli
from softlabels.experiments_text import MAIN


@pytest.mark.parametrize(
    ("votes", "shape"),
    [
        ((80, 20, 0), "agreed"),
        ((48, 4, 48), "two camps"),
        ((50, 30, 20), "spread"),  # neutral is above contradiction: no gap between the ends
        ((79, 1, 20), "two camps"),
        ((81, 0, 19), "agreed"),
        ((50, 45, 5), "neighbours"),
        ((0, 50, 50), "neighbours"),
        ((34, 33, 33), "spread"),
    ],
)
def test_votes_have_the_shape_that_is_said(votes, shape):
    assert list(facts.SHAPES)[facts.shapes(np.array([votes], np.float32))[0]] == shape


def test_a_temperature_that_was_applied_is_found_again():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (400, 3))
    target = facts._softmax(z / 2.0)
    assert facts.temperature(z, target) == pytest.approx(2.0, rel=0.006)  # half a step of the grid
    assert facts.temperature(z * 3, target) == pytest.approx(6.0, rel=0.006)


def test_the_committed_description_is_that_of_the_data():
    data_or_skip("chaosnli:snli/logits")
    known = facts.find()
    assert set(known) == set(chaosnli.PARTS)
    for name, one in known.items():
        found = chaosnli.examples(name)
        entropy = labels.entropy(labels.soft_labels(found.counts)).mean()
        assert (one["n"], one["mean_entropy"]) == (len(found.uids), round(float(entropy), 6))
        assert one["ceiling"]["100"]["kl"] < one["ceiling"]["10"]["kl"]
        if name != "alpha":
            assert one["shapes"] == "".join(map(str, facts.shapes(found.counts)))
            texts = set(zip(map(str.strip, found.first), map(str.strip, found.second), strict=True))
            quoted = [q for kind in one["quoted"].values() for q in kind]
            assert all((q["premise"], q["hypothesis"]) in texts for q in quoted)


def test_temperatures_of_the_description_are_tested_on_the_runs_test_parts():
    data = data_or_skip("chaosnli:mnli/logits")
    from softlabels import tasks

    q = labels.soft_labels(data.counts)
    for line in facts.find()["mnli"]["temperature"]:
        test = tasks.split(len(data), line["seed"])["test"]
        p = facts._softmax(data.images[test].astype(np.float64) / line["temperature"])
        assert metrics.kl_divergence(q[test], p) == pytest.approx(line["kl"], abs=1e-4)  # T is rounded


def frame(grid, values, measure="kl"):
    """Runs of both main settings; `values[arm]` holds one number for each seed."""
    rows = [
        {"grid": grid, "dataset": dataset, "network": "mlp-128", "arm": arm, "seed": seed}
        | dict.fromkeys(tables.MEASURES, np.nan)
        | {measure: value, "record": SimpleNamespace()}
        for dataset in MAIN
        for arm, found in values.items()
        for seed, value in enumerate(found)
    ]
    return pd.DataFrame(rows)


def test_a_share_of_the_improvement_is_taken_split_by_split():
    values = {"n=1": [1.0, 2.0], "n=2": [0.6, 1.5], "n=10": [0.2, 1.1], "n=100": [0.0, 1.0]}
    runs = frame("text-budget", values)
    found = tables.shares(runs[runs.dataset == MAIN[0]], "kl")
    assert list(found) == [1, 2, 10, 100] and found[1] is found[100] is None
    assert found[2].mean == pytest.approx((0.4 + 0.5) / 2)
    assert found[10].mean == pytest.approx((0.8 + 0.9) / 2)


def test_a_share_of_what_may_be_nothing_is_left_out():
    runs = frame("text-budget", {"n=1": [1.0, 0.5], "n=10": [0.7, 0.6], "n=100": [0.5, 1.0]})
    found = tables.shares(runs[runs.dataset == MAIN[0]], "kl")
    assert set(found.values()) == {None}
    assert tables.saturation(found) == "–"


def test_saturation_is_the_least_number_that_reaches_nine_tenths():
    steps = {"n=1": 0.0, "n=2": 0.5, "n=5": 0.88, "n=10": 0.91, "n=20": 0.99, "n=100": 1.0}
    jitter = np.array([-0.03, 0.0, 0.03])
    values = {arm: list(x + jitter * (0 < x < 1)) for arm, x in steps.items()}
    runs = frame("text-budget", values)
    found = tables.shares(runs[runs.dataset == MAIN[0]], "kl")
    # t interval of three: ± 0.075, so five votes may be enough and ten may not
    assert tables.saturation(found) == "10 (5 to 20)"


def test_verdicts_follow_from_the_side_of_the_interval():
    arms = {"hard": [0.30, 0.31, 0.29], "soft": [0.20, 0.22, 0.19]}
    kl, *_ = tables.verdicts(frame("text", arms))
    assert kl.verdict == "reproduced" and "−33" in kl.ours and kl.published == "−32 %"
    kl, *_ = tables.verdicts(frame("text", {"hard": arms["soft"], "soft": arms["hard"]}))
    assert kl.verdict == "not reproduced" and "2 contradict it" in kl.reason
    kl, *_ = tables.verdicts(frame("text", {"hard": [0.3, 0.2, 0.4], "soft": [0.2, 0.3, 0.4]}))
    assert kl.verdict == "not reproduced" and "0 contradict it" in kl.reason


@pytest.mark.parametrize(
    ("soft", "word"),
    [
        ([0.701, 0.702, 0.700], "reproduced"),
        ([0.75, 0.76, 0.74], "not reproduced"),
        ([0.70, 0.75, 0.66], "not reproduced"),
    ],
)
def test_accuracy_is_matched_only_within_two_points(soft, word):
    runs = frame("text", {"hard": [0.70, 0.70, 0.70], "soft": soft}, "macro_accuracy")
    matched = tables.verdicts(runs)[2]
    assert matched.verdict == word
    assert ("2 contradict" in matched.reason) == (soft[0] == 0.75)


def test_saturation_is_judged_by_the_published_number():
    late = {"n=1": 0.0, "n=10": 0.5, "n=50": 0.95, "n=100": 1.0}
    values = {arm: [x - 1e-3, x, x + 1e-3] if 0 < x < 1 else [x] * 3 for arm, x in late.items()}
    correlation = tables.verdicts(frame("text-budget", values, "entropy_correlation"))[4]
    assert correlation.verdict == "reproduced" and "95 % with 50, 50 % with 10" in correlation.ours
    early = values | {"n=10": [0.97, 0.96, 0.98]}
    assert tables.verdicts(frame("text-budget", early, "entropy_correlation"))[4].verdict == "not reproduced"
