"""Maps and measures of structure: against scikit-learn, at their extremes, and through the store."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.manifold import trustworthiness
from softlabels.analysis import embeddings
from softlabels.analysis.embeddings import Settings
from softlabels.analysis.tsne import exact_gradient
from softlabels.datasets import synthetic
from softlabels.errors import DataUnavailable, RecordError

SMALL = Settings(n_iter=60, early=30, n_jobs=1, perplexity=10)


def features(scene, noise, seed=0):
    """Return a warped copy of the generator's coordinates in 16 dimensions, with noise."""
    rng = np.random.default_rng(seed)
    known = embeddings.coordinates(scene.hue, scene.shape_weight)
    return np.tanh(known @ rng.normal(size=(3, 16)) / 3) + noise * rng.normal(size=(len(known), 16))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTLABELS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / "cache"))


def record(noise=0.05, n=150, seed=0, kept=True, dataset="synthetic"):
    """Return what `embedding` asks of a run record."""
    ids = np.arange(40, 40 + n)
    targets = synthetic.distributions(synthetic.scenes(seed, 40 + n)[ids])
    arrays = {"ids": ids, "log_probs": np.full((n, 6), noise, np.float16), "targets": targets}
    if kept:
        arrays["features"] = features(synthetic.scenes(seed, 40 + n)[ids], noise).astype(np.float16)
    config = SimpleNamespace(dataset=dataset, data_seed=seed)
    return SimpleNamespace(id="0123456789ab", config=config, arrays=lambda: arrays)


def test_without_ties_trustworthiness_is_sklearns():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(200, 3))
    mapped = known[:, :2] + 0.3 * rng.normal(size=(200, 2))
    for k in (1, 5, 30):
        mine, theirs = (
            embeddings.trustworthiness(known, mapped, k),
            trustworthiness(known, mapped, n_neighbors=k),
        )
        assert mine == pytest.approx(theirs)


def test_images_with_the_same_coordinates_do_not_cost_trust():
    known = np.repeat(np.eye(3), 40, axis=0)
    mapped = known[:, :2] + 1e-3 * np.random.default_rng(0).normal(size=(120, 2))
    assert embeddings.trustworthiness(known, mapped, 10) == 1
    assert trustworthiness(known, mapped, n_neighbors=10) < 1  # breaks ties by position


def test_trust_in_noise_is_about_a_half():
    rng = np.random.default_rng(0)
    assert embeddings.trustworthiness(rng.normal(size=(400, 3)), rng.normal(size=(400, 2))) == pytest.approx(
        0.5, abs=0.03
    )


def test_k_must_fit_the_number_of_images():
    with pytest.raises(ValueError, match="between 1 and 4"):
        embeddings.trustworthiness(np.zeros((10, 2)), np.zeros((10, 2)), 5)


def test_hue_is_a_circle_and_shape_is_as_wide_as_a_step_of_colour():
    red, violet, green, ellipse = embeddings.coordinates(
        np.array([0, 0.99, 1 / 3, 0]), np.array([0, 0, 0, 1])
    )
    assert np.linalg.norm(red - violet) < 0.1
    assert np.linalg.norm(red - green) == pytest.approx(np.linalg.norm(red - ellipse))


def test_distance_correlation_is_one_for_a_scaled_copy_and_none_for_noise():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(300, 3))
    assert embeddings.distance_correlation(known, 7 * known[:, ::-1] + 1) == pytest.approx(1, abs=1e-6)
    assert abs(embeddings.distance_correlation(known, rng.normal(size=(300, 9)))) < 0.05


def test_neighbours_tell_what_the_features_hold():
    rng = np.random.default_rng(0)
    x = rng.random((500, 2))
    assert embeddings.neighbour_r2(x, x[:, 0]) > 0.95
    assert embeddings.neighbour_r2(x, rng.random(500)) < 0.05


def test_every_measure_falls_when_the_features_get_noisy():
    scene = synthetic.scenes(0, 400)
    clean, noisy = (
        embeddings.measure(f, f[:, :2], {"hue": scene.hue, "shape_weight": scene.shape_weight})
        for f in (features(scene, 0.01), features(scene, 1.0))
    )
    del clean["trustworthiness_map"]  # two of the columns are no map
    assert all(value > noisy[name] + 0.05 for name, value in clean.items())


def test_a_map_repeats_bit_by_bit():
    x = features(synthetic.scenes(0, 120), 0.1)
    a, b = (embeddings.tsne(x, Settings(n_iter=60, early=30, n_jobs=1, perplexity=10)) for _ in range(2))
    assert a.shape == (120, 2) and a.dtype == np.float32 and np.array_equal(a, b)


def test_a_map_does_not_hang_on_the_number_of_threads():
    x = features(synthetic.scenes(0, 120), 0.1)
    a, b = (embeddings.tsne(x, Settings(n_iter=60, early=30, n_jobs=jobs, perplexity=10)) for jobs in (1, 2))
    assert np.array_equal(a, b)


def joint_and_map(n=90):
    """A symmetric P that sums to 1, with zeros, and a map that is not drawn from it."""
    rng = np.random.default_rng(0)
    p = rng.random((n, n)) * (rng.random((n, n)) < 0.2)
    p = np.triu(p, 1) + np.triu(p, 1).T
    return p / p.sum(), 3 * rng.normal(size=(n, 2))


