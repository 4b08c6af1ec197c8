"""The grids: arms differ in nothing but their labels, and the tuned rates are what the records say."""

from statistics import fmean

import pytest
from softlabels.chapters import human_uncertainty
from softlabels.errors import ConfigError
from softlabels.learning.config import PUBLIC, RunConfig
from softlabels.runs import (
    grids,
    profiles,
    records,
)

CHAPTERS_AND_PROFILES = [(c, p) for c in grids.CHAPTERS for p in grids.PROFILES]


# These have tests of their own.
TEXTS = ("text", "text-features", "text-budget")
HUMANS = ("human", "human-rates", "human-scratch", "pretraining", "budget", "budget-total")
MANY_ARMS = {*HUMANS, *TEXTS, "networks", "text-rates", "annot_mix", "annot_mix_ablations"}


@pytest.mark.parametrize("profile", grids.PROFILES)
def test_methods_differ_in_nothing_but_their_name(profile):
    first = {}
    for cell in grids.grid("annot_mix", profile, [0, 1]):
        assert (cell.config.method, cell.config.seed) == (cell.arm, cell.seed)
        row = first.setdefault((cell.dataset, cell.seed), cell.config)
        assert cell.config.replace(method=row.method) == row


@pytest.mark.parametrize("profile", grids.PROFILES)
def test_an_ablation_changes_one_thing_of_the_row_it_is_made_on(profile):
    row = profiles.FIRST[profile]
    table = {(c.arm, c.seed): c.config for c in grids.grid("annot_mix", profile, [0]) if c.dataset == row}
    for cell in grids.grid("annot_mix_ablations", profile, [0]):
        if cell.dataset.startswith(f"{profiles.UNMIXED}, "):
            continue  # made on other rows
        if cell.arm in PUBLIC and cell.dataset != cell.arm:
            continue  # so are these
        base, config = table[PUBLIC.get(cell.arm, (cell.arm,))[0], cell.seed].to_dict(), cell.config.to_dict()
        assert sum(base[name] != config[name] for name in base) == 1


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_every_row_of_vectors_is_there_without_mixup(profile):
    table = {(c.dataset, c.seed): c.config for c in grids.grid("annot_mix", profile) if c.arm == "annot-mix"}
    first, name = profiles.FIRST[profile], profiles.UNMIXED
    found = {
        (c.dataset.removeprefix(f"{name}, ").replace(name, first), c.seed): c.config
        for c in grids.grid("annot_mix_ablations", profile)
        if c.dataset == name or c.dataset.startswith(f"{name}, ")
    }
    assert {row for row, _ in found} == set(profiles.CROWD_SETTINGS)
    assert all(config == table[place].replace(mix_alpha=0.0) for place, config in found.items())


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_methods_run_as_in_the_public_code_where_the_paper_printed_numbers(profile):
    table = {(c.dataset, c.arm, c.seed): c.config for c in grids.grid("annot_mix", profile, [3])}
    rows = profiles.printed_rows(profile)
    assert rows == ["mgc", "labelme", "letter"]
    found = {c.dataset: c for c in grids.grid("annot_mix_ablations", profile, [3]) if c.arm in PUBLIC}
    for row in rows:
        for name, (method, _) in PUBLIC.items():
            cell = found.pop(profiles.as_in_public(profile, row, name))
            assert cell.config == table[row, method, 3].replace(method=name)
    assert not found


def test_on_shuffled_workers_only_methods_that_know_them_are_compared():
    rows = profiles.CROWD_IMAGES["paper"]
    found = {row: set(profiles.crowd_methods("paper", row)) for row in rows}
    assert found["cifar10n, shuffled workers"] == found["cifar10n"] - {"mv-base", "mv-mixup", "true-base"}


@pytest.mark.parametrize(
    ("chapter", "profile"), [(c, p) for c, p in CHAPTERS_AND_PROFILES if c not in MANY_ARMS]
)
def test_arms_differ_in_nothing_but_label_and_tuned_rate(chapter, profile):
    # Of one annotation the majority is the distribution: there is one arm.
    cells = [c for c in grids.grid(chapter, profile, [0, 1]) if c.config.annotations != 1]
    hard = [c.config for c in cells if c.arm == "hard"]
    soft = [c.config for c in cells if c.arm == "soft"]
    assert len(hard) == len(soft) == len(cells) / 2
    for a, b in zip(hard, soft, strict=True):
        assert (a.label, b.label) == ("hard", "soft")
        assert a.replace(label="soft", lr=b.lr) == b
        assert a.seed == b.seed


