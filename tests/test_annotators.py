"""Many annotators: every method against what can be known about it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from softlabels.datasets import Annotations
from softlabels.errors import ConfigError
from softlabels.labels.agreement import auroc, confusion_error, heterogeneity
from softlabels.labels.votes import at_most, chosen, shuffled
from softlabels.learning.annotators.aggregation import DawidSkene, dawid_skene
from softlabels.learning.annotators.methods import (
    METHODS,
    PUBLIC,
    AnnotMix,
    Batch,
    Mixing,
    blend,
    build,
    log_marginal,
    log_marginal_of,
)
from softlabels.learning.annotators.training import RAdam, pairs
from softlabels.learning.models import HalfDropout, build_for_vectors
from torch import nn

M, C, D, H = 5, 3, 4, 128
MODELS = [m for m in METHODS if build(m, 2, 3, 4).aggregate is None]

pytestmark = pytest.mark.usefixtures("one_thread")


def network(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return build_for_vectors("mlp-256-128", C, torch.zeros(D), torch.ones(D), dropout)


def batch(seed=0, n=24, n_annotators=M):
    rng = np.random.default_rng(seed)
    sample = np.repeat(np.arange(n), 3)
    x = torch.from_numpy(rng.normal(size=(n, D)).astype(np.float32))
    target = torch.from_numpy(rng.dirichlet(np.ones(C), n).astype(np.float32))
    annotator, label = rng.integers(n_annotators, size=3 * n), rng.integers(C, size=3 * n)
    return Batch(x, target, *(torch.from_numpy(v) for v in (sample, annotator, label)))


def method(name, seed=0, n_annotators=M, **options):
    torch.manual_seed(seed)
    return build(name, n_annotators, C, H, **options)


def judgements(n=200, seed=0, quality=(0.9, 0.8, 0.7, 0.6, 0.4), classes=C):
    """Annotators of known quality who each judge every image with probability 1/2."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    image, annotator = np.nonzero(rng.random((n, len(quality))) < 0.5)
    right = rng.random(len(image)) < np.array(quality)[annotator]
    other = (truth[image] + rng.integers(1, classes, len(image))) % classes
    return Annotations(image, annotator, np.where(right, truth[image], other)), truth


# Every method

# Batch norm subtracts these, so that their gradient is zero whatever the loss.
BEFORE_BATCH_NORM = {"trunk.0.bias", "trunk.4.bias", "hidden.0.bias", "hidden.1.bias", "hidden.3.bias"}


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_moves_in_one_short_training(name):
    net, of = network(), method(name)
    before = [p.detach().clone() for p in [*net.parameters(), *of.parameters()]]
    optimiser = torch.optim.SGD([*net.parameters(), *of.parameters()], 0.05)
    for step in range(4):
        optimiser.zero_grad()
        of.loss(net, batch(step), np.random.default_rng(step)).backward()
        optimiser.step()
        of.after_step()
    names = [n for n, _ in [*net.named_parameters(), *of.named_parameters()]]
    still = [
        n
        for n, a, b in zip(names, before, [*net.parameters(), *of.parameters()], strict=True)
        if torch.equal(a, b)
    ]
    assert set(still) <= BEFORE_BATCH_NORM


@pytest.mark.parametrize("name", PUBLIC)
def test_what_the_public_code_never_trains_stays(name):
    of = method(name)
    assert all(not getattr(of, p).requires_grad for p in PUBLIC[name][1])


@pytest.mark.parametrize("name", MODELS)
def test_renaming_annotators_renames_the_result(name):
    permutation = torch.tensor([3, 0, 4, 1, 2])  # old number -> new number
    a, b, net = method(name).eval(), method(name).eval(), network().eval()
    state = a.state_dict()
    for key, value in state.items():
        if value.ndim and value.shape[0] == M and not key.startswith("embed_a"):
            state[key] = value[permutation.argsort()]
    if "embed_a.weight" in state:
        state["embed_a.weight"] = state["embed_a.weight"][:, permutation.argsort()]
    b.load_state_dict(state)
    old = batch()
    new = Batch(old.x, old.target, old.sample, permutation[old.annotator], old.label)
    losses = [of.loss(net, found, np.random.default_rng(0)) for of, found in ((a, old), (b, new))]
    assert torch.allclose(*losses, atol=1e-6)
    h = net.features(old.x)[1]
    assert torch.allclose(a.confusions(h), b.confusions(h)[permutation], atol=1e-6)


