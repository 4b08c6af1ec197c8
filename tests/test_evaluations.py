"""Evaluations as records: written once, checked when read, repeatable; and what the suites measure."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from softlabels import cli, datasets
from softlabels.datasets import fetch
from softlabels.errors import ConfigError, RecordError
from softlabels.learning import inputs, robustness
from softlabels.learning.config import AttackSuite, BlurSuite, CorruptionSuite, RunConfig, ShiftSuite
from softlabels.learning.hardware import hardware
from softlabels.runs import evaluations, profiles, run

pytestmark = pytest.mark.usefixtures("store", "one_thread")

TINY = RunConfig(image_size=16, limit=120, network="resnet9-tiny", epochs=1, batch_size=16)
ATTACK = AttackSuite(12, (0, 1, 8), (8,), steps=2, more_steps=2, restarts=2, curve=(1, 3), landscape=(0, 4))
SUITES = [CorruptionSuite(12, (1,)), BlurSuite(12, (0, 2), 2), ShiftSuite(12, 0, ())]


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: s.kind)
def test_an_evaluation_is_made_once_and_read_back(suite):
    assert evaluations.find(TINY, suite) is None
    made = evaluations.get(TINY, suite)
    found = evaluations.find(TINY, suite)
    assert found == made and found.rows
    assert all(np.isfinite(value) for *_, value in found.rows)
    assert {k: v.tobytes() for k, v in found.arrays().items()} == {
        k: v.tobytes() for k, v in evaluations.get(TINY, suite, fresh=True).arrays().items()
    }


def test_publishing_copies_and_never_overwrites(store):
    suite = SUITES[0]
    kept = evaluations.publish(evaluations.get(TINY, suite))
    assert kept.folder == store / "results" / "evaluations"
    path = kept.folder / f"{kept.name}.json"
    before = path.read_bytes()
    evaluations.publish(evaluations.get(TINY, suite, fresh=True))
    assert path.read_bytes() == before
    assert evaluations.find(TINY, suite).folder == kept.folder


def test_damage_is_found():
    made = evaluations.get(TINY, SUITES[1])
    path = made.folder / f"{made.name}.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"run": body["run"] | {"seed": 7}}))
    with pytest.raises(RecordError, match="its content gives"):
        evaluations.find(TINY, SUITES[1])
    path.write_text("{")
    with pytest.raises(RecordError, match="not an evaluation"):
        evaluations.find(TINY, SUITES[1])
    (made.folder / f"{made.name}.npz").write_bytes(b"")
    with pytest.raises(RecordError, match="SHA-256"):
        made.arrays()


def test_a_suite_is_known_by_what_differs_from_its_defaults():
    assert BlurSuite().id != BlurSuite(pictures=5).id
    assert BlurSuite().id == BlurSuite(sigmas=(0, 0.5, 1, 1.5, 2, 3)).id
    with pytest.raises(ConfigError, match="did you mean 'laptop'"):
        profiles.plan("labtop", "blur")
    with pytest.raises(ConfigError, match="did you mean 'attacks'"):
        profiles.plan("laptop", "attack")


@pytest.fixture
def subject():
    task, hw = inputs.prepare(TINY), hardware("cpu")
    return robustness.Subject(TINY, task, run.restored(TINY, task, hw), hw)


def test_unchanged_images_give_the_metrics_of_the_record(subject):
    rows, pictures = robustness.measure(subject, BlurSuite(0, (0, 2), 3))
    record = run.find(TINY)
    sharp = {measure: value for case, level, measure, value in rows if (case, level) == ("people", 0)}
    for name in ("macro_accuracy", "kl", "brier"):
        assert sharp[name] == pytest.approx(record.metrics["test"][name], abs=5e-3)
    assert pictures["images"].shape[1] == pictures["p"].shape[1] == 2
    np.testing.assert_allclose(pictures["p"].astype(float).sum(-1), 1, atol=1e-2)


def test_attacks_are_measured_with_all_checks(subject):
    with pytest.raises(ConfigError, match="from the other arm"):
        robustness.measure(subject, ATTACK)
    # Synthetic images have no label of their own, so the network itself is the source of transfer.
    rows, _ = robustness.measure(replace(subject, other=subject.model), ATTACK)
    cases = {case for case, *_ in rows}
    assert {"FGSM", "PGD", "PGD l2", "noise", "logit scale", "FGSM from the other arm"} <= cases
    assert {"PGD, margin loss", "PGD, matched temperature", "PGD, more steps and restarts"} <= cases
    accuracy = {(c, x): v for c, x, m, v in rows if m == "accuracy"}
    clean = accuracy["FGSM", 0]
    for case in ("PGD", "PGD l2", "noise"):
        assert accuracy[case, 0] == clean
    assert accuracy["PGD by steps", 3] <= accuracy["PGD by steps", 1] <= clean
    assert accuracy["FGSM from the other arm", 8] >= accuracy["FGSM", 8]
    loss = {(c, x): v for c, x, m, v in rows if m == "cross_entropy"}
    shown = subject.rows(12)
    log_p = subject.predict(subject.images(shown))
    assert loss["FGSM", 0] == pytest.approx(-log_p[np.arange(12), subject.truth(shown)].mean(), rel=1e-4)
    assert loss["FGSM", 1] > loss["FGSM", 0] and loss["PGD by steps", 3] > loss["PGD by steps", 1]
    start = {way: v for way, x, m, v in rows if m == "loss" and x == 0}
    assert start["landscape, gradient"] == pytest.approx(start["landscape, random"])


def test_the_same_corruption_hits_every_arm(subject):
    suite = CorruptionSuite(12, (3,))
    first, second = (robustness.measure(subject, suite)[0] for _ in range(2))
    assert first == second
    assert len({case for case, *_ in first}) == 10


def test_shift_reads_the_fold_again_through_the_lossy_copy(monkeypatch):
    if fetch.at_hand("cifar10/cifar10-test-9500-png.zip") is None:
        pytest.skip("the CIFAR-10H images are not here (SOFTLABELS_DATA)")
    config = TINY.replace(dataset="cifar10h-9500", image_size=32, augmentation="crop-flip")
    task, hw = inputs.prepare(config), hardware("cpu")
    subject = robustness.Subject(config, task, run.restored(config, task, hw), hw)
    lossless, load = task.dataset, datasets.load

    def copy(name):
        if name != robustness.JPEG:
            return load(name)
        images = np.zeros((robustness.N_TRAIN + 120, 32, 32, 3), np.uint8)
        images[robustness.N_TRAIN :] = lossless.images
        truth = np.concatenate([np.zeros(robustness.N_TRAIN, np.int64), lossless.truth])
        return type("Copy", (), {"images": images, "truth": truth})

    monkeypatch.setattr(robustness.datasets, "load", copy)
    rows, _ = robustness.measure(subject, ShiftSuite(0, 20, ()))
    by_case = {}
    for case, _, measure, value in rows:
        by_case.setdefault(case, {})[measure] = value
    assert by_case["held-out"] == by_case["held-out, JPEG copy"], "the same images, found by their ids"
    assert by_case["training images, JPEG copy"] != by_case["held-out"]
    tuned = replace(subject, config=config.replace(start="0123456789ab"))
    cases = {case for case, *_ in robustness.measure(tuned, ShiftSuite(0, 20, ()))[0]}
    assert cases == {"held-out"}, "a network may have been pretrained on the training images"


def test_the_command_line_evaluates_and_publishes(store, capsys):
    if fetch.at_hand("cifar10/cifar10-test-9500-png.zip") is None:
        pytest.skip("the CIFAR-10H images are not here (SOFTLABELS_DATA)")
    command = ["evaluate", "--profile", "smoke", "--seeds", "0", "--kinds", "blur", "--publish"]
    assert cli.main(command) == 0
    assert len(list((store / "results" / "evaluations").glob("*.json"))) == 3
    assert "[3/3]" in capsys.readouterr().out


def test_the_model_sees_images_as_in_training(subject):
    rows = subject.rows(0)
    log_p, _ = run.training.predict(subject.model, subject.task, rows, subject.hw)
    np.testing.assert_allclose(subject.predict(subject.images(rows)), log_p, atol=1e-5)
    assert torch.is_tensor(subject.task.images)
