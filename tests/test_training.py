"""The training loop: its loss, its schedules, its randomness, and what it does when it is interrupted."""

import copy
import json
import math
import random
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from children import start, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from softlabels import runs, store
from softlabels.datasets import Dataset, Source
from softlabels.errors import ConfigError, TrainingError
from softlabels.learning import augmentation, inputs, training
from softlabels.learning.config import AUGMENTATIONS, RunConfig
from softlabels.learning.hardware import hardware, step_seconds
from torch import nn

TINY = {"network": "resnet9-tiny", "limit": 300, "image_size": 32, "batch_size": 32, "epochs": 6}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", autouse=True)
def own_store(tmp_path_factory):
    """Results and cache of this file, with the little synthetic dataset made once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        patch.setenv("SOFTLABELS_CACHE", str(folder / "cache"))
        patch.setenv("SOFTLABELS_RESULTS", str(folder / "results"))
        yield folder


@pytest.fixture
def cpu():
    return hardware("cpu", "fp32")


def tiny(**changes):
    return RunConfig(**{**TINY, **changes})


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def plain_task():
    """Sixty images in two plain colours, each with its own class: nothing is easier to tell apart."""
    label = np.arange(60) % 2
    images = np.zeros((60, 16, 16, 3), np.uint8)
    images[np.arange(60), :, :, 2 * label] = 200
    images += np.random.default_rng(0).integers(0, 40, images.shape, np.uint8)
    counts = np.eye(2, dtype=np.float32)[label]
    data = Dataset("plain", images, counts, ("red", "blue"), Source("plain", "", "", ""), np.arange(60))
    rows = inputs.split(60, 0)
    mean, std = inputs.statistics(images, rows["train"])
    return inputs.Task(
        data, torch.from_numpy(images), torch.from_numpy(counts), counts, rows, mean, std, n_ties=0
    )


def trained(config, task, hw, folder):
    return training.train(config, task, hw, folder / "x.checkpoint")


def losses(history):
    return [{k: v for k, v in row.items() if k not in ("seconds", "cpu_seconds")} for row in history]


# The loss


def spy_on_the_loss(monkeypatch, calls, spoil=lambda n: 0.0):
    def cross_entropy(logits, target, weight):
        value = F.cross_entropy(logits, target, weight) + spoil(len(calls))
        calls.append((logits.detach().clone(), target, weight, value.detach()))
        return value

    monkeypatch.setattr(training, "F", SimpleNamespace(cross_entropy=cross_entropy))


def one_epoch(config, cpu):
    task = inputs.prepare(config)
    model, optimiser = training.build(config, task, cpu)
    return training._epoch(config, task, cpu, model, optimiser, 0), optimiser


def test_soft_cross_entropy_on_one_hot_is_cross_entropy(monkeypatch, cpu):
    spy_on_the_loss(monkeypatch, calls := [])
    mean, _ = one_epoch(tiny(label="hard"), cpu)
    assert len(calls) == 180 // 32
    for logits, target, weight, value in calls:
        assert weight is None
        assert set(target.unique().tolist()) == {0.0, 1.0}
        torch.testing.assert_close(value, F.cross_entropy(logits, target.argmax(1)))
    assert mean == pytest.approx(np.mean([value.item() for *_, value in calls]))


def test_the_loss_of_soft_labels_is_their_expected_log_loss(monkeypatch, cpu):
    spy_on_the_loss(monkeypatch, calls := [])
    one_epoch(tiny(label="soft"), cpu)
    for logits, target, _, value in calls:
        assert ((target > 0) & (target < 1)).any()
        expected = -(target * logits.double().log_softmax(1)).sum(1).mean()
        assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_class_weights_are_scikit_learn_s(monkeypatch, cpu):
    y = np.random.default_rng(0).choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=y)
    found = training.class_weights(torch.eye(4)[torch.from_numpy(y)])
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)

    spy_on_the_loss(monkeypatch, calls := [])
    config = tiny(label="hard", balanced=True)
    one_epoch(config, cpu)
    task = inputs.prepare(config)
    y = task.targets[task.rows["train"]].argmax(1).numpy()
    expected = compute_class_weight("balanced", classes=np.arange(6), y=y)
    np.testing.assert_allclose(calls[0][2].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_epoch_batch_and_run(value, monkeypatch, cpu, tmp_path):
    config = tiny(epochs=3)
    spy_on_the_loss(monkeypatch, [], spoil=lambda n: value if n == 5 + 2 else 0.0)  # five batches an epoch
    with pytest.raises(TrainingError, match=f"{value} in epoch 2, batch 3 of 5; lower.*{config.id}.*'lr'"):
        trained(config, inputs.prepare(config), cpu, tmp_path)


def test_a_learning_rate_far_too_high_is_an_error(cpu, tmp_path):
    config = tiny(lr=1e3, schedule="constant", augmentation="none")
    with pytest.raises(TrainingError, match=r"epoch \d+, batch \d+ of 5.*'lr': 1000\.0"):
        trained(config, inputs.prepare(config), cpu, tmp_path)


@pytest.mark.parametrize("select", ["loss", "last"])
def test_weights_spoiled_by_the_very_last_update_are_noticed(select, cpu, tmp_path):
    config = tiny(epochs=1, limit=40, lr=1e3, schedule="constant", augmentation="none", select=select)
    with pytest.raises(TrainingError, match=r"validation loss became nan in epoch 1;.*'lr': 1000\.0"):
        trained(config, inputs.prepare(config), cpu, tmp_path)


# Schedules


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        ("constant", {0: 1, 0.5: 1, 0.999: 1}),
        ("cosine", {0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 1: 0}),
        ("one-cycle", {0: 0.01, 0.05: 0.25, 0.1: 0.5, 0.2: 1, 0.6: 0.5, 1: 0}),
        ("warm-restarts", {0: 1, 0.1: 0.5, 0.2 - 1e-9: 0, 0.2: 1, 0.4: 0.5, 0.6 - 1e-9: 0, 0.6: 1}),
        ("warm-restarts", {0.6 + 0.4 / 3: 0.75, 0.8: 0.5, 1: 0}),
        ("triangular", {0: 0.2, 0.1: 0.6, 0.2 - 1e-9: 1, 0.2: 1, 0.6: 0.525, 1: 0.05}),
    ],
)
def test_schedules_at_hand_computed_points(schedule, points):
    found = {t: training.learning_rate_factor(schedule, t) for t in points}
    assert found == pytest.approx(points, abs=1e-7)


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "warm-restarts"])
def test_the_optimiser_follows_the_schedule(schedule, cpu):
    config = tiny(schedule=schedule, lr=0.04, epochs=2)
    _, optimiser = one_epoch(config, cpu)
    last = (180 // 32 - 1) / (180 // 32) / 2  # where the last batch of the first of two epochs begins
    expected = 0.04 * training.learning_rate_factor(schedule, last)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(expected)


# Augmentation


def test_shifted_images_move_their_mirrored_border_in():
    x = torch.arange(36.0).view(1, 1, 6, 6).expand(40, 3, 6, 6)
    out = augmentation.augment(
        "shift-alternate", x, torch.Generator().manual_seed(0), torch.arange(40) % 2 == 0
    )
    border = torch.nn.functional.pad(x[:1], (2, 2, 2, 2), "reflect")[0]
    places = [border[:, i : i + 6, j : j + 6] for i in range(5) for j in range(5)]
    for i, image in enumerate(out):
        image = image.flip(2) if i % 2 == 0 else image
        assert any(torch.equal(image, place) for place in places)
    assert len({tuple(image.flatten().tolist()) for image in out}) > 15


def images(n=64, size=12, seed=1):
    """Images in which no two pixels are equal, so that every displacement shows."""
    return torch.rand(n, 3, size, size, generator=rng(seed))


def vertical_flip(x, generator):
    return augmentation.flip(x, generator, vertical=True)


OPERATIONS = (
    augmentation.flip,
    vertical_flip,
    augmentation.turn,
    augmentation.colour,
    augmentation.zoom,
    augmentation.crop,
)


@pytest.mark.parametrize(
    "change",
    [*OPERATIONS, *((lambda x, g, name=name: augmentation.augment(name, x, g)) for name in AUGMENTATIONS)],
    ids=[*(f.__name__ for f in OPERATIONS), *AUGMENTATIONS],
)
def test_augmentations_keep_shape_and_range_and_obey_their_generator(change):
    x = images().contiguous(memory_format=torch.channels_last)
    before, state = x.clone(), torch.get_rng_state()
    out = change(x, rng(2))
    assert out.shape == x.shape
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1 + 1e-6
    torch.testing.assert_close(out, change(x, rng(2)), rtol=0, atol=0)
    torch.testing.assert_close(x, before, rtol=0, atol=0)  # the batch itself is left alone
    assert torch.equal(torch.get_rng_state(), state)  # and so is the global generator


@pytest.mark.parametrize("name", [n for n in AUGMENTATIONS if n != "none"])
def test_another_seed_augments_otherwise(name):
    assert (
        augmentation.augment(name, images(), rng(1)) != augmentation.augment(name, images(), rng(2))
    ).any()


def test_no_augmentation_changes_nothing_and_draws_nothing():
    generator, x = rng(), images()
    assert augmentation.augment("none", x, generator) is x
    assert torch.equal(generator.get_state(), rng().get_state())


@pytest.mark.parametrize(("change", "axis"), [(augmentation.flip, 2), (vertical_flip, 1)])
def test_flips_mirror_about_half_of_the_images(change, axis):
    x = images(400)
    out = change(x, rng())
    same = torch.tensor([torch.equal(a, b) for a, b in zip(out, x, strict=True)])
    mirrored = torch.tensor([torch.equal(a, b.flip(axis)) for a, b in zip(out, x, strict=True)])
    assert (same ^ mirrored).all()
    assert abs(int(mirrored.sum()) - 200) < 4 * math.sqrt(400 / 4)


def test_turns_are_quarter_turns_of_all_four_kinds():
    x = images(400)
    out = augmentation.turn(x, rng())
    kinds = [[torch.equal(a, b.rot90(k, (1, 2))) for k in range(4)] for a, b in zip(out, x, strict=True)]
    kinds = np.array(kinds)
    assert (kinds.sum(1) == 1).all()
    assert (abs(kinds.sum(0) - 100) < 4 * math.sqrt(400 * 0.25 * 0.75)).all()


@given(st.integers(0, 2**32), st.sampled_from([torch.channels_last, torch.contiguous_format]))
@settings(max_examples=20, deadline=None)
def test_a_turn_with_flips_is_a_flip_and_then_a_turn(seed, layout):
    x, one, two = images(40, 6).contiguous(memory_format=layout), rng(seed), rng(seed)
    both = augmentation.turn(x, one, flips=True)
    torch.testing.assert_close(both, augmentation.turn(augmentation.flip(x, two), two), rtol=0, atol=0)
    assert torch.equal(one.get_state(), two.get_state())


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_turns_and_flips_only_permute_pixels(seed):
    x = images(4, 7)
    out = augmentation.augment("flips-turns", x, rng(seed))
    torch.testing.assert_close(out.flatten(2).sort().values, x.flatten(2).sort().values, rtol=0, atol=0)


def test_crops_are_shifts_with_zeros_moving_in():
    x, seen = images(600, 6), set()
    out = augmentation.crop(x, rng(), padding=2)
    padded = F.pad(x, (2, 2, 2, 2))
    for a, b in zip(out, padded, strict=True):
        shifts = [(i, j) for i in range(5) for j in range(5) if torch.equal(a, b[:, i : i + 6, j : j + 6])]
        assert len(shifts) == 1
        seen.update(shifts)
    assert len(seen) == 25


def test_a_crop_without_padding_changes_nothing():
    x = images()
    torch.testing.assert_close(augmentation.crop(x, rng(), padding=0), x, rtol=0, atol=0)


def test_neutral_colour_changes_nothing(monkeypatch):
    def neutral(n, low, high, rng, like):
        return like.new_full((n, 1, 1, 1), 0.0 if low < 0 else 1.0)

    monkeypatch.setattr(augmentation, "_uniform", neutral)
    torch.testing.assert_close(augmentation.colour(images(), rng()), images(), rtol=0, atol=1e-5)


def test_colour_leaves_grey_grey_and_never_moves_a_pixel():
    grey = images()[:, :1].expand(-1, 3, -1, -1)
    out = augmentation.colour(grey, rng())
    torch.testing.assert_close(out[:, 0], out[:, 2], rtol=0, atol=1e-5)
    black = torch.zeros(4, 3, 8, 8)
    out = augmentation.colour(black, rng()).flatten(1)
    assert (out == out[:, :1]).all()


def test_an_improbable_zoom_changes_nothing():
    out = augmentation.zoom(images(), rng(), probability=0)
    torch.testing.assert_close(out, images(), rtol=0, atol=1e-5)


def test_zooms_cut_out_between_eight_tenths_and_all_of_the_frame():
    ramp = torch.linspace(0, 1, 101).expand(50, 3, 101, 101)  # a pixel's value is its place
    out = augmentation.zoom(ramp, rng(), probability=1)
    extent = out[:, 0, 50, -1] - out[:, 0, 50, 0]
    assert extent.min() > 0.79
    assert extent.max() < 1 + 1e-5
    assert extent.std() > 0.01
    share = (
        (augmentation.zoom(images(400), rng()) - images(400)).abs().amax((1, 2, 3)).gt(1e-3).float().mean()
    )
    assert abs(share.item() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 400)


# Splits and targets


@given(st.integers(10, 2000), st.integers(0, 100))
@settings(deadline=None)
def test_splits_are_disjoint_complete_and_sized(n, seed):
    rows = inputs.split(n, seed)
    assert list(rows) == ["train", "validation", "test"]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(n))
    for part, share in zip(rows.values(), (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) - share * n) <= 1
    again = inputs.split(n, seed)
    assert all(np.array_equal(rows[part], again[part]) for part in rows)


def test_the_split_of_the_synthetic_dataset_by_hand():
    assert [len(part) for part in inputs.split(15000, 0).values()] == [9000, 3000, 3000]


def test_another_seed_splits_otherwise():
    assert not np.array_equal(inputs.split(300, 0)["test"], inputs.split(300, 1)["test"])


def test_both_arms_see_the_same_split_and_differ_in_targets_only():
    soft, hard = (inputs.prepare(tiny(label=label)) for label in ("soft", "hard"))
    for part in soft.rows:
        np.testing.assert_array_equal(soft.rows[part], hard.rows[part])
    np.testing.assert_array_equal(soft.soft, hard.soft)
    np.testing.assert_allclose(soft.targets.numpy(), soft.soft, atol=1e-6)
    assert (hard.targets.max(1).values == 1).all()
    np.testing.assert_array_equal(hard.targets.argmax(1), soft.soft.argmax(1))  # no draws in this dataset


def test_normalisation_knows_the_training_images_only():
    task = inputs.prepare(tiny())
    pixels = task.dataset.images[task.rows["train"]] / 255
    np.testing.assert_allclose(task.mean, pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(task.std, pixels.std((0, 1, 2)), rtol=1e-4)


def test_too_few_images_are_refused():
    with pytest.raises(ConfigError, match="raise limit"):
        inputs.prepare(tiny(limit=5))


# Predictions


def test_predictions_are_log_probabilities_of_the_network_in_test_mode(cpu):
    config = tiny(dropout=0.5)
    task = inputs.prepare(config)
    model, _ = training.build(config, task, cpu)
    model.train()
    rows = task.rows["test"][::-1].copy()
    log_p, features = training.predict(model, task, rows, cpu)
    assert (log_p.shape, features.shape) == ((60, 6), (60, 32))
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1, atol=1e-5)
    x = cpu.images(task.images[torch.from_numpy(rows)])
    with torch.inference_mode():
        np.testing.assert_allclose(log_p, model(x).log_softmax(1), atol=1e-5)
        np.testing.assert_allclose(model.features(x)[0], model(x))
    np.testing.assert_allclose(log_p, training.predict(model, task, rows, cpu, 7)[0], atol=1e-5)


def test_the_network_normalises_with_the_task_s_statistics(cpu):
    task = inputs.prepare(tiny())
    model, _ = training.build(tiny(), task, cpu)
    torch.testing.assert_close(model.mean.flatten(), task.mean)
    torch.testing.assert_close(model.std.flatten(), task.std)


# Whole trainings


def test_training_learns_what_is_easy(cpu, tmp_path):
    task = plain_task()
    config = RunConfig(
        network="resnet9-tiny", image_size=16, batch_size=12, epochs=4, lr=0.02, augmentation="none"
    )
    _, done = trained(config, task, cpu, tmp_path)
    assert done.history[-1]["train_loss"] < 0.5 * done.history[0]["train_loss"]
    assert done.history[-1]["validation_accuracy"] == 1


@pytest.mark.parametrize("select", ["loss", "last"])
def test_the_chosen_epoch_is_what_is_returned(select, cpu, tmp_path):
    config = tiny(select=select, limit=200, epochs=4, lr=0.2)
    task = inputs.prepare(config)
    del task.rows["test"]  # neither training nor the choice may look at it
    model, done = trained(config, task, cpu, tmp_path)
    by_loss = 1 + int(np.argmin([row["validation_loss"] for row in done.history]))
    assert done.best_epoch == (by_loss if select == "loss" else 4)
    chosen = done.history[done.best_epoch - 1]
    assert training._validate(model, task, cpu) == pytest.approx(
        {k: v for k, v in chosen.items() if k.startswith("validation")}
    )


def stored(folder, config):
    """Everything a run left that must not depend on time: metrics, history, bytes of arrays and weights."""
    runs_folder = folder / "cache" / "runs"
    body = json.loads((runs_folder / f"{config.id}.json").read_text())
    files = [f"{config.id}{suffix}" for suffix in (".npz", ".features.npz", ".safetensors")]
    return body["metrics"], losses(body["history"]), [(runs_folder / name).read_bytes() for name in files]


def test_the_same_run_twice_is_bit_identical(monkeypatch, tmp_path):
    config = tiny(label="hard", dropout=0.3, augmentation="flips-turns-colour-zoom", epochs=2)
    results = []
    for attempt in ("first", "second"):
        torch.manual_seed(len(results))  # nothing may come from the global generator
        monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / attempt / "cache"))
        runs.get(config, "cpu")
        results.append(stored(tmp_path / attempt, config))
    assert results[0] == results[1]


def test_another_seed_trains_another_network(cpu, tmp_path):
    found = [
        training.train(c, inputs.prepare(c), cpu, tmp_path / c.id)[1].history[0]["train_loss"]
        for c in (tiny(epochs=1), tiny(epochs=1, seed=1))
    ]
    assert found[0] != found[1]


def test_a_killed_run_resumes_to_bit_identical_results(monkeypatch, tmp_path):
    settings = {
        **TINY,
        "epochs": 8,
        "dropout": 0.3,
        "balanced": True,
        "augmentation": "flips-turns-colour-zoom",
    }
    config = RunConfig(**settings)
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / "whole" / "cache"))
    epoch = runs.get(config, "cpu").history[-1]["seconds"]

    folder = tmp_path / "killed" / "cache" / "runs"
    unfinished, finished = folder / f"{config.id}.checkpoint", folder / f"{config.id}.json"
    delay, kills = random.Random(1), 0

    def version():
        return unfinished.stat().st_mtime_ns if unfinished.exists() else None

    for attempt in range(3):
        process, before = start(tmp_path / "killed", settings, tmp_path / f"log{attempt}"), version()
        wait_until(lambda process=process, before=before: version() != before or not process.is_alive())
        time.sleep(delay.uniform(0, 1.5) * epoch)
        process.kill()
        process.join()
        kills += not finished.exists()
    assert kills >= 1
    process = start(tmp_path / "killed", settings, tmp_path / "log")
    process.join(60)
    assert process.exitcode == 0, (tmp_path / "log").read_text()
    assert stored(tmp_path / "killed", config) == stored(tmp_path / "whole", config)
    assert not unfinished.exists()
    assert not list((tmp_path / "killed").rglob("*.part*"))


def test_what_a_killed_process_was_writing_is_cleared_away(monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path))
    config = tiny(epochs=1)
    left = tmp_path / "runs" / f".{config.id}.checkpoint.999999.partial"  # no such process: ids end below
    left.parent.mkdir()
    left.write_bytes(b"half a checkpoint")
    runs.get(config, "cpu")
    assert not left.exists()


# Checkpoints


def interrupted(config, cpu, path):
    """Leave the checkpoint of a training that ended after its first epoch."""
    task = inputs.prepare(config)
    model, optimiser = training.build(config, task, cpu)
    loss = training._epoch(config, task, cpu, model, optimiser, 0)
    row = {"epoch": 1, "train_loss": loss, **training._validate(model, task, cpu), "seconds": 0.0}
    training.store(path, config.id, model, optimiser, training.Progress([row], 1, training.snapshot(model)))
    return task, model, optimiser


def test_a_checkpoint_brings_everything_back(cpu, tmp_path):
    config, path = tiny(epochs=2), tmp_path / "x.checkpoint"
    task, model, optimiser = interrupted(config, cpu, path)
    other, fresh = training.build(config.replace(seed=1), task, cpu)
    done = training.restore(path, config.id, other, fresh)
    assert (done.best_epoch, len(done.history)) == (1, 1)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, rtol=0, atol=0)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        expected, found = optimiser.state[p]["momentum_buffer"], fresh.state[q]["momentum_buffer"]
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def spoil_empty(path):
    path.write_bytes(b"")


def spoil_noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(5000))


@pytest.mark.parametrize("spoil", [spoil_cut, spoil_empty, spoil_noise, None])
def test_a_checkpoint_that_cannot_be_used_is_set_aside(spoil, cpu, tmp_path):
    config, path = tiny(epochs=2), tmp_path / "x.checkpoint"
    task, *_ = interrupted(config if spoil else config.replace(seed=5), cpu, path)
    if spoil:
        spoil(path)
    content = path.read_bytes()
    with pytest.warns(UserWarning, match=r"x\.checkpoint cannot be resumed.*x\.checkpoint\.damaged"):
        _, done = training.train(config, task, cpu, path)
    assert (tmp_path / "x.checkpoint.damaged").read_bytes() == content
    _, whole = training.train(config, task, cpu, tmp_path / "whole.checkpoint")
    assert losses(done.history) == losses(whole.history)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(monkeypatch, tmp_path):
    path = tmp_path / "file"
    store.write_atomically(path, b"old")

    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(store.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        store.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_depthwise_convolutions_are_trained_in_float32_on_a_processor():
    hw = hardware("cpu", "bf16")
    plain = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 6, 1, bias=False))
    placed = hw.place(copy.deepcopy(plain))
    x = torch.rand(2, 4, 5, 5, generator=rng()).bfloat16()
    exact = plain[0](x.float()).bfloat16()
    with hw.autocast():
        found, others = placed[0](x), placed[1](x)
        with torch.no_grad():
            assert torch.equal(placed[0](x), plain[0](x)) and not torch.equal(plain[0](x), exact)
    assert torch.equal(found, exact) and found.dtype == others.dtype == torch.bfloat16
    assert placed.state_dict().keys() == plain.state_dict().keys()
    again = copy.deepcopy(placed)
    torch.nn.init.zeros_(again[0].weight)
    assert not again[0](x.float()).any() and placed[0](x.float()).any()  # each has its own weights


def test_a_processor_computes_in_bf16_only_where_a_timing_says_that_it_is_faster(monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path))
    monkeypatch.delenv("SOFTLABELS_PRECISION", raising=False)
    times = {True: 0.5, False: 1.0}
    asked = []
    monkeypatch.setattr(
        "softlabels.learning.hardware.step_seconds", lambda half: asked.append(half) or times[half]
    )
    monkeypatch.setattr("softlabels.learning.hardware._cpu_flags", lambda: ["avx2"])
    assert (hardware("cpu").precision, asked) == ("fp32", [])  # without the instructions nothing is timed
    monkeypatch.setattr("softlabels.learning.hardware._cpu_flags", lambda: ["avx512_bf16"])
    assert (hardware("cpu").precision, asked) == ("bf16", [False, True])
    times[True] = 2.0
    assert (hardware("cpu").precision, asked) == ("bf16", [False, True])  # the answer was kept
    (tmp_path / "bf16.json").write_text("[damaged")
    assert hardware("cpu").precision == "fp32"
    assert hardware("cpu", "bf16").precision == "bf16"
    monkeypatch.setattr("softlabels.learning.hardware._cpu_flags", lambda: ["avx2"])
    with pytest.warns(UserWarning, match="no instructions for it"):
        assert hardware("cpu", "bf16").precision == "bf16"  # a hundred times slower on an AMD EPYC with AVX2


def test_the_steps_that_are_timed_take_time():
    assert 0 < step_seconds(False, rounds=1) < 30
