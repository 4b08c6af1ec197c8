"""The arms that are compared with human distributions: what each one learns from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from softlabels.errors import ConfigError, DataError
from softlabels.labels import votes
from softlabels.learning import augmentation, inputs
from softlabels.learning.config import RunConfig
from softlabels.runs import run

RNG = np.random.default_rng
TRUTH = np.repeat([0, 1, 2], 20)
COUNTS = RNG(0).multinomial(10, [0.6, 0.3, 0.1], 60)[:, [0, 1, 2]].astype(np.float32)
PARTS = {"train": np.arange(0, 60, 2), "validation": np.arange(1, 60, 4), "test": np.arange(3, 60, 4)}


def targets(label, **settings):
    return inputs.training_targets(COUNTS, RunConfig(label=label, **settings), TRUTH, PARTS)[0]


def test_truth_is_the_datasets_own_label():
    np.testing.assert_array_equal(targets("truth"), np.eye(3, dtype=np.float32)[TRUTH])


def test_smoothing_has_the_mean_entropy_of_the_training_part():
    p, soft = targets("smoothed"), votes.soft_labels(COUNTS)
    np.testing.assert_allclose(votes.entropy(p), votes.entropy(soft[PARTS["train"]]).mean(), atol=1e-5)
    np.testing.assert_array_equal(p.argmax(1), TRUTH)


@given(nats=st.floats(0, float(np.log(7))))
def test_the_smoothing_of_an_entropy_has_it(nats):
    epsilon = votes.smoothing_of_entropy(nats, 7)
    p = (1 - epsilon) * np.eye(7)[:1] + epsilon / 7
    assert votes.entropy(p)[0] == pytest.approx(nats, abs=1e-6)


def test_no_smoothing_has_more_than_the_largest_entropy():
    with pytest.raises(DataError, match="entropy of 3"):
        votes.smoothing_of_entropy(3.0, 7)


def test_class_means_look_at_the_training_part_only():
    p, soft = targets("class-mean"), votes.soft_labels(COUNTS)
    for k in range(3):
        train = [i for i in PARTS["train"] if TRUTH[i] == k]
        np.testing.assert_allclose(p[k == TRUTH], np.tile(soft[train].mean(0), (20, 1)), atol=1e-6)


def test_permuting_moves_distributions_within_class_and_part():
    p, soft = (x.round(5) for x in (targets("permuted"), votes.soft_labels(COUNTS)))
    for part in ("train", "validation"):
        for k in range(3):
            here = [i for i in PARTS[part] if TRUTH[i] == k]
            assert sorted(map(tuple, p[here])) == sorted(map(tuple, soft[here]))
    assert (p[PARTS["train"]] != soft[PARTS["train"]]).any()
    np.testing.assert_array_equal(p[PARTS["test"]], soft[PARTS["test"]])


@pytest.mark.parametrize("label", inputs.CONTROLS)
def test_controls_need_labels_of_the_dataset(label):
    with pytest.raises(ConfigError, match=label):
        inputs.training_targets(COUNTS, RunConfig(label=label))


def test_mixup_mixes_image_and_target_alike():
    x, target = torch.rand(6, 3, 4, 4), torch.eye(6)
    mixed, labels_ = augmentation.mixup(x, target, 1.0, RNG(0))
    torch.testing.assert_close(mixed, torch.einsum("bn,nchw->bchw", labels_, x))
    torch.testing.assert_close(labels_.sum(1), torch.ones(6))
    assert (labels_ > 0).sum(1).max() == 2


def test_fewer_training_images_leave_the_other_parts_alone():
    config = RunConfig(image_size=16, limit=100)
    whole, part = inputs.prepare(config), inputs.prepare(config.replace(train_images=20))
    assert len(part.rows["train"]) == 20 and set(part.rows["train"]) < set(whole.rows["train"])
    for name in ("validation", "test"):
        np.testing.assert_array_equal(whole.rows[name], part.rows[name])


TINY = RunConfig(
    dataset="cifar10h-9500",
    image_size=32,
    limit=120,
    network="resnet9-tiny",
    epochs=1,
    augmentation="crop-flip",
    split="folds",
    label="distilled",
)


@pytest.fixture
def photographs():
    """Images that people labelled; without them the test is left out."""
    from softlabels.datasets import fetch

    if fetch.at_hand("cifar10/cifar10-test-9500-png.zip") is None:
        pytest.skip("the CIFAR-10H images are not here (SOFTLABELS_DATA)")


@pytest.mark.usefixtures("store", "one_thread", "photographs")
def test_the_student_learns_from_the_teachers_probabilities(monkeypatch):
    seen = {}
    train = run.training.train
    monkeypatch.setattr(
        run.training, "train", lambda c, task, *rest: seen.update({c.label: task}) or train(c, task, *rest)
    )
    record = run.get(TINY)
    assert list(seen) == ["truth", "distilled"], "the teacher is trained first"
    teacher = run.find(TINY.replace(label="truth"))
    rows = seen["distilled"].rows["train"]
    assert 0 < float(seen["distilled"].targets[rows].max()) < 1
    np.testing.assert_allclose(seen["distilled"].targets[rows].sum(1), 1, atol=1e-5)
    assert teacher.metrics["test"] != record.metrics["test"]
    assert set(record.metrics) == {"test", "truth", "validation"}
    arrays = record.arrays()
    accuracy = (arrays["log_probs"].argmax(1) == arrays["truth"]).mean()
    by_class = [
        (arrays["log_probs"].argmax(1) == k)[arrays["truth"] == k].mean() for k in set(arrays["truth"])
    ]
    assert record.metrics["truth"]["macro_accuracy"] == pytest.approx(np.mean(by_class), abs=1e-6)
    assert 0 <= accuracy <= 1


@pytest.mark.usefixtures("store", "one_thread")
def test_restored_weights_predict_what_the_record_says():
    from softlabels.learning.hardware import hardware

    config = RunConfig(image_size=32, limit=60, network="resnet9-tiny", epochs=1)
    record, task, hw = run.get(config), inputs.prepare(config), hardware("cpu")
    log_p, _ = run.training.predict(run.restored(config, task, hw), task, task.rows["test"], hw)
    np.testing.assert_allclose(log_p, record.arrays()["log_probs"], atol=2e-2)
    (run.records.SHELF.cached / f"{config.id}.safetensors").unlink()
    assert run.restored(config, task, hw) is not None, "trained again where the weights are gone"
