"""Two panels for the same image, that differ by chance alone or not: made up, and those of FER+."""

from dataclasses import asdict

import numpy as np
import pytest
from conftest import executed
from softlabels.chapters import descriptions
from softlabels.chapters import noise_ceiling as chapter
from softlabels.errors import DataUnavailable, RecordError


def panels(seed):
    """Ten annotations each for the same 3,000 images, whose eight classes are more or less rare."""
    p = np.random.default_rng(0).dirichlet(2.0 ** -np.arange(8), 3000)
    return np.random.default_rng(seed).multinomial(10, p)


def test_parts_of_one_panel_are_what_twins_are_expected_to_be():
    a, b, rng = panels(1), panels(2), np.random.default_rng(0)
    same = chapter.compare(a, b, rng)
    assert same.divergence == pytest.approx(same.expected_divergence, rel=0.03)
    assert same.agreement == pytest.approx(same.expected_agreement, abs=0.03)
    other = chapter.compare(a, np.roll(b, 1, axis=1), rng)
    assert other.divergence > 2 * other.expected_divergence and other.agreement < 0.5


def test_the_two_panels_of_an_image_of_ferplus_differ_by_chance_alone(store):
    try:
        a, b = chapter.pairs()
    except DataUnavailable as error:
        pytest.skip(f"FER+ is not in SOFTLABELS_DATA: {error}")
    found = chapter.compare(a, b, np.random.default_rng(0))
    assert found.n_pairs == 1484
    assert found.divergence == pytest.approx(found.expected_divergence, rel=0.1)
    assert found.agreement == pytest.approx(found.expected_agreement, abs=0.03)
    [said] = executed("13_noise_ceiling", "twins :=")["says"]
    assert "not here" in said


def test_a_committed_comparison_is_read_and_said(store):
    made = chapter.Twins(1484, 0.11111, 0.22222, 0.789, 0.8125)
    descriptions.write(chapter.SHELF, f"{chapter.TWINS}.json", asdict(made))
    assert chapter.twins() == made
    [said] = executed("13_noise_ceiling", "twins :=")["says"]
    assert "In 1,484 pairs of panels" in said and "0.1111 nats" in said and "78.9 % of the pairs" in said


def test_a_damaged_comparison_is_named(store):
    path = store / "results" / "ceilings" / "ferplus-twins.json"
    path.parent.mkdir()
    path.write_text("{}")
    with pytest.raises(RecordError, match=r"python -m softlabels\.chapters\.noise_ceiling` renews"):
        chapter.twins()
