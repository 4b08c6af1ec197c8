"""Attacks: inside the ball, never stronger at less, and foolbox's own where foolbox is installed."""

import copy
import itertools
import sys
from types import SimpleNamespace

import pytest
import torch
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.learning import attacks, models
from softlabels.learning.attacks import FGSM, PGD, Attack

pytestmark = pytest.mark.usefixtures("one_thread")
EPSILONS = [0, 0.25 / 255, 1 / 255, 4 / 255, 8 / 255]
KINDS = [
    FGSM,
    PGD,
    Attack(steps=3),
    Attack(norm="l2"),
    Attack(norm="l2", steps=4, random_start=True),
    Attack(steps=3, loss="margin", temperature=5.0),
    Attack(steps=3, target="most-likely"),
    Attack(steps=3, target="least-likely", loss="margin"),
    Attack(target="random"),
]
kinds = pytest.mark.parametrize("attack", KINDS, ids=lambda a: f"{a.norm}-{a.steps}-{a.loss}-{a.target}")


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def scene():
    """A small network taught to tell three blotches of colour, and images that it tells mostly."""
    torch.manual_seed(0)
    x, y = torch.rand(160, 3, 16, 16), torch.arange(160) % 3
    x[torch.arange(160), y, 4:12, 4:12] += 0.12
    x = x.clamp(0, 1)
    model = models.build("resnet9-tiny", 3, x.mean((0, 2, 3)), x.std((0, 2, 3)))
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval(), x, y


def norms(shift, attack):
    flat = shift.flatten(1)
    return flat.abs().amax(1) if attack.norm == "linf" else flat.norm(dim=1)


def radii(attack):
    return [e * (1 if attack.norm == "linf" else 30) for e in EPSILONS]


@kinds
def test_the_images_stay_in_the_ball_and_in_range(scene, attack):
    model, x, y = scene
    for epsilon in radii(attack):
        moved = attacks.perturb(model, x, y, epsilon, attack, rng())
        assert norms(moved - x, attack).max() <= epsilon + 1e-6
        assert moved.min() >= 0 and moved.max() <= 1


@kinds
def test_radius_zero_is_clean_accuracy_and_accuracy_falls_with_the_radius(scene, attack):
    model, x, y = scene
    found = attacks.standing(model, x, y, radii(attack), attack, rng())
    torch.testing.assert_close(found[0.0], model(x).argmax(1) == y)
    up = list(found.values())
    assert all((smaller | ~larger).all() for smaller, larger in itertools.pairwise(up))
    assert found[0.0].float().mean() > 0.5
    if attack.target == "none":
        assert up[-1].float().mean() < found[0.0].float().mean()


def test_accuracy_falls_with_steps_and_restarts(scene):
    model, x, y = scene
    share = {}
    for steps in (1, 2, 5, 20):  # of the same length, so that more steps go on where fewer stopped
        attack = Attack(steps=steps, step=0.25)
        share[steps] = attacks.standing(model, x, y, [4 / 255], attack)[4 / 255]
    up = list(share.values())
    assert all((fewer | ~more).all() for fewer, more in itertools.pairwise(up))
    once, often = (
        attacks.standing(model, x, y, [4 / 255], Attack(steps=2, random_start=True, restarts=n), rng())
        for n in (1, 8)
    )
    assert often[4 / 255].sum() <= once[4 / 255].sum()


def test_the_order_of_radii_does_not_matter_and_batches_neither(scene):
    model, x, y = scene
    attack = Attack(steps=3)
    whole = attacks.standing(model, x, y, EPSILONS, attack)
    parts = attacks.standing(model, x, y, EPSILONS[::-1], attack, batch_size=32)
    assert list(whole) == list(parts) == sorted(EPSILONS)
    assert all((whole[e] == parts[e]).float().mean() > 0.99 for e in EPSILONS)