def test_a_method_that_is_only_named_is_told_where_it_belongs(monkeypatch):
    monkeypatch.setattr("softlabels.learning.annotators.methods.METHODS", (*METHODS, "half-done"))
    with pytest.raises(ConfigError, match="add it to `build`"):
        method("half-done")


@pytest.mark.parametrize("name", [name for name in METHODS if name not in MODELS])
def test_an_aggregation_knows_neither_the_truth_nor_the_order_of_annotators(name):
    found, truth = judgements()
    counts = np.zeros((len(truth), C), np.float32)
    np.add.at(counts, (found.image, found.label), 1)
    how = method(name).aggregate

    def targets(order, truth):
        renamed = Annotations(found.image, order[found.annotator], found.label)
        return how(counts, renamed, truth, np.random.default_rng(1))

    given = targets(np.arange(M), truth)
    np.testing.assert_allclose(targets(np.array([3, 0, 4, 1, 2]), truth), given, atol=1e-6)
    assert np.array_equal(targets(np.arange(M), (truth + 1) % C), given) is (name != "true-base")


@pytest.mark.parametrize("name", MODELS)
def test_confusions_are_distributions_and_performance_is_a_probability(name):
    of, net, found = method(name).eval(), network().eval(), batch()
    logits, h = net.features(found.x)
    matrices = of.confusions(h)
    assert matrices.shape == (M, C, C)
    assert torch.allclose(matrices.sum(2), torch.ones(M, C), atol=1e-5)
    s = of.performance(logits.log_softmax(1)[found.sample], h[found.sample], found.annotator)
    assert s.shape == found.label.shape and bool(((s >= 0) & (s <= 1)).all())


@pytest.mark.parametrize("name", METHODS)
def test_a_single_annotator_is_no_special_case(name):
    found = batch(n_annotators=1)
    assert torch.isfinite(method(name, n_annotators=1).loss(network(), found, np.random.default_rng(0)))


@pytest.mark.parametrize("name", METHODS)
def test_an_annotator_without_a_label_does_no_harm(name):
    of, found = method(name, n_annotators=M + 1), batch()
    of.loss(network(), found, np.random.default_rng(0)).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in of.parameters())


def test_a_misspelt_method_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'annot-mix'"):
        build("anot-mix", 2, 3, 4)


# annot-mix


def test_without_mixing_and_with_sure_annotators_annotmix_is_cross_entropy():
    of, net, found = method("annot-mix", alpha=0.0, eta=1 - 1e-7).eval(), network().eval(), batch()
    nn.init.zeros_(of.out.weight)
    p = net(found.x).log_softmax(1)
    plain = nn.functional.nll_loss(p[found.sample], found.label)
    assert of.loss(net, found, np.random.default_rng(0)).item() == pytest.approx(plain.item(), abs=1e-5)


def test_a_small_alpha_mixes_almost_nothing():
    off, on = (method("annot-mix", alpha=a).eval() for a in (0.0, 1e-4))
    on.load_state_dict(off.state_dict())
    net, found, rng = network().eval(), batch(), np.random.default_rng(0)
    weight, partner = Mixing(1e-4).draw(found.sample, np.random.default_rng(0))
    assert float(torch.minimum(weight, 1 - weight).max()) < 1e-3
    # λ is 0 or 1: a mean of the terms of a run without mixing, each the pair's own or its partner's
    terms = torch.stack([off.loss(net, one_pair(found, i), rng) for i in range(len(found.label))])
    expected = torch.where(weight > 0.5, terms, terms[partner]).mean()
    assert on.loss(net, found, rng).item() == pytest.approx(expected.item(), abs=1e-3)


def one_pair(found, i):
    """A batch of judgement `i` alone."""
    pair = (found.annotator[i : i + 1], found.label[i : i + 1])
    return Batch(found.x[found.sample[i]][None], found.target[:0], torch.tensor([0]), *pair)


@pytest.mark.parametrize("eta", [0.5, 0.9])
@pytest.mark.parametrize("name", ["annot-mix", "madl"])
def test_the_initial_diagonal_is_eta(name, eta):
    of = method(name, eta=eta).eval()
    nn.init.zeros_(of.out.weight)
    a = of.confusions(torch.randn(7, H))
    expected = eta if name == "annot-mix" else 0.8
    assert torch.allclose(a.diagonal(dim1=1, dim2=2), torch.full((M, C), expected), atol=1e-6)


