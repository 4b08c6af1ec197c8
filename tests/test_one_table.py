"""The one table of runs gives the numbers of the four classes before it, on all committed records.

It leaves with them.
"""

import math
from dataclasses import astuple, is_dataclass
from itertools import product

import pytest
from softlabels.analysis import comparisons, competence, panels, results, table
from softlabels.learning import suites
from softlabels.runs import experiments_human, grids

PROFILES = ("laptop", "paper")
SETTINGS = ("table1", "figure1", "figure2", "hyperparameters", "why_distributions_help", "your_data")
HUMAN = tuple(name for name in experiments_human.GRIDS if name != "human-rates")


def flat(value):
    if is_dataclass(value):
        return astuple(value)
    return value if isinstance(value, tuple) else (value,)


def same(old, new):
    for a, b in zip(flat(old), flat(new), strict=True):
        if isinstance(a, float) and isinstance(b, float):
            assert (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-12, abs=1e-15)
        else:
            assert a == b


@pytest.mark.parametrize(("profile", "name"), product(PROFILES, SETTINGS))
def test_settings(profile, name):
    old = comparisons.gather(grids.grid(name, profile, range(5)), committed_only=True)
    new = table.settings(table.gather([name], profile, range(5), committed_only=True), False)
    for c, (words, here) in zip(old, new, strict=True):
        whole = table.complete(here)
        assert (c.setting, 2 * len(c.seeds)) == (words, len(whole))
        for m in table.HIGHER_IS_BETTER:
            column = f"test.{m}"
            for arm in table.ARMS:
                same(c.summary(arm, m), table.summary(here[here.arm == arm], column))
            same(c.difference(m), table.difference(here, column))
            same(c.p_value(m), table.p_value(here, column))
            same(c.winner(m), table.winner(here, column))
        same(c.shortcoming, competence.lacking(whole, ("soft", "hard")))


@pytest.mark.parametrize(("profile", "name"), product(PROFILES, HUMAN))
def test_arms(profile, name):
    old = panels.collect(name, profile, range(3), committed_only=True)
    new = table.gather([name], profile, range(3), committed_only=True)
    assert len(old.missing) == new.record.isna().sum()
    for part, m in product(("test", "truth"), table.HIGHER_IS_BETTER):
        panel, column = old.panel(m, part), f"{part}.{m}"
        assert panel.arms == table.arms(new, column)
        for arm, base in product(panel.values, list(panel.values)[:3]):
            same(panel.summary(arm), table.summary(new[new.arm == arm], column))
            same(panel.difference(arm, base), table.difference(new, column, arm, base))
            same(panel.relative(arm, base), table.difference(new, column, arm, base, True))


@pytest.mark.parametrize("kind", suites.PLANS["laptop"])
@pytest.mark.parametrize("name", ["human", "human-scratch"])
def test_evaluations(name, kind):
    old = panels.collect(name, "laptop", [0], committed_only=True).evaluated(kind, committed_only=True)
    new = table.evaluated(table.gather([name], "laptop", [0], committed_only=True), kind, committed_only=True)
    assert old.cases() == list(new.case.dropna().unique())
    for case, m in new[["case", "measure"]].dropna().drop_duplicates().itertuples(index=False):
        assert old.curves(case, m) == table.curves(table.at(new, case, m, None))
        for level in old.levels(case, m):
            panel, here = old.panel(case, m, level), table.at(new, case, m, level)
            for arm, base in product(panel.arms, panel.arms[:1]):
                same(panel.summary(arm), table.summary(here[here.arm == arm], "value"))
                same(panel.difference(arm, base), table.difference(here, "value", arm, base))
                same(panel.relative(arm, base), table.difference(here, "value", arm, base, True))


@pytest.mark.parametrize("name", ["annot_mix", "annot_mix_ablations"])
def test_methods(name):
    old = results.collect(grids.grid(name, "paper", range(10)), committed_only=True)
    new = table.gather([name], "paper", range(10), committed_only=True)
    measures = {"last": ("accuracy", "cross_entropy", "kl", "ece", "brier"), "annotators": ("auroc",)}
    measures |= {"best": ("accuracy", "cross_entropy")}
    for row, methods in old.runs.items():
        here = new[new.dataset == row]
        for method, part in product(methods, measures):
            of = here[here.arm == method]
            for m in measures[part]:
                same(old.summary(row, method, m, part), table.summary(of, f"{part}.{m}"))
        for method in methods:
            there = table.difference(here, "last.accuracy", method, "annot-mix", overlap=0)
            same(old.difference(row, method, "annot-mix"), there)
