"""What the workflow costs beside the work: 200 runs of one second, on this machine and through SLURM.

Ours is the wall time of snakemake from start to end; the peer is the sum of the work on two cores. A run
sleeps for its second instead of computing: then the machine's other load does not count as work, and what is
left is planning, start of processes and loading of libraries. All else is as in `make reproduce`: the graph,
the batches, the profiles. SLURM is started for this and stopped again, where that is possible (root, Debian).
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from common import parser, report, seconds
from softlabels.paths import PROJECT
from softlabels.runs import grids

sys.path.insert(0, str(PROJECT / "workflow"))
import cluster

# Stands in the place of `softlabels train`: loads what a training loads, and sleeps in its place.
SLEEPER = """\
#!{python}
import sys, time
from pathlib import Path
from softlabels.runs import planning, run
for config in planning.read(Path(sys.argv[sys.argv.index("--from") + 1])):
    time.sleep(1)
"""
LOCAL, SLURM = 1 / 1.1, 1 / 1.25  # of the work in the time: overheads of 10 % and of 25 %
CORES = 2


def environment_in(folder: Path) -> dict[str, str]:
    """Empty stores, one record that says that such runs take a second, and the sleeper on the path."""
    runs = folder / "cache" / "runs"
    runs.mkdir(parents=True)
    [known, *_] = grids.grid("figure1", "smoke", [10**6])
    body = {"id": known.config.id, "config": known.config.to_dict(), "seconds": 1.0, "history": []}
    (runs / f"{known.config.id}.json").write_text(json.dumps(body | {"environment": {"device": "cpu"}}))
    program = folder / "bin" / "softlabels"
    program.parent.mkdir()
    program.write_text(SLEEPER.format(python=sys.executable))
    program.chmod(0o755)
    stores = {"SOFTLABELS_CACHE": str(folder / "cache"), "SOFTLABELS_RESULTS": str(folder / "results")}
    return {**os.environ, **stores, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def wall(executor: str, environment: dict[str, str], n_runs: int, *options: str) -> float:
    command = [sys.executable, "-m", "snakemake", "trained", "--snakefile", "workflow/Snakefile"]
    profile = ["--workflow-profile", str(PROJECT / "workflow" / "profiles" / executor), *options]
    seeds = " ".join(str(seed) for seed in range(n_runs // 2))  # two arms each
    asked = ["--config", "train=true", "profile=smoke", f"seeds={seeds}", "grids=figure1"]

    def run() -> None:
        done = subprocess.run(
            [*command, *profile, *asked], cwd=PROJECT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"overhead: snakemake ended with {done.returncode}\n{done.stderr[-2000:]}")

    return seconds(run)


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--runs", type=int, default=200)
    top.add_argument("--executors", nargs="+", choices=["local", "slurm"], default=["local", "slurm"])
    options = top.parse_args(arguments)
    n = 4 if options.quick else options.runs
    work = n / CORES
    executors = ["local"] if options.quick else options.executors
    if "local" in executors:
        with TemporaryDirectory() as scratch:
            took = wall("local", environment_in(Path(scratch)), n, "--cores", str(CORES))
        report("overhead-local", [took], [work], target=round(LOCAL, 2), runs=n)
    if "slurm" not in executors:
        return
    if reason := cluster.reason_to_skip():
        print(f"overhead-slurm: not measured; {reason}", file=sys.stderr)
        return
    with TemporaryDirectory() as scratch, cluster.cluster(Path(scratch)) as clients:
        environment = clients | environment_in(Path(scratch) / "work")
        took = wall("slurm", environment, n, *cluster.on_slurm(Path(scratch)))
    report("overhead-slurm", [took], [work], target=round(SLURM, 2), runs=n)


if __name__ == "__main__":
    main()
