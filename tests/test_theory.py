"""The formulas of the chapter on theory, against slow or independent ways to the same number."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import executed
from scipy import stats
from sklearn.linear_model import LogisticRegression
from softlabels import figures
from softlabels.chapters import why_distributions_help as theory
from softlabels.figures.base import ARMS
from softlabels.labels import votes
from softlabels.runs import grids, profiles


@pytest.fixture
def rng():
    return np.random.default_rng(5)


CHAPTER = "16_why_distributions_help"


def test_the_loss_that_is_shown_is_torchs_and_its_gradient_that_of_autograd(rng):
    shown = executed(CHAPTER, "def softmax")
    assert "agrees with the formula" in shown["says"][0]
    for z, t in zip(rng.normal(size=(40, 4)), rng.dirichlet(np.ones(4), 40), strict=True):
        logits = torch.tensor(z, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(t))
        loss.backward()
        assert np.allclose(shown["softmax"](z) - t, logits.grad.numpy(), atol=1e-12)
        assert np.isclose(shown["loss"](z, t), loss.item())


@pytest.fixture(scope="module")
def drawn():
    """Squared bias and variance of 20,000 targets, as the chapter draws them."""
    shown = executed(CHAPTER, "def bias_and_variance")
    return lambda q, n, arm: shown["bias_and_variance"](shown["drawn"](q, n, arm), q)


@pytest.mark.parametrize("n", [1, 4, 25])
def test_the_mean_of_annotations_is_unbiased_with_the_stated_variance(n, drawn):
    q = np.array([0.5, 0.3, 0.2])
    bias, variance = drawn(q, n, "soft")
    assert bias < 1e-4
    assert variance == pytest.approx((1 - (q**2).sum()) / n, rel=0.03)


def test_a_majority_is_biased_by_the_chance_to_win(drawn):
    q, n = np.array([0.7, 0.3]), 5
    wins = stats.binom.sf(2, n, q[0])  # three or more of five votes
    bias, variance = drawn(q, n, "hard")
    assert bias == pytest.approx(2 * (wins - q[0]) ** 2, rel=0.05)
    assert variance == pytest.approx(2 * wins * (1 - wins), rel=0.05)


def test_the_fit_is_that_of_scikit_learn_on_hard_labels(rng):
    world = theory.world("logistic", 400, rng)
    y = (rng.random(400) < world.q[:, 1]).astype(int)
    p = theory.predict(theory.fit(world.x, votes.one_hot(y, 2)), world.x)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000).fit(world.x, y)
    assert np.allclose(p, peer.predict_proba(world.x), atol=1e-4)


def test_a_model_that_can_represent_the_distribution_finds_it(rng):
    train, unseen = theory.world("logistic", 50, rng), theory.world("logistic", 5000, rng)
    w = theory.fit(train.x, train.q)
    assert theory.accuracy(w, unseen) == 1.0
    assert theory.kl(w, unseen) < 1e-6


def test_soft_labels_move_the_boundary_of_the_ramp_and_one_annotation_makes_no_difference():
    found = executed(CHAPTER, 'for kind in ("logistic", "ramp")', repeats=3)["differences"]
    assert found["ramp"][-1].max() < -0.05  # from q itself: votes − majority
    assert not found["ramp"][0].any() and not found["logistic"][0].any()


def test_hard_labels_leave_the_distribution_behind_and_soft_labels_do_not(rng):
    train, unseen = theory.world("logistic", 200, rng), theory.world("logistic", 2000, rng)
    targets = theory.annotated(train.q, 0, rng)
    kl = {
        arm: [theory.kl(w, unseen) for w in theory.descent(train.x, t, 300)[::30]]
        for arm, t in targets.items()
    }
    assert kl["hard"][-1] > 5 * min(kl["hard"])
    assert kl["soft"][-1] < 1e-3


def test_the_exponent_of_a_power_law_is_found():
    sizes = (10, 100, 1000)
    noise = np.random.default_rng(0).uniform(0.9, 1.1, size=(3, 30))
    found = theory.exponent(sizes, np.array(sizes)[:, None] ** -0.5 * noise)
    assert found.low < -0.5 < found.high
    assert found.high - found.low < 0.1


def test_what_softens_keeps_what_it_is_said_to_keep():
    found = executed(CHAPTER, '"class-mean"')
    arms, q = {name: t for name, (_, t) in found["arms"].items()}, found["q"]
    shuffled = arms["permuted"]
    assert np.array_equal(shuffled.argmax(1), q.argmax(1))
    assert np.allclose(np.sort(shuffled[:, 0]), np.sort(q[:, 0]))
    assert not np.allclose(shuffled, q)
    assert votes.entropy(arms["smoothed"]).mean() == pytest.approx(votes.entropy(q).mean(), rel=1e-3)
    assert all(np.allclose(t.sum(1), 1) for t in arms.values())


def test_pairs_of_the_image_experiment_share_their_annotations():
    cells = grids.grid("why_distributions_help", "laptop", [0])
    assert [c.config.annotations for c in cells[::2]] == list(profiles.ANNOTATIONS)
    assert {c.config.lr for c in cells} == {profiles.DISTRIBUTIONS_RATE}


def test_the_colour_of_a_point_names_the_better_labels_whatever_the_measure():
    """More accuracy and less KL are both better."""
    place = {"profile": "", "setting": "", "epochs": 1, "network": "", "fold": 0, "record": "here"}
    place["config"] = SimpleNamespace(annotations=3)
    rows = [
        {**place, "arm": arm, "seed": seed, "test.macro_accuracy": 0.5 + better, "test.kl": 1 - better}
        for arm, gain in (("hard", 0.0), ("soft", 0.1))
        for seed, better in enumerate((gain, 1.1 * gain, 0.9 * gain))
    ]
    figure = figures.by_annotations(pd.DataFrame(rows))
    colours = [{line.get_color() for line in axis.lines} - {"black"} for axis in figure.axes]
    assert colours == [{ARMS["soft"]}] * 2