@pytest.mark.parametrize("profile", grids.PROFILES)
@pytest.mark.parametrize("chapter", ["human", "human-rates", "human-scratch", "budget"])
def test_arms_of_human_uncertainty_differ_in_nothing_but_what_they_learn_from(chapter, profile):
    learnt_from = {"label": "soft", "temperature": 1.0, "mixup": 0.0, "annotations": 0}
    groups = {}
    for cell in grids.grid(chapter, profile, [0, 1]):
        place = (cell.network, cell.config.lr, cell.seed, cell.config.fold)
        groups.setdefault(place, {})[cell.arm] = cell.config
    kinds = {frozenset(arms) for arms in groups.values()}
    if chapter == "human-scratch":  # the controls on fewer folds
        assert all({"truth", "soft"} <= kind for kind in kinds)
    else:
        assert len(kinds) == 1, "every pair has every arm"
    for arms in groups.values():
        assert len({config.replace(**learnt_from) for config in arms.values()}) == 1


@pytest.mark.parametrize("profile", grids.PROFILES)
@pytest.mark.parametrize("chapter", TEXTS)
def test_arms_on_texts_differ_in_nothing_but_what_they_learn_from(chapter, profile):
    learnt_from = {"label": "soft", "smoothing": 0.0, "annotations": 0}
    groups = {}
    for cell in grids.grid(chapter, profile, [0, 1]):
        groups.setdefault((cell.dataset, cell.network, cell.seed), {})[cell.arm] = cell.config
    assert len({frozenset(arms) for arms in groups.values()}) == 1, "every split has every arm"
    for arms in groups.values():
        assert len({config.replace(**learnt_from) for config in arms.values()}) == 1


@pytest.mark.parametrize("kind", profiles.TEXT_CHOSEN)
def test_the_rate_for_texts_has_the_least_validation_loss_of_the_committed_records(kind):
    losses = {}
    for cell in grids.grid("text-rates", "laptop", [0]):
        if grids.kind_of_features(cell.dataset) == kind:
            path = records.SHELF.committed / f"{cell.config.id}.json"
            assert path.exists(), f"no committed record of {cell.config.lr} for {cell.dataset}"
            rate = cell.config.lr, cell.config.weight_decay
            losses[rate] = losses.get(rate, 0) + records.read(path).metrics["validation"]["loss"]
    assert set(losses) == set(profiles.TEXT_RATES)
    assert profiles.TEXT_CHOSEN[kind] == min(losses, key=losses.__getitem__)


