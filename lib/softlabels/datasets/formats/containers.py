"""From the bytes of a file to a table, JSON or XML; and what every reader of votes takes and gives."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from softlabels.datasets.collection import Problem, normal, quoted
from softlabels.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("image", "annotator", "label", "count", "counts", "annotators", "labels")
VOTE = ("image", "annotator", "label", "count", "file", "line")  # columns of `Reading.votes`
MAX_COUNT = 10**6  # float32 holds every whole number up to sixteen times this


@dataclass(frozen=True)
class Options:
    """What a user says of a file whose form does not show it.

    Attributes
    ----------
    columns : dict of str to tuple of str
        Role (one of `ROLES`) and the columns that have it; empty: the header decides.
    header : bool
        False: the first line is a vote; columns are then called "1", "2" and so on.
    fractions : int or None
        Cells are shares of this many annotations.
    """

    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    header: bool = True
    fractions: int | None = None


def parse_columns(text: str) -> dict[str, tuple[str, ...]]:
    """Read ``image=file,annotator=worker,label=answer``; several columns of one role are parted by "|".

    Raises
    ------
    ConfigError
        An unknown role, one twice, or one without a column.
    """
    roles = "|".join(ROLES)
    parts = re.split(rf",\s*(?=(?:{roles})\s*=)", text)  # a comma inside of a name stays
    found: dict[str, tuple[str, ...]] = {}
    example = "expected such as image=file,annotator=worker,label=answer"
    for part in parts:
        role, equals, names = part.partition("=")
        role = role.strip()
        listed = tuple(name.strip() for name in names.split("|") if name.strip())
        if role not in ROLES or not equals:
            raise ConfigError(
                f"--columns: {part.strip()!r} names no role; {example}; roles: {', '.join(ROLES)}"
            )
        if not listed or role in found:
            raise ConfigError(f"--columns: {role} needs its column once; {example}")
        found[role] = listed
    _check_roles(found)
    return found


def _check_roles(found: dict[str, tuple[str, ...]]) -> None:
    many = [role for role in ("counts", "annotators", "labels") if role in found]
    for role in ("image", "annotator", "label", "count"):
        if len(found.get(role, ("",))) > 1:
            raise ConfigError(f"--columns: {role} is one column, found {len(found[role])}; name one")
    if "label" in found and many:
        raise ConfigError(f"--columns: label and {many[0]} exclude each other; keep one")
    if len(many) > 1:
        raise ConfigError(f"--columns: {' and '.join(many)} exclude each other; keep one")


@dataclass
class Table:
    """Text cells below a header, with the line of the file that each row begins in.

    Attributes
    ----------
    file : str
        As messages name it.
    header : list of str
    rows : DataFrame
        Text, columns 0, 1, …; None where a cell was missing.
    lines : list of int
        0 where the container has no lines.
    kind : str
        What the container is, in words.
    """

    file: str
    header: list[str] = field(default_factory=list)
    rows: "pd.DataFrame | None" = None
    lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    kind: str = "table"

    def problem(self, kind: str, found: str, remedy: str, line: int | None = None) -> None:
        """Add a problem of this file."""
        self.problems.append(Problem(kind, self.file, found, remedy, line))

    def column(self, name: str) -> "pd.Series":
        """Cells of a column, as text."""
        assert self.rows is not None
        return self.rows[self.header.index(name)]


@dataclass
class Reading:
    """Votes as a file holds them, before their images are looked for.

    Attributes
    ----------
    format : str
        What was seen, in words.
    votes : DataFrame
        Columns `VOTE`: names as text, how many votes the row stands for, and where it was found.
    named : bool
        Annotators are named.
    classes : tuple of str
        Classes that there are even if nobody chose them.
    taken : tuple of (str, str)
        What each column was taken for.
    notes : list of str
    problems : list of Problem
    """

    format: str
    votes: "pd.DataFrame"
    named: bool = True
    classes: tuple[str, ...] = ()
    taken: tuple[tuple[str, str], ...] = ()
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def votes_of(rows: Iterable[Sequence[Any]]) -> "pd.DataFrame":
    """Votes from rows of `VOTE`."""
    import pandas as pd

    return pd.DataFrame([tuple(row) for row in rows], columns=list(VOTE)).astype({"count": "int64"})


def no_votes() -> "pd.DataFrame":
    """A table of votes without a row."""
    return votes_of(())


@dataclass(frozen=True)
class File:
    """A file of votes: where it lies, what messages call it, and what its container holds.

    Attributes
    ----------
    table : Table or None
    content : object
        Of JSON, JSON lines (a list) or XML (the root element); None for a table.
    lines : tuple of int
        Lines of the entries of JSON lines.
    """

    path: Path
    name: str
    table: Table | None = None
    content: Any = None
    lines: tuple[int, ...] = ()


DELIMITERS = (",", ";", "\t", "|")
BLANKS = " "
TEXT = (".csv", ".tsv", ".tab", ".psv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
OPENED = (*TEXT, ".json", *JSON_LINES, ".xlsx", ".parquet", ".xml")
# What may hold votes and is not read, with what to do.
NOT_READ = {
    ".yaml": "save the votes as CSV or JSON",
    ".yml": "save the votes as CSV or JSON",
    ".xls": "save it as .xlsx or CSV UTF-8",
    ".ods": "save it as .xlsx or CSV UTF-8",
    ".mat": "save the votes as CSV",
    ".npy": "save the votes as CSV",
    ".npz": "save the votes as CSV",
    ".pkl": "save the votes as CSV; pickled files are never opened",
    ".pickle": "save the votes as CSV; pickled files are never opened",
    ".h5": "save the votes as CSV",
    ".sqlite": "export the votes as CSV",
    ".db": "export the votes as CSV",
    ".zip": "unpack it first",
    ".tar": "unpack it first",
    ".feather": "save the votes as parquet or CSV",
}
LARGEST = 1 << 31  # bytes that a compressed file may become
SAMPLE = 200  # lines that tell the separator
CONTROL = re.compile(r"sep=(.)\s*", re.IGNORECASE)


def suffix(path: Path) -> str:
    """Ending of a file's name in lower case, without that of its compression."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def opened(path: Path, header: bool = True) -> tuple[File, list[Problem]]:
    """Read a file into table, JSON or XML; whatever is wrong with it becomes problems."""
    table = Table(path.name)
    kind = suffix(path)
    if kind not in OPENED:
        remedy = NOT_READ.get(kind, f"save the votes as one of {', '.join(OPENED)}")
        table.problem("no annotations", f"{kind or 'a file without an ending'} is not read", remedy)
        return File(path, path.name), table.problems
    if kind in (".parquet", ".xlsx"):
        _with_pandas(path, kind, table)
        return File(path, path.name, table if table.header else None), table.problems
    content = _bytes(path, table)
    text = None if content is None else _text(content, table)
    if text is None:
        return File(path, path.name), table.problems
    if kind == ".json":
        value, problem = _json(text, path.name)
        return File(path, path.name, content=value), [problem] if problem else []
    if kind in JSON_LINES:
        return _json_lines(path, text, table)
    if kind == ".xml":
        return _xml(path, text, table)
    _delimited(text, table, header)
    return File(path, path.name, table), table.problems