def divergence(p, y):
    """KL(P ‖ Q) as van der Maaten and Hinton write it (2008, eq. 4)."""
    w = 1 / (1 + np.square(y[:, None] - y).sum(2))
    np.fill_diagonal(w, 0)
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / (w / w.sum())[p > 0])))


def test_the_gradient_is_that_of_the_divergence():
    p, y = joint_and_map()
    kl, gradient = exact_gradient(y, csr_matrix(p), should_eval_error=True)
    assert kl == pytest.approx(divergence(p, y), rel=1e-12)
    for i, way in ((0, 0), (17, 1), (89, 0)):
        step = np.zeros_like(y)
        step[i, way] = 1e-5  # of the central difference's error, 1e-10 is curvature and 1e-11 rounding
        slope = (divergence(p, y + step) - divergence(p, y - step)) / 2e-5
        assert 4 * gradient[i, way] == pytest.approx(slope, abs=1e-8)
    np.testing.assert_allclose(gradient.sum(0), 0, atol=1e-15)


def test_on_the_way_the_gradient_is_the_same_to_the_digits_of_float32():
    p, y = joint_and_map()
    (_, exact), (none, fast) = (
        exact_gradient(y, csr_matrix(p), should_eval_error=asked) for asked in (True, False)
    )
    assert none == 0 and 0 < np.abs(fast - exact).max() < 1e-6 * np.abs(exact).max()


def test_exaggeration_scales_the_attraction_alone():
    p, y = joint_and_map()
    (_, once), (_, twice), (_, never) = (exact_gradient(y, csr_matrix(k * p)) for k in (1, 2, 0))
    np.testing.assert_allclose(twice - once, once - never, atol=1e-15)


def test_the_map_keeps_neighbours():
    scene = synthetic.scenes(0, 300)
    mapped = embeddings.tsne(features(scene, 0.01), Settings(n_iter=400, n_jobs=1))
    assert (
        embeddings.trustworthiness(embeddings.coordinates(scene.hue, scene.shape_weight), mapped, 15) > 0.95
    )


def test_factors_are_those_of_the_test_images():
    data = synthetic.load(image_size=16, n_images=60)
    hue, shape_weight = embeddings.factors(record(n=20))
    assert np.array_equal(hue, data.factors["hue"][40:])
    assert np.array_equal(shape_weight, data.factors["shape_weight"][40:])


def test_a_stored_map_is_read_and_a_new_training_gets_a_new_one(store):
    made = embeddings.get(record(), SMALL)
    read = embeddings.find(record(kept=False), SMALL)
    assert read is not None and np.array_equal(read.points, made.points) and read.measures == made.measures
    assert embeddings.find(record(noise=0.5), SMALL) is None
    assert embeddings.find(record(), Settings(n_iter=61)) is None


def test_published_maps_come_first_and_repeat_byte_by_byte(store):
    path = embeddings.publish(record(), SMALL)
    before = path.read_bytes()
    assert "results" in path.parts
    assert embeddings.publish(record(), SMALL, fresh=True).read_bytes() == before


def test_a_map_of_an_approximate_gradient_does_until_it_is_renewed(store):
    earlier = replace(SMALL, gradient="auto")
    old = embeddings.get(record(), earlier)
    assert np.array_equal(embeddings.find(record(kept=False), SMALL).points, old.points)
    embeddings.publish(record(), SMALL)
    new = embeddings.find(record(kept=False), SMALL)
    assert not np.array_equal(new.points, old.points)
    assert np.array_equal(embeddings.find(record(kept=False), earlier).points, old.points)
    assert Settings(gradient="auto").id == "ed032e40"  # in the names of the committed maps


def test_without_map_and_features_the_remedy_is_named(store):
    with pytest.raises(DataUnavailable, match="fresh=True"):
        embeddings.get(record(kept=False), SMALL)


def test_only_generated_images_have_coordinates(store):
    with pytest.raises(DataUnavailable, match="cifar10h has no generator"):
        embeddings.factors(record(dataset="cifar10h"))


def test_other_images_are_measured_against_their_labels(store):
    made = embeddings.get(record(dataset="ferplus"), SMALL)
    assert set(made.known) == {"q"} and made.known["q"].shape == (150, 6)
    assert {"label_r2", "entropy_r2"} < set(made.measures) and "hue_r2" not in made.measures
    read = embeddings.find(record(dataset="ferplus"), SMALL)
    assert read is not None and np.array_equal(read.known["q"], made.known["q"])
    taken = {f"structure.{name}": [made.measures.get(name)] for name in embeddings.MEASURES}
    assert embeddings.measured(pd.DataFrame({"embedding": [made], **taken}).fillna(np.nan)) == {
        name: title for name, title in embeddings.MEASURES.items() if name in made.measures
    }


def test_features_that_are_the_labels_are_perfectly_regular_and_noise_is_not():
    q = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    noise = np.random.default_rng(1).normal(size=q.shape)
    best, worst = (embeddings.measure(f, f[:, :2], {"q": q}) for f in (np.sqrt(q), noise))
    assert best["trustworthiness_features"] == 1 and best["distance_correlation"] == pytest.approx(1)
    assert best["label_r2"] > 0.95 and best["entropy_r2"] > 0.9
    assert worst["label_r2"] < 0.05 and worst["trustworthiness_features"] < 0.6


def test_a_damaged_map_is_named(store):
    path = embeddings.publish(record(), SMALL)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordError, match=path.name):
        embeddings.get(record(), SMALL)
