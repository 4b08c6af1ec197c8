"""Tables, verdicts, cards and figures from records whose numbers are known."""

import json
import re
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import executed
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.legend import Legend
from matplotlib.text import Text
from softlabels import figures
from softlabels.analysis import embeddings, formatting, names, published, statistics, table, tables, verdicts
from softlabels.analysis.embeddings import Embedding
from softlabels.analysis.published import RANKED
from softlabels.analysis.statistics import paired_interval
from softlabels.chapters import (
    descriptions,
    figure1,
    hyperparameters,
    label_distributions,
    quickstart,
    table1,
)
from softlabels.errors import ConfigError, DataUnavailable, RecordError
from softlabels.figures import base
from softlabels.labels import metrics
from softlabels.labels.ceiling import Ceiling
from softlabels.learning.config import METHODS, RunConfig
from softlabels.runs import grids, profiles

PNG = b"\x89PNG\r\n\x1a\n"


def record(config, test, history=3):
    """Return what tables and figures ask of a run record; `test` gives its metrics."""
    rows = [
        {"epoch": e + 1, "train_loss": 1 / (e + 1), "validation_loss": 1.2 / (e + 1)} for e in range(history)
    ]
    rng = np.random.default_rng(config.seed)
    q = rng.dirichlet(np.ones(6), 40)
    return SimpleNamespace(
        id=config.id,
        config=config,
        metrics={"test": test, "validation": {"loss": 0.5, "accuracy": 0.9}},
        history=rows,
        best_epoch=history,
        data={"name": config.dataset, "variant": "a variant", "sha256": "ab" * 32},
        environment={"machine": "a machine", "device": "cpu", "commit": "0123456789+"},
        seconds=90.0,
        arrays=lambda: {"ids": np.arange(40), "log_probs": np.log(q), "targets": q},
    )


def cell(arm, seed, dataset="synthetic", recipe="tuned", network="resnet9"):
    config = RunConfig(
        dataset=dataset, label=arm, seed=seed, network=network, lr=0.1 if recipe == "stated" else 0.05
    )
    return grids.Cell(dataset, network, recipe, arm, seed, config)


def setting(soft, hard, **where):
    """Return a table of runs with accuracies by seed; KL is 1 - accuracy."""
    found = []
    for arm, values in (("soft", soft), ("hard", hard)):
        for seed, value in enumerate(values):
            place = cell(arm, seed, **where)
            test = None if value is None else {"macro_accuracy": value, "kl": 1 - value}
            found.append((place, test and record(place.config, test)))
    return table.tabulate((("table1", *one) for one in found), "laptop")


@pytest.fixture(scope="module")
def won():
    return setting([0.95, 0.96, 0.94], [0.90, 0.92, 0.89])


@pytest.fixture
def lost():
    return setting([0.90, 0.92, 0.89], [0.95, 0.96, 0.94], recipe="stated")


@pytest.fixture(scope="module")
def gap():
    return setting([0.9, None], [0.8, 0.7], dataset="cifar10h-9500")


def both(*runs):
    return pd.concat(runs, ignore_index=True)


def test_pairs_are_those_of_the_same_seed():
    soft, hard = table.pairs(setting([0.9, None, 0.8], [0.7, 0.5, 0.3]), "test.macro_accuracy")
    assert soft.tolist() == [0.9, 0.8] and hard.tolist() == [0.7, 0.3]


def test_the_difference_is_the_paired_interval(won):
    mine, theirs = table.difference(won, "test.kl"), paired_interval([0.05, 0.04, 0.06], [0.1, 0.08, 0.11])
    assert (mine.mean, mine.low, mine.high) == pytest.approx((theirs.mean, theirs.low, theirs.high))


def test_the_winner_knows_which_side_is_better(won, lost, gap):
    measures = ("test.macro_accuracy", "test.kl")
    assert [table.winner(won, m) for m in measures] == ["soft", "soft"]
    assert [table.winner(lost, m) for m in measures] == ["hard", "hard"]
    assert table.winner(gap, "test.kl") == "open"  # one pair decides nothing
    assert table.winner(setting([None], [0.5]), "test.kl") == "missing"


