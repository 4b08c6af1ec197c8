"""How long it takes to plan a graph of 10,000 runs, and to list the status of 10,000 records.

No peer: both have a limit in seconds. The runs are those of Table 1, with as many seeds as it takes; nothing
is trained. The records are copies of a small one, with the configurations of these runs.
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

PLAN, STATUS = 30.0, 5.0  # seconds


def call(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"planning: {' '.join(command)} ended with {done.returncode}\n{done.stderr[-2000:]}")


def plan(environment: dict[str, str], seeds: str) -> float:
    """Seconds of a dry run of the whole workflow up to the last run, Python's start included."""
    command = [sys.executable, "-m", "snakemake", "trained", "--snakefile", "workflow/Snakefile", "-n", "-q"]
    asked = ["--config", "train=true", f"seeds={seeds}", "grids=table1"]
    return seconds(lambda: call([*command, "--cores", "2", "--nolock", *asked], environment))


def write_records(folder: Path, cells: Sequence[grids.Cell]) -> None:
    folder.mkdir(parents=True)
    history = [{"epoch": n, "train_loss": 1.0, "validation_loss": 1.0, "seconds": 30.0} for n in range(12)]
    for cell in cells:
        body = {"id": cell.config.id, "config": cell.config.to_dict(), "seconds": 360.0}
        body |= {"environment": {"device": "cpu"}, "metrics": {"test": {"kl": 1.0}}, "history": history}
        (folder / f"{cell.config.id}.json").write_text(json.dumps(body, indent=1))


def status(environment: dict[str, str], seeds: list[str]) -> float:
    program = "import sys; from softlabels.cli import main; sys.exit(main(sys.argv[1:]))"
    return seconds(lambda: call([sys.executable, "-c", program, "status", "--seeds", *seeds], environment))


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--runs", type=int, default=10_000)
    options = top.parse_args(arguments)
    wanted, seeds = (60 if options.quick else options.runs), []
    cells: list[grids.Cell] = []
    while len(cells) < wanted:
        seeds.append(len(seeds))
        cells += grids.grid("table1", "laptop", seeds[-1:])
    cells = cells[:wanted]
    with TemporaryDirectory() as scratch:
        places = {f"SOFTLABELS_{name}": str(Path(scratch) / name.lower()) for name in ("CACHE", "RESULTS")}
        environment = {**os.environ, **places}
        words = [str(seed) for seed in seeds]
        took = plan(environment, " ".join(words))
        report("planning", [took], limit_seconds=PLAN, runs=wanted)
        write_records(Path(places["SOFTLABELS_CACHE"]) / "runs", cells)
        report("status", [status(environment, words)], limit_seconds=STATUS, records=wanted)


if __name__ == "__main__":
    main()
