"""What makes a comparison of labels valid; `mutations` breaks each of these in the library on purpose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from softlabels import datasets, runs
from softlabels.datasets import LOADERS, Annotations
from softlabels.datasets.crowds import crowd
from softlabels.labels import metrics
from softlabels.learning import attacks, inputs, models, training
from softlabels.learning.attacks import FGSM
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.runs import records

pytestmark = pytest.mark.usefixtures("one_thread", "store")
CONFIG = RunConfig(network="resnet9-tiny", image_size=16, limit=60, batch_size=12, epochs=1)
CROWD = RunConfig(
    dataset="planted", method="mv-mixup", network="mlp-256-128", epochs=1, split="official", lr=0.003
)


def planted(image_size=None):
    """Sixty vectors of three classes, each judged by three of four annotators."""
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 3
    x = (3 * np.eye(3, 8)[truth] + rng.normal(size=(60, 8))).astype(np.float32)
    image, annotator = np.repeat(np.arange(60), 3), np.tile([0, 1, 2, 3], 45)
    given = Annotations(image, annotator, rng.integers(0, 3, len(image)))
    parts = np.split(np.arange(60), [36, 48])
    splits = dict(zip(("train", "validation", "test"), parts, strict=True))
    return crowd("planted", x, truth, given, ("a", "b", "c"), splits, "", "")


def spoiled(data, rows):
    """The dataset with other images and other votes in these rows."""
    images, counts = np.array(data.images), np.array(data.counts)
    images[rows], counts[rows] = images[rows][::-1] // 2, np.roll(counts[rows], 1, axis=1)
    truth = data.truth if data.truth is None else data.truth.copy()
    if truth is not None:
        truth[rows] = (truth[rows] + 1) % counts.shape[1]
    return replace(data, images=images, counts=counts, truth=truth)


def learnt(config, data, monkeypatch, folder):
    """All that training and the choice of the epoch said, on this variant of the data."""
    monkeypatch.setattr(datasets, "load", lambda name, **options: data)
    history = runs.train_in(folder, config, "cpu").history
    return [{k: v for k, v in row.items() if k not in ("seconds", "cpu_seconds")} for row in history]


@pytest.mark.parametrize("config", [CONFIG, CONFIG.replace(split="folds"), CROWD], ids=lambda c: c.split)
def test_training_never_looks_at_the_test_part(config, monkeypatch, tmp_path):
    monkeypatch.setitem(LOADERS, "planted", planted)
    data = inputs.load(config)
    rows = data.splits["test"] if config.method else inputs.rows(data, config)["test"]
    other = spoiled(data, rows)
    assert (other.counts[rows] != data.counts[rows]).any()
    found = [learnt(config, d, monkeypatch, tmp_path / str(i)) for i, d in enumerate((data, other))]
    assert found[0] == found[1]


def test_each_arm_learns_from_its_own_labels():
    counts = np.array([[3, 1, 0], [1, 2, 2], [0, 0, 5]], np.float32)
    soft, hard = (inputs.training_targets(counts, RunConfig(label=label))[0] for label in ("soft", "hard"))
    np.testing.assert_allclose(soft, [[0.75, 0.25, 0], [0.2, 0.4, 0.4], [0, 0, 1]], atol=1e-6)
    assert (np.sort(hard, 1) == [0, 0, 1]).all() and hard.argmax(1)[[0, 2]].tolist() == [0, 2]


def test_the_divergence_is_that_of_predictions_from_people():
    q, p = np.array([[0.5, 0.5, 0.0]]), np.array([[0.8, 0.1, 0.1]])
    by_hand = 0.5 * np.log(0.5 / 0.8) + 0.5 * np.log(0.5 / 0.1)
    assert metrics.kl_divergence(q, p) == pytest.approx(by_hand)
    assert metrics.evaluate(np.log(p), q)["kl"] == pytest.approx(by_hand)


def test_validation_measures_what_testing_measures():
    task, hw = inputs.prepare(CONFIG), hardware("cpu", "fp32")
    model, _ = training.build(CONFIG, task, hw)
    rows = task.rows["validation"]
    expected = metrics.evaluate(training.predict(model, task, rows, hw)[0], task.soft[rows])
    found = training._validate(model, task, hw)
    assert found["validation_kl"] == pytest.approx(expected["kl"])
    assert found["validation_macro_accuracy"] == pytest.approx(expected["macro_accuracy"])


def test_an_attack_climbs_the_loss_of_the_network_as_it_is_used():
    """The sign of every pixel's gradient, by finite differences of what the network says of an image."""
    torch.manual_seed(0)
    model = models.build("resnet9-tiny", 3, torch.full((3,), 0.7), torch.full((3,), 0.1)).double().eval()
    x, y = torch.rand(1, 3, 8, 8, dtype=torch.float64) * 0.5 + 0.25, torch.tensor([1])
    moved = attacks.perturb(model, x, y, 1 / 255, FGSM) - x
    torch.testing.assert_close(moved.abs(), torch.full_like(x, 1 / 255))
    rng = np.random.default_rng(0)
    for _ in range(12):
        c, h, w = rng.integers(0, [3, 8, 8])
        step = torch.zeros_like(x)
        step[0, c, h, w] = 1e-6
        with torch.no_grad():
            rise = F.cross_entropy(model(x + step), y) - F.cross_entropy(model(x - step), y)
        if rise.abs() > 1e-10:
            assert rise.sign() == moved[0, c, h, w].sign()


