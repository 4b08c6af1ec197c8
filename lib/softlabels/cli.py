"""The command line: train, audit, verify, check and more. Heavy imports wait until a command needs them."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from softlabels import __version__, paths, runs
from softlabels.errors import CheckError, DataUnavailable, SoftlabelsError, unknown
from softlabels.learning.config import RunConfig, Suite
from softlabels.runs import evaluations, grids, planning, profiles, records

PROFILE, SEEDS, CALL = "laptop", [0, 1, 2], "8min"


def _cells(options: argparse.Namespace) -> list:
    if options.dataset and (options.chapter == "your_data" or options.dataset.startswith("folder:")):
        from softlabels import owndata

        cells = owndata.cells(options.dataset, options.profile, options.seeds)
    else:
        cells = grids.grid(options.chapter, options.profile, options.seeds)
        cells = _only(cells, "dataset", lambda c: c.dataset, options)
    cells = _only(cells, "method", lambda c: c.config.method, options)
    if options.only:
        cells = [c for c in cells if c.config.id in options.only]
        if missing := set(options.only) - {c.config.id for c in cells}:
            where = f"chapter {options.chapter}, profile {options.profile}"
            raise SoftlabelsError(f"no run {', '.join(sorted(missing))} in {where}")
    return cells


def _only(cells: list, what: str, of: Callable[[Any], str], options: argparse.Namespace) -> list:
    wanted = getattr(options, what)
    if not wanted:
        return cells
    known = list(dict.fromkeys(filter(None, map(of, cells))))
    if wanted not in known:
        raise unknown(f"{what} of chapter {options.chapter}, profile {options.profile}:", wanted, known)
    return [cell for cell in cells if of(cell) == wanted]


def _need_chapter(options: argparse.Namespace, *names: str) -> None:
    for name in names:
        if getattr(options, name) and not options.chapter:
            raise SoftlabelsError(f"--{name} chooses among the runs of a chapter; name it with --chapter")
    options.profile, options.seeds = options.profile or PROFILE, options.seeds or SEEDS


def _train(options: argparse.Namespace) -> None:
    from softlabels.learning import starts
    from softlabels.learning.hardware import hardware

    if options.budget or options.plan:
        _train_calls(options)
        return
    if options.export:
        raise SoftlabelsError("--export packs what a call with --budget trained; give a time, such as 8min")
    if options.file or options.runs_per_gpu != "1":
        _train_batch(options)
        return
    cells = _cells(options)
    past, gpu = planning.past(), hardware(options.device).device.type != "cpu"
    # Minutes that each run is expected to take, by the records of runs like it.
    each = [0.0 if records.find(c.config) else past.expected(c.config, gpu) for c in cells]

    def train(cell: grids.Cell) -> None:
        record = runs.get(cell.config, options.device)
        if options.publish:
            records.publish(record)
            if options.chapter == "pretraining":  # others start from its network
                starts.publish(record.id)

    jobs = []
    for i, c in enumerate(cells):
        words = f"{c.config.id} {c.dataset} {c.network} {c.recipe} {c.arm} seed {c.seed}"
        jobs.append((f"{words}, about {sum(each[i:]):.0f} minutes left", partial(train, c)))
    _one_by_one(jobs, "runs")


def _one_by_one(jobs: Sequence[tuple[str, Callable[[], object]]], what: str) -> None:
    """Do what is named by its first word; those whose data cannot be had here are left out, and said last."""
    left_out = []
    for number, (words, work) in enumerate(jobs, 1):
        print(f"[{number}/{len(jobs)}] {words}")
        try:
            work()
        except DataUnavailable as error:
            left_out.append(f"{words.partition(' ')[0]}: {error}")
    if left_out:
        raise DataUnavailable(f"{len(left_out)} of {len(jobs)} {what} left out:\n" + "\n".join(left_out))


def _train_batch(options: argparse.Namespace) -> None:
    from softlabels.runs import parallel

    configs = planning.read(options.file) if options.file else [c.config for c in _cells(options)]
    try:
        parallel.train(configs, options.device, parallel.side_by_side(options.runs_per_gpu, configs))
    except DataUnavailable as error:
        if not options.file:
            raise
        # A batch must not fail for ever over data that cannot be had; chapters show such runs as missing.
        print(f"softlabels: {error}", file=sys.stderr)
    for record in filter(None, map(records.find, configs)) if options.publish else ():
        records.publish(record)


def _train_calls(options: argparse.Namespace) -> None:
    """Train for a bounded time, or say which calls that would be."""
    from softlabels.learning.hardware import hardware
    from softlabels.owndata.answers import seconds_of
    from softlabels.runs import parallel

    if options.file:
        raise SoftlabelsError(
            "--budget and --plan take the runs of a chapter, not of a file; leave --from out"
        )
    seconds, cells, past = seconds_of(options.budget or CALL), _cells(options), planning.past()
    at_once = parallel.side_by_side(options.runs_per_gpu, [c.config for c in cells])
    if options.plan:
        gpu = options.device.startswith("cuda") if options.device else hardware().device.type == "cuda"
        planned = parallel.calls(cells, seconds, past, gpu, at_once)
        for number, call in enumerate(planned, 1):
            ends = (call.cells[0], call.cells[-1])
            words = " to ".join(f"{c.dataset} {c.network} {c.arm} seed {c.seed}" for c in ends)
            print(f"call {number}: about {call.minutes:.1f} minutes, {len(call.cells)} runs, {words}")
        minutes = sum(call.minutes for call in planned)
        known = "records" if past.rates.get(gpu) else "an assumed speed, for no record was made on a GPU"
        print(f"{len(planned)} calls, about {minutes:.0f} minutes, by {known}; {at_once} at a time")
        return
    found, left = parallel.train_within(cells, seconds, past, options.device, at_once)
    for record in found if options.publish else ():
        records.publish(record)
    if options.export and found:
        records.export(options.export, {record.id for record in found})
        print(f"{len(found)} records in {options.export}")
    print(f"{len(found)} runs trained, {left} left" + ("; the same command goes on" if left else ""))


def _evaluate(options: argparse.Namespace) -> None:
    def evaluate(config: RunConfig, suite: Suite) -> None:
        found = evaluations.get(config, suite, options.device)
        if options.publish:
            evaluations.publish(found)

    every, jobs = profiles.chosen(profiles.PLANS, options.profile), []
    plans = [plan for kind, plan in every.items() if kind in options.kinds]
    for c in _cells(options):
        words = f"{c.config.id} {c.arm} seed {c.seed} fold {c.config.fold}"
        suites = [plan.suite for plan in plans if c.arm in plan.arms]
        jobs += [(f"{words} {suite.id}", partial(evaluate, c.config, suite)) for suite in suites]
    _one_by_one(jobs, "evaluations")


def _status(options: argparse.Namespace) -> None:
    _need_chapter(options, "dataset", "method", "only")
    chapters = [options.chapter] if options.chapter else grids.CHAPTERS
    seconds = planning.seconds()
    every: dict[str, Any] = {}  # RunConfig by id
    for options.chapter in chapters:
        cells = _cells(options)
        every |= {c.config.id: c.config for c in cells}
        done = [seconds[c.config.id] for c in cells if c.config.id in seconds]
        counted = f"{len(done):4} of {len(cells):4} runs"
        print(f"{options.chapter:12} {counted}, {sum(done) / 60:6.1f} minutes of training")
    if options.cost:
        here, left = planning.hours(every)
        unit, factor = ("minutes", 60) if here + left < 2 else ("hours", 1)
        spent, ahead, both = factor * here, factor * left, factor * (here + left) / 2
        print(
            f"{len(every)} runs, each counted once: {spent:.1f} processor {unit} have been spent on those "
            f"that are here, about {ahead:.1f} are left; in all {both:.1f} {unit} of two cores"
        )


def _audit(options: argparse.Namespace) -> None:
    from softlabels.runs import audit

    if not audit.report(audit.audit(options.n, options.seed, options.device)):
        raise SoftlabelsError("the audit found differences beyond the tolerance")


def _verify(options: argparse.Namespace) -> None:
    from softlabels.book import verify

    verify.report()


def _export(options: argparse.Namespace) -> None:
    _need_chapter(options, "profile", "seeds", "dataset", "method", "only")
    chosen = [c.config.id for c in _cells(options)] if options.chapter else None
    print(f"{records.export(options.file, chosen, options.features)} records in {options.file}")


def _import(options: argparse.Namespace) -> None:
    added, known = records.load(options.file)
    print(f"{added} records added, {known} were here already")


def _options(options: argparse.Namespace) -> Any:
    """What a command says of a file of votes."""
    from softlabels.datasets import formats

    columns: dict[str, tuple[str, ...]] = {}
    for text in options.columns or ():
        columns |= formats.parse_columns(text)
    if options.fractions is not None and options.fractions < 1:
        raise SoftlabelsError(f"--fractions is a number of annotators, at least 1, not {options.fractions}")
    return formats.Options(columns, not options.no_header, options.fractions)


def _check(options: argparse.Namespace) -> int:
    from softlabels.owndata import check

    try:
        root = options.path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckError(f"{str(options.path)!r}: expected the path of a folder ({error})") from error
    for file in (options.html, options.csv):
        if file is not None and root in file.resolve().parents:
            raise CheckError(f"{file} lies in the folder that is checked; choose a place outside")
    report = check.inspect(root, _options(options))
    encoding = sys.stdout.encoding or "utf-8"
    print(check.text(report).encode(encoding, "backslashreplace").decode(encoding))
    if options.csv:
        try:
            with options.csv.open("w", encoding="utf-8", newline="") as file:
                check.write_problems(report.problems, file)
        except OSError as error:
            raise CheckError(f"{error.filename}: cannot be written ({error.strerror})") from error
    try:
        print(f"HTML report: {_write(options.html, 'checks', root, check.page(report))}")
    except SoftlabelsError as error:
        if options.html:
            raise CheckError(str(error)) from error
        print(f"No HTML report: {error}")  # nobody asked for this place: data are no worse for it
    return report.status


def _write(asked: Path | None, folder: str, root: Path, page: str) -> Path:
    """Write a page where it was asked for, else into a folder of the cache."""
    path = asked or paths.cache() / folder / f"{root.name or 'folder'}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        remedy = "name a place with --html FILE, or another cache with SOFTLABELS_CACHE"
        raise SoftlabelsError(f"{error.filename} cannot be written ({error.strerror}); {remedy}") from error
    return path


def _convert(options: argparse.Namespace) -> None:
    from softlabels.owndata import tables

    for line in tables.convert(options.path.expanduser(), options.output.expanduser(), _options(options)):
        print(line)


def _answer(options: argparse.Namespace) -> None:
    from softlabels.datasets import features
    from softlabels.owndata import answers, seeds_of

    budget = None if options.budget is None else answers.seconds_of(options.budget)
    root = options.path.expanduser()
    dataset = f"folder:{root}" if options.features is None else features.pin(root, options.features)
    own = answers.study(dataset, options.profile, seeds_of(options.seeds), options.device, budget)
    sentences = answers.answer(own)
    for sentence in sentences:
        print(sentence.replace("**", ""))
    page = answers.page(own, dataset, options.profile, sentences)
    print(f"HTML page: {_write(options.html, 'answers', root.resolve(), page)}")


def _labels(options: argparse.Namespace) -> None:
    from softlabels.owndata import annotmix, tables

    path = options.path.expanduser()
    found, estimate = tables.read(path, _options(options))[1], None
    if options.annot_mix:
        given = options.features and options.features.expanduser()
        task = annotmix.of_collection(tables.of_votes(found), path, given)
        estimate = annotmix.estimate(task, options.device)
    print(tables.write(found, options.output.expanduser(), estimate))


def _grid_options(parser: argparse.ArgumentParser, chapter: str | None) -> None:
    parser.add_argument("--chapter", default=chapter, help="table1, figure1, figure2, tuning, human …")
    parser.add_argument("--profile", default=chapter and PROFILE, help="smoke, laptop (default), paper")
    parser.add_argument("--seeds", type=int, nargs="+", default=chapter and SEEDS)
    parser.add_argument("--dataset", help="runs on this dataset only; folder:PATH for your own data")
    parser.add_argument("--method", help="runs of this method for many annotators only")
    parser.add_argument("--only", nargs="+", metavar="ID", help="these runs of the chapter only")


def _vote_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that reads a file of votes."""
    columns = "what the columns are: image=file,annotator=worker,label=answer; counts=A|B, annotators=A|B"
    parser.add_argument("--columns", action="append", metavar="ROLE=NAME,…", help=columns)
    first = "the first line is a vote; columns are 1, 2 …"
    parser.add_argument("--no-header", action="store_true", help=first)
    shares = "cells are shares of so many annotators of an image"
    parser.add_argument("--fractions", type=int, metavar="N", help=shares)


