"""Rows of images in chapter 20: only their methods, and what a pairing is worth, over common seeds."""

from types import SimpleNamespace

import pytest
from softlabels.analysis.annotators import named
from softlabels.analysis.table import tabulate
from softlabels.chapters import annot_mix_people
from softlabels.learning.config import RunConfig
from softlabels.runs import profiles
from softlabels.runs.grids import Cell


def runs(values):
    """A table of runs: `values[row, method]` holds accuracy and log loss for each seed."""
    found = []
    for (row, method), listed in values.items():
        for seed, (accuracy, loss) in enumerate(listed):
            config = RunConfig(dataset="cifar10n-jpeg", seed=seed)
            scores = {part: {"accuracy": accuracy, "cross_entropy": loss} for part in ("last", "best")}
            record = SimpleNamespace(config=config, metrics=scores, data={})
            found.append(("annot_mix", Cell(row, "resnet9", "published", method, seed, config), record))
    return tabulate(found, "laptop")


MADE = {
    (annot_mix_people.PAIRED, "trace-reg"): [(0.6, 1.0), (0.64, 1.2), (0.9, 9.0)],
    (annot_mix_people.SHUFFLED, "trace-reg"): [(0.5, 1.5), (0.54, 1.7)],
}


@pytest.fixture
def made():
    return runs(MADE)


def test_a_row_lists_the_methods_that_it_compares(made):
    for row in annot_mix_people.IMAGES:
        frame = annot_mix_people.on_images(made, row)
        assert list(frame["method"]) == [named(m) for m in profiles.crowd_methods("laptop", row)]
    line = annot_mix_people.on_images(made, annot_mix_people.SHUFFLED).set_index("method").loc["trace-reg"]
    assert (line["n"], line["last epoch, ours"], line["log loss, last epoch"]) == (
        "2",
        "52.0 ± 2.8",
        "1.600 ± 0.141",
    )


def test_a_pairing_is_compared_over_common_seeds(made):
    line = annot_mix_people.workers(made).set_index("method").loc["trace-reg"]
    assert line["n"] == "2"
    assert (line["published pairing"], line["workers shuffled"]) == ("62.0 ± 2.8", "52.0 ± 2.8")
    assert line["accuracy, published − shuffled"] == "**+10.0 [10.0, 10.0]**"
    assert line["log loss, published − shuffled"] == "**−0.500 [−0.500, −0.500]**"


def test_the_sentence_counts_methods_whose_interval_excludes_zero(made):
    assert annot_mix_people.workers_sentence(made[:0]) == ""
    more = {
        (annot_mix_people.PAIRED, "ds-mixup"): [(0.50, 1.0), (0.52, 1.0)],
        (annot_mix_people.SHUFFLED, "ds-mixup"): [(0.51, 1.0), (0.50, 1.0)],
    }
    found = annot_mix_people.workers_sentence(runs(MADE | more))
    assert "zero for 1 of 2 methods" in found and "further than 19.6 points" in found


def test_only_rows_of_images_are_looked_up():
    assert set(annot_mix_people.small_images([0]).dataset) == set(annot_mix_people.IMAGES)