def test_an_undefined_measure_is_left_out(won):
    assert table.difference(won, "test.entropy_correlation") is None
    assert len(table.values(won, "test.ece")) == 0


def test_what_is_missing_is_named_with_its_command(won, gap):
    assert table.missing(won) == ""
    command = "softlabels train --chapter table1 --profile laptop --seeds 1"
    assert command in table.missing(both(won, gap))
    note = table1.missing(gap)
    assert command in note and "1 runs of the grid `table1` (all votes)" in note and "MiceBone" in note


def test_gather_looks_records_up_and_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTLABELS_RESULTS", str(tmp_path))
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / "cache"))
    found = table1.collect("smoke", [0, 1])
    assert found.record.isna().all() and list(found.grid.unique()) == list(table1.GRIDS)
    assert (found.grid == "table1").sum() == len(grids.grid("table1", "smoke", [0, 1]))


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert formatting.number(-0.12345) == "−0.1235"
    assert formatting.number(-0.00001) == "0.0000"
    assert formatting.signed(0.00001) == "0.0000"
    assert formatting.signed(0.5, 1) == "+0.5"
    assert formatting.number(float("nan")) == "–"
    assert formatting.spread(0.5, float("nan"), 2) == "0.50"


def test_intervals_are_bold_where_they_exclude_zero():
    assert formatting.interval(paired_interval([2.0, 2.1], [1.0, 1.1]), 1) == "**+1.0 [1.0, 1.0]**"
    assert not formatting.interval(paired_interval([2.0, 1.0], [1.0, 2.0])).startswith("**")
    assert formatting.interval(paired_interval([2.0], [1.0]), 1) == "+1.0 (one pair)"


def test_table1_puts_published_numbers_above_ours(won, gap):
    shown = table1.measure(both(won, gap), "macro_accuracy")
    assert shown.setting.str.contains("published").tolist() == [True, False, True, False, True]
    assert shown["all votes"].tolist()[:2] == ["0.9096 ± 0.0137", "0.950 ± 0.010"]
    assert shown["all votes − majority"].tolist()[-1] == "+0.0686"  # MiceBone, published only
    assert shown.n.tolist()[-2] == "2 majority, 1 votes (1 missing)"


def test_kl_of_cifar10h_is_not_published(gap):
    assert table1.measure(gap, "kl").setting.str.contains("published").tolist() == [False, True]


def test_extras_are_bold_where_the_interval_decides(won):
    assert table1.extras(won, ["kl", "ece"]).iloc[0].tolist()[1:] == ["**0.097 → 0.050**", "– → –"]


def test_every_row_of_markdown_has_the_columns_of_its_head(won, gap):
    lines = formatting.markdown(table1.measure(both(won, gap), "kl")).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert formatting.markdown(table1.tuning([], {})) == "Nothing here yet."


