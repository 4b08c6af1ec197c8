"""Runs are cut into batches that are worth a job, and a batch is trained as its runs would be alone."""

import json
import os
import re
import subprocess
import sys
import zipfile

import pytest
import torch
from softlabels import cli
from softlabels.analysis import table
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.learning import models
from softlabels.learning.config import RunConfig
from softlabels.runs import grids, parallel, planning, records, run
from softlabels.runs.grids import CHAPTERS, grid
from softlabels.runs.planning import Past
from torch.utils.flop_counter import FlopCounterMode

SMALL = RunConfig(network="resnet9-tiny", image_size=32, limit=60, epochs=1, batch_size=16)


def several(n, **changes):
    return [SMALL.replace(seed=seed, **changes) for seed in range(n)]


@pytest.mark.parametrize("name", [n for n in planning.NETWORKS if n not in ("wrn28-10", "densenet121-cifar")])
def test_flop_and_activations_of_networks_are_counted(name):
    assert set(planning.NETWORKS) == set(models.NETWORKS)
    model, kept = models.build(name, 10, torch.zeros(3), torch.ones(3)), {}

    def keep(tensor):
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() / 2**20
        return tensor

    with (
        FlopCounterMode(display=False) as counter,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t),
    ):
        model(torch.rand(2, 3, 64, 64))
    gflop, megabytes = planning.NETWORKS[name]
    assert counter.get_total_flops() / 2e9 == pytest.approx(gflop, rel=0.02)
    assert sum(kept.values()) / 2 == pytest.approx(megabytes, rel=0.05)


def test_every_grid_has_needs():
    cells = [c for name in CHAPTERS for c in grid(name, "paper") if c.config.network in planning.NETWORKS]
    known = {c.config.dataset for c in cells if ":" not in c.config.dataset}
    assert known <= set(planning.IMAGES), "say how many images it has"
    for cell in grid("table1", "paper"):
        needs = planning.needs(cell.config, Past())
        assert needs.minutes > 0 and needs.mem_mb >= planning.LIBRARIES and needs.limit > needs.minutes


def test_a_long_run_asks_for_a_gpu_and_a_short_one_does_not():
    long = RunConfig(network="densenet121", image_size=224, epochs=60)
    assert planning.needs(long, Past()).gpu and not planning.needs(SMALL, Past()).gpu
    assert not planning.needs(long, Past(), device="cpu").gpu and planning.needs(SMALL, Past(), "cuda:0").gpu


def test_a_record_tells_the_time_of_its_like_and_scales_for_others():
    past = Past()
    for seconds in (50, 60, 400):
        past.add(SMALL, seconds, gpu=False)
    assert past.expected(SMALL.replace(seed=9, label="hard"), gpu=False) == pytest.approx(1)
    assert past.expected(SMALL.replace(epochs=3), gpu=False) == pytest.approx(3)
    assert past.expected(SMALL.replace(image_size=64), gpu=False) == pytest.approx(4)


def test_the_clock_counts_for_kinds_of_runs_that_nobody_has_timed():
    past = Past()
    past.add(SMALL, 600, gpu=False, timed=False)
    assert past.expected(SMALL, gpu=False) == pytest.approx(10)
    past.add(SMALL, 60, gpu=False)
    assert past.expected(SMALL, gpu=False) == pytest.approx(1)


@pytest.mark.parametrize("places", [1, 2, 7])
def test_batches_keep_every_run_once_in_order_and_have_work_for_all(places):
    past = Past()
    past.add(SMALL, 60, gpu=False)
    configs = several(30)
    found = planning.plan(configs, past, places)
    assert [c for b in found for c in b.configs] == configs
    assert len(found) >= min(places, 30)
    assert len({b.name for b in found}) == len(found)
    assert max(b.needs.minutes for b in found) <= planning.TARGET + 1
    assert sum(b.needs.minutes for b in found) == pytest.approx(30)


def test_runs_for_cpu_and_gpu_are_never_in_one_batch():
    long = [RunConfig(network="densenet121", image_size=224, epochs=60, seed=seed) for seed in range(2)]
    mixed = [long[0], *several(2), long[1]]
    found = planning.plan(mixed, Past(), 1, target=1e6)
    assert [len(b.configs) for b in found] == [2, 2]
    assert [b.name[:4] for b in found] == ["cpu-", "gpu-"]


def test_a_batch_file_gives_back_its_runs_and_a_stale_mark_goes(tmp_path):
    [batch] = planning.plan(several(3, label="hard"), Past())
    (tmp_path / f"{batch.name}.done").touch()
    path = planning.write(batch, tmp_path)
    assert planning.read(path) == list(batch.configs)
    assert not path.with_suffix(".done").exists()
    assert planning.resource(path, "limit") == batch.needs.limit
    assert planning.resource(path, "mem_mb") == batch.needs.mem_mb


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"runs": 3}', '{"runs": [3]}', '{"runs": [{"epoch": 3}]}', '{"runs": [null]}']
)
def test_a_file_that_is_no_batch_is_named(tmp_path, text):
    path = tmp_path / "batch.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"batch\.json"):
        planning.read(path)