@pytest.mark.parametrize(("name", "start"), [("trace-reg", 6.0), ("geo-reg-f", 1.0), ("geo-reg-w", 1.0)])
def test_transition_matrices_start_as_published(name, start):
    expected = np.exp(start) / (np.exp(start) + C - 1)
    assert torch.allclose(
        method(name).confusions(torch.empty(0)).diagonal(dim1=1, dim2=2), torch.tensor(expected).float()
    )


def test_the_annotators_part_does_not_shape_the_embedding():
    of, h = method("annot-mix"), torch.randn(6, H, requires_grad=True)
    of.logits(h, of.embedding(torch.arange(6) % M)).sum().backward()
    assert h.grad is None and of.embed_x.weight.grad.abs().sum() > 0


def test_the_marginal_sums_to_one():
    log_p, logits = torch.randn(9, C).log_softmax(1), torch.randn(C, C, 9)
    every = log_marginal_of(log_p, logits, torch.arange(C).expand(9, C))
    assert torch.allclose(every.exp().sum(1), torch.ones(9), atol=1e-6)
    assert torch.allclose(log_marginal(log_p, logits.log_softmax(1)[:, 1].T), every[:, 1], atol=1e-6)


def test_the_marginal_stays_finite_where_probabilities_would_vanish():
    log_p = torch.tensor([[0.0, -300.0]])  # the other class is as good as impossible
    logits = torch.tensor([[0.0, -200.0], [-200.0, 0.0]])[:, :, None].requires_grad_()
    found = log_marginal_of(log_p, logits, torch.tensor([[1]]))
    assert found.item() == pytest.approx(-200.0)
    found.sum().backward()
    assert logits.grad.isfinite().all() and logits.grad[0, 1].item() == pytest.approx(1.0)


def slow_loss(of, net, found, weight, partner):
    """annot-mix written as the formula stands, pair by pair, in float64 and without logarithms of sums."""
    of, net = of.double().eval(), net.double().eval()
    x, eye = found.x.double(), torch.eye(M).double()
    total = 0.0
    for i in range(len(weight)):
        lam, j = float(weight[i]), int(partner[i])
        xi = lam * x[found.sample[i]] + (1 - lam) * x[found.sample[j]]
        ai = lam * eye[found.annotator[i]] + (1 - lam) * eye[found.annotator[j]]
        logits, h = net.features(xi[None])
        a = of.logits(h, of.embed_a(ai[None])).softmax(1)[:, :, 0]
        p = logits.softmax(1)[0]
        for share, k in ((lam, found.label[i]), (1 - lam, found.label[j])):
            total -= share * torch.log(sum(p[c] * a[c, k] for c in range(C))).item()
    return total / len(weight)


def test_the_loss_in_log_space_equals_a_slow_loop():
    of, net, found = method("annot-mix").eval(), network().eval(), batch()
    weight, partner = Mixing(1.0).draw(found.sample, np.random.default_rng(5))
    fast = of.loss(net, found, np.random.default_rng(5)).item()
    assert fast == pytest.approx(slow_loss(of, net, found, weight, partner), abs=1e-6)


def test_within_an_image_only_annotators_are_mixed():
    found = batch()
    weight, partner = Mixing(1.0, within=True).draw(found.sample, np.random.default_rng(0))
    assert torch.equal(found.sample[partner], found.sample)
    assert not torch.equal(partner, torch.arange(len(partner)))
    assert torch.equal(partner.sort().values, torch.arange(len(partner)))
    x = found.x[found.sample]
    assert torch.allclose(blend(x, weight, partner), x, atol=1e-6)


def test_mixing_embeddings_is_embedding_mixed_annotators():
    of, lam = method("annot-mix"), torch.rand(M)
    mixed = lam[:, None] * torch.eye(M) + (1 - lam[:, None]) * torch.eye(M).flip(0)
    both = blend(of.embedding(torch.arange(M)), lam, torch.arange(M).flip(0))
    assert torch.allclose(of.embed_a(mixed), both, atol=1e-6)


