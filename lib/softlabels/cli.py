"""The command line: train, status, audit and records. Heavy imports wait until a command needs them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from softlabels.errors import SoftlabelsError, unknown


def _cells(options: argparse.Namespace) -> list:
    from softlabels import experiments

    cells = experiments.grid(options.chapter, options.profile, options.seeds)
    if options.dataset:
        known = list(dict.fromkeys(c.dataset for c in cells))
        if options.dataset not in known:
            where = f"dataset of chapter {options.chapter}, profile {options.profile}:"
            raise unknown(where, options.dataset, known)
        cells = [c for c in cells if c.dataset == options.dataset]
    if options.only:
        cells = [c for c in cells if c.config.id in options.only]
        missing = set(options.only) - {c.config.id for c in cells}
        if missing:
            raise SoftlabelsError(
                f"no run {', '.join(sorted(missing))} in chapter {options.chapter}, profile {options.profile}"
            )
    return cells


def _train(options: argparse.Namespace) -> None:
    from softlabels import records, runs
    from softlabels.errors import DataUnavailable

    cells, left_out = _cells(options), []
    for number, c in enumerate(cells, 1):
        print(
            f"[{number}/{len(cells)}] {c.config.id} {c.dataset} {c.network} {c.recipe} {c.arm} seed {c.seed}"
        )
        try:
            record = runs.get(c.config, options.device)
        except DataUnavailable as error:
            left_out.append(f"{c.config.id}: {error}")
            continue
        if options.publish:
            records.publish(record, features=options.chapter == "figure1")
    if left_out:
        raise DataUnavailable(f"{len(left_out)} of {len(cells)} runs left out:\n" + "\n".join(left_out))


def _status(options: argparse.Namespace) -> None:
    from softlabels import experiments, records

    for chapter in experiments.CHAPTERS:
        cells = experiments.grid(chapter, options.profile, options.seeds)
        done = [r for c in cells if (r := records.find(c.config))]
        minutes = sum(r.seconds for r in done) / 60
        print(f"{chapter:12} {len(done):4} of {len(cells):4} runs, {minutes:6.1f} minutes of training")


def _audit(options: argparse.Namespace) -> None:
    from softlabels import audit

    if not audit.report(audit.audit(options.n, options.seed, options.device)):
        raise SoftlabelsError("the audit found differences beyond the tolerance")


def _export(options: argparse.Namespace) -> None:
    from softlabels import archive

    chosen = [c.config.id for c in _cells(options)] if options.chapter else None
    print(f"{archive.export(options.file, chosen, options.features)} records in {options.file}")


def _import(options: argparse.Namespace) -> None:
    from softlabels import archive

    added, known = archive.load(options.file)
    print(f"{added} records added, {known} were here already")


def _grid_options(parser: argparse.ArgumentParser, chapter: str | None) -> None:
    parser.add_argument("--chapter", default=chapter, help="table1, figure1, figure2, tuning …")
    parser.add_argument("--profile", default="laptop", help="smoke, laptop (default), paper")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--dataset", help="runs on this dataset only")
    parser.add_argument("--only", nargs="+", metavar="ID", help="these runs of the chapter only")


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``softlabels``."""
    top = argparse.ArgumentParser(prog="softlabels", description="Runs and records of the companion.")
    commands = top.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train what is missing of a chapter")
    _grid_options(train, "table1")
    train.add_argument("--device", help="cpu, cuda, cuda:1 …; default: the GPU if there is one")
    train.add_argument("--publish", action="store_true", help="copy the records to the committed ones")
    train.set_defaults(action=_train)

    status = commands.add_parser("status", help="count the runs that are there and that are missing")
    _grid_options(status, None)
    status.set_defaults(action=_status)

    audit = commands.add_parser("audit", help="train some committed records again and compare")
    audit.add_argument("n", type=int, nargs="?", default=3, help="how many")
    audit.add_argument("--seed", type=int, default=0, help="chooses them")
    audit.add_argument("--device")
    audit.set_defaults(action=_audit)

    groups = commands.add_parser("records", help="move records between machines").add_subparsers(
        required=True, metavar="export|import"
    )
    export = groups.add_parser("export", help="pack records into one archive (.zip)")
    export.add_argument("file", type=Path)
    _grid_options(export, None)
    export.add_argument("--features", action="store_true", help="with the averaged features")
    export.set_defaults(action=_export)
    merge = groups.add_parser("import", help="check an archive and add its records to the committed ones")
    merge.add_argument("file", type=Path)
    merge.set_defaults(action=_import)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``softlabels``; a user's mistake gives one line and exit status 1, no traceback."""
    options = parser().parse_args(arguments)
    try:
        options.action(options)
    except SoftlabelsError as error:
        print(f"softlabels: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("softlabels: interrupted; the next call goes on from the last finished epoch", file=sys.stderr)
        return 130
    return 0