def _bytes(path: Path, table: Table) -> bytes | None:
    try:
        if not path.name.lower().endswith(".gz"):
            return path.read_bytes()
        with gzip.open(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            table.problem("no annotations", f"unpacks to more than {LARGEST:,} bytes", "unpack and cut it")
            return None
        return content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        table.problem("no annotations", f"no gzip file that can be read ({error})", "pack it again")
    except OSError as error:
        table.problem("no annotations", f"cannot be read ({error.strerror})", "check the file's permissions")
    return None


def _text(content: bytes, table: Table) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        table.problem("not UTF-8", f"byte {error.start} is no UTF-8", "save it as UTF-8", line)
        return None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        table.problem("not text", "a zero byte", "save it as UTF-8", line)
        return None
    return text


def _json(text: str, name: str) -> tuple[Any, Problem | None]:
    try:
        return json.loads(text), None
    except json.JSONDecodeError as error:
        found = f"broken JSON: {error.msg} at column {error.colno}"
        return None, Problem("broken JSON", name, found, "repair or replace it", error.lineno)
    except (RecursionError, ValueError) as error:
        found = f"JSON that cannot be read ({type(error).__name__})"
        return None, Problem("broken JSON", name, found, "repair or replace it")


def _json_lines(path: Path, text: str, table: Table) -> tuple[File, list[Problem]]:
    values, lines = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            value, problem = _json(line, path.name)
            if problem:
                table.problem("broken JSON", problem.found, "each line is a JSON object of its own", number)
            else:
                values.append(value)
                lines.append(number)
    if not values and not table.problems:
        table.problem("no annotations", "no line in the file", "add the annotations")
    return File(path, path.name, content=values, lines=tuple(lines)), table.problems


def _xml(path: Path, text: str, table: Table) -> tuple[File, list[Problem]]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # no export has one; entities can grow without bound
        table.problem("broken XML", "a document type", "export the annotations again")
        return File(path, path.name), table.problems
    try:
        return File(path, path.name, content=ElementTree.fromstring(text)), []
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        line = getattr(error, "position", (None,))[0]
        table.problem("broken XML", f"XML that cannot be read ({error})", "export it again", line)
        return File(path, path.name), table.problems


def _with_pandas(path: Path, kind: str, table: Table) -> None:
    import pandas as pd

    words = {".parquet": "parquet", ".xlsx": "Excel"}[kind]
    try:
        if kind == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_excel(path, dtype=object, keep_default_na=False, na_values=[""])
    except ImportError:
        remedy = 'pip install "softlabels[formats]", or save the votes as CSV UTF-8'
        table.problem("no annotations", f"a library that reads {words} is not installed", remedy)
        return
    except Exception as error:  # these libraries raise whatever a damaged file makes them
        found = f"cannot be read as {words} ({type(error).__name__})"
        table.problem("no annotations", found, "save it again, or as CSV UTF-8")
        return
    if frame.index.name:
        frame = frame.reset_index()
    table.header = [normal(str(name)) for name in frame.columns]
    frame.columns = pd.RangeIndex(frame.shape[1])
    table.rows = frame.map(_cell)
    table.lines = list(range(2, len(frame) + 2)) if kind == ".xlsx" else [0] * len(frame)
    table.kind = words


def _cell(value: Any) -> str:
    import pandas as pd

    if value is None or (
        not isinstance(value, list | dict | tuple) and pd.api.types.is_scalar(value) and pd.isna(value)
    ):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def records_table(file: File) -> Table:
    """Objects of JSON as a table, one row each; nested values stay JSON."""
    import pandas as pd

    table = Table(file.name, kind="JSON objects")
    entries = [entry if isinstance(entry, dict) else {} for entry in file.content]
    names = list(dict.fromkeys(normal(str(key)) for entry in entries for key in entry))
    table.header = names
    rows = [{normal(str(key)): value for key, value in entry.items()} for entry in entries]
    table.rows = pd.DataFrame(
        [[_scalar(row.get(name)) for name in names] for row in rows], columns=range(len(names)), dtype=object
    )
    table.lines = list(file.lines) or [0] * len(rows)
    return table


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# Delimited text. The module csv reads it and not pandas: it alone tells lines, and refuses stray quotes.


def _delimited(text: str, table: Table, header: bool) -> None:
    import pandas as pd

    lines = text.splitlines(keepends=True) if "\r" in text and "\n" not in text else text.split("\n")
    start, delimiter = 0, ""
    if lines and (control := CONTROL.fullmatch(lines[0].strip("\r\n"))):
        start, delimiter = 1, control[1]  # Excel's own first line
    delimiter = delimiter or _delimiter(lines[start : start + SAMPLE])
    rows = _rows(lines, start, delimiter, table)
    first = next(rows, None)
    if first is None:
        if not table.problems:
            table.problem("no annotations", "no line below the header", "add the annotations")
        return
    number, cells = first
    table.header = [normal(cell) for cell in cells] if header else [str(i + 1) for i in range(len(cells))]
    kept = [] if header else [first]
    for number, cells in rows:
        if len(cells) == len(table.header):
            kept.append((number, cells))
        else:
            found = f"{len(cells)} cells, expected {len(table.header)} as in the header"
            table.problem("wrong number of cells", found, "complete the line", number)
    if not kept and not table.problems:
        table.problem("no annotations", "no line below the header", "add the annotations")
    table.lines = [number for number, _ in kept]
    table.rows = pd.DataFrame([cells for _, cells in kept], columns=range(len(table.header)), dtype=object)
    names = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
    table.kind = f"table separated by {names.get(delimiter, quoted(delimiter))}"


def _delimiter(lines: list[str]) -> str:
    """The separator that gives most lines the width of the header; the first of them in doubt."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return ","
    best, most = ",", (0.0, 0)
    for candidate in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(filled, delimiter=candidate) if row]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            score = (round(widths.count(widths[0]) / len(widths), 1), widths[0])
            if score > most:
                best, most = candidate, score
    if most[1]:
        return best
    widths = [len(line.split()) for line in filled]
    same = widths.count(widths[0]) / len(widths)
    return BLANKS if widths[0] > 1 and len(widths) > 1 and same > 0.8 else ","


def _rows(lines: list[str], start: int, delimiter: str, table: Table) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every line that has something in it; broken quotes become problems."""
    if delimiter == BLANKS:
        for number, line in enumerate(lines[start:], start + 1):
            if line.strip():
                yield number, line.split()
        return
    csv.field_size_limit(sys.maxsize)  # exports of labelling tools have cells of any length
    for _ in range(20):  # after a quotation mark that nobody closes, go on with the line below it
        reader = csv.reader(
            io.StringIO("\n".join(lines[start:]), newline=""), delimiter=delimiter, strict=True
        )
        before, broken = 0, None
        while True:
            before = reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                table.problem("broken CSV", str(error), "check the quotation marks", start + before + 1)
                if "end of data" in str(error):
                    broken = start + before + 1
                    break
                continue
            if any(cell.strip() for cell in cells):
                yield start + before + 1, cells
        start = broken if broken is not None else len(lines)
