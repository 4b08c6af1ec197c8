"""Selective prediction: against its definition, its extremes and what must not change it."""

import numpy as np
import pytest
from softlabels.errors import ConfigError
from softlabels.labels import selective

SCORES = list(selective.SCORES)


def predictions(n=400, k=4, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.5), n)
    truth = np.array([rng.choice(k, p=row) for row in p])  # a calibrated model
    return p, truth


@pytest.mark.parametrize("score", SCORES)
def test_the_curve_is_its_definition(score):
    p, truth = predictions(50)
    coverage, risk = selective.risk_coverage(p, truth, score)
    order = np.argsort(-selective.certainty(p, score))
    wrong = (p.argmax(1) != truth)[order]
    np.testing.assert_allclose(risk, [wrong[: i + 1].mean() for i in range(50)])
    np.testing.assert_allclose(coverage, np.arange(1, 51) / 50)
    assert risk[-1] == pytest.approx((p.argmax(1) != truth).mean())


def test_ties_make_the_order_of_images_irrelevant():
    p = np.tile([[0.6, 0.4]], (10, 1))
    truth = np.arange(10) % 2
    there, back = (selective.aurc(p, t) for t in (truth, truth[::-1]))
    assert there == back == pytest.approx(0.5)


@pytest.mark.parametrize("score", SCORES)
def test_certainty_helps_a_calibrated_model_and_a_perfect_order_has_no_excess(score):
    p, truth = predictions()
    error = (p.argmax(1) != truth).mean()
    assert selective.aurc(p, truth, score) < 0.8 * error
    assert 0 < selective.excess_aurc(p, truth, score) < error
    right = p.argmax(1) == truth
    perfect = np.where(right[:, None], np.eye(4)[p.argmax(1)], 0.1 * p + 0.225)
    assert selective.excess_aurc(perfect, truth, score) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("budget", [0, 0.05, 0.25, 1])
def test_the_threshold_sends_the_budget(score, budget):
    p, truth = predictions()
    at = selective.threshold(p, budget, score)
    assert selective.review(p, truth, at, score).reviewed == pytest.approx(budget)


def test_ties_never_overdraw_the_budget():
    p = np.tile([[0.6, 0.4]], (10, 1))
    at = selective.threshold(p, 0.3)
    assert selective.review(p, np.zeros(10, int), at).reviewed == 0


def test_extremes_of_review():
    p, truth = predictions()
    nobody = selective.review(p, truth, -np.inf)
    assert nobody.system_error == nobody.machine_error and nobody.reviewed == 0 and nobody.recall == 0
    assert np.isnan(nobody.precision)
    everyone = selective.review(p, truth, np.inf, person=0.95)
    assert everyone.system_error == pytest.approx(0.05) and everyone.recall == 1
    assert everyone.precision == pytest.approx(everyone.machine_error)


def test_a_person_who_is_right_where_people_agree():
    p, truth = np.array([[0.9, 0.1], [0.55, 0.45], [0.52, 0.48]]), np.array([0, 1, 0])
    q = np.array([[1.0, 0.0], [0.3, 0.7], [0.6, 0.4]])
    person = q[np.arange(3), truth]
    found = selective.review(p, truth, 0.6, person=person)
    assert found.system_error == pytest.approx((0 + 0.3 + 0.4) / 3)
    assert found.precision == 0.5 and found.recall == 1


def test_routing_judges_thresholds_on_other_images():
    p, truth = predictions(2000)
    found = selective.route(p, truth, 0.2, person=1.0)
    assert found.reviewed == pytest.approx(0.2, abs=0.03)
    assert found.system_error < found.machine_error
    assert found.machine_error == pytest.approx((p.argmax(1) != truth).mean(), abs=1e-9)
    assert found.threshold == selective.threshold(p, 0.2)
    assert found.precision > found.machine_error, "the least certain are wrong more often"


def test_mistakes_are_named():
    p, truth = predictions(10)
    with pytest.raises(ConfigError, match="did you mean 'entropy'"):
        selective.aurc(p, truth, "entropie")
    with pytest.raises(ConfigError, match="share"):
        selective.threshold(p, 20)
