"""Does what is committed hang together? Records, chapters, and the numbers on the pages; nothing is trained.

What is checked, and what is not:

- Records: form, id against configuration, checksums of all files, a clean commit, arrays against the sizes of
  the parts, and the metrics of the test part again from the arrays, as far as their half precision goes. Of
  runs that kept the probabilities of a sample only (`annotators`) accuracy alone can be computed again.
- Chapters: their stamps (`stamps`).
- Pages: generated blocks come out the same; outside of them no sentence has a measured-looking number beside
  the name of a measure. Numbers written as words, or beside no such name, are not found.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np

from softlabels import paths
from softlabels.book import execute, stamps
from softlabels.datasets.collection import Problem
from softlabels.errors import RecordError, SoftlabelsError
from softlabels.labels import metrics, votes
from softlabels.learning import starts
from softlabels.runs import evaluations, records
from softlabels.runs.records import Record

COMMIT = re.compile("[0-9a-f]{7,40}")
# Log-probabilities are kept as float16, which rounds a few images into ties; measured on 237 records, the
# largest differences were .0001 (kl, cross_entropy), .00001 (brier), .005, .007 and .04 (the last three).
TOLERANCE = {
    "kl": 1e-3,
    "cross_entropy": 1e-3,
    "brier": 1e-3,
    "entropy_correlation": 1e-3,
    "macro_accuracy": 0.02,
    "ece": 0.02,
    "second_best_accuracy": 0.08,
}
MEASURES = r"(?i:accura)|\bKL\b|cross-entrop|\bnats?\b|Brier|\bECE\b|calibration error|AUROC|AURC"
# A decimal fraction or a percentage that stands alone: no version, no date, no level of confidence.
NUMBER = re.compile(r"(?<![\w./:-])(?:\d*\.\d+|(?!(?:0|95|100)\s?%)\d+(?=\s?%))(?![\w./-]*\w)")
BLOCK = re.compile(r"^<!-- ([\w-]+) -->$.*?^<!-- /\1 -->$", re.DOTALL | re.MULTILINE)
# Mathematics, code, addresses, and what the published papers say (`published.json` holds their numbers).
ASIDE = re.compile(r"```.*?```|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|\{[a-z]+\}", re.DOTALL)


def _named(path: Path) -> str:
    root = paths.PROJECT if path.is_relative_to(paths.PROJECT) else paths.results().parent
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def of_records() -> tuple[str, list[Problem]]:
    """Check every committed record; returns a sentence about what was checked, and the faults."""
    folder, faults, again, n = records.SHELF.committed, [], 0, 0
    remedy = "take it from git again, or train the run again and publish it"
    for path in records.SHELF.files(committed_only=True):
        n += 1
        try:
            record = records.read(path)
            arrays = record.arrays()
            wrong = [*_provenance(record), *_contents(record, arrays)]
            again += len(arrays["ids"]) == record.data["n_test"]
        except RecordError as error:
            wrong = [str(error).removeprefix(f"{path}: ")]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            wrong = [f"arrays that are not those of a run ({type(error).__name__}: {error})"]
        faults += [Problem("record", _named(path), words, remedy) for words in wrong]
    faults += _strays(folder)
    faults += [Problem("record", _named(path), words, remedy) for path, words in _weights(folder)]
    sampled = f"{n - again} keep a sample's probabilities and the classes of all"
    kept = sampled if n > again else "none keeps a sample only"
    return f"{n} records; metrics of {again} computed again, {kept}", faults


def _weights(runs: Path) -> Iterator[tuple[Path, str]]:
    """Committed networks that are damaged, or that no committed record of a run belongs to."""
    for path in starts.SHELF.files("*.safetensors", committed_only=True):
        try:
            starts.packed(path.stem)
        except (RecordError, OSError) as error:
            yield path, str(error).removeprefix(f"{path}: ")
        if not (runs / f"{path.stem}.json").exists():
            yield path, f"no record of run {path.stem} is committed"


def _provenance(record: Record) -> Iterator[str]:
    commit = record.environment["commit"]
    if not COMMIT.fullmatch(commit):
        yield f"made from code that no commit holds ('{commit}')"
    length, config = len(record.history), record.config
    if length > config.epochs or (length < config.epochs and not config.patience):
        yield f"{len(record.history)} epochs in its history, {record.config.epochs} in its configuration"
    stated = record.metrics["validation"].get("loss")
    if stated != record.history[record.best_epoch - 1].get("validation_loss"):
        yield f"its validation loss is not that of epoch {record.best_epoch} in its history"


def _contents(record: Record, arrays: dict[str, np.ndarray]) -> Iterator[str]:
    log_p, q, n = arrays["log_probs"].astype(np.float32), arrays["targets"], len(arrays["ids"])
    if len(set(arrays["ids"].tolist())) != n or n > record.data["n_test"]:
        yield f"{n} image ids, of {record.data['n_test']} test images, some of them twice"
    if not log_p.shape == q.shape == (n, log_p.shape[-1]):
        yield f"arrays of shapes {log_p.shape} and {q.shape} for {n} images"
        return
    for name, rows in (("predictions", np.exp(log_p)), ("targets", q.astype(np.float32))):
        if not np.allclose(rows.sum(1), 1, atol=0.01):
            yield f"{name} that are no distributions"
            return
    if n == record.data["n_test"]:
        yield from _measures(record, log_p, arrays)
    elif "all_predicted" in arrays:
        right = arrays["all_predicted"] == arrays["all_truth"]
        stated = record.metrics["test"]["accuracy"]
        if len(right) != record.data["n_test"] or abs(right.mean() - stated) > 1e-9:
            yield f"its {len(right)} predictions give accuracy {right.mean():.4f}, it says {stated:.4f}"


def _measures(record: Record, log_p: np.ndarray, arrays: dict[str, np.ndarray]) -> Iterator[str]:
    targets = {"test": arrays["targets"].astype(np.float32)}
    if "truth" in arrays:
        targets["truth"] = votes.one_hot(arrays["truth"], log_p.shape[1])
    for part in targets.keys() & record.metrics.keys():
        found, stated = metrics.evaluate(log_p, targets[part]), record.metrics[part]
        before = metrics.evaluate(log_p, targets[part], ties="first")  # how older records counted ties
        for name in TOLERANCE.keys() & found.keys() & stated.keys():
            if min(abs(way[name] - stated[name]) for way in (found, before)) > TOLERANCE[name]:
                yield f"its arrays give {part} {name} {found[name]:.4f}, it says {stated[name]:.4f}"


def _strays(folder: Path) -> list[Problem]:
    """Files of no record: arrays without their JSON, what a killed process was writing, and anything else."""
    return [
        Problem("stray", _named(path), "it belongs to no record", "delete it")
        for path in sorted(folder.glob("*") if folder.exists() else ())
        if not (match := records.FILE.fullmatch(path.name)) or not (folder / f"{match[1]}.json").exists()
    ]


def of_evaluations() -> tuple[str, list[Problem]]:
    """Check every committed evaluation: form, name, checksum of its arrays, a clean commit."""
    faults, n = [], 0
    for path in evaluations.SHELF.files(committed_only=True):
        n += 1
        try:
            found = evaluations.read(path)
            found.arrays()
            commit = str(found.environment.get("commit"))
            wrong = [] if COMMIT.fullmatch(commit) else [f"made from code that no commit holds ('{commit}')"]
        except RecordError as error:
            wrong = [str(error).removeprefix(f"{path}: ")]
        faults += [Problem("record", _named(path), words, "evaluate the run again") for words in wrong]
    return f"{n} evaluations", faults


def of_chapters() -> tuple[str, list[Problem]]:
    """Hold every committed chapter to its notebook, its library and its results."""
    sources = sorted((paths.PROJECT / "notebooks").glob("*.ipynb"))
    faults = []
    for source in sources:
        chapter = paths.PROJECT / "book" / "chapters" / source.name
        found = stamps.faults(chapter, source) if chapter.exists() else [("stamp", "there is none")]
        faults += [Problem(kind, _named(chapter), words, "run `make publish`") for kind, words in found]
    return f"{len(sources)} chapters", faults


def of_pages() -> tuple[str, list[Problem]]:
    """Make the generated blocks again, and look for measured numbers that were typed."""
    faults = []
    for page in execute.pages_with_parts():
        if execute.filled(text := page.read_text("utf-8")) != text:
            what = "its generated parts are not what the records give"
            faults.append(Problem("page", _named(page), what, "run `make publish`"))
    prose = [paths.PROJECT / "README.md", *sorted((paths.PROJECT / "book").glob("*.md"))]
    texts = [(page, BLOCK.sub("", page.read_text("utf-8"))) for page in prose]
    for notebook in sorted((paths.PROJECT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(notebook, as_version=4).cells
        texts.append((notebook, "\n\n".join(c.source for c in cells if c.cell_type == "markdown")))
    for page, text in texts:
        for sentence in typed(text):
            what = f"a number that no record stands behind: '{sentence}'"
            faults.append(Problem("page", _named(page), what, "compute it in a cell or a generated part"))
    return f"{len(texts)} pages of prose", faults


def typed(text: str) -> Iterator[str]:
    """Yield sentences of Markdown that have a measured-looking number beside the name of a measure."""
    for sentence in re.split(r"(?<=[.!?:;])\s|\n\n|\n(?=[-|#])", ASIDE.sub(" ", text)):
        if re.search(MEASURES, sentence) and NUMBER.search(sentence):
            yield " ".join(sentence.split())[:160]


PARTS: tuple[Callable[[], tuple[str, list[Problem]]], ...]
PARTS = (of_records, of_evaluations, of_chapters, of_pages)


def report() -> None:
    """Print what was checked and every fault; raises `SoftlabelsError` if there is any."""
    every = []
    for part in PARTS:
        words, faults = part()
        print(f"{'FAIL' if faults else 'ok  '} {words}", flush=True)
        every += faults
        for fault in faults:
            print(f"     {fault}")
    if every:
        raise SoftlabelsError(f"{len(every)} faults in what is committed")
