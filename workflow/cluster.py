"""A real SLURM on this machine, for the test of `make reproduce EXECUTOR=slurm`: ``make test-cluster``.

One node is started from Debian's packages in a folder of its own. The smoke grids of Table 1 and of annot-mix
are trained on this machine and then through SLURM, two jobs at a time; of those, one is cancelled and one has
its training killed. Both ways must leave the same records: metrics and arrays, bit by bit.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
# Not a variable of the environment: the executor drops those of SLURM inside its jobs.
CONF = Path("/etc/slurm/slurm.conf")
GRIDS = "table1 annot_mix"
SAME = ("config", "metrics", "best_epoch", "labels", "data", "checksums")
CONFIGURATION = """\
ClusterName=softlabels
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
SlurmctldPort={port}
SlurmdPort={next_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MinJobAge=600
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def reason_to_skip(install: bool = True) -> str:
    """Say why no SLURM can be started here, or nothing; installs missing packages where it can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "a SLURM of its own needs root on Linux"
    if not _plugin():
        return "snakemake-executor-plugin-slurm is not installed: pip install -e '.[cluster]'"
    if CONF.is_file() and not CONF.is_symlink():
        return f"this machine belongs to a cluster already ({CONF})"
    if all(map(shutil.which, PROGRAMS)):
        return ""
    if shutil.which("apt-get") is None or not install:
        return f"SLURM is not installed ({', '.join(PACKAGES)}) and there is no apt-get to do it"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False, **quiet)
    command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES]
    if subprocess.run(command, env=environment, check=False, **quiet).returncode:
        return f"apt-get could not install {', '.join(PACKAGES)}"
    return reason_to_skip(install=False)


def _plugin() -> bool:
    from importlib.util import find_spec

    return find_spec("snakemake_executor_plugin_slurm") is not None


def _configure(folder: Path) -> None:
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir()
    (folder / "munge" / "key").write_bytes(os.urandom(1024))
    (folder / "munge" / "key").chmod(0o600)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    text = CONFIGURATION.format(
        host=os.uname().nodename.split(".")[0],
        folder=folder,
        port=16817,
        next_port=16818,
        cpus=os.cpu_count(),
        memory=memory,
    )
    (folder / "slurm.conf").write_text(text)
    CONF.parent.mkdir(exist_ok=True)
    CONF.unlink(missing_ok=True)
    CONF.symlink_to(folder / "slurm.conf")
    shutil.chown(folder / "munge", "munge", "munge")
    shutil.chown(folder / "munge" / "key", "munge", "munge")
    folder.chmod(0o755)  # munge's own user has to reach its socket


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start munge, slurmctld and slurmd, and stop them by their pids; yields the environment of clients."""
    _configure(folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    munge = folder / "munge"
    files = [f"--{name}={munge / name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    as_munge = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
    starts = [
        [*as_munge, "munged", "--foreground", f"--key-file={munge / 'key'}", *files],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]
    log = (folder / "daemons.log").open("w")
    running = []
    try:
        for command in starts:
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            time.sleep(1)
        _wait_for_node(environment, folder)
        yield environment
    finally:
        CONF.unlink(missing_ok=True)
        for process in reversed(running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for_node(environment: dict[str, str], folder: Path) -> None:
    for _ in range(60):
        done = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        time.sleep(1)
    logs = "\n".join(path.read_text()[-1500:] for path in sorted(folder.glob("*.log")))
    raise SystemExit(f"cluster: the node did not become idle within a minute\n{logs}")


def workflow(executor: str, *options: str) -> list[str]:
    """Compose the command that trains the grids alone."""
    profile = ["--workflow-profile", str(ROOT / "workflow" / "profiles" / executor)]
    command = [sys.executable, "-m", "snakemake", "trained", "--snakefile", "workflow/Snakefile", *profile]
    settings = ["train=true", "profile=smoke", "seeds=0", f"grids={GRIDS}"]
    return [*command, *options, "--config", *settings]


def on_slurm(folder: Path) -> tuple[str, ...]:
    """Options for a cluster without accounting, looked at every few seconds."""
    look = ("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2")
    account = ("--slurm-status-command", "squeue", "--slurm-no-account", "--latency-wait", "10")
    where = ("--slurm-logdir", str(folder / "logs"), "--default-resources", "slurm_partition=debug")
    return (*look, *account, *where, "--jobs", "2")


def jobs(environment: dict[str, str], state: str = "RUNNING") -> list[str]:
    """Ids of the jobs in a state."""
    command = ["squeue", "-h", "-t", state, "-o", "%A"]
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split()


def trainings(job: str) -> list[int]:
    """Processes of a job that train: found by the variable that SLURM gives to all processes of a job."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            inside = f"SLURM_JOB_ID={job}".encode() in (path / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if inside and b"train" in words and any(word.endswith(b"/softlabels") for word in words):
            found.append(int(path.name))
    return found


def disturb(process: subprocess.Popen, environment: dict[str, str]) -> list[str]:
    """Cancel the first job that trains and kill the training of the second; returns what was done."""
    done: list[str] = []
    hit: set[str] = set()
    while process.poll() is None:
        for job in jobs(environment) if len(done) < 2 else ():
            training = trainings(job)
            if job in hit or not training or len(done) == 2:
                continue
            hit.add(job)
            if not done:
                subprocess.run(["scancel", job], env=environment, check=True)
                done.append(f"cancelled job {job}")
            else:
                os.kill(training[0], signal.SIGKILL)
                done.append(f"killed the training of job {job}")
        time.sleep(0.5)
    return done


def records(cache: Path) -> dict[str, dict]:
    """What must not depend on who trained, of every record in a cache."""
    bodies = [json.loads(path.read_text()) for path in sorted((cache / "runs").glob("*.json"))]
    return {body["id"]: {name: body[name] for name in SAME} for body in bodies}


def compare(folder: Path, environment: dict[str, str]) -> tuple[int, list[str]]:
    """Train both ways; returns how many records there are and what was disturbed, exits on a difference."""
    empty = {"SOFTLABELS_RESULTS": str(folder / "results")}
    caches = {name: folder / f"cache-{name}" for name in ("local", "slurm")}
    local = {**environment, **empty, "SOFTLABELS_CACHE": str(caches["local"])}
    subprocess.run(workflow("local", "--cores", "2"), cwd=ROOT, env=local, check=True)
    # Decoded data are the same for both; all else has to come from SLURM.
    shutil.copytree(caches["local"], caches["slurm"], ignore=shutil.ignore_patterns("runs", "batches"))
    remote = {**environment, **empty, "SOFTLABELS_CACHE": str(caches["slurm"])}
    process = subprocess.Popen(workflow("slurm", *on_slurm(folder)), cwd=ROOT, env=remote)
    done = disturb(process, environment)
    if process.returncode:
        for log in sorted((folder / "logs").rglob("*.log")):  # of failed jobs; others are removed
            print(f"--- {log.name}", log.read_text()[-4000:], sep="\n")
        raise SystemExit(f"cluster: snakemake ended with {process.returncode} ({', '.join(done)})")
    ours, theirs = records(caches["slurm"]), records(caches["local"])
    different = sorted(i for i in ours.keys() | theirs.keys() if ours.get(i) != theirs.get(i))
    if different or len(done) < 2 or not ours:
        raise SystemExit(f"cluster: records differ: {different or 'none'}; disturbed: {done}")
    return len(ours), done


def main() -> None:
    """Run the test; where no SLURM can be started, say why and succeed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    begin = time.monotonic()
    if reason := reason_to_skip():
        print(f"test-cluster: skipped; {reason}")
        return
    with TemporaryDirectory(prefix="softlabels-slurm-") as scratch:
        folder = Path(scratch)
        with cluster(folder) as environment:
            n, done = compare(folder, environment)
    minutes = (time.monotonic() - begin) / 60
    print(f"test-cluster: {n} records as from a local run; {', '.join(done)}; {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