def test_a_batch_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"batch\.json: cannot be read \(No such file or directory\)$"):
        planning.read(tmp_path / "batch.json")


def test_a_run_on_vectors_is_expected_to_take_what_such_runs_took():
    past, config = planning.Past(), RunConfig(dataset="mgc", network="mlp-128", epochs=10, limit=200)
    assert past.expected(config, gpu=False) == planning.SHORT
    past.add(config, 60.0, gpu=False)
    assert past.expected(config.replace(epochs=20, limit=400), gpu=False) == pytest.approx(4)
    assert past.expected(config.replace(epochs=1, limit=2), gpu=False) == planning.LEAST_RUN


def test_status_sums_what_a_profile_costs(store, monkeypatch, one_thread, capsys):
    from softlabels import cli

    monkeypatch.setattr("softlabels.runs.run._precision_of_pair", lambda *_: None)
    cells = grid("quickstart", "smoke", [0])
    parallel.train([cells[0].config])
    planning.past.cache_clear()
    capsys.readouterr()
    chosen = ["status", "--chapter", "quickstart", "--profile", "smoke", "--seeds", "0", "--cost"]
    assert cli.main(chosen) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("2 runs, each counted once: ") and last.endswith(" minutes of two cores")
    record = records.find(cells[0].config)
    assert (
        0 < record.cpu_seconds == pytest.approx(sum(row["cpu_seconds"] for row in record.history), abs=1e-3)
    )
    planning.past.cache_clear()


def without_time(record):
    body = json.loads(record.to_json())
    return {k: body[k] for k in ("id", "config", "metrics", "best_epoch", "labels", "data", "checksums")}


