"""What is measured with trained networks, in numbers: attacks, shifts, corruptions, blur, by profile."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from softlabels.errors import unknown

Row = tuple[str, float, str, float]  # what a suite finds: case, level, measure, value


@dataclass(frozen=True)
class Suite:
    """Settings of one kind of evaluation; its id is a hash of the settings that differ from the defaults.

    Attributes
    ----------
    images : int
        Held-out images used, the first of the fold; 0: all.
    """

    kind: ClassVar[str] = ""
    images: int = 0

    @property
    def id(self) -> str:
        """Kind and eight hex digits."""
        default = asdict(type(self)())
        meaning = {k: v for k, v in asdict(self).items() if v != default[k]}
        canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
        return f"{self.kind}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class AttackSuite(Suite):
    """Attacks on held-out images and the checks for masking; radii in units of 1/255.

    Attributes
    ----------
    epsilons : tuple of float
        l∞ radii; the l2 radii are these times the root of the number of values, the same per value.
    few : tuple of float
        Radii of the other losses, of targets and of the check "more steps and restarts".
    steps : int
        Of PGD.
    more_steps, restarts : int
        Of that check.
    curve : tuple of int
        Numbers of steps of length 1/255 at radius 4/255, as published.
    autoattack : tuple of float
        Radii of AutoAttack; empty: not run.
    landscape : tuple of float
        How far to go along the gradient.
    """

    kind: ClassVar[str] = "attacks"
    epsilons: tuple[float, ...] = (0, 0.25, 0.5, 1, 2, 4, 8)
    few: tuple[float, ...] = (1, 4)
    steps: int = 10
    more_steps: int = 40
    restarts: int = 3
    curve: tuple[int, ...] = (1, 2, 3, 4, 5, 7, 9)
    autoattack: tuple[float, ...] = ()
    landscape: tuple[float, ...] = (0, 0.25, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True)
class ShiftSuite(Suite):
    """Other photographs of the same classes.

    Attributes
    ----------
    train_images : int
        Random CIFAR-10 training images from the JPEG copy, for networks that were not pretrained on them; the
        held-out fold is read from the same copy.
    sets : tuple of str
        Further datasets, measured where they can be had.
    """

    kind: ClassVar[str] = "shift"
    train_images: int = 50_000
    sets: tuple[str, ...] = ("cifar10.1-v4", "cifar10.1-v6")


@dataclass(frozen=True)
class CorruptionSuite(Suite):
    """All kinds of `corruptions.KINDS` at some severities."""

    kind: ClassVar[str] = "corruptions"
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class BlurSuite(Suite):
    """Gaussian blur of rising width.

    Attributes
    ----------
    sigmas : tuple of float
        Standard deviations in pixels.
    pictures : int
        Images that are kept with their predictions.
    """

    kind: ClassVar[str] = "blur"
    sigmas: tuple[float, ...] = (0, 0.5, 1, 1.5, 2, 3)
    pictures: int = 4


@dataclass(frozen=True)
class Plan:
    """A suite and the arms of the grid "human" that it is for."""

    suite: Suite
    arms: tuple[str, ...]


_ALL = ("truth", "hard", "soft", "sampled", "class-mean", "permuted", "smoothed", "mixup", "distilled")
_ATTACKED = ("truth", "soft", "smoothed", "permuted", "mixup")

PLANS: dict[str, dict[str, Plan]] = {
    "smoke": {
        "attacks": Plan(
            AttackSuite(24, (0, 1, 4), steps=2, more_steps=3, restarts=2, curve=(1, 3), landscape=(0, 1, 4)),
            ("truth", "soft", "smoothed"),
        ),
        "shift": Plan(ShiftSuite(24, 0, ()), ("truth", "soft", "smoothed")),
        "corruptions": Plan(CorruptionSuite(24, (1, 5)), ("truth", "soft", "smoothed")),
        "blur": Plan(BlurSuite(0, (0, 1, 3), 2), ("truth", "soft", "smoothed")),
    },
    "laptop": {
        "attacks": Plan(
            AttackSuite(
                300, (0, 0.5, 1, 2, 4, 8), (1,), more_steps=20, restarts=2, landscape=(0, 0.5, 1, 2, 4, 8)
            ),
            _ATTACKED,
        ),
        "shift": Plan(ShiftSuite(0, 10_000), _ALL),
        "corruptions": Plan(CorruptionSuite(400, (1, 3, 5)), _ALL),
        "blur": Plan(BlurSuite(), ("truth", "soft", "smoothed", "permuted", "mixup")),
    },
    "paper": {
        "attacks": Plan(
            AttackSuite(1000, few=(0.5, 1, 2, 4, 8), restarts=10, autoattack=(0.25, 0.5, 1, 2)), _ALL
        ),
        "shift": Plan(ShiftSuite(), _ALL),
        "corruptions": Plan(CorruptionSuite(), _ALL),
        "blur": Plan(BlurSuite(), _ALL),
    },
}


def plan(profile: str, kind: str) -> Plan:
    """Plan of a profile; an unknown name raises `ConfigError` with the nearest known one."""
    if profile not in PLANS:
        raise unknown("profile", profile, PLANS)
    if kind not in PLANS[profile]:
        raise unknown("evaluation", kind, PLANS[profile])
    return PLANS[profile][kind]


def settings(suite: Suite) -> dict[str, Any]:
    """All settings as JSON holds them."""
    return json.loads(json.dumps(asdict(suite)))
