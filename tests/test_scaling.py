"""What the papers' runs would cost is counted right, and a cluster of its own is refused with a reason."""

import importlib.util

import pytest
from softlabels.book import scaling
from softlabels.learning.config import RunConfig
from softlabels.paths import PROJECT
from softlabels.runs import planning


@pytest.mark.parametrize("places", [1, 2, 5, 40])
def test_nobody_waits_and_no_run_is_cut(places):
    hours = [3.0, 1.0, 2.5, 0.5, 4.0, 1.0, 1.5]
    found = scaling.makespan(hours, places)
    assert max(max(hours), sum(hours) / places) <= found <= sum(hours) / places + max(hours)
    assert scaling.makespan(hours, 1) == pytest.approx(sum(hours))
    assert scaling.makespan(hours, 40) == max(hours)


def test_more_gpus_help_until_the_longest_run():
    assert scaling.enough([2.0, 2.0, 2.0]) == 3
    assert scaling.enough([10.0, 1.0, 1.0]) == 1


def test_every_run_is_counted_once():
    runs = scaling.runs_of("paper")
    assert len({c.id for c in runs}) == len(runs)
    table = scaling.by_network([c for c in runs if planning.flop(c)])
    assert table["runs"].astype(int).sum() == sum(planning.flop(c) > 0 for c in runs)


def test_twice_the_pixels_epochs_or_images_is_twice_the_work():
    base = RunConfig(image_size=64, epochs=10, limit=1000)
    for changes, factor in [({"image_size": 128}, 4), ({"epochs": 20}, 2), ({"limit": 2000}, 2)]:
        assert planning.flop(base.replace(**changes)) == pytest.approx(factor * planning.flop(base))


def cluster():
    spec = importlib.util.spec_from_file_location("cluster", PROJECT / "workflow" / "cluster.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_where_no_slurm_can_be_started_the_reason_is_said(monkeypatch, capsys):
    module = cluster()
    monkeypatch.setattr(module.os, "getuid", lambda: 1000)
    monkeypatch.setattr(module.sys, "argv", ["cluster.py"])
    module.main()
    assert capsys.readouterr().out == "test-cluster: skipped; a SLURM of its own needs root on Linux\n"


def test_a_cluster_that_is_here_already_is_left_alone(monkeypatch, tmp_path):
    module = cluster()
    (tmp_path / "slurm.conf").write_text("ClusterName=mine")
    monkeypatch.setattr(module, "CONF", tmp_path / "slurm.conf")
    monkeypatch.setattr(module, "_plugin", lambda: True)
    monkeypatch.setattr(module.os, "getuid", lambda: 0)
    assert "belongs to a cluster already" in module.reason_to_skip()