def test_the_shared_gradient_is_that_of_each_radius(scene):
    model, x, y = scene
    epsilon = 8 / 255
    alone = (attacks.perturb(model, x, y, epsilon, FGSM) - x) / epsilon
    small = (attacks.perturb(model, x, y, epsilon / 8, FGSM) - x) / (epsilon / 8)
    inside = (x > epsilon) & (x < 1 - epsilon)
    torch.testing.assert_close(alone[inside], small[inside], atol=1e-3, rtol=0)


def test_targets_are_wrong_classes_and_are_reached(scene):
    model, x, y = scene
    logits = model(x)
    for target in ("most-likely", "least-likely", "random"):
        aim = attacks._aim(logits, y, Attack(target=target), rng())
        assert (aim != y).all()
    attack = Attack(steps=20, target="most-likely")
    moved = attacks.perturb(model, x, y, 24 / 255, attack)
    aim = attacks._aim(logits, y, attack, None)
    assert (model(moved).argmax(1) == aim).float().mean() > 0.8


def test_the_model_is_left_as_it_was(scene):
    model, x, y = scene
    model.train()
    before = [p.clone() for p in model.parameters()]
    with attacks.frozen(model):
        attacks.perturb(model, x, y, 0.01)
        assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert model.training
    assert all((a == b).all() for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.requires_grad for p in model.parameters())
    model.eval()


def test_temperature_undoes_saturation(scene):
    model, x, y = scene
    with torch.no_grad():
        scale = model.head.weight.clone(), model.head.bias.clone()
        model.head.weight *= 1e4
        model.head.bias *= 1e4
    try:
        hidden = attacks.standing(model, x, y, [8 / 255])[8 / 255].float().mean()
        seen = attacks.standing(model, x, y, [8 / 255], Attack(temperature=1e4))[8 / 255].float().mean()
        assert seen < hidden, "a huge logit scale hides the gradient of cross-entropy"
        margin = attacks.standing(model, x, y, [8 / 255], Attack(loss="margin"))[8 / 255].float().mean()
        assert margin < hidden
        assert attacks.margins(model, x).median() > 1e3
    finally:
        with torch.no_grad():
            model.head.weight.copy_(scale[0])
            model.head.bias.copy_(scale[1])


def test_noise_is_as_large_as_the_attack_and_harms_less(scene):
    model, x, y = scene
    epsilon = 8 / 255
    noisy = attacks.noise(x, epsilon, rng())
    assert (noisy - x).abs().max() <= epsilon + 1e-6 and noisy.min() >= 0 and noisy.max() <= 1
    attacked = attacks.standing(model, x, y, [epsilon])[epsilon].float().mean()
    assert attacks.correct(model, noisy, y).float().mean() > attacked


def test_the_loss_rises_along_the_gradient(scene):
    model, x, y = scene
    found = attacks.landscape(model, x, y, [0, 1 / 255, 4 / 255], rng())
    assert found["gradient"][0] == pytest.approx(found["random"][0], rel=1e-5)
    assert found["gradient"][0] < found["gradient"][1] < found["gradient"][2]
    assert found["gradient"][2] > found["random"][2]


@pytest.mark.parametrize("settings", [{"norm": "l1"}, {"loss": "hinge"}, {"target": "cat"}, {"steps": 0}])
def test_an_impossible_attack_is_refused(settings):
    with pytest.raises(ConfigError):
        Attack(**settings)


def test_autoattack_is_asked_for_the_same_ball(scene, monkeypatch):
    model, x, y = scene
    asked = {}

    class Judge:
        def __init__(self, found, **settings):
            asked.update(settings, frozen=not any(p.requires_grad for p in found.parameters()))

        def run_standard_evaluation(self, images, labels, batch_size):
            return 1 - images, labels

    monkeypatch.setitem(sys.modules, "pyautoattack", SimpleNamespace(AutoAttack=Judge))
    stood = attacks.autoattack(model, x, y, 1 / 255, "linf", 3)
    assert (asked["norm"], asked["eps"], asked["seed"], asked["frozen"]) == ("Linf", 1 / 255, 3, True)
    torch.testing.assert_close(stood, model(1 - x).argmax(1) == y)


