"""The stand-in: its proportions, its annotators, the same bytes every time, and the common reader."""

import numpy as np
import pytest
from softlabels import datasets
from softlabels.datasets import standin
from softlabels.errors import ConfigError
from softlabels.labels import votes
from softlabels.learning import inputs
from softlabels.learning.config import RunConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTLABELS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield datasets.load("micebone-standin", n_images=600)


def test_classes_are_in_the_proportions_of_the_name(data):
    shares = np.bincount(votes.soft_labels(data.counts).argmax(1), minlength=3) / len(data)
    assert data.classes == ("g", "nr", "ug")
    assert shares == pytest.approx([0.15, 0.70, 0.15], abs=0.05)


def test_about_fifteen_annotators_disagree_on_many_images(data):
    per_image = data.counts.sum(1)
    assert per_image.mean() == pytest.approx(15, abs=0.5) and per_image.min() >= 5
    assert len(set(data.annotations.annotator)) == standin.N_ANNOTATORS
    top = votes.soft_labels(data.counts).max(1)
    assert 0.05 < (top == 1).mean() < 0.4 and (top < 0.7).mean() > 0.1


def test_votes_follow_the_mixture(data):
    mix = standin.mixtures(0, len(data))
    soft = votes.soft_labels(data.counts)
    assert np.corrcoef(mix.ravel(), soft.ravel())[0, 1] > 0.9


def test_the_first_images_of_a_larger_set_are_the_smaller_set(data, store):
    few = datasets.load("micebone-standin", n_images=60)
    assert np.array_equal(few.images, data.images[:60])
    assert np.array_equal(few.counts, data.counts[:60])


def test_the_seed_changes_everything(data, store):
    other = datasets.load("micebone-standin", n_images=60, seed=1)
    assert not np.array_equal(other.images, data.images[:60])
    assert not np.array_equal(other.counts, data.counts[:60])


def test_images_are_grey_and_as_they_were_drawn(data):
    drawn = standin.textures(standin.mixtures(0, 100)[64:100], 0, 64)
    assert np.array_equal(data.images[64:100], np.repeat(drawn[..., None], 3, 3))


def test_confusions_are_distributions():
    matrices = standin.confusions(3)
    assert np.allclose(matrices.sum(2), 1) and (matrices >= 0).all()


def test_a_task_takes_seed_size_and_number(store):
    config = RunConfig(dataset="micebone-standin", image_size=32, limit=60, data_seed=2)
    task = inputs.prepare(config)
    assert task.images.shape == (60, 32, 32, 3)
    assert "seed 2, 60 images, 32 px" in task.dataset.source.variant


@pytest.mark.parametrize("option", [{"n_images": 5}, {"seed": -1}, {"n_images": "60"}])
def test_impossible_options(store, option):
    with pytest.raises(ConfigError):
        datasets.load("micebone-standin", **option)