def test_what_a_network_trains_on_is_what_it_predicts_on():
    torch.manual_seed(0)
    model = models.build("resnet9-tiny", 3, torch.full((3,), 0.7), torch.full((3,), 0.1)).eval()
    x = torch.rand(2, 3, 8, 8)
    plain = models.build("resnet9-tiny", 3, torch.zeros(3), torch.ones(3)).eval()
    plain.load_state_dict(model.state_dict() | {"mean": plain.mean, "std": plain.std})
    torch.testing.assert_close(model(x), plain((x - 0.7) / 0.1))
    torch.testing.assert_close(model.features(x)[0], model(x))


def test_predictions_and_votes_of_a_record_are_those_of_its_images():
    record = runs.get(CONFIG, "cpu")
    data, arrays, hw = inputs.load(CONFIG), record.arrays(), hardware("cpu")
    model = runs.restored(CONFIG, inputs.prepare(CONFIG), hw)
    place = {image: row for row, image in enumerate(data.ids.tolist())}
    rows = [place[image] for image in arrays["ids"].tolist()]
    soft = data.counts[rows] / data.counts[rows].sum(1, keepdims=True)
    np.testing.assert_allclose(arrays["targets"], soft, atol=1e-3)
    with torch.no_grad():
        log_p = model(hw.images(torch.from_numpy(data.images[rows]))).log_softmax(1).numpy()
    np.testing.assert_allclose(arrays["log_probs"], log_p, atol=2e-2)
    again = metrics.evaluate(log_p, soft)
    assert again["kl"] == pytest.approx(record.metrics["test"]["kl"], abs=1e-3)


def test_a_network_learns_the_label_of_the_image_it_sees(monkeypatch):
    """Images in three plain colours, each with its class, in an order that a shift by one breaks."""
    truth = np.arange(90) % 3
    images = np.zeros((90, 16, 16, 3), np.uint8)
    images[np.arange(90), :, :, truth] = 200
    counts = np.eye(3, dtype=np.float32)[truth] * 5
    source = datasets.Source("plain", "", "", "")
    data = datasets.Dataset("plain", images, counts, ("r", "g", "b"), source, np.arange(90))
    monkeypatch.setattr(datasets, "load", lambda name, **options: data)
    config = CONFIG.replace(limit=0, epochs=4, lr=0.02, augmentation="none")
    record = runs.train_in(records.SHELF.cached, config, "cpu")
    assert record.metrics["test"]["macro_accuracy"] == 1
    assert record.metrics["test"]["kl"] < 0.5