def test_tables_are_shown_as_html_and_as_text(won, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    formatting.show(table1.measure(won, "kl"))
    formatting.show(table1.tuning([], {}))
    assert "<strong>published</strong>: Generated shapes" in shown[0]["text/html"]
    assert "| **published**: Generated shapes" in shown[0]["text/plain"]
    assert shown[0]["text/html"].count("<tr>") == 4  # head, synthetic published and ours, micebone
    assert "Nothing here yet" in shown[1]["text/html"]


def test_winners_are_counted(won, lost, gap):
    every = both(won, lost, gap)
    shown = tables.winners(every)
    assert shown.better.tolist() == ["all votes", "majority", "open"]
    assert "better in 1 of 3 settings, the majority in 1, and 1 are open" in tables.winners_sentence(every)
    assert shown["p (Holm)"].tolist()[2] == "–"


def test_p_values_are_corrected_for_the_number_of_settings(won, lost):
    alone, two = (tables.winners(found)["p (Holm)"][0] for found in (won, both(won, lost)))
    assert float(two) > float(alone)


def test_a_few_pairs_have_an_interval_and_one_pair_decides_nothing(won):
    rows = quickstart.both_arms(won).set_index("measure")["all votes − majority"]
    assert rows["accuracy"].startswith("**+0.0") and rows["KL [nats]"].startswith("**−0.0")
    assert rows["ECE"] == "–"
    assert "KL [nats] is lower with all votes" in quickstart.answer(won)
    assert quickstart.answer(won).endswith("These 3 pairs of one tiny network prove little.")
    alone = quickstart.answer(won[won.seed == won.seed.min()])
    assert "not told apart" in alone and alone.endswith("One pair proves nothing.")


def test_claim_and_headline_carry_the_numbers(won):
    assert "macro accuracy 0.950 ± 0.010" in tables.claim(won) and "9.0 minutes" in tables.claim(won)
    assert "0.950 ± 0.010" in table1.headline(won) and "0.9096" in table1.headline(won)
    assert "no pair of runs" in tables.claim(setting([None], [0.5]))


def test_the_chosen_rate_is_bold(won):
    chosen = {("synthetic", "resnet9", "soft"): 0.05}
    shown = table1.tuning(won.record, chosen).set_index("arm")
    assert shown["lr 0.05"].to_dict() == {"majority": "0.500", "all votes": "**0.500**"}


def test_published_numbers_are_those_of_the_paper():
    assert published.bhl("synthetic", "soft", "kl") == (0.0394, 0.0009)
    assert published.bhl_difference("micebone", "macro_accuracy") == pytest.approx(0.0686)
    with pytest.raises(ConfigError, match="did you mean 'soft'"):
        published.get("bhl", "synthetic", "sofft")


def test_every_published_block_names_its_source():
    assert all(block["source"] for block in published.numbers().values())


def structures(gain):
    """Three runs of each arm with their measures of structure, those of the soft arm higher by `gain`."""
    runs, noise = setting([0.5] * 3, [0.5] * 3), np.linspace(-0.01, 0.01, 3 * len(embeddings.MEASURES))
    soft = runs.arm == "soft"
    for measure, wobble in zip(embeddings.MEASURES, noise.reshape(-1, 3), strict=True):
        value = 0.5 + 0.01 * runs.seed
        runs[f"structure.{measure}"] = np.where(soft, value + gain + wobble[runs.seed], value)
    return runs.assign(embedding="here")


def no_maps():
    runs = structures(0.0).assign(embedding=None)
    return runs.assign(**{f"structure.{measure}": np.nan for measure in embeddings.MEASURES})


def test_the_structure_claim_can_fail():
    assert figure1.more_regular(structures(0.2)).verdict == "reproduced"
    assert figure1.more_regular(structures(-0.2)).verdict == "contradicted"
    assert figure1.more_regular(no_maps()).verdict == "not tested"


def drawn(apart, seed=0):
    """A map of six kinds of pure images, `apart` between their places, and as many blends anywhere."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(6), 50)
    hue, shape = np.r_[kind // 2 / 3, rng.random(300)], np.r_[kind % 2, rng.random(300)]
    places = apart * np.stack([np.cos(kind), np.sin(kind)], 1) + rng.normal(0, 1, (300, 2))
    points = np.r_[places, rng.uniform(2 * apart, 9 * apart, (300, 2))]
    known = {"hue": hue.astype(np.float32), "shape_weight": shape.astype(np.float32)}
    return embeddings.Embedding(np.arange(600), points.astype(np.float32), known, {})


def test_six_clusters_are_told_from_one():
    assert figure1.six(drawn(40)) > 0.9 > 0.3 > figure1.six(drawn(0.5))
    assert figure1.pieces(drawn(40)) >= 6 > figure1.pieces(drawn(0.5))


def test_what_is_seen_in_the_maps_is_judged_by_numbers():
    runs = structures(0.0)
    runs["embedding"] = [
        drawn(40 if arm == "soft" else 4, seed) for arm, seed in zip(runs.arm, runs.seed, strict=True)
    ]
    own, more = figure1.clusters(figure1.counted(runs))
    assert own.verdict == "reproduced" and own.id == "bhl-six"
    assert more.verdict == "contradicted" and more.found.mean > 0
    assert {v.verdict for v in figure1.clusters(figure1.counted(no_maps()))} == {"not tested"}


def test_measures_that_are_higher_or_lower_with_votes_are_named():
    assert figure1.by_measure(structures(0.2)).startswith("Of ")
    assert "distance correlation" in figure1.by_measure(structures(0.2)).partition("higher")[2]
    assert "distance correlation" in figure1.by_measure(structures(-0.2)).partition("lower")[2]
    assert figure1.by_measure(no_maps()) == ""


def test_the_structure_table_shows_both_arms():
    shown = embeddings.structure_table(structures(0.2))
    assert len(shown) == len(embeddings.MEASURES) and (shown["majority"] == "0.510").all()


@pytest.fixture(scope="module")
def card():
    return label_distributions.describe("synthetic", image_size=16, n_images=600)


def test_a_card_says_what_the_dataset_is(card):
    facts = card.facts
    assert facts["n_images"] == 600 and facts["annotations_per_image"] is None
    assert facts["unanimous"] == pytest.approx(0.4, abs=1e-6)
    assert sum(facts["class_counts"]) == 600 and sum(facts["class_mass"]) == pytest.approx(1, abs=1e-5)
    assert facts["mean_entropy"] == pytest.approx(card.entropies.mean(), abs=1e-5)
    assert card.examples.shape == (24, 16, 16, 3)
    entropies = -(card.distributions * np.log(np.maximum(card.distributions, 1e-12))).sum(1)
    assert (np.diff(entropies) > -1e-5).all()


def test_a_published_card_is_read_and_repeats_byte_by_byte(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTLABELS_RESULTS", str(tmp_path))
    options = {"image_size": 16, "n_images": 60}
    assert label_distributions.find("synthetic", **options) is None
    path = label_distributions.publish("synthetic", **options)
    before = path.read_bytes(), path.with_suffix(".npz").read_bytes()
    found = label_distributions.find("synthetic", **options)
    assert found is not None and found.facts == json.loads(path.read_text())
    label_distributions.publish("synthetic", **options)
    assert (path.read_bytes(), path.with_suffix(".npz").read_bytes()) == before
    path.with_suffix(".npz").write_bytes(b"damaged")
    with pytest.raises(RecordError, match="renews it"):
        label_distributions.find("synthetic", **options)


def test_an_unknown_card_is_named(capsys):
    assert descriptions.command("label_distributions", label_distributions.MAKERS, ["synthetik"]) == 2
    assert "did you mean 'synthetic'" in capsys.readouterr().err


def test_what_cannot_be_described_here_is_named_and_the_rest_is_made(capsys):
    def unavailable():
        raise DataUnavailable("nobody has it")

    assert descriptions.command("atlas", {"a": unavailable, "b": lambda: "made"}, []) == 0
    assert capsys.readouterr().out == "a: left out: nobody has it\nmade\n"


def test_the_reconstruction_compares_like_with_like(card):
    rebuilt = executed("02_label_distributions", "moment_ratio", card={"synthetic": card})["rebuilt"]
    rows = {row.statistic: (row.published, row.ours) for row in rebuilt.itertuples()}
    # 12/13 follows from 40 % pure and 60 % uniform hues
    assert rows["E[x²] / E[x], mean of channels"][0] == pytest.approx(12 / 13, abs=0.005)
    shares = [pair for name, pair in rows.items() if name.startswith("share")]
    assert np.sum(shares, axis=0) == pytest.approx([1, 1])
    theirs, ours = rows["mean label entropy [nats]"]
    assert rebuilt.deviation[0].lstrip("+−") == f"{abs(100 * (ours / theirs - 1)):.1f} %"


def embedding():
    rng = np.random.default_rng(0)
    known = {"hue": rng.random(50), "shape_weight": rng.random(50), "q": rng.dirichlet(np.ones(8), 50)}
    return Embedding(np.arange(50), rng.normal(size=(50, 2)), known, {})


CLASSES = tuple("abcdefgh")
CEILING = Ceiling(0.01, 0.009, 0.011, 0.03, 0.97, 0.96, 0.98, 0.94, 100, (8, 9.5, 10))


def searched():
    """A search of four settings, of which the first lacks its hard run."""
    found = []
    for i, c in enumerate(grids.grid("hyperparameters", "smoke", [0])):
        better = 0.1 if c.arm == "soft" else 0.0
        scores = {"kl": 0.5 - c.config.lr - better, "macro_accuracy": 0.6 + c.config.lr - better}
        made = record(c.config, scores)
        made.metrics["validation"] |= scores
        found.append(("hyperparameters", c, made if i else None))
    return table.tabulate(found, "smoke")


def test_the_search_says_where_soft_labels_win_and_what_is_chosen():
    found = searched()
    assert hyperparameters.advantage(found, "kl").iloc[1:].tolist() == pytest.approx([0.1] * 3)
    assert hyperparameters.advantage(found, "macro_accuracy").iloc[1:].tolist() == pytest.approx([-0.1] * 3)
    assert np.isnan(hyperparameters.advantage(found, "kl").iloc[0])
    assert "better in 3 of 3 settings" in hyperparameters.sentence(found, "kl")
    assert "better in 0 of 3 settings" in hyperparameters.sentence(found, "macro_accuracy")
    assert hyperparameters.chosen(found, "hard", "kl").startswith("lr 0.3,")
    assert list(hyperparameters.selection(found)["arm"]) == ["majority", "all votes"] * 2
    nothing = found.assign(record=None, **{f"{part}.kl": np.nan for part in ("test", "validation")})
    assert hyperparameters.chosen(nothing, "hard", "kl") == ""
    assert "no pair" in hyperparameters.sentence(nothing, "kl")
    assert "does not depend" in hyperparameters.depends(found, "kl")
    assert "No runs" in hyperparameters.depends(nothing, "kl")


def test_the_best_of_k_is_the_mean_over_all_draws():
    """Against every subset of the settings, with test values in another order than the validation's."""
    rng = np.random.default_rng(0)
    tried = []
    for c in grids.grid("hyperparameters", "laptop", [0])[:12]:
        made = record(c.config, {"kl": float(rng.random())})
        made.metrics["validation"]["kl"] = float(rng.random())
        tried.append(("hyperparameters", c, made))
    found = table.tabulate(tried, "laptop")
    parts = ("validation", "test")
    validation, test = (hyperparameters.values(found, "soft", "kl", part).to_numpy() for part in parts)
    for k, value in enumerate(hyperparameters.best_of(found, "soft", "kl"), 1):
        draws = [list(rows) for rows in combinations(range(len(test)), k)]
        assert value == pytest.approx(np.mean([test[r][validation[r].argmin()] for r in draws]))
    assert hyperparameters.best_of(found[:0], "soft", "kl").shape == (0,)
    assert len(hyperparameters.tuned_apart(found, "kl")) == 4  # 1, 2, 4 and all six


@pytest.mark.parametrize(("gains", "answer"), [((3, 2, 1), "Yes"), ((1, 2, 3), "No, the contrary")])
def test_the_gain_is_ordered_by_what_hard_labels_reach(gains, answer):
    def one(i):
        return setting([0.5 + 0.1 * i + 0.01 * gains[i]], [0.5 + 0.1 * i], recipe=f"recipe {i}")

    words = table1.gain(both(one(2), one(0), one(1)))
    assert f"{answer}: over 3 settings all votes − majority goes from +0.0{gains[0]}0" in words
    assert "Open: fewer than 3" in table1.gain(both(one(0), one(1)))


def test_estimates_from_simulated_panels_are_put_beside_the_truth():
    row = {"n": 10, "kl": 0.09, "true_kl": 0.10, "kl_above": 0.2, "accuracy": 0.82, "true_accuracy": 0.80}
    rows = [{"distributions": "a", **row}, {"distributions": "b", **row, "kl": 0.11, "kl_above": 0.05}]
    found = executed("13_noise_ceiling", "row.true_kl", simulated=pd.DataFrame(rows))
    [words], [frame] = found["says"], found["shows"]
    assert "off by −10 % to +10 %" in words and "in 1 of 2 rows" in words and "+0.020 to +0.020" in words
    assert list(frame["estimate"]) == ["0.0900", "0.1100"] and list(frame["KL, true"]) == ["0.1000"] * 2


def test_the_way_to_a_perfect_model_is_a_share_of_kl(won):
    def placed(best):
        chapter = SimpleNamespace(collect=lambda *how: won, of_profile=lambda profile: best)
        how = {"profile": "", "seeds": [], "train": False, "device": None, "fresh": False}
        cells = ("places =", "ways =", '"of the way, all votes"', '"half against half"')
        found = executed("13_noise_ceiling", *cells, chapter=chapter, **how)
        return *found["shows"], *found["says"]

    shown, ceilings, said = placed({"synthetic": CEILING})
    hard, soft = (table.summary(won[won.arm == arm], "test.kl")[0] for arm in ("hard", "soft"))
    assert shown["of the way, all votes"][0] == f"{100 * (hard - soft) / (hard - 0.01):.0f} %"
    assert len(ceilings) == 1 and ceilings["annotations per image"][0] == "8–10, mean 9.5"
    assert shown["of the way, all votes"][0] in said
    shown, _, said = placed({})
    assert shown.empty and "No pair" in said


def landscape():
    found = searched()
    rates, others, places = hyperparameters.axes(found)
    frame = pd.DataFrame(index=rates, columns=others, dtype=float)
    for name, value in hyperparameters.advantage(found, "kl").items():
        frame.loc[places[name]] = value
    return frame


def drawings(card, won, gap):
    q = card.distributions
    return {
        "tiles": lambda: figures.tiles(card.examples[:8], q[:8], card.facts["classes"]),
        "predictions": lambda: figures.predictions(
            card.examples[:3], q[:3], {"hard": q[3:6], "soft": q[:3]}, card.facts["classes"]
        ),
        "entropies": lambda: figures.entropy_histograms({"a": card.entropies}, {"a": 0.5}),
        "reconstruction": lambda: figures.reconstruction([("red", 0.07, 0.071), ("green", 0.08, 0.06)]),
        "differences": lambda: figures.differences(both(won, gap)),
        "curves": lambda: figures.learning_curves(list(won.record)),
        "figure1": lambda: figures.figure1({"hard": embedding(), "soft": embedding()}),
        "figure2": lambda: figures.figure2({"hard": embedding(), "soft": embedding()}, CLASSES),
        "landscape": lambda: figures.landscape(landscape(), "kl"),
        "tried": lambda: figures.tried({"hard": np.array([0.5, 0.4]), "soft": np.array([0.3, 0.2])}, "kl"),
        "nothing tried": lambda: figures.tried({"hard": np.empty(0), "soft": np.empty(0)}, "kl"),
        "placement": lambda: figures.placement(both(won, gap), {"synthetic": CEILING}),
        "structure": lambda: figures.structure(structures(0.1)),
        "nothing": lambda: figures.differences(won[:0]),
        "no maps": lambda: figures.figure1({}),
        "no second maps": lambda: figures.figure2({}, CLASSES),
        "no search": lambda: figures.landscape(landscape() * np.nan, "kl"),
        "no ceiling": lambda: figures.placement(won, {}),
        "no measures": lambda: figures.structure(no_maps()),
        "votes": lambda: figures.votes(card.examples[0], {"cat": 26, "dog": 26, "frog": 0}),
        "card": lambda: figures.card(card.examples[0], "A title of some words", "Two sentences. " * 12),
        "answer": lambda: figures.answer(changes()),
        "answer, narrow": lambda: figures.answer(changes(), 4.8),
        "no answer": lambda: figures.answer([]),
        **annotators_drawn(),
        "verdict counts": lambda: figures.verdict_counts({"a group": dict.fromkeys(verdicts.WORDS, 2)}),
        "budget": lambda: figures.budget({m: {"soft": [(1, 0.5, 0.1)]} for m in ("macro_accuracy", "kl")}),
        **arms_of(),
        "risk and coverage": lambda: figures.risk_coverage(
            {arm: [(np.linspace(0.1, 1, 9), np.linspace(0, 0.3, 9))] for arm in ("truth", "soft")}
        ),
        "blurring": lambda: figures.blurring(
            card.examples[:4],
            {arm: q[:4] for arm in ("truth", "soft", "permuted")},
            (0, 1, 2, 3),
            card.facts["classes"],
        ),
    }


def annotators_drawn():
    """Figures of the methods for several annotators, with the longest names and numbers."""
    rows = ["synthetic-crowd", "letter", "trec6", "labelme", "sentiment", "mgc"]
    rng = np.random.default_rng(0)
    table = pd.DataFrame(100 * rng.random((len(METHODS), len(rows))), list(METHODS), rows)
    printed = table.iloc[:-1, :4].mask(table.iloc[:-1, :4] > 90)
    ranked = statistics.ranks(rng.random((6, len(RANKED))))
    found = {"a change of many words": paired_interval([0.5, 0.6], [0.4, 0.3]), "none": None}
    matrices = {"as simulated": rng.random((5, 6, 6)), "annot-mix": rng.random((5, 6, 6))}
    kinds = ["careful", "sloppy", "biased", "colour-blind", "random"]
    images = rng.integers(0, 255, (2, 8, 8, 3)).astype(np.uint8)
    return {
        "relative": lambda: figures.relative({"published": printed, "ours": table}, "annot-mix", 8),
        "relative, ratios": lambda: figures.relative({"ours": table + 1}, "annot-mix", 3, ratio=True),
        "nothing relative": lambda: figures.relative({}, "annot-mix", 8),
        "ranks": lambda: figures.critical_differences({"published": ranked, "ours": None}),
        "no ranks": lambda: figures.critical_differences({"ours": None}),
        "ablations": lambda: figures.ablations(found),
        "no ablations": lambda: figures.ablations({}),
        "confusions": lambda: figures.confusions(matrices, kinds, CLASSES),
        "no confusions": lambda: figures.confusions({}, kinds, CLASSES),
        "mixed triple": lambda: figures.mixed_triple(images, [3, 12], [0, 5], CLASSES[:6], 0.6),
    }


def test_methods_are_compared_with_one_of_them():
    table = pd.DataFrame({"mgc": [70.0, 60.0, 71.0]}, ["annot-mix", "madl", "mv-base"])
    words = texts(figures.relative({"ours": table}, "annot-mix", 8))
    assert {"70.0", "−10.0", "+1.0", "majority", "Music\ngenres"} <= set(words) and "ours" not in words
    words = texts(figures.relative({"published": table[:2], "ours": table / 140}, "annot-mix", 3, ratio=True))
    assert {"0.50", "×0.9", "×1.0", "published", "ours"} <= set(words)


def test_blue_is_better_and_orange_worse():
    table = pd.DataFrame({"mgc": [2.0, 1.0]}, ["annot-mix", "madl"])
    for ratio in (False, True):
        figure = figures.relative({"ours": table}, "annot-mix", 2, ratio=ratio)
        FigureCanvasAgg(figure).draw()
        [mesh] = figure.axes[0].collections
        red, _, blue, _ = mesh.get_facecolors()[1]
        assert (blue > red) == ratio


def changes():
    """Two settings of two datasets each; of one a value is published."""
    found = paired_interval([0.95, 0.96], [0.90, 0.92])
    words = names.setting("efficientnet-lite0", "stated-pretrained", 20)  # the longest
    return [
        figures.Setting(dataset, words, found, found, 0.08 if n else None)
        for dataset in ("Generated shapes", "Pairs of sentences (SNLI)")
        for n in range(2)
    ]


def arms_of():
    """Figures of every arm that a chapter compares."""
    runs = pd.DataFrame(
        [
            {"arm": arm, "network": "n", "seed": 0, "fold": fold, "value": n / (50 - 10 * fold) + 0.01 * fold}
            for n, arm in enumerate(profiles.HUMAN_ARMS)
            for fold in (0, 1)
        ]
    )
    lines = {arm: {level: [level / 9, 0.1] for level in (0.5, 1, 8)} for arm in profiles.HUMAN_ARMS}
    shown = {"accuracy, FGSM": lines, "loss, gradient": lines}
    return {
        "against": lambda: figures.against({"cross-entropy": (runs, "value")}, "truth"),
        "curves by level": lambda: figures.curves(shown, "radius [1/255]", "symlog"),
    }


def texts(figure):
    """Everything that is written in a drawn figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


@pytest.fixture(scope="module")
def pictures(card, won, gap):
    """Every figure, and the PNG that was made of it."""
    made = ((name, draw()) for name, draw in drawings(card, won, gap).items())
    return {name: (figure, figures.png(figure)) for name, figure in made}


def test_no_legend_leaves_its_figure(pictures):
    seen = 0
    for name, (figure, _) in pictures.items():
        width, height = figure.bbox.size
        for legend in figure.findobj(Legend):
            seen += 1
            for part in legend.get_texts():
                box = part.get_window_extent()
                assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, (name, part)
    assert seen > 12


def test_no_network_is_named_truth_and_measures_have_units(pictures):
    for name, (figure, _) in pictures.items():
        words = texts(figure)
        assert not [word for word in words if re.search(r"\btruth\b", word)], name
        bare = [w for w in words if re.match(r"(KL|cross-entropy|loss)\b", w) and "[" not in w]
        assert not bare, (name, bare)


def test_lines_become_svg_and_photographs_png(card, won):
    kind, drawn = figures.picture(figures.differences(won))
    assert kind == "svg+xml" and drawn == figures.picture(figures.differences(won))[1]
    assert b"<metadata" not in drawn and len(drawn) < 90_000
    kind, drawn = figures.picture(figures.tiles(card.examples[:4], card.distributions[:4], "abcdef"))
    assert kind == "png" and drawn.startswith(PNG)


@pytest.mark.parametrize(("points", "kind"), [(300, "svg+xml"), (2000, "png")])
def test_a_cloud_of_points_is_a_picture_and_is_drawn_once(points, kind, monkeypatch):
    figure, axes = base.canvas(1.0)
    axes[0, 0].scatter(*np.random.default_rng(0).random((2, points)))
    drawn = []
    monkeypatch.setattr(
        figure, "savefig", lambda *a, really=figure.savefig, **k: drawn.append(k) or really(*a, **k)
    )
    assert base.picture(figure)[0] == kind
    assert len(drawn) == 1


def test_every_figure_repeats_byte_by_byte_and_shows_a_smoke_run(card, won, gap, pictures):
    for name, draw in drawings(card, won, gap).items():
        image = pictures[name][1]
        assert image.startswith(PNG) and image == figures.png(draw()), name
        assert figures.png(draw(), "smoke") != image, name


def test_no_text_leaves_the_figure(pictures):
    for name, (figure, _) in pictures.items():
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02, name


def test_the_line_under_a_figure_says_where_it_comes_from(won):
    line = figures.caption_line(list(won.record), "laptop")
    for words in (
        "6 runs",
        "synthetic (a variant, SHA-256 abababab)",
        "0123456+",
        "a machine, cpu",
        "9.0 minutes",
    ):
        assert words in line
    assert "no runs" in figures.caption_line([], "laptop")


def test_shown_figures_have_alternative_text_and_records(won, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figures.show(
        figures.differences(won), alt='Dots & "bars"', caption="A caption.", records=list(won.record)
    )
    html = shown[0].data
    assert 'alt="Dots &amp; &quot;bars&quot;"' in html and "A caption." in html
    assert all(r.id in html for r in won.record)


def test_examples_run_from_certain_to_ambiguous():
    place = cell("soft", 0)
    ids, q, p = figures.examples({"soft": record(place.config, {})}, 5)
    entropies = -(q * np.log(q)).sum(1)
    assert (np.diff(entropies) > 0).all() and len(set(ids)) == 5
    assert metrics.kl_divergence(q, p["soft"]) == pytest.approx(0, abs=1e-5)


def test_a_column_that_does_not_vary_is_said_in_the_caption():
    frame = pd.DataFrame({"arm": ["a", "b"], "n": ["3", "3"], "share": ["–", "–"], "KL": ["1", "2"]})
    shown, caption = formatting.varying(frame, "KL [nats], lower is better.")
    assert list(shown) == ["arm", "KL"]
    assert caption == "KL [nats], lower is better. In all rows n: 3. No row has a value of: share."
    alone, same = formatting.varying(frame[:1], "One row.")
    assert list(alone) == list(frame) and same == "One row."
    assert "<caption>a &lt; b</caption>" in formatting.markup(frame, "a < b")


@pytest.mark.parametrize(
    ("sd", "words"), [(0.2, "0.50 ± 0.20"), (0.02, "0.500 ± 0.020"), (2e-4, "0.5000 ± 0.0002")]
)
def test_digits_follow_the_spread(sd, words):
    assert formatting.spread(0.5, sd) == words
    assert formatting.interval(paired_interval([0.5, 0.5 + sd], [0.0, 0.0])).count(".") == 3
    assert formatting.spread(0.5, float("nan")) == "0.500"
