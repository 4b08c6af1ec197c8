"""Chapter 18: shapes of votes, temperatures, shares of an improvement, and verdicts from known numbers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import data_or_skip, executed
from scipy.special import softmax
from softlabels.analysis import competence as competences
from softlabels.chapters import beyond_images as tables
from softlabels.datasets import chaosnli
from softlabels.labels import metrics, votes
from softlabels.runs.profiles import TEXT_MAIN as MAIN


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
    assert list(tables.SHAPES)[tables.shapes(np.array([votes], np.float32))[0]] == shape


def test_a_temperature_that_was_applied_is_found_again():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (400, 3))
    target = softmax(z / 2.0, axis=1)
    assert tables.temperature(z, target) == pytest.approx(2.0, rel=0.006)  # half a step of the grid
    assert tables.temperature(z * 3, target) == pytest.approx(6.0, rel=0.006)


def test_the_committed_description_is_that_of_the_data():
    data_or_skip("chaosnli:snli/logits")
    known = tables.find()
    assert set(known) == set(chaosnli.PARTS)
    for name, one in known.items():
        found = chaosnli.examples(name)
        entropy = votes.entropy(votes.soft_labels(found.counts)).mean()
        assert (one["n"], one["mean_entropy"]) == (len(found.uids), round(float(entropy), 6))
        assert one["ceiling"]["100"]["kl"] < one["ceiling"]["10"]["kl"]
        if name != "alpha":
            assert one["shapes"] == "".join(map(str, tables.shapes(found.counts)))
            texts = set(zip(map(str.strip, found.first), map(str.strip, found.second), strict=True))
            quoted = [q for kind in one["quoted"].values() for q in kind]
            assert all((q["premise"], q["hypothesis"]) in texts for q in quoted)


def test_temperatures_of_the_description_are_tested_on_the_runs_test_parts():
    data = data_or_skip("chaosnli:mnli/logits")
    from softlabels.learning import inputs

    q = votes.soft_labels(data.counts)
    for line in tables.find()["mnli"]["temperature"]:
        test = inputs.split(len(data), line["seed"])["test"]
        p = softmax(data.images[test].astype(np.float64) / line["temperature"], axis=1)
        assert metrics.kl_divergence(q[test], p) == pytest.approx(line["kl"], abs=1e-4)  # T is rounded


def frame(grid, values, measure="kl"):
    """Runs of both main settings; `values[arm]` holds one number for each seed."""
    rows = [
        {"grid": grid, "dataset": dataset, "part": dataset, "network": "mlp-128", "arm": arm, "seed": seed}
        | dict.fromkeys((tables.KL, tables.DOUBT, tables.ACCURACY), np.nan)
        | {f"test.{measure}": value, "record": SimpleNamespace(), "fold": 0, "overlap": tables.OVERLAP}
        | {"n": int(arm[2:]) if arm.startswith("n=") else 0}
        for dataset in MAIN
        for arm, found in values.items()
        for seed, value in enumerate(found)
    ]
    return pd.DataFrame(rows)


def saturated(shares):
    return executed("18_beyond_images", "def saturated")["saturated"](shares)


def test_a_share_of_the_improvement_is_taken_split_by_split():
    values = {"n=1": [1.0, 2.0], "n=2": [0.6, 1.5], "n=10": [0.2, 1.1], "n=100": [0.0, 1.0]}
    runs = frame("text-budget", values)
    found = tables.shares(runs[runs.dataset == MAIN[0]], tables.KL)
    assert list(found) == [1, 2, 10, 100] and found[1] is found[100] is None
    assert found[2].mean == pytest.approx((0.4 + 0.5) / 2)
    assert found[10].mean == pytest.approx((0.8 + 0.9) / 2)


def test_a_share_of_what_may_be_nothing_is_left_out():
    runs = frame("text-budget", {"n=1": [1.0, 0.5], "n=10": [0.7, 0.6], "n=100": [0.5, 1.0]})
    found = tables.shares(runs[runs.dataset == MAIN[0]], tables.KL)
    assert set(found.values()) == {None}
    assert saturated(found) == "–"


def test_saturation_is_the_least_number_that_reaches_nine_tenths():
    steps = {"n=1": 0.0, "n=2": 0.5, "n=5": 0.88, "n=10": 0.91, "n=20": 0.99, "n=100": 1.0}
    jitter = np.array([-0.03, 0.0, 0.03])
    values = {arm: list(x + jitter * (0 < x < 1)) for arm, x in steps.items()}
    runs = frame("text-budget", values)
    found = tables.shares(runs[runs.dataset == MAIN[0]], tables.KL)
    assert found[5].high > 0.9 > found[10].low and found[20].low < 0.9  # ± 0.03 t √(1/3 + 1/3) = ± 0.105
    assert saturated(found) == "10 (5 to more)"


@pytest.fixture
def competent(monkeypatch):
    """Runs without arrays, whose networks count as competent."""
    monkeypatch.setattr(competences, "shortcoming", lambda runs: "")


def judged(runs, name):
    [found] = [v for v in tables.verdicts(runs) if v.id == name]
    return found


@pytest.mark.parametrize(
    ("hard", "soft", "word"),
    [
        ([0.30, 0.31, 0.29], [0.20, 0.22, 0.19], "reproduced"),
        ([0.20, 0.22, 0.19], [0.30, 0.31, 0.29], "contradicted"),
        ([0.30, 0.20, 0.40], [0.20, 0.30, 0.40], "undecided"),
    ],
)
def test_a_verdict_follows_from_the_side_of_the_interval(hard, soft, word, competent):
    found = judged(frame("text", {"hard": hard, "soft": soft}), "text-kl")
    assert found.verdict == word and found.published == "−32.0 %" and "MNLI" in found.reason


def test_without_runs_nothing_is_tested(competent):
    runs = frame("text", {"hard": [0.3], "soft": [0.2]})
    assert {v.verdict for v in tables.verdicts(runs)} == {"not tested"}  # a single pair, or none
    assert {v.verdict for v in tables.verdicts(runs[:0])} == {"not tested"}


@pytest.mark.parametrize(
    ("soft", "word"),
    [
        ([0.701, 0.702, 0.700], "reproduced"),
        ([0.75, 0.751, 0.749], "contradicted"),
        ([0.70, 0.75, 0.66], "undecided"),
    ],
)
def test_accuracy_is_matched_only_within_two_points(soft, word, competent):
    runs = frame("text", {"hard": [0.70, 0.70, 0.70], "soft": soft}, "macro_accuracy")
    assert judged(runs, "text-accuracy").verdict == word


def test_votes_are_held_against_the_best_smoothing(competent):
    arms = {"soft": [0.6, 0.61, 0.59], "ε = 0.1": [0.5, 0.51, 0.49], "ε = 0.3": [0.2, 0.21, 0.19]}
    found = judged(frame("text", arms, "entropy_correlation"), "text-smoothing")
    assert found.verdict == "reproduced" and found.found.mean == pytest.approx(0.1)


def test_the_two_measures_saturate_at_different_numbers(competent):
    steps = {"n=1": 0.0, "n=10": 0.95, "n=100": 1.0}
    kl = frame("text-budget", {arm: [x - 1e-3, x, x + 1e-3] for arm, x in steps.items()})
    slow = frame("text-budget", {arm: [x**4 - 1e-3, x**4, x**4 + 1e-3] for arm, x in steps.items()})
    later = judged(kl.assign(**{tables.DOUBT: slow[tables.KL]}), "text-later")
    assert later.verdict == "reproduced" and later.found.mean == pytest.approx(0.95 - 0.95**4)
    assert judged(kl, "text-saturation").found.mean == pytest.approx(0.95 - 0.87)


def test_networks_that_did_not_learn_decide_nothing(monkeypatch):
    monkeypatch.setattr(competences, "shortcoming", lambda runs: "accuracy only 0.01 above")
    found = judged(frame("text", {"hard": [0.3, 0.31], "soft": [0.2, 0.22]}), "text-kl")
    assert found.verdict == "not tested" and "did not learn: majority: accuracy only" in found.reason