@pytest.mark.parametrize("profile", grids.PROFILES)
def test_fixed_totals_have_equal_annotations_and_steps(profile):
    numbers = profiles.chosen(profiles.HUMAN, profile)
    whole = (numbers.limit or 9500) * 8 // 10
    for cell in grids.grid("budget-total", profile, [0]):
        images, each = (int(n) for n in cell.arm.split(" × "))
        assert images * each in {total for total, _ in numbers.totals}
        assert cell.config.train_images == (images if images < whole else 0)
        steps = [
            epochs * max(1, size // numbers.batch_size)
            for epochs, size in ((cell.config.epochs, images), (numbers.epochs, whole))
        ]
        assert steps[0] == pytest.approx(steps[1], rel=0.2 if profile == "smoke" else 0.02)


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_all_ten_folds_are_tested_and_start_from_the_three_pretrained_networks_in_turn(profile):
    cells = grids.grid("human", profile)
    assert {(c.seed, c.config.fold) for c in cells} == {(0, fold) for fold in range(10)}
    first = profiles.chosen(profiles.HUMAN, profile).networks[0]
    bases = [c.config.id for c in grids.grid("pretraining", profile) if c.network == first]
    assert len(bases) == 3
    for cell in cells:
        if cell.network == first:
            assert cell.config.start == bases[cell.config.fold % 3]
            assert grids.base_of(cell.config).id == cell.config.start


def test_what_longer_pretraining_would_add_is_told_and_nothing_starts_from_it():
    more = [c.config for c in grids.continued("laptop")]
    assert [c.start for c in more] == [c.config.id for c in grids.grid("pretraining", "laptop")]
    every = {c.config.start for name in HUMANS for c in grids.grid(name, "laptop", [0, 1, 2])}
    assert not every & {c.id for c in more}
    told = human_uncertainty.starting("laptop", [0])
    accuracies = [records.find(c).metrics["truth"]["macro_accuracy"] for c in more]
    words = f"Trained on for {more[0].epochs} epochs, these networks reach {fmean(accuracies):.3f} ±"
    assert words in told
    assert "Trained on" not in human_uncertainty.starting("smoke", [0])


def test_every_fine_tuned_arm_is_on_ten_folds_and_few_annotations_on_five():
    folds = {}
    for name in ("human", "budget", "budget-total"):
        for cell in grids.grid(name, "laptop", [0]):
            folds.setdefault((name, cell.arm), set()).add(cell.config.fold)
    assert len(folds) == len(profiles.HUMAN_ARMS) + 3 + 6 + 4
    assert {key for key, found in folds.items() if found == set(range(10))} == {
        key for key in folds if key[0] == "human"
    }
    assert {frozenset(found) for (name, _), found in folds.items() if name != "human"} == {
        frozenset(range(0, 10, 2))
    }


def test_controls_from_random_weights_are_run_on_half_of_the_folds():
    cells = grids.grid("human-scratch", "laptop", [3])
    folds = {
        arm: {c.config.fold for c in cells if c.arm == arm}
        for arm in ("truth", "soft", "smoothed", "permuted")
    }
    assert folds["truth"] == folds["soft"] == set(range(10))
    assert folds["smoothed"] == folds["permuted"] == {3, 4, 5, 6, 7}
    assert {c.config.start for c in cells} == {"scratch"}


def test_a_start_that_no_profile_names_has_no_base():
    assert grids.base_of(RunConfig(start="0123456789ab")) is None


@pytest.mark.parametrize(("chapter", "profile"), CHAPTERS_AND_PROFILES)
def test_every_run_of_a_grid_is_another_run(chapter, profile):
    ids = [c.config.id for c in grids.grid(chapter, profile)]
    assert len(ids) == len(set(ids))


def test_figure1_and_the_chosen_tuning_runs_are_runs_of_table1():
    table = {c.config.id for c in grids.grid("table1", "laptop")}
    assert {c.config.id for c in grids.grid("figure1", "laptop")} <= table
    chosen = [
        c
        for c in grids.grid("tuning", "laptop")
        if c.config.lr == profiles.TUNED_RATES[c.dataset, c.network, c.arm]
    ]
    assert len(chosen) == len(profiles.TUNED_RATES)
    assert {c.config.id for c in chosen} <= table


@pytest.mark.parametrize("key", profiles.TUNED_RATES, ids="-".join)
def test_the_tuned_rate_has_the_least_validation_loss_of_the_committed_records(key):
    losses = {}
    for cell in grids.grid("tuning", "laptop"):
        if (cell.dataset, cell.network, cell.arm) == key:
            path = records.SHELF.committed / f"{cell.config.id}.json"
            assert path.exists(), f"no committed record of rate {cell.config.lr} for {key}"
            losses[cell.config.lr] = records.read(path).metrics["validation"]["loss"]
    assert set(losses) == set(profiles.TUNING_RATES)
    assert profiles.TUNED_RATES[key] == min(losses, key=losses.__getitem__)


def test_costly_networks_get_fewer_seeds():
    cells = grids.grid("table1", "laptop", range(5))
    seeds = {name: {c.seed for c in cells if c.network == name} for name in ("resnet9", "resnet9-tiny")}
    assert seeds == {"resnet9": {0, 1, 2}, "resnet9-tiny": {0, 1, 2, 3, 4}}


@pytest.mark.parametrize(
    ("call", "nearest"),
    [
        (lambda: grids.grid("tabel1"), "table1"),
        (lambda: grids.grid("table1", "labtop"), "laptop"),
        (lambda: profiles.of_recipe("statd", "synthetic", "resnet9", "hard"), "stated"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(call, nearest):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'"):
        call()


@pytest.mark.parametrize("given", [5, "5", [5], "[5]", "[5, 5]"])
def test_seeds_as_papermill_hands_them_on(given):
    """`-p seeds 5` gives a number, `-p seeds "[5]"` words; of both a chapter makes the same table."""
    cells = grids.grid("human", "smoke", given)
    assert cells == grids.grid("human", "smoke", [5]) and {c.seed for c in cells} == {5}
    assert {c.seed for c in grids.grid("table1", "smoke", "[5, 6]")} <= {5, 6}
    with pytest.raises(ConfigError, match=r"expected a list of numbers such as \[0, 1, 2\]"):
        grids.grid("human", "smoke", "five")
