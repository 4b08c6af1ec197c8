"""Rows of images in chapter 20: only their methods, and what a pairing is worth, over common seeds."""

from types import SimpleNamespace

import pytest
from conftest import executed
from softlabels.analysis.annotators import named
from softlabels.analysis.table import tabulate
from softlabels.learning.config import RunConfig
from softlabels.runs import profiles
from softlabels.runs.grids import Cell

PAIRED, SHUFFLED = "cifar10n", "cifar10n, shuffled workers"


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
    (PAIRED, "trace-reg"): [(0.6, 1.0), (0.64, 1.2), (0.9, 9.0)],
    (SHUFFLED, "trace-reg"): [(0.5, 1.5), (0.54, 1.7)],
}


@pytest.fixture
def made():
    return runs(MADE)


def shown(text, small):
    """The tables and words of the cell of chapter 20 that holds this text."""
    found = executed("20_annot_mix_people", text, small=small)
    return [frame.set_index("method") for frame in found["shows"]], found["says"]


def test_a_row_lists_the_methods_that_it_compares(made):
    [frame], _ = shown("crowd_methods", made)  # of labelme-64px nothing is here
    assert list(frame.index) == [named(m) for m in profiles.crowd_methods("laptop", PAIRED)]
    line = frame.loc["trace-reg"]
    assert line["n"] == "3"
    assert (line["last epoch, ours"], line["log loss, last epoch"]) == ("71.3 ± 16.3", "3.733 ± 4.562")


def test_a_pairing_is_compared_over_common_seeds(made):
    [frame], _ = shown("WORKER_METHODS", made)
    line = frame.loc["trace-reg"]
    assert line["n"] == "2"
    assert (line["published pairing"], line["workers shuffled"]) == ("62.0 ± 2.8", "52.0 ± 2.8")
    assert line["accuracy, published − shuffled"] == "**+10.0 [10.0, 10.0]**"
    assert line["log loss, published − shuffled"] == "**−0.500 [−0.500, −0.500]**"


def test_the_sentence_counts_methods_whose_interval_excludes_zero(made):
    assert shown("WORKER_METHODS", made[:0])[1] == []
    more = {
        (PAIRED, "ds-mixup"): [(0.50, 1.0), (0.52, 1.0)],
        (SHUFFLED, "ds-mixup"): [(0.51, 1.0), (0.50, 1.0)],
    }
    [found] = shown("WORKER_METHODS", runs(MADE | more))[1]
    assert "zero for 1 of 2 methods" in found and "further than 19.6 points" in found


def test_only_rows_of_images_are_looked_up():
    known = {"profile": "paper", "seeds": [0], "train": False, "device": None, "fresh": False}
    assert set(executed("20_annot_mix_people", "small = gather(", **known)["small"].dataset) == set(
        profiles.CROWD_IMAGES["laptop"]
    )