def _feature_option(parser: argparse.ArgumentParser) -> None:
    rows = "a vector for each thing in place of its image: .npy, .npz, .parquet, .csv; see book/your_votes.md"
    parser.add_argument("--features", type=Path, metavar="FILE", help=rows)


def parser() -> argparse.ArgumentParser:
    """Build the parser of ``softlabels``."""
    top = argparse.ArgumentParser(prog="softlabels", description="Runs and records of the companion.")
    top.add_argument("--version", action="version", version=f"softlabels {__version__}")
    commands = top.add_subparsers(required=True, metavar="command")

    def command(name: str, action: Callable, words: str, among: Any = commands) -> argparse.ArgumentParser:
        one = among.add_parser(name, help=words)
        one.set_defaults(action=action)
        return one

    train = command("train", _train, "train what is missing of a chapter")
    _grid_options(train, "table1")
    train.add_argument("--device", help="cpu, cuda, cuda:1 …; default: the GPU if there is one")
    train.add_argument("--publish", action="store_true", help="copy the records to the committed ones")
    train.add_argument("--from", dest="file", type=Path, metavar="FILE", help="the runs of a batch instead")
    per_gpu = "train so many side by side on one device; worth it where a run leaves a GPU idle"
    train.add_argument("--runs-per-gpu", default="1", metavar="K", help=f"{per_gpu}; auto: by its memory")
    whole = f"stop after the last whole pair that fits into a time such as {CALL}, the default of --plan"
    train.add_argument("--budget", metavar="TIME", help=whole)
    train.add_argument("--plan", action="store_true", help="list the calls of that length, and train nothing")
    train.add_argument("--export", type=Path, metavar="FILE", help="with --budget: its records as an archive")

    evaluate = command("evaluate", _evaluate, "attack, shift, corrupt and blur what trained runs see")
    _grid_options(evaluate, "human")
    kinds = ("attacks", "shift", "corruptions", "blur")
    evaluate.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    evaluate.add_argument("--device", help="as for train")
    evaluate.add_argument("--publish", action="store_true", help="copy the evaluations to the committed ones")

    status = command("status", _status, "count the runs that are there and that are missing")
    _grid_options(status, None)
    status.add_argument("--cost", action="store_true", help="sum the processor time, spent and still needed")

    audit = command("audit", _audit, "train some committed records again and compare")
    audit.add_argument("n", type=int, nargs="?", default=3, help="how many")
    audit.add_argument("--seed", type=int, default=0, help="chooses them")
    audit.add_argument("--device")

    command("verify", _verify, "check committed records, chapters and the numbers of pages")

    check = command("check", _check, "describe annotated images and find every problem")
    check.add_argument("path", type=Path, help="a folder: images with a CSV file, or the DCIC layout")
    _vote_options(check)
    check.add_argument("--html", type=Path, metavar="FILE", help="where the page goes; default: the cache")
    check.add_argument("--csv", type=Path, metavar="FILE", help="write the problems as a table")

    convert = command("convert", _convert, "write votes of any format as a plain table")
    convert.add_argument("path", type=Path, help="a file of votes, or a folder with one")
    convert.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="such as votes.csv")
    _vote_options(convert)

    labels = command("labels", _labels, "write the labels of each image, of several kinds")
    labels.add_argument("path", type=Path, help="a folder of images with votes, or a file of votes alone")
    where = "labels.csv, labels.parquet or labels.jsonl"
    labels.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=where)
    _vote_options(labels)
    both = "train annot-mix on images or features and named annotators, and add its estimate"
    labels.add_argument("--annot-mix", action="store_true", help=both)
    _feature_option(labels)
    labels.add_argument("--device", help="as for train")

    answer = command("answer", _answer, "say whether keeping the votes pays, as one page")
    votes = "a folder of images with votes; with --features a file of votes"
    answer.add_argument("path", type=Path, help=votes)
    _feature_option(answer)
    answer.add_argument("--profile", default=PROFILE, help="smoke, laptop (default), paper")
    answer.add_argument("--seeds", nargs="+", default=SEEDS, help="one random split for each; default: 0 1 2")
    answer.add_argument("--device", help="as for train")
    answer.add_argument("--budget", metavar="TIME", help="such as 10min: train no longer than that")
    answer.add_argument("--html", type=Path, metavar="FILE", help="where the page goes; default: the cache")

    moved = commands.add_parser("records", help="move records between machines")
    groups = moved.add_subparsers(required=True, metavar="export|import")
    export = command("export", _export, "pack records into one archive (.zip)", groups)
    export.add_argument("file", type=Path)
    _grid_options(export, None)
    export.add_argument("--features", action="store_true", help="with the averaged features")
    merge = command("import", _import, "check an archive and add its records to the committed ones", groups)
    merge.add_argument("file", type=Path)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``softlabels``; a user's mistake gives one line and exit status 1, no traceback."""
    options = parser().parse_args(arguments)
    try:
        status = options.action(options) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SoftlabelsError as error:
        print(f"softlabels: {error}", file=sys.stderr)
        return 2 if isinstance(error, CheckError) else 1  # 1 is what `check` says of data with problems
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"softlabels: {where}{error.strerror or error}; what was finished before is kept", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print("softlabels: interrupted; the next call goes on from the last finished epoch", file=sys.stderr)
        return 130
    return status