def test_the_loss_is_that_of_scikit_activeml():
    module = pytest.importorskip("skactiveml.classifier.multiannotator._annot_mix_classifier")
    if not hasattr(module, "AnnotMixClassifier"):
        pytest.skip("scikit-activeml is here without its deep classifiers")
    net, of, found = network().train(), method("annot-mix").train(), batch()
    of.hidden[0] = nn.Identity()
    theirs = module._AnnotMixModule(C, M, Whole, {"net": net}, 128, 128, 128, 1, 0.0, 0.9)
    theirs.annotator_confusion_head[3] = nn.ReLU()  # theirs is a SiLU, AM's a ReLU
    theirs.sample_embed, theirs.annotator_embed = of.embed_x, of.embed_a
    theirs.annotator_confusion_head[1], theirs.annotator_confusion_head[2] = of.hidden[1], of.hidden[2]
    theirs.annotator_confusion_head[4] = of.out
    weight, partner = Mixing(1.0).draw(found.sample, np.random.default_rng(5))
    rows = (found.x[found.sample], torch.eye(M)[found.annotator], torch.eye(C)[found.label])
    x, a, z, *_ = module._mix_up(*rows, lmbda=weight, permute_indices=partner)
    expected = -(z * theirs(x, a)).sum(1).mean()
    assert torch.isclose(of.loss(net, found, np.random.default_rng(5)), expected, atol=1e-6)