def test_side_by_side_gives_the_records_of_one_after_the_other(store, monkeypatch, one_thread):
    """Two processes on one device share no more than the device: metrics and arrays are the same bits."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    configs = several(3)
    alone = {r.id: without_time(r) for r in parallel.train(configs)}
    monkeypatch.setenv("SOFTLABELS_CACHE", str(store / "other"))
    path = planning.write(planning.plan(configs, Past())[0], store)
    command = [sys.executable, "-m", "softlabels.cli", "train", "--from", str(path), "--runs-per-gpu", "2"]
    program = "import sys; from softlabels.cli import main; sys.exit(main(sys.argv[1:]))"
    command[1:3] = ["-c", program]
    done = subprocess.run([*command, "--device", "cpu"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "it/s" not in done.stderr, "bars of two processes, and no terminal"
    assert {c.id: without_time(records.find(c)) for c in configs} == alone


def test_a_chapter_trains_a_run_on_each_core_where_that_is_worth_it(store, monkeypatch, one_thread, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the processes; this one says that it has two
    cells = [grids.Cell("synthetic", c.network, "r", c.label, c.seed, c) for c in several(3)]
    alone = {r.id: without_time(r) for r in parallel.train(several(3))}
    monkeypatch.setenv("SOFTLABELS_CACHE", str(store / "other"))
    monkeypatch.setattr(parallel.torch, "get_num_threads", lambda: 2)
    capsys.readouterr()
    parallel.on_all_cores(several(3), "cpu")
    assert not capsys.readouterr().err, "a few seconds are not worth a process"
    monkeypatch.setattr(parallel, "WORTH", 0.0)
    with monkeypatch.context() as crowded:
        crowded.setattr(parallel.planning, "memory", lambda config: 10**9)
        parallel.on_all_cores(several(3), "cpu")
        assert not capsys.readouterr().err, "there is no room for two"
    found = table.recorded(table.of_cells([("several", c) for c in cells], "smoke", train=True, device="cpu"))
    assert "3 runs:" in capsys.readouterr().err and "TQDM_DISABLE" not in os.environ
    assert {r.id: without_time(r) for r in found} == alone
    parallel.on_all_cores(several(3), "cpu")
    assert not capsys.readouterr().out, "nothing is missing any more"


def test_runs_that_cannot_be_had_do_not_stop_the_others(store, monkeypatch):
    def get(config, device):
        if config.seed == 1:
            raise DataUnavailable("no such file")
        trained.append(config.seed)
        return records.Record(config, {}, [], 1, {}, {}, {}, 1.0, {}, store)

    trained: list[int] = []
    monkeypatch.setattr(run, "get", get)
    with pytest.raises(DataUnavailable, match=rf"1 of 3 .*\n{several(2)[1].id}: no such file"):
        parallel.train(several(3))
    assert trained == [0, 2]


def test_at_least_one_at_a_time():
    with pytest.raises(ConfigError, match="runs-per-gpu"):
        parallel.train([], at_once=0)


# Calls of bounded length.


def grid_of(seeds, arms=("truth", "hard", "soft", "smoothed")):
    """Arms of one setting over seeds, in the order of a grid."""
    common = {"dataset": "synthetic", "limit": 60, "image_size": 16, "network": "resnet9-tiny", "epochs": 1}
    labels = {"truth": {"label": "hard", "smoothing": 0.1}, "smoothed": {"label": "hard", "smoothing": 0.2}}
    return [
        grids.Cell(
            "synthetic", "resnet9-tiny", "r", arm, seed,
            RunConfig.from_dict({**common, "batch_size": 8, "seed": seed, **labels.get(arm, {"label": arm})}),
        )
        for seed in seeds
        for arm in arms
    ]  # fmt: skip


def past_of(cells, minutes):
    found = Past()
    found.add(cells[0].config, 60 * minutes, False)
    return found


def test_a_unit_is_a_pair_and_then_each_further_arm(store):
    found = parallel.units(grid_of([0, 1]))
    assert [[c.arm for c in unit] for unit in found] == 2 * [["truth", "soft"], ["hard"], ["smoothed"]]
    assert len({c.config.id for unit in found for c in unit}) == 8


def test_a_plan_cuts_between_pairs(store):
    cells = grid_of([0, 1, 2])
    planned = parallel.calls(cells, 8 * 60, past_of(cells, 2.0), gpu=False)
    assert [len(call.cells) for call in planned] == [3, 3, 2, 3, 1], "7.2 of 8 minutes"
    assert [cell.config.id for call in planned for cell in call.cells] == [
        cell.config.id for unit in parallel.units(cells) for cell in unit
    ]
    assert sum(call.minutes for call in planned) == pytest.approx(24)
    [whole] = parallel.calls(cells, 8 * 60, past_of(cells, 2.0), gpu=False, at_once=4)
    assert whole.minutes == pytest.approx(6)
    long = parallel.calls(cells, 60, past_of(cells, 2.0), gpu=False)
    assert [len(call.cells) for call in long] == 3 * [2, 1, 1], "a pair is whole though it is longer"


def test_a_call_stops_after_the_last_whole_pair_that_fits(store, monkeypatch, one_thread):
    cells, now = grid_of([0, 1, 2], ("hard", "soft")), [0.0]
    real = parallel.train

    def train(configs, device, at_once):
        now[0] += 60.0 * len(configs)  # a minute a run, as long as expected
        return real(configs, device, at_once)

    monkeypatch.setattr(parallel, "train", train)
    past = past_of(cells, 1.0)
    found, left = parallel.train_within(cells, 280, past, "cpu", clock=lambda: now[0])
    assert [r.config.seed for r in found] == [0, 0, 1, 1] and left == 2
    now[0] = 0.0
    found, left = parallel.train_within(cells, 1, past, "cpu", clock=lambda: now[0])
    assert [r.config.seed for r in found] == [2, 2] and left == 0, "the first pair is trained in any case"
    assert parallel.train_within(cells, 280, past, "cpu") == ([], 0)


def test_the_command_plans_trains_and_packs(store, capsys, one_thread, monkeypatch):
    monkeypatch.setitem(grids.CHAPTERS, "quickstart", lambda profile, seeds: grid_of(seeds, ("hard", "soft")))
    arguments = ["train", "--chapter", "quickstart", "--seeds", "0", "1", "--device", "cpu"]
    assert cli.main([*arguments, "--plan"]) == 0
    assert re.search(r"call 1: about .* minutes, 4 runs, synthetic resnet9-tiny hard seed 0 to",
                     capsys.readouterr().out)  # fmt: skip
    out = store / "call.zip"
    assert cli.main([*arguments, "--budget", "8min", "--export", str(out)]) == 0
    assert "4 runs trained, 0 left" in capsys.readouterr().out
    with zipfile.ZipFile(out) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".json")]) == 4
    assert cli.main([*arguments, "--export", str(out)]) == 1
    assert "--export packs what a call with --budget trained" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "found"), [("3", 3), ("auto", 1)])
def test_how_many_stand_side_by_side(asked, found, monkeypatch):
    monkeypatch.setattr(parallel.torch.cuda, "is_available", lambda: False)
    assert parallel.side_by_side(asked, several(2)) == found
    for wrong in ("0", "two", "-1"):
        with pytest.raises(ConfigError, match="a number from 1 on, or auto"):
            parallel.side_by_side(wrong, [])


def test_auto_is_bounded_by_memory_and_cores(monkeypatch):
    monkeypatch.setattr(parallel.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda _: range(16))
    need = max(map(parallel.planning.memory, several(2)))
    for free, expected in ((80_000, 2), (need, 1), (4 * need, 2)):
        monkeypatch.setattr(parallel.torch.cuda, "mem_get_info", lambda free=free: (free * 2**20, 0))
        assert parallel.side_by_side("auto", several(2)) == expected
    monkeypatch.setattr(parallel.torch.cuda, "mem_get_info", lambda: (100 * need * 2**20, 0))
    assert parallel.side_by_side("auto", several(20)) == 12


def test_twice_the_pixels_epochs_or_images_is_twice_the_work():
    base = RunConfig(image_size=64, epochs=10, limit=1000)
    for changes, factor in [({"image_size": 128}, 4), ({"epochs": 20}, 2), ({"limit": 2000}, 2)]:
        assert planning.flop(base.replace(**changes)) == pytest.approx(factor * planning.flop(base))
