"""What a run, a download, a record and a chapter survive: kill, full disk, damage, company, a move, a clock.

Processes kill themselves (SIGKILL) at a random event, drawn from all calls and returns of functions that the
undisturbed work makes; the seeds are fixed. `make test` kills a training and a chapter a few times, to stay
quick; twenty times each: ``KILLS=20 python -m pytest tests/test_faults.py -k killed``. A download and the
writing of a record are always killed twenty times.
"""

import contextlib
import http.server
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import pytest
from children import killed, start
from softlabels import cli, datasets
from softlabels.book import execute
from softlabels.datasets import fetch
from softlabels.errors import RecordError, StorageError, TrainingError
from softlabels.learning import training as loop
from softlabels.learning.annotators import training
from softlabels.learning.config import RunConfig
from softlabels.runs import records
from softlabels.runs import run as runs
from softlabels.store import pack
from test_science import CROWD, planted

pytestmark = pytest.mark.usefixtures("one_thread")
KILLS = int(os.environ.get("KILLS", 4))
SETTINGS = {"network": "resnet9-tiny", "limit": 60, "image_size": 16, "batch_size": 12, "epochs": 4}
CONFIG = RunConfig(**SETTINGS)
SUFFIXES = (".json", ".npz", ".features.npz", ".safetensors")


def left(folder, config=CONFIG):
    """What a run left that must not depend on time or place."""
    body = json.loads((folder / f"{config.id}.json").read_text())
    history = [
        {k: v for k, v in row.items() if k not in ("seconds", "cpu_seconds")} for row in body["history"]
    ]
    return body["metrics"], history, [(folder / f"{config.id}{s}").read_bytes() for s in SUFFIXES[1:]]


def half_written(folder):
    return [
        path.name for path in folder.rglob("*") if ".part" in path.name or path.name.endswith(".unpacking")
    ]


def train(settings):
    runs.get(RunConfig(**settings), "cpu")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, one_thread):
    """A store in which the run was trained without disturbance."""
    store = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTLABELS_CACHE", str(store / "cache"))
        patch.setenv("SOFTLABELS_RESULTS", str(store / "results"))
        runs.get(CONFIG, "cpu")
    return store


@pytest.fixture
def trained(whole, store):
    """That store, copied: everything is there, in another place."""
    shutil.copytree(whole / "cache", store / "cache", dirs_exist_ok=True)
    return store / "cache" / "runs"


