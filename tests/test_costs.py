"""What the runs cost is counted from their records."""

import json
import re
import statistics
from dataclasses import replace

import pytest
from softlabels.book import costs
from softlabels.learning.config import RunConfig
from softlabels.runs import evaluations, grids, planning, profiles, records

DRAWN = records.SHELF.committed


def committed():
    return [records.read(path) for path in sorted(DRAWN.glob("*.json"))]


def test_minutes_and_runs_add_up():
    found = committed()
    table = costs.by_network(found)
    assert table["runs"].astype(int).sum() == len(found)
    total = table["minutes in all"].astype(float).sum()
    assert abs(total - sum(r.cpu_seconds for r in found) / 60) < 0.06 * len(table)


def test_another_machine_has_a_row_of_its_own():
    record = committed()[0]
    other = replace(record, environment={**record.environment, "machine": "another"})
    assert len(costs.by_network([record, record])) == 1
    assert len(costs.by_network([record, other])) == 2


def test_a_kind_of_run_that_was_timed_again_shows_both_times(monkeypatch):
    record = next(r for r in committed() if r.environment["device"] == "cpu")
    past = planning.Past(again={planning.like(record.config): 1.234})
    monkeypatch.setattr(planning, "past", lambda committed_only: past)
    assert costs.by_network([record])["timed again"].tolist() == ["1.23"]
    past.again.clear()
    assert "timed again" not in costs.by_network([record])


def test_without_records_there_is_no_table():
    assert costs.by_network([]).empty


def test_every_chapter_is_listed_with_its_committed_runs():
    table = costs.by_chapter(["laptop"]).set_index("chapter")
    assert len(table) == len(grids.CHAPTERS)
    tuning = grids.grid("tuning", "laptop")
    here = sum((DRAWN / f"{c.config.id}.json").exists() for c in tuning)
    assert table.loc["tuning", "committed"] == str(here)
    left = int(table.loc["human", "minutes left, about"].replace(",", ""))
    assert (left > 0) == (int(table.loc["human", "runs"]) > int(table.loc["human", "committed"]))
    assert table.loc["tuning", "minutes left, about"] == "0"


def test_a_run_of_a_gpu_counts_as_one_like_it_on_a_core():
    seconds, past = planning.seconds(committed_only=True), planning.past(committed_only=True)
    own = {False: 0, True: 0}
    for cell in grids.grid("human", "laptop"):
        record = records.find(cell.config, committed_only=True)
        gpu = record.environment["device"] != "cpu"
        own[gpu] += 1
        counted = 60 * past.expected(cell.config, gpu=False) if gpu else record.cpu_seconds
        assert seconds[record.id] == pytest.approx(counted)
    assert min(own.values()) > 0


def test_old_records_count_as_runs_that_were_timed_again():
    """Kinds of profile laptop whose records have wall time alone, or are of a GPU; each is timed once."""
    rows = json.loads(planning.timed_file().read_text())
    kinds = [tuple(row["like"]) for row in rows]
    assert len(set(kinds)) == len(kinds) and all(0 < row["seconds"] < 3600 for row in rows)
    past = planning.past(committed_only=True)
    elsewhere = {kind for kind, gpu in past.clock if not gpu} | {kind for kind, gpu in past.minutes if gpu}
    laptop = {
        planning.like(cell.config)
        for chapter in grids.CHAPTERS
        for cell in grids.grid(chapter, "laptop", range(5))
    }
    assert elsewhere & laptop <= {kind for kind, gpu in past.minutes if not gpu} | {*past.again}
    assert past.again == {kind: row["seconds"] / 60 for kind, row in zip(kinds, rows, strict=True)}


def test_a_kind_that_was_timed_again_counts_by_that():
    config = RunConfig(network="resnet9-tiny")
    past = planning.Past()
    past.add(config, 600, gpu=False)
    assert past.expected(config, gpu=False) == 10
    past.again[planning.like(config)] = 4
    assert past.expected(config, gpu=False) == 4 and past.expected(config, gpu=True) != 4


def test_all_of_profile_laptop_is_ten_hours_of_two_cores_at_most():
    found = re.fullmatch(r"All of profile laptop .*: (\d+\.\d) hours of two cores\.", costs.whole())
    assert 5 < float(found[1]) <= 10


def test_evaluations_are_said_beside_the_ten_hours():
    every = [evaluations.read(path) for path in evaluations.SHELF.files(committed_only=True)]
    found = re.fullmatch(
        r"Evaluations \((.*)\) come on top: (\d+\.\d) hours of two cores\.", costs.measured()
    )
    counts = {words.split(" of ")[1]: int(words.split()[0]) for words in found[1].split(", ")}
    assert sum(counts.values()) == len(every) and set(counts) == set(profiles.PLANS["laptop"])
    suite = profiles.plan("laptop", "attacks").suite.id
    timed = [e.seconds for e in every if e.suite == suite and e.environment["device"] == "cpu"]
    attacks = counts["attacks"] * statistics.median(timed) / 7200  # most of it
    assert 0.7 * float(found[2]) < attacks < float(found[2])


def test_networks_are_compared_by_what_they_reach_in_their_time():
    table = costs.networks()
    chosen = next(c for c in grids.grid("human-scratch", "laptop", [0]) if c.arm == "soft")
    assert (chosen.network, str(chosen.config.epochs)) in set(zip(table.network, table.epochs, strict=True))
    minutes = table["minutes"].astype(float)
    assert minutes.is_monotonic_increasing and minutes.min() > 0


def test_what_a_gpu_took_is_drawn_from_its_records():
    gpu = [record for record in committed() if record.environment["device"] != "cpu"]
    table = costs.by_network(gpu)
    assert table["runs"].astype(int).sum() == len(gpu) > 0
    where, shown = costs.on_gpu().split("\n\n")
    assert shown.count("\n") == len(table) + 1 and all(machine in where for machine in table.machine)
