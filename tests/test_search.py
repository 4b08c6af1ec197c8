"""The search grid, the grid of Figure 2, and training limited to one dataset."""

from argparse import Namespace

import pytest
from softlabels import cli
from softlabels.errors import ConfigError
from softlabels.runs import grids, profiles


def options(**changes):
    chosen = {"chapter": "table1", "profile": "paper", "seeds": [0], "only": None, "method": None}
    return Namespace(**chosen | changes)


def test_training_can_be_limited_to_a_dataset():
    chosen = cli._cells(options(dataset="micebone"))
    assert {c.dataset for c in chosen} == {"micebone"} and {c.arm for c in chosen} == {"hard", "soft"}
    assert len(cli._cells(options(dataset=None))) > len(chosen)
    with pytest.raises(ConfigError, match="did you mean 'micebone'"):
        cli._cells(options(dataset="micebones"))


def test_the_search_has_both_stated_optimisers_and_one_between():
    cells = grids.grid("hyperparameters", "laptop")
    settings = {(c.config.lr, c.config.schedule, c.config.weight_decay, c.config.augmentation) for c in cells}
    assert len(settings) == 24 and len(cells) == 48 and {c.seed for c in cells} == {0}
    for dataset in ("synthetic", "micebone"):
        stated = profiles.of_recipe("stated", dataset, "densenet121", "soft")
        assert any((s, d) == (stated["schedule"], stated["weight_decay"]) for _, s, d, _ in settings)


def test_figure2_shows_runs_of_table1():
    for profile in grids.PROFILES:
        table = {c.config.id for c in grids.grid("table1", profile)}
        assert {c.config.id for c in grids.grid("figure2", profile)} <= table


def test_a_recipe_that_says_nothing_of_a_dataset_says_so():
    with pytest.raises(ConfigError, match="not defined for ferplus"):
        profiles.of_recipe("public-code", "ferplus", "resnet9", "soft")
