"""A cluster of its own is refused with a reason."""

import importlib.util

from softlabels.paths import PROJECT


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
