"""A folder of images beside one CSV file of annotations, in either of two forms.

Long form, a line for each annotation: ``image,annotator,label``, where ``annotator`` may be left out. Wide
form, a line for each image: ``image`` and a column of counts for each class.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from softlabels.datasets.base import Annotations
from softlabels.datasets.collection import (
    Collection,
    Problem,
    Votes,
    common_problems,
    image_files,
    normal,
    quoted,
)

COLUMNS = ("image", "annotator", "label")
MAX_COUNT = 10**6  # float32 holds every whole number up to sixteen times this
DELIMITERS = (",", ";", "\t")

Read = tuple[tuple[str, ...], np.ndarray, Annotations | None, tuple[str, ...]]


@dataclass
class _Table:
    """Header and rows with their lines, as far as the file could be read."""

    file: str
    header: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, kind: str, found: str, remedy: str, line: int | None = None) -> None:
        self.problems.append(Problem(kind, self.file, found, remedy, line))


def read(root: Path, name: str, table: Path) -> Collection:
    """Read images and votes with every problem they have; nothing is decoded and nothing changed.

    Parameters
    ----------
    root : Path
        Folder of the images, which may lie in folders of their own.
    table : Path
        The CSV file: UTF-8, with a header, separated by commas, semicolons or tabs.
    """
    found, files = _table(table), image_files(root)
    if not files:
        found.problem("no images", f"no image in {root}", "put the images into the folder of the table")
    if not found.header or not files:
        problems = tuple(found.problems)
        return Collection(name, root, tuple(files), tuple(files), problems=problems, unreadable=True)
    long = "label" in found.header
    classes, counts, annotations, annotators = _long(found, files) if long else _wide(found, files)
    return Collection(
        name=name,
        root=root,
        files=tuple(files),
        ids=tuple(files),
        classes=classes,
        counts=counts,
        annotations=annotations,
        annotators=annotators,
        folds=np.zeros(len(files), np.int64),
        sources=(table.name,),
        problems=(*found.problems, *common_problems(files, classes, counts, table.name)),
    )


def _table(path: Path) -> _Table:
    table = _Table(path.name)
    text = _text(path, table)
    if text is None:
        return table
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)  # the first of them where none occurs
    # newline="" keeps line ends as they are; strict finds quotes that nobody closes.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [normal(cell) for cell in next(reader, [])]
        table.header = [cell.casefold() if cell.casefold() in COLUMNS else cell for cell in header]
        _check_header(table)
        for row in reader if table.header else ():
            _add(table, reader.line_num, row)
    except csv.Error as error:
        table.problem("broken CSV", str(error), "check the quotation marks", reader.line_num)
    if (table.header and not table.rows) or not text.strip():
        table.problem("no annotations", "no line below the header", "add the annotations")
    return table


def _text(path: Path, table: _Table) -> str | None:
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        table.problem("no annotations", f"cannot be read ({error.strerror})", "check the file's permissions")
        return None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        table.problem("not UTF-8", f"byte {error.start} is no UTF-8", "save the table as CSV UTF-8", line)
        return None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        table.problem("not text", "a zero byte", "save the table as CSV UTF-8", line)
        return None
    return text


def _check_header(table: _Table) -> None:
    header = table.header
    for name in sorted({cell for cell in header if header.count(cell) > 1}):
        table.problem("column twice", f"column {quoted(name)} occurs twice", "rename or remove one", 1)
    if "" in header:
        table.problem("column without a name", "a column without a name", "name or remove it", 1)
    if "image" not in header:
        shown = ", ".join(map(quoted, header[:8]))
        table.problem("no column image", f"columns {shown}", "name the column of image files 'image'", 1)
    if "image" not in header or len(set(header)) < len(header):
        table.header = []  # cells cannot be told apart
    if "label" in header:
        for name in header:
            if name and name not in COLUMNS:
                what = f"column {quoted(name)}, expected image, annotator and label"
                table.problem("unknown column", what, "rename or remove it", 1)


def _add(table: _Table, line: int, row: list[str]) -> None:
    if not any(cell.strip() for cell in row):
        return
    if len(row) != len(table.header):
        expected = f"expected {len(table.header)} as in the header"
        table.problem("wrong number of cells", f"{len(row)} cells, {expected}", "complete the line", line)
        return
    table.rows.append((line, row))


def _long(table: _Table, files: list[str]) -> Read:
    votes, named = Votes(), "annotator" in table.header
    seen: dict[tuple[int, str], int] = {}
    image, label = table.header.index("image"), table.header.index("label")
    who = table.header.index("annotator") if named else None
    for line, row, i in _found(table, files, image):
        annotator = normal(row[who]) if who is not None else ""
        if not normal(row[label]):
            table.problem("empty label", "no label", "write a class or remove the line", line)
        elif named and not annotator:
            remedy = "name the annotator, or remove the column if nobody is known"
            table.problem("empty annotator", "no annotator", remedy, line)
        elif named and (i, annotator) in seen:
            what = f"annotator {quoted(annotator)} has judged {quoted(files[i])} in line {seen[i, annotator]}"
            remedy = "keep one of the two; a repeated judgement needs an annotator name of its own"
            table.problem("judged twice", what, remedy, line)
        else:
            seen[i, annotator] = line
            votes.add(i, annotator, normal(row[label]))
    return votes.arrays(len(files), named)


def _wide(table: _Table, files: list[str]) -> Read:
    column = table.header.index("image")
    names = [cell for i, cell in enumerate(table.header) if i != column]
    counts, seen = np.zeros((len(files), len(names)), np.float32), dict[int, int]()
    for line, row, i in _found(table, files, column):
        cells = dict(zip(names, row[:column] + row[column + 1 :], strict=True))
        values = {name: _count(cell) for name, cell in cells.items()}
        wrong = [name for name, value in values.items() if value is None]
        for name in wrong:
            what = f"{quoted(cells[name])} for class {quoted(name)}"
            remedy = f"expected a count, a whole number from 0 to {MAX_COUNT}"
            table.problem("not a count", what, remedy, line)
        if i in seen:
            what = f"image {quoted(files[i])} stands in line {seen[i]} too"
            table.problem("image twice", what, "add its counts up in one line", line)
        elif not wrong:
            counts[i] = [value or 0 for value in values.values()]
        seen.setdefault(i, line)
    order = sorted(range(len(names)), key=names.__getitem__)
    return tuple(names[k] for k in order), counts[:, order], None, ()


def _count(cell: str) -> int | None:
    text = cell.strip()
    whole = text.removesuffix(".0")  # spreadsheets like to add it
    plain = whole.isascii() and whole.isdigit() and len(whole) <= len(str(MAX_COUNT))
    return int(whole) if plain and int(whole) <= MAX_COUNT else None


def _found(table: _Table, files: list[str], column: int) -> Iterator[tuple[int, list[str], int]]:
    """Yield line, row and image of the rows whose image is known; the others become problems."""
    index = _Index(files)
    for line, row in table.rows:
        rows = index.find(row[column])
        if len(rows) == 1:
            yield line, row, rows[0]
        elif rows:
            what = f"{quoted(row[column])} is the name of {len(rows)} images"
            remedy = f"write the path, such as {quoted(files[rows[0]])}"
            table.problem("ambiguous image", what, remedy, line)
        else:
            what = f"there is no image {quoted(row[column])}"
            table.problem("missing image", what, "add the image or remove the line", line)


class _Index:
    """Images by path, by file name, and by file name without its ending."""

    def __init__(self, files: list[str]) -> None:
        self.tables: list[dict[str, list[int]]] = [{}, {}, {}]
        for i, file in enumerate(files):
            path = normal(file)
            name = path.rpartition("/")[2]
            for table, key in zip(self.tables, (path, name, name.rpartition(".")[0]), strict=True):
                table.setdefault(key, []).append(i)

    def find(self, cell: str) -> list[int]:
        path = normal(cell).replace("\\", "/").removeprefix("./")
        return next((table[path] for table in self.tables if path in table), [])