class Whole(nn.Module):
    """A class network as scikit-activeml wants it: logits and embedding from one call."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net.features(x)


# madl, crowd-ar


def test_madl_weights_sum_to_the_number_of_annotators_and_favour_the_rare():
    of = method("madl")
    with torch.no_grad():
        of.embed_a.weight.copy_(torch.zeros_like(of.embed_a.weight))
        of.embed_a.weight[:, 0] = 5.0  # annotator 0 is unlike the four others, which are all the same
    w = of.weights()
    assert w.sum().item() == pytest.approx(M, abs=1e-5)
    assert w[0] > 3 * w[1] and torch.allclose(w[1:], w[1].expand(M - 1))


def test_crowd_ar_keeps_its_reading_weights_positive():
    of = method("crowd-ar")
    with torch.no_grad():
        of.read.weight.fill_(-1.0)
    of.after_step()
    assert bool((of.read.weight >= 0).all())


def test_union_net_shares_one_among_all_annotators():
    log_t = method("union-net").log_union()
    assert torch.allclose(log_t.exp().sum((0, 1)), torch.ones(C), atol=1e-5)


# Dawid-Skene

FIXTURE = Path(__file__).parent / "dawid_skene_crowdkit.json"


def test_dawid_skene_is_crowdkits_on_a_fixture():
    stored = json.loads(FIXTURE.read_text())
    found = Annotations(*(np.array(stored[k]) for k in ("image", "annotator", "label")))
    ours = dawid_skene(found, stored["n_images"], stored["n_classes"])
    assert np.abs(ours.posterior - np.array(stored["posterior"])).max() < 1e-6


def test_dawid_skene_is_crowdkits_on_music_genres():
    crowdkit = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")
    import pandas as pd
    from conftest import data_or_skip

    data = data_or_skip("mgc")
    a = data.annotations
    frame = pd.DataFrame({"task": a.image, "worker": a.annotator, "label": a.label})
    theirs = crowdkit.DawidSkene(n_iter=100).fit_predict_proba(frame).sort_index()
    ours = dawid_skene(a, 700, 10).posterior
    assert np.abs(ours - theirs[sorted(theirs.columns)].to_numpy()).max() < 1e-6


def test_dawid_skene_beats_the_vote_and_finds_the_annotators():
    found, truth = judgements(2000, quality=(0.95, 0.9, 0.5, 0.45, 0.4))
    ours = dawid_skene(found, 2000, C)
    votes = np.zeros((2000, C))
    np.add.at(votes, (found.image, found.label), 1)
    seen = votes.sum(1) > 0
    by_vote, by_em = ((v.argmax(1) == truth)[seen].mean() for v in (votes, ours.posterior))
    assert by_em > by_vote + 0.05
    diagonal = ours.confusions.diagonal(axis1=1, axis2=2).mean(1)
    assert np.abs(diagonal - [0.95, 0.9, 0.5, 0.45, 0.4]).max() < 0.05
    assert np.trace(ours.confusions, axis1=1, axis2=2).argmax() == 0


def test_dawid_skene_leaves_unlabelled_images_and_silent_annotators_uniform():
    found = Annotations(np.array([0, 0, 2]), np.array([0, 2, 2]), np.array([1, 1, 0]))
    ours = dawid_skene(found, 4, 2)
    assert isinstance(ours, DawidSkene)
    assert np.allclose(ours.posterior[[1, 3]], 0.5) and np.allclose(ours.confusions[1], 0.5)


# Pairs


def test_pairs_find_the_judgements_of_any_images_in_order():
    found, _ = judgements(30)
    kept = pairs(found, 30, C, 5)
    rows = torch.tensor([7, 3, 29, 0])
    sample, which = kept.of(rows)
    for place, image in enumerate(rows.tolist()):
        mine = sorted(
            zip(found.annotator[found.image == image], found.label[found.image == image], strict=True)
        )
        inside = which[sample == place]
        assert sorted(zip(kept.annotator[inside].tolist(), kept.label[inside].tolist(), strict=True)) == mine


def test_an_image_without_a_judgement_is_not_trained_on():
    found = Annotations(np.array([0, 2]), np.array([0, 0]), np.array([1, 0]))
    assert pairs(found, 3, 2, 1).labelled(np.arange(3)).tolist() == [0, 2]


@pytest.mark.parametrize(("n", "classes", "words"), [(0, 3, "no image has a judgement"), (2, 1, "1 class")])
def test_nothing_to_learn_is_refused(n, classes, words):
    found = Annotations(*(np.zeros(n, np.int64) for _ in range(3)))
    with pytest.raises(ConfigError, match=words):
        pairs(found, 3, classes, 1)


def test_fewer_judgements_are_a_subset_and_shuffling_keeps_who_works_how_much():
    found, _ = judgements(60)
    two = at_most(found, 2, np.random.default_rng(0))
    n = np.bincount(found.image, minlength=60)
    assert np.array_equal(np.bincount(two.image, minlength=60), np.minimum(n, 2))
    whole = set(zip(found.image, found.annotator, found.label, strict=True))
    assert set(zip(two.image, two.annotator, two.label, strict=True)) <= whole
    mixed = shuffled(found, np.random.default_rng(0))
    assert np.array_equal(np.bincount(mixed.annotator), np.bincount(found.annotator))
    assert np.array_equal(mixed.label, found.label)
    assert set(chosen(found, np.array([1, 5])).image) <= {1, 5}


# Description


def test_auroc_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    score, right = rng.integers(5, size=200) / 5, rng.random(200) < 0.4
    assert auroc(score, right) == pytest.approx(metrics.roc_auc_score(right, score))
    assert np.isnan(auroc(score, np.ones(200, bool)))


def test_heterogeneity_tells_people_from_shuffled_ones():
    found, truth = judgements(2000)
    assert heterogeneity(found, truth)["chi2_df"] > 20
    mixed = heterogeneity(shuffled(found, np.random.default_rng(0)), truth)
    assert mixed["chi2_df"] < 4 and mixed["p"] > 1e-3


def test_confusion_error_is_the_mass_that_lies_wrong():
    truth = np.eye(2)[None]
    assert confusion_error(truth, truth) == 0
    assert confusion_error(np.array([[[0.7, 0.3], [0.1, 0.9]]]), truth) == pytest.approx(0.2)


# Speed without a change of meaning


@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_radam_takes_the_steps_of_torch(decay):
    a, b = network(), network()
    ours, theirs = (
        RAdam([(a.parameters(), decay)]),
        torch.optim.RAdam(b.parameters(), 1e-2, weight_decay=decay),
    )
    for step in range(12):  # the rectification starts at the sixth
        found = batch(step)
        for net, optimiser in ((a, ours), (b, theirs)):
            optimiser.zero_grad()
            net(found.x).square().mean().backward()
        ours.step(1e-2)
        theirs.step()
    for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
        assert name in BEFORE_BATCH_NORM or torch.allclose(p, q, atol=1e-5)


def test_half_dropout_drops_half_and_keeps_the_mean():
    drop, x = HalfDropout(), torch.ones(1000, 63)
    torch.manual_seed(0)
    y = drop(x)
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert y.mean().item() == pytest.approx(1.0, abs=0.02)
    assert np.abs(np.corrcoef(y[:, :8].T.numpy()) - np.eye(8)).max() < 0.12
    assert torch.equal(drop.eval()(x), x)


def test_annotmix_needs_no_dense_matrix_of_annotators():
    of = AnnotMix(10_000, C, H)
    assert of.embedding(torch.tensor([3, 9_999])).shape == (2, 128)
