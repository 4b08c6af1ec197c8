"""The grids: arms differ in nothing but their labels, and the tuned rates are what the records say."""

import pytest
from softlabels import experiments, recipes, records
from softlabels.errors import ConfigError

CHAPTERS_AND_PROFILES = [(c, p) for c in experiments.CHAPTERS for p in experiments.PROFILES]


@pytest.mark.parametrize(("chapter", "profile"), CHAPTERS_AND_PROFILES)
def test_arms_differ_in_nothing_but_label_and_tuned_rate(chapter, profile):
    cells = experiments.grid(chapter, profile, [0, 1])
    hard = [c.config for c in cells if c.arm == "hard"]
    soft = [c.config for c in cells if c.arm == "soft"]
    assert len(hard) == len(soft) == len(cells) / 2
    for a, b in zip(hard, soft, strict=True):
        assert (a.label, b.label) == ("hard", "soft")
        assert a.replace(label="soft", lr=b.lr) == b
        assert a.seed == b.seed


@pytest.mark.parametrize(("chapter", "profile"), CHAPTERS_AND_PROFILES)
def test_every_run_of_a_grid_is_another_run(chapter, profile):
    ids = [c.config.id for c in experiments.grid(chapter, profile)]
    assert len(ids) == len(set(ids))


def test_figure1_and_the_chosen_tuning_runs_are_runs_of_table1():
    table = {c.config.id for c in experiments.grid("table1", "laptop")}
    assert {c.config.id for c in experiments.grid("figure1", "laptop")} <= table
    chosen = [
        c
        for c in experiments.grid("tuning", "laptop")
        if c.config.lr == experiments.TUNED_RATES[c.dataset, c.network, c.arm]
    ]
    assert len(chosen) == len(experiments.TUNED_RATES)
    assert {c.config.id for c in chosen} <= table


@pytest.mark.parametrize("key", experiments.TUNED_RATES, ids="-".join)
def test_the_tuned_rate_has_the_least_validation_loss_of_the_committed_records(key):
    losses = {}
    for cell in experiments.grid("tuning", "laptop"):
        if (cell.dataset, cell.network, cell.arm) == key:
            path = records.published_folder() / f"{cell.config.id}.json"
            assert path.exists(), f"no committed record of rate {cell.config.lr} for {key}"
            losses[cell.config.lr] = records.read(path).metrics["validation"]["loss"]
    assert set(losses) == set(experiments.TUNING_RATES)
    assert experiments.TUNED_RATES[key] == min(losses, key=losses.__getitem__)


def test_costly_networks_get_fewer_seeds():
    seeds = {c.seed for c in experiments.grid("table1", "laptop") if c.network == "densenet121"}
    assert seeds == {0}


def test_a_profile_is_found_from_a_run_of_any_seed():
    [cell] = [c for c in experiments.grid("figure1", "laptop", [17]) if c.arm == "soft"]
    assert experiments.profile_of(cell.config) == "laptop"
    assert experiments.profile_of(cell.config.replace(epochs=11)) == "custom"


@pytest.mark.parametrize(
    ("call", "nearest"),
    [
        (lambda: experiments.grid("tabel1"), "table1"),
        (lambda: experiments.grid("table1", "labtop"), "laptop"),
        (lambda: recipes.settings("statd", "synthetic", "resnet9", "hard"), "stated"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(call, nearest):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'"):
        call()
