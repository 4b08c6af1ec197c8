"""Other libraries' aggregators, through the bridge and called directly."""

import numpy as np
import pytest
from softlabels.datasets import Annotations
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.labels import votes as labels
from softlabels.learning.annotators import aggregation

C = 3


def judgements(n=40, seed=0, quality=(0.9, 0.8, 0.7, 0.6, 0.35)):
    """People of known quality who each judge three images of four; nobody judges the last ten."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % C
    image, annotator = np.nonzero(rng.random((n - 10, len(quality))) < 0.75)
    right = rng.random(len(image)) < np.array(quality)[annotator]
    other = (truth[image] + rng.integers(1, C, len(image))) % C
    return Annotations(image, annotator, np.where(right, truth[image], other)), truth


@pytest.mark.parametrize("name", ["GLAD", "MACE"])
def test_posteriors_are_those_of_crowdkit(name):
    crowdkit, pandas = pytest.importorskip("crowdkit.aggregation"), pytest.importorskip("pandas")
    found, _ = judgements()
    few: dict = {"GLAD": {"n_iter": 1, "m_step_max_iter": 2}, "MACE": {"n_restarts": 1, "n_iter": 10}}[name]
    ours = aggregation.crowdkit(name, found, 40, C, **few)
    # Strings in another order than the numbers: what belongs to which image and class is told by name.
    task, label = (
        np.char.add(prefix, v.astype(str)) for prefix, v in (("t", found.image), ("c", found.label))
    )
    frame = pandas.DataFrame({"task": task, "worker": found.annotator, "label": label})
    theirs = getattr(crowdkit, name)(**few).fit_predict_proba(frame)
    judged = np.unique(found.image)
    rows = theirs.loc[[f"t{i}" for i in judged], [f"c{k}" for k in range(C)]].to_numpy()
    assert np.allclose(ours[judged], rows, atol=1e-3 if name == "GLAD" else 0.05)
    assert np.array_equal(ours[judged].argmax(1), rows.argmax(1)) or name == "MACE"
    assert np.allclose(ours.sum(1), 1) and np.allclose(np.delete(ours, judged, 0), 1 / C)


def test_a_class_that_nobody_named_has_no_probability():
    pytest.importorskip("crowdkit")
    found, _ = judgements()
    assert not aggregation.crowdkit("MACE", found, 40, C + 1, n_restarts=1, n_iter=2)[found.image, C].any()


def test_consensus_is_that_of_cleanlab_and_the_classifiers_where_nobody_judged():
    library = pytest.importorskip("cleanlab.multiannotator")
    found, truth = judgements()
    p = np.random.default_rng(2).dirichlet(np.ones(C), len(truth)) / 2 + np.eye(C)[truth] / 2
    label, quality = aggregation.crowdlab(found, p)
    table = np.full((30, 5), np.nan)
    table[found.image, found.annotator] = found.label
    table = table[(judged := np.unique(found.image))]
    theirs = library.get_label_quality_multiannotator(table, p[judged], verbose=False)["label_quality"]
    assert np.array_equal(label[judged], theirs["consensus_label"])
    assert np.allclose(quality[judged], theirs["consensus_quality_score"])
    assert np.array_equal(label[30:], p[30:].argmax(1)) and quality.min() >= 0 and quality.max() <= 1


def test_the_classifier_has_not_seen_what_it_judges():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    noise, votes = rng.normal(size=(300, 40)), np.eye(C)[rng.integers(C, size=300)]
    guessed = aggregation.out_of_sample(noise, votes).argmax(1) == votes.argmax(1)
    assert guessed.mean() < 0.45  # memory would give far more
    with pytest.raises(ConfigError, match="folds"):
        aggregation.out_of_sample(noise, np.eye(C)[np.zeros(300, int)])


def test_without_the_extra_its_name_is_said_and_other_ways_remain(monkeypatch):
    def absent(module):
        raise ImportError(module)

    monkeypatch.setattr(aggregation, "import_module", absent)
    with pytest.raises(DataUnavailable, match=r"softlabels\[crowds\]"):
        aggregation.extra("crowdkit.aggregation", "crowd-kit")


def test_shares_are_of_judged_images(monkeypatch):
    found, truth = judgements()
    monkeypatch.setattr(aggregation, "extra", _nothing)
    monkeypatch.setattr(aggregation, "out_of_sample", lambda x, votes: np.eye(C)[truth])
    shares = aggregation.accuracies(found, np.eye(C)[truth], truth, C)
    hard = labels.hard_labels(labels.counts(found.image, found.label, 40, C), np.random.default_rng(0))[0]
    judged = np.unique(found.image)
    assert set(shares) == {"majority", "Dawid-Skene"}
    assert shares["majority"] == pytest.approx((hard == truth)[judged].mean())


def _nothing(module, package):
    raise DataUnavailable(package)
