"""Measure a trained network under attack, shift, corruption and blur; what comes out are plain rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softlabels import datasets
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.labels import metrics, votes
from softlabels.learning import attacks, corruptions
from softlabels.learning.attacks import Attack
from softlabels.learning.config import (
    AttackSuite,
    BlurSuite,
    CorruptionSuite,
    Row,
    RunConfig,
    ShiftSuite,
    Suite,
    generator,
)
from softlabels.learning.hardware import Hardware
from softlabels.learning.inputs import Task

JPEG = "cifar10-jpeg"
N_TRAIN = 50_000  # its ids from here on are those of the test images
_BATCH = 256  # images that are attacked at once
KEPT = ("macro_accuracy", "cross_entropy", "kl", "ece", "brier", "entropy_correlation")


@dataclass(frozen=True)
class Subject:
    """A run with its data and its trained network; for attacks also that of the other arm, `other_arm`."""

    config: RunConfig
    task: Task
    model: nn.Module
    hw: Hardware
    other: nn.Module | None = None

    def rows(self, n: int) -> np.ndarray:
        """The first `n` held-out images, or all of them."""
        held_out = self.task.rows["test"]
        return held_out[:n] if n else held_out

    def truth(self, rows: np.ndarray) -> np.ndarray:
        """The dataset's own labels of these images, else what most people said."""
        truth = self.task.dataset.truth
        return self.task.soft[rows].argmax(1) if truth is None else truth[rows]

    def images(self, rows: np.ndarray) -> np.ndarray:
        """uint8 [n, H, W, 3]."""
        return self.task.images[torch.from_numpy(rows)].numpy()

    def predict(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Log-probabilities float32 [n, K]."""
        found = []
        with torch.inference_mode(), self.hw.autocast():
            for part in torch.from_numpy(images).split(batch_size):
                found.append(self.model(self.hw.images(part)).float().log_softmax(-1).cpu())
        return torch.cat(found).numpy()


def other_arm(config: RunConfig) -> RunConfig:
    """The run whose network attacks are transferred from."""
    return config.replace(label="soft" if config.label == "truth" else "truth", mixup=0.0)


def measure(subject: Subject, suite: Suite) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Rows and arrays that a suite finds with one network."""
    if isinstance(suite, AttackSuite):
        return list(_attacks(subject, suite)), {}
    if isinstance(suite, ShiftSuite):
        return list(_shift(subject, suite)), {}
    if isinstance(suite, CorruptionSuite):
        return list(_corruptions(subject, suite)), {}
    if isinstance(suite, BlurSuite):
        return _blur(subject, suite)
    raise ConfigError(f"there is no way to measure {suite}")


def scores(case: str, level: float, log_p: np.ndarray, q: np.ndarray) -> Iterator[Row]:
    """Measures of predictions against distributions `q`, and the mean entropy and confidence."""
    found = metrics.evaluate(log_p, q)
    p = np.exp(log_p.astype(np.float64))
    found |= {"entropy": float(votes.entropy(p).mean()), "confidence": float(p.max(1).mean())}
    for name, value in found.items():
        if name in (*KEPT, "entropy", "confidence"):
            yield case, level, name, value


def _corruptions(subject: Subject, suite: CorruptionSuite) -> Iterator[Row]:
    rows = subject.rows(suite.images)
    images, truth = subject.images(rows), _one_hot(subject, subject.truth(rows))
    yield from scores("none", 0, subject.predict(images), truth)
    for number, kind in enumerate(corruptions.KINDS):
        for severity in suite.severities:
            # The same noise for every arm.
            rng = generator(subject.config.seed, "corruption", number, severity)
            changed = corruptions.corrupt(images, kind, severity, rng)
            yield from scores(kind, severity, subject.predict(changed), truth)


def _one_hot(subject: Subject, truth: np.ndarray) -> np.ndarray:
    return votes.one_hot(truth, subject.task.soft.shape[1])


def _blur(subject: Subject, suite: BlurSuite) -> tuple[list[Row], dict[str, np.ndarray]]:
    rows = subject.rows(suite.images)
    images, q = subject.images(rows), subject.task.soft[rows]
    found: list[Row] = []
    # Clear images on which people agree: what is doubted later is the blur's doing.
    clear = np.flatnonzero(q.max(1) > 0.98)
    shown = clear[np.linspace(0, len(clear) - 1, min(suite.pictures, len(clear))).astype(int)]
    blurred, predicted = [], []
    for sigma in suite.sigmas:
        changed = corruptions.blurred(images, sigma)
        log_p = subject.predict(changed)
        found += scores("people", sigma, log_p, q)
        found += scores("truth", sigma, log_p, _one_hot(subject, subject.truth(rows)))
        blurred.append(changed[shown])
        predicted.append(np.exp(log_p[shown]))
    pictures = {"images": np.stack(blurred, 1), "p": np.stack(predicted, 1).astype(np.float16)}
    ids = subject.task.dataset.ids[rows[shown]].astype(np.int64)
    return found, pictures | {"ids": ids, "q": q[shown].astype(np.float16)}


def _shift(subject: Subject, suite: ShiftSuite) -> Iterator[Row]:
    rows = subject.rows(suite.images)
    truth = _one_hot(subject, subject.truth(rows))
    yield from scores("held-out", 0, subject.predict(subject.images(rows)), truth)
    if suite.train_images and subject.config.start == "scratch":  # others may have been pretrained on these
        copy = datasets.load(JPEG)
        same = N_TRAIN + subject.task.dataset.ids[rows]  # the fold again, through the lossy copy
        chosen = np.sort(generator(0, "copied images").permutation(N_TRAIN)[: suite.train_images])
        for case, part in (("held-out, JPEG copy", same), ("training images, JPEG copy", chosen)):
            labels_ = _one_hot(subject, np.asarray(copy.truth)[part])
            yield from scores(case, 0, subject.predict(copy.images[part]), labels_)
    for name in suite.sets:
        try:
            other = datasets.load(name)
        except DataUnavailable:
            continue
        yield from scores(name, 0, subject.predict(np.asarray(other.images)), other.counts)


@dataclass(frozen=True)
class _Scene:
    """Images under attack, float32 on the device of the model."""

    model: nn.Module
    x: Tensor
    y: Tensor
    seed: int

    def rng(self) -> torch.Generator:
        # Every attack of every arm begins at the same random points.
        return torch.Generator().manual_seed(int(generator(self.seed, "attack").integers(2**62)))

    def standing(self, case: str, units: tuple[float, ...], attack: Attack) -> Iterator[Row]:
        """Accuracy by radius; l2 radii are as long as the l∞ ones are per value."""
        scale = (1 if attack.norm == "linf" else float(np.sqrt(self.x[0].numel()))) / 255
        found = attacks.standing(self.model, self.x, self.y, [u * scale for u in units], attack, self.rng())
        for unit, up in zip(sorted(units), found.values(), strict=True):
            yield case, unit, "accuracy", float(up.float().mean())

    def loss(self, x: Tensor) -> float:
        """Mean cross-entropy in nats of moved images against their labels."""
        with torch.inference_mode():
            losses = [
                F.cross_entropy(self.model(part).float(), y, reduction="sum")
                for part, y in zip(x.split(_BATCH), self.y.split(_BATCH), strict=True)
            ]
        return float(torch.stack(losses).sum() / len(x))

    def moved(self, epsilon: float, attack: Attack, start: Tensor | None = None) -> Tensor:
        """All images after an attack with every step, whether they fell or not."""
        at = self.x if start is None else start
        parts = zip(*(images.split(_BATCH) for images in (self.x, self.y, at)), strict=True)
        return torch.cat([attacks.perturb(self.model, x, y, epsilon, attack, start=z) for x, y, z in parts])

    def losses(self, suite: AttackSuite) -> Iterator[Row]:
        """Cross-entropy under FGSM by radius, and under PGD at radius 4/255 by number of steps of 1/255."""
        for unit in suite.epsilons:
            yield "FGSM", unit, "cross_entropy", self.loss(self.moved(unit / 255, Attack()))
        moved, one = self.x, Attack(steps=1, step=0.25)
        for step in range(1, max(suite.curve, default=0) + 1):
            moved = self.moved(4 / 255, one, moved)
            if step in suite.curve:
                yield "PGD by steps", step, "cross_entropy", self.loss(moved)


def _attacks(subject: Subject, suite: AttackSuite) -> Iterator[Row]:
    if suite.autoattack:
        attacks.autoattack_class()  # what is not installed is better known before an hour than after it
    rows = subject.rows(suite.images)
    x = subject.hw.images(torch.from_numpy(subject.images(rows)))
    y = torch.from_numpy(subject.truth(rows)).to(subject.hw.device)
    scene = _Scene(subject.model, x, y, subject.config.seed)
    pgd = Attack(steps=suite.steps, random_start=True)
    scale = float(attacks.margins(scene.model, x).mean())
    yield "logit scale", 0, "margin", scale
    whole = {"FGSM": Attack(), "PGD": pgd, "PGD l2": replace(pgd, norm="l2")}
    few = {
        "PGD, margin loss": replace(pgd, loss="margin"),
        "PGD, matched temperature": replace(pgd, temperature=scale),
        "PGD, more steps and restarts": replace(pgd, steps=suite.more_steps, restarts=suite.restarts),
        **{f"PGD to {t}": Attack(steps=suite.steps, target=t) for t in attacks.TARGETS[1:]},
    }
    for kinds, units in ((whole, suite.epsilons), (few, suite.few)):
        for case, attack in kinds.items():
            yield from scene.standing(case, units, attack)
    yield from scene.losses(suite)
    for steps in suite.curve:
        attack = Attack(steps=steps, step=0.25)
        for _, _, name, value in scene.standing("PGD by steps", (4,), attack):
            yield "PGD by steps", steps, name, value
    yield from _checks(subject, scene, suite)


def _checks(subject: Subject, scene: _Scene, suite: AttackSuite) -> Iterator[Row]:
    """Noise of the same size, transfer, the landscape, AutoAttack."""
    if subject.other is None:
        raise ConfigError("attacks are also taken from the other arm: give its network as `other`")
    for unit in suite.epsilons:
        noisy = attacks.noise(scene.x, unit / 255, scene.rng())
        moved = attacks.perturb(subject.other, scene.x, scene.y, unit / 255)
        for case, images in (("noise", noisy), ("FGSM from the other arm", moved)):
            up = attacks.correct(scene.model, images, scene.y)
            yield case, unit, "accuracy", float(up.float().mean())
    sizes = [unit / 255 for unit in suite.landscape]
    found = attacks.landscape(scene.model, scene.x, scene.y, sizes, scene.rng())
    for way, losses in found.items():
        for unit, value in zip(suite.landscape, losses, strict=True):
            yield f"landscape, {way}", unit, "loss", value
    for unit in suite.autoattack:
        up = attacks.autoattack(scene.model, scene.x, scene.y, unit / 255, "linf", scene.seed)
        yield "AutoAttack", unit, "accuracy", float(up.float().mean())