def fresh_store(whole, place):
    """A store with the dataset and without the run."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole / "cache" / "datasets", place / "cache" / "datasets")
    return place


# Killed


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(whole, tmp_path):
    store = fresh_store(whole, tmp_path / "killed")
    folder, dice, kills = store / "cache" / "runs", random.Random(0), 0
    events = killed(store, train, (SETTINGS,))
    assert left(folder) == left(whole / "cache" / "runs")
    fresh_store(whole, store)
    while kills < KILLS:
        if killed(store, train, (SETTINGS,), dice.randrange(1, events)) is None:
            kills += 1
            continue
        assert left(folder) == left(whole / "cache" / "runs")
        fresh_store(whole, store)
    killed(store, train, (SETTINGS,))
    assert left(folder) == left(whole / "cache" / "runs")
    assert half_written(store) == [] and not list(folder.glob("*.checkpoint"))


def publish(run):
    records.publish(records.read(records.SHELF.cached / f"{run}.json"), features=True)


def test_a_record_that_is_killed_while_it_is_written_is_whole_or_not_there(whole, tmp_path, monkeypatch):
    store, dice = tmp_path / "killed", random.Random(1)
    monkeypatch.setenv("SOFTLABELS_CACHE", str(store / "cache"))
    monkeypatch.setenv("SOFTLABELS_RESULTS", str(store / "results"))
    shutil.copytree(whole / "cache", store / "cache")
    events, target, kills = killed(store, publish, (CONFIG.id,)), store / "results" / "runs", 0
    while kills < 20:
        shutil.rmtree(target)
        kills += killed(store, publish, (CONFIG.id,), dice.randrange(1, events)) is None
        if (target / f"{CONFIG.id}.json").exists():
            records.read(target / f"{CONFIG.id}.json").check_files()
        publish(CONFIG.id)
        assert {p.name for p in target.iterdir()} == {CONFIG.id + s for s in SUFFIXES[:3]}


CONTENT = bytes(range(256)) * 2000
KEY = "things/file.bin"


class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


def download(url, digest):
    os.environ |= {"NO_PROXY": "127.0.0.1", "SOFTLABELS_DATA": ""}
    fetch.FILES[KEY] = fetch.File(digest, url)
    fetch.fetch(KEY)


def test_a_download_that_is_killed_is_whole_or_not_there(tmp_path):
    import hashlib

    digest, dice, kills, store = hashlib.sha256(CONTENT).hexdigest(), random.Random(2), 0, tmp_path / "killed"
    target = store / "cache" / "downloads" / KEY
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        what = (f"http://127.0.0.1:{server.server_port}/file", digest)
        events = killed(store, download, what)
        while kills < 20:
            target.unlink(missing_ok=True)
            kills += killed(store, download, what, dice.randrange(1, events)) is None
            assert not target.exists() or target.read_bytes() == CONTENT
        killed(store, download, what)
        server.shutdown()
    assert target.read_bytes() == CONTENT and half_written(store) == []


def little_chapter(path):
    lines = ["from softlabels import paths", "print((paths.results() / 'timings.json').read_text())"]
    cells = [nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell("\n".join(lines))]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=execute.KERNEL), path)
    return path, []


def test_a_chapter_that_is_killed_is_whole_or_not_there(store):
    """Twenty times: the chapter of Table 1 in profile smoke, which trains; else a little one, three times."""
    (store / "results" / "timings.json").write_text("[]")
    if KILLS < 20:
        notebook, options = little_chapter(store / "in.ipynb")
    else:
        notebook = execute.paths.PROJECT / "notebooks" / "03_table1.ipynb"
        options = ["--set", "profile=smoke", "--set", "seeds=[0]"]
    out, dice = store / "out.ipynb", random.Random(3)
    command = [sys.executable, "-m", "softlabels.book", "execute", str(notebook), str(out), *options]
    begin = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds, expected, kills = time.monotonic() - begin, out.read_bytes(), 0
    metrics = {r.id: r.metrics for r in records.everything()}
    shutil.rmtree(store / "cache")
    while kills < min(KILLS, 20 if KILLS >= 20 else 3):
        out.unlink(missing_ok=True)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0, seconds))
        process.kill()
        kills += process.wait() != 0
        assert not out.exists() or nbformat.read(out, 4).cells
    subprocess.run(command, check=True, capture_output=True)
    assert {r.id: r.metrics for r in records.everything()} == metrics
    if KILLS < 20:  # a chapter that trained shows how long that took
        assert out.read_bytes() == expected
    assert half_written(store / "cache") == []


# No room, no permission


@contextlib.contextmanager
def tmpfs(folder):
    """A disk of two megabytes with the folder's content."""
    kept = shutil.copytree(folder, folder.with_name("kept"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here: that needs root")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # the dataset is mapped still


class Full:
    """A disk that is full from the third checkpoint on, until `space` is made; two ways to have one."""

    def __init__(self, kind, folder):
        self.kind, self.filler = kind, folder / "filler"
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self):
        if self.kind == "limit":  # of the size of a file, as a quota
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, self.limits[1]))
            return
        with self.filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(4096))

    def space(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)
        self.filler.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["tmpfs", "limit"])
def test_a_full_disk_loses_nothing_and_training_goes_on_after_room_is_made(kind, whole, store, monkeypatch):
    fresh_store(whole, store)
    folder, stored = store / "cache" / "runs", []
    full, write = Full(kind, store / "cache"), loop.store

    def third_time_full(*arguments):
        stored.append(arguments)
        if len(stored) == 3:
            full.fill()
        write(*arguments)

    monkeypatch.setattr(loop, "store", third_time_full)
    with tmpfs(store / "cache") if kind == "tmpfs" else contextlib.nullcontext():
        try:
            with pytest.raises(
                StorageError, match=f"{CONFIG.id}.checkpoint: cannot be written .*; make room"
            ):
                runs.get(CONFIG, "cpu")
        finally:
            full.space()
        assert half_written(folder) == [] and not list(folder.glob("*.json"))
        stored.clear()
        runs.get(CONFIG, "cpu")
        assert len(stored) == 2, "two of four epochs were kept"
        assert left(folder) == left(whole / "cache" / "runs")


@contextlib.contextmanager
def nobody():
    """Without the rights of root, who may write everywhere."""
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


def test_read_only_results_give_a_clear_error_and_keep_the_record(whole, monkeypatch, capsys):
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are root's alone
        root = Path(place)
        shutil.copytree(whole / "cache", root / "cache")
        results = root / "results" / "runs"
        results.mkdir(parents=True)
        for path in (root, *root.rglob("*")):
            path.chmod(0o777)
        monkeypatch.setenv("SOFTLABELS_CACHE", str(root / "cache"))
        monkeypatch.setenv("SOFTLABELS_RESULTS", str(root / "results"))
        results.chmod(0o555)
        record = records.find(CONFIG)
        with nobody(), pytest.raises(StorageError, match=r"\.npz: cannot be written \(Permission denied\)"):
            records.publish(record)
        assert not list(results.iterdir()) and records.find(CONFIG) == record
        monkeypatch.setattr(cli, "_train", lambda options: records.publish(record))
        with nobody():
            assert cli.main(["train"]) == 1
        err = capsys.readouterr().err
        assert "softlabels: " in err and "cannot be written" in err and "Traceback" not in err
        results.chmod(0o777)
        with nobody():
            records.publish(record)
        assert records.read(results / f"{CONFIG.id}.json").metrics == record.metrics