def test_autoattack_that_is_not_installed_is_named(scene, monkeypatch):
    model, x, y = scene
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    with pytest.raises(DataUnavailable, match=r"softlabels\[attacks\]"):
        attacks.autoattack(model, x, y, 1 / 255, "linf", 0)


FOOLBOX = [(FGSM, "LinfFastGradientAttack"), (Attack(norm="l2"), "L2FastGradientAttack")] + [
    (Attack(norm=n, steps=k, step=0.3), f"{name}ProjectedGradientDescentAttack")
    for n, name in (("linf", "Linf"), ("l2", "L2"))
    for k in (3, 10)
]


@pytest.fixture(scope="module")
def exact(scene):
    """The scene in float64, where no gradient's sign hangs on the machine's rounding."""
    model, x, y = scene
    return copy.deepcopy(model).double(), x.double(), y


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(("attack", "name"), FOOLBOX, ids=lambda v: v if isinstance(v, str) else "")
def test_every_step_is_that_of_foolbox(exact, attack, name, started):
    """Every image of our walk is the one that foolbox steps to from the image before.

    Whole walks need not end together: where a ReLU or a maximum changes sides the gradient jumps, so two
    walks that once differ by rounding may part. From one and the same point, both take the gradient of the
    same loss, and their gradients differ by rounding alone. The network has about ten layers that sum at
    most 600 terms, so that rounding is at most 10 · 600 · 2^-53 < 1e-12 of the sums of absolute values;
    1e-9 of the gradient's norm leaves room for a thousandfold cancellation in these sums. The step is at
    most ε = .32 long and both projections shorten distances, so an L2 step differs by less than 2 ε · 1e-9.
    An L∞ step differs by a few roundings of numbers below 2, but for pixels whose sign hangs on rounding.
    """
    foolbox = pytest.importorskip("foolbox", reason='foolbox (extra "attacks") is not installed')
    import eagerpy

    model, x, y = exact
    epsilon = 4 / 255 * (1 if attack.norm == "linf" else 20)
    start = attacks._start(x, epsilon, Attack(norm=attack.norm, random_start=started), rng())
    options = {} if attack.steps == 1 else {"steps": 1, "rel_stepsize": attack.step}
    theirs = getattr(foolbox.attacks, name)(random_start=True, **options)
    judged = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")

    walk = []
    with model.register_forward_pre_hook(lambda _, inputs: walk.append(inputs[0].detach())):
        end = attacks.perturb(model, x, y, epsilon, attack, start=start)
    walk = [*walk[1:], end]  # the first look at the clean image chooses a target, where there is one
    assert len(walk) == attack.steps + 1
    assert torch.equal(walk[0], start)
    for point, ours in itertools.pairwise(walk):
        theirs.get_random_start = lambda x0, radius, point=point: eagerpy.astensor(point)
        _, [found], [success] = theirs(judged, x, y, epsilons=[epsilon])
        gradient, _ = attacks._ascent(model, point, y, None, Attack(norm="l2"))  # of norm one
        by_rounding = (gradient.abs() < 1e-9) if attack.norm == "linf" else torch.zeros_like(x).bool()
        assert by_rounding.float().mean() < 1e-3
        assert (((ours - found).abs() < 1e-9) | by_rounding).all()
    torch.testing.assert_close(attacks.correct(model, end, y), ~success)


def test_standing_agrees_with_foolbox_at_the_first_radius(exact):
    foolbox = pytest.importorskip("foolbox", reason='foolbox (extra "attacks") is not installed')
    model, x, y = exact
    judged = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    for epsilon in EPSILONS[1:]:
        _, _, [success] = foolbox.attacks.LinfFastGradientAttack()(judged, x, y, epsilons=[epsilon])
        torch.testing.assert_close(attacks.standing(model, x, y, [epsilon])[epsilon], ~success)
