"""Processor seconds of every kind of run that no record has timed on a core: `results/seconds.json`.

Old records were timed by the clock, beside other work, and some runs were trained on a GPU. With `--network`
the kinds of a network are timed again that has become faster since its records. One run of each kind of
profile laptop is trained again, into a folder that is thrown away: runs on vectors whole, of others
the first two epochs, scaled. The records stay as they are; only what they cost is counted anew
(`softlabels status --cost`, *What it costs*).
"""

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from common import parser
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.runs import grids, planning, run
from softlabels.runs.profiles import SPLITS
from softlabels.store import write_atomically

EPOCHS = 2


def untimed(network: str = "") -> dict[planning.Like, RunConfig]:
    """One run of each kind that has a committed record, and none with processor seconds; or of a network."""
    past, found = planning.past(committed_only=True), {}
    for chapter in grids.CHAPTERS:
        for cell in grids.grid(chapter, "laptop", SPLITS):
            key = planning.like(cell.config)
            known = (key, False) in past.clock or (key, True) in past.minutes
            timed = (key, False) in past.minutes or key in past.again
            if cell.config.network == network or (not network and known and not timed):
                found.setdefault(key, cell.config)
    return found


def took(config: RunConfig, folder: Path) -> float:
    """Processor seconds of a run on one core."""
    short = config if config.method or config.epochs <= EPOCHS else config.replace(epochs=EPOCHS)
    record = run.train_in(folder, short, "cpu")
    # The first epoch chooses kernels; those that are left take as long as the last one.
    return record.cpu_seconds + (config.epochs - short.epochs) * record.history[-1]["cpu_seconds"]


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--network", default="", help="time its kinds again, whatever is known of them")
    options = top.parse_args(arguments)
    left = untimed(options.network)
    for key, config in list(left.items())[: 1 if options.quick else None]:
        with TemporaryDirectory() as scratch, redirect_stdout(sys.stderr):
            row = {"like": list(key), "seconds": round(took(config, Path(scratch)), 1)}
        row["machine"] = hardware("cpu").describe()["machine"]
        print(json.dumps(row, ensure_ascii=False), flush=True)
        if not options.quick:
            path = planning.timed_file()
            rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
            rows = [one for one in rows if one["like"] != row["like"]]
            lines = ",\n ".join(json.dumps(one, ensure_ascii=False) for one in [*rows, row])
            write_atomically(path, f"[\n {lines}\n]\n".encode())


if __name__ == "__main__":
    main()
