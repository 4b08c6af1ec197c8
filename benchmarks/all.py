"""All benchmarks one after the other, into one record: what `make bench` calls.

Each script's lines are saved in ``results/benchmarks.json`` as soon as it is done. A call after an
interruption goes on with the scripts that have not been measured at this commit on this machine; ``--again``
repeats all. A script that fails is named at the end, and its old lines stay; what was never measured is
missing in the table.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from softlabels.book import speed
from softlabels.errors import SoftlabelsError

FOLDER = Path(__file__).resolve().parent


def measure(script: str, options: Sequence[str]) -> list[str]:
    """Output of one script, line by line."""
    command = [sys.executable, str(FOLDER / f"{script}.py"), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SoftlabelsError(f"{script}.py ended with {done.returncode}")
    return done.stdout.splitlines()


def main(arguments: Sequence[str] | None = None) -> int:
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("--only", nargs="+", choices=speed.SCRIPTS, default=list(speed.SCRIPTS), metavar="NAME")
    top.add_argument("--again", action="store_true", help="measure what is measured already, too")
    top.add_argument("--quick", action="store_true", help="see that all run; nothing is saved")
    options = top.parse_args(arguments)
    failed = []
    for script in options.only:
        if not (options.again or options.quick) and speed.measured(script):
            print(f"{script}: measured at this commit on this machine already")
            continue
        begin = time.monotonic()
        try:
            lines = measure(script, ["--quick"] if options.quick else [])
        except SoftlabelsError as error:
            failed.append(str(error))
            continue
        if not options.quick:
            speed.save(script, lines)
        print(
            f"{script}: {(time.monotonic() - begin) / 60:.1f} minutes", *lines[1::2], sep="\n  ", flush=True
        )
    if failed:
        print("not measured: " + "; ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