def test_an_error_of_the_system_is_one_line(monkeypatch, capsys):
    def fail(options):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(cli, "_status", fail)
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err.startswith("softlabels: somewhere: No space left on device")


# Damaged


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def exchange(path):
    path.write_bytes(pack(ids=[1]))


@pytest.mark.parametrize(
    ("suffix", "harm"),
    [(".json", cut), (".npz", cut), (".npz", exchange), (".npz", Path.unlink), (".features.npz", exchange)],
)
def test_a_damaged_record_of_the_cache_is_named_set_aside_and_made_again(suffix, harm, trained, whole):
    path = trained / f"{CONFIG.id}{suffix}"
    harm(path)
    content = path.read_bytes() if path.exists() else None
    with pytest.warns(UserWarning, match=rf"{CONFIG.id}.*Set aside as .*{CONFIG.id}.*\.damaged"):
        runs.get(CONFIG, "cpu")
    assert left(trained) == left(whole / "cache" / "runs")
    if content is not None:
        assert path.with_name(f"{path.name}.damaged").read_bytes() == content
    runs.get(CONFIG, "cpu")  # without a warning


def test_a_damaged_committed_record_is_never_made_again_in_silence(trained, store):
    records.publish(records.find(CONFIG))
    cut(path := store / "results" / "runs" / f"{CONFIG.id}.json")
    with pytest.raises(RecordError, match=f"{path}.*take it from git again, or delete"):
        runs.get(CONFIG, "cpu")


def test_damaged_weights_are_set_aside_and_made_again(trained, whole):
    from softlabels.learning import inputs
    from softlabels.learning.hardware import hardware

    path = trained / f"{CONFIG.id}.safetensors"
    cut(path)
    with pytest.warns(UserWarning, match=r"not the weights of this run.*\.safetensors\.damaged"):
        runs.restored(CONFIG, inputs.prepare(CONFIG), hardware("cpu"))
    assert left(trained) == left(whole / "cache" / "runs")


# Company, moves, clocks


@pytest.mark.parametrize("n", [2, 8])
def test_processes_on_one_store_train_each_run_once(n, whole, tmp_path):
    store = fresh_store(whole, tmp_path / "shared")
    wanted = [SETTINGS | {"epochs": 1, "seed": seed} for seed in range(2)]
    logs = [store / f"log{i}" for i in range(n)]
    processes = [start(store, wanted[i % 2], log) for i, log in enumerate(logs)]
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * n
    texts = [log.read_text() for log in logs]
    assert sum("trains" in text for text in texts) == 2
    assert len({text.splitlines()[-1] for text in texts}) == 2
    assert half_written(store) == []


def interrupted(store, whole, monkeypatch):
    """Leave a checkpoint of two epochs."""
    fresh_store(whole, store)
    write, stored = loop.store, []

    def stop(*arguments):
        write(*arguments)
        stored.append(1)
        if len(stored) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "store", stop)
        with pytest.raises(KeyboardInterrupt):
            runs.get(CONFIG, "cpu")


def test_a_run_goes_on_on_another_machine(whole, store, monkeypatch):
    interrupted(store, whole, monkeypatch)
    elsewhere = store / "elsewhere"
    shutil.copytree(store / "cache", elsewhere / "cache")
    shutil.rmtree(store / "cache")
    folder = elsewhere / "cache" / "runs"
    (folder / f".{CONFIG.id}.npz.77.partial").write_bytes(b"half")  # the lock came along too
    monkeypatch.setenv("SOFTLABELS_CACHE", str(elsewhere / "cache"))
    monkeypatch.setattr(
        runs, "environment", lambda hw: {**hw.describe(), "machine": "another", "commit": "0"}
    )
    assert runs.get(CONFIG, "cpu").environment["machine"] == "another"
    assert left(folder) == left(whole / "cache" / "runs")
    assert half_written(folder) == []


@pytest.mark.parametrize("moved", [0, 4e9])
def test_a_clock_that_was_moved_changes_nothing(moved, whole, store, monkeypatch):
    interrupted(store, whole, monkeypatch)
    for path in (store / "cache").rglob("*"):
        os.utime(path, (moved, moved))
    monkeypatch.setattr(time, "time", lambda: moved)
    runs.get(CONFIG, "cpu")
    assert left(store / "cache" / "runs") == left(whole / "cache" / "runs")


# Numbers that are none


def test_a_loss_of_an_annotator_model_that_is_no_number_names_epoch_batch_and_run(store, monkeypatch):
    monkeypatch.setitem(datasets.LOADERS, "planted", planted)
    with pytest.raises(TrainingError, match=rf"(nan|inf).* in epoch \d+, batch \d+ of \d+; .*{CROWD.id}"):
        spoiled = training.build_all

        def spoil(*arguments):
            both = spoiled(*arguments)
            next(both["network"].parameters()).data.fill_(float("nan"))
            return both

        monkeypatch.setattr(training, "build_all", spoil)
        runs.get(CROWD, "cpu")
    assert runs._sound(CROWD) is None
