"""Rows of images in chapter 11: only their methods, and what a pairing is worth, over common seeds."""

import pytest
from softlabels.analysis.results import Results
from softlabels.chapters.annot_mix import images
from softlabels.runs import experiments_annotators


class _Record:
    def __init__(self, accuracy, loss):
        self.metrics = {part: {"accuracy": accuracy, "cross_entropy": loss} for part in ("last", "best")}


@pytest.fixture
def made():
    pairing = {"trace-reg": {0: _Record(0.6, 1.0), 1: _Record(0.64, 1.2), 2: _Record(0.9, 9.0)}}
    shuffled = {"trace-reg": {0: _Record(0.5, 1.5), 1: _Record(0.54, 1.7)}}
    return Results({images.PAIRED: pairing, images.SHUFFLED: shuffled}, ())


def test_a_row_lists_the_methods_that_it_compares(made):
    for row in images.ROWS:
        frame = images.on_images(made, row)
        assert list(frame["method"]) == list(experiments_annotators.methods(images.PROFILE, row))
    line = images.on_images(made, images.SHUFFLED).set_index("method").loc["trace-reg"]
    assert (line["n"], line["last epoch, ours"], line["log loss, last epoch"]) == (
        "2",
        "52.0 ± 2.8",
        "1.600 ± 0.141",
    )


def test_a_pairing_is_compared_over_common_seeds(made):
    line = images.workers(made).set_index("method").loc["trace-reg"]
    assert line["n"] == "2"
    assert (line["published pairing"], line["workers shuffled"]) == ("62.0 ± 2.8", "52.0 ± 2.8")
    assert line["accuracy, difference"] == "**+10.0 [10.0, 10.0]**"
    assert line["log loss, difference"] == "**−0.500 [−0.500, −0.500]**"


def test_the_sentence_counts_methods_whose_interval_excludes_zero(made):
    assert images.workers_sentence(Results({}, ())) == ""
    made.runs[images.PAIRED]["ds-mixup"] = {0: _Record(0.50, 1.0), 1: _Record(0.52, 1.0)}
    made.runs[images.SHUFFLED]["ds-mixup"] = {0: _Record(0.51, 1.0), 1: _Record(0.50, 1.0)}
    found = images.workers_sentence(made)
    assert "zero for 1 of 2 methods" in found and "further than 19.6 points" in found


def test_only_rows_of_images_are_looked_up():
    found = images.trained([0])
    assert set(found.runs) | {cell.dataset for cell in found.missing} == set(images.ROWS)
