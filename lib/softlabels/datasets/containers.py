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
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from softlabels.datasets.collection import Problem, normal, quoted
from softlabels.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("image", "annotator", "label", "count", "counts", "annotators", "labels")
SINGLE, SEVERAL = ROLES[:4], ROLES[4:]  # roles of one column, and of several
VOTE = ("image", "annotator", "label", "count", "file", "line")  # columns of `Reading.votes`
MAX_COUNT = 10**6  # float32 holds every whole number up to sixteen times this
TEXT = (".csv", ".tsv", ".tab", ".psv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
OPENED = (*TEXT, ".json", *JSON_LINES, ".xlsx", ".parquet", ".xml")
# What may hold votes and is not read, with what to do.
NOT_READ = {
    **dict.fromkeys((".yaml", ".yml"), "save the votes as CSV or JSON"),
    **dict.fromkeys((".xls", ".ods"), "save it as .xlsx or CSV UTF-8"),
    **dict.fromkeys((".mat", ".npy", ".npz", ".h5"), "save the votes as CSV"),
    **dict.fromkeys((".pkl", ".pickle"), "save the votes as CSV; pickled files are never opened"),
    **dict.fromkeys((".sqlite", ".db"), "export the votes as CSV"),
    **dict.fromkeys((".zip", ".tar"), "unpack it first"),
    ".feather": "save the votes as parquet or CSV",
}
LARGEST = 1 << 31  # bytes that a compressed file may become
SAMPLE = 200  # lines that tell the separator
DELIMITERS, BLANKS = (",", ";", "\t", "|"), " "
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
CONTROL = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's own first line


@dataclass(frozen=True)
class Options:
    """What a user says of a file whose form does not show it."""

    # Role (one of `ROLES`) and the columns that have it; empty: the header decides.
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    header: bool = True  # False: the first line is a vote; columns are then called "1", "2" and so on
    fractions: int | None = None  # cells are shares of this many annotations


def parse_columns(text: str) -> dict[str, tuple[str, ...]]:
    """Read ``image=file,annotator=worker,label=answer``; several columns of one role are parted by "|".

    An unknown role, one twice, without a column or with too many, or two that exclude each other raise
    `ConfigError`.
    """
    found: dict[str, tuple[str, ...]] = {}
    example = "expected such as image=file,annotator=worker,label=answer"
    for part in re.split(rf",\s*(?=(?:{'|'.join(ROLES)})\s*=)", text):  # a comma inside of a name stays
        role, equals, names = part.partition("=")
        role = role.strip()
        listed = tuple(name.strip() for name in names.split("|") if name.strip())
        if role not in ROLES or not equals:
            known = f"roles: {', '.join(ROLES)}"
            raise ConfigError(f"--columns: {part.strip()!r} names no role; {example}; {known}")
        if not listed or role in found:
            raise ConfigError(f"--columns: {role} needs its column once; {example}")
        found[role] = listed
    many = [role for role in SEVERAL if role in found]
    for role in SINGLE:
        if len(found.get(role, ())) > 1:
            raise ConfigError(f"--columns: {role} is one column, found {len(found[role])}; name one")
    if "label" in found and many:
        raise ConfigError(f"--columns: label and {many[0]} exclude each other; keep one")
    if len(many) > 1:
        raise ConfigError(f"--columns: {' and '.join(many)} exclude each other; keep one")
    return found


def _no_rows() -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame()


@dataclass
class Table:
    """Text cells below a header, with the line of the file that each row begins in."""

    file: str  # as messages name it
    header: list[str] = field(default_factory=list)
    rows: "pd.DataFrame" = field(default_factory=_no_rows)  # text, columns 0, 1, …
    lines: list[int] = field(default_factory=list)  # 0 where the container has no lines
    problems: list[Problem] = field(default_factory=list)
    kind: str = "table"  # what the container is, in words

    def problem(self, kind: str, found: str, remedy: str, line: int | None = None) -> None:
        """Add a problem of this file; line 0 is none."""
        self.problems.append(Problem(kind, self.file, found, remedy, line or None))

    def column(self, name: str) -> "pd.Series":
        """Cells of a column, as text."""
        return self.rows[self.header.index(name)]

    def records(self) -> Iterator[tuple[dict[str, str], int]]:
        """Yield each row, its cells by column, and its line."""
        for cells, line in zip(self.rows.itertuples(index=False, name=None), self.lines, strict=True):
            yield dict(zip(self.header, cells, strict=True)), line


@dataclass
class Reading:
    """Votes as a file holds them, before their images are looked for."""

    format: str  # what was seen, in words
    votes: "pd.DataFrame"  # columns `VOTE`: names as text, how many votes the row stands for, and its place
    named: bool = True  # annotators are named
    classes: tuple[str, ...] = ()  # that there are even if nobody chose them
    taken: tuple[tuple[str, str], ...] = ()  # what each column was taken for
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def votes_of(rows: Iterable[Sequence[Any]] = ()) -> "pd.DataFrame":
    """Votes from rows of `VOTE`."""
    import pandas as pd

    return pd.DataFrame([tuple(row) for row in rows], columns=list(VOTE)).astype({"count": "int64"})


@dataclass
class File:
    """A file of votes: what its container holds, and what is wrong with it."""

    name: str  # as messages name it
    table: Table | None = None
    content: Any = None  # of JSON, JSON lines (a list) or XML (the root element)
    lines: list[int] = field(default_factory=list)  # of the entries of JSON lines
    problems: list[Problem] = field(default_factory=list)

    def entries(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        """Yield place, object and line (0: none) of the objects in a list of JSON."""
        for i, entry in enumerate(self.content):
            if isinstance(entry, dict):
                yield i, entry, self.lines[i] if self.lines else 0


class Broken(Exception):
    """A file that cannot be opened: kind, finding and remedy of the problem, and its line if there is one."""


def suffix(path: Path) -> str:
    """Ending of a file's name in lower case, without that of its compression."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def opened(path: Path, header: bool = True) -> File:
    """Read a file into table, JSON or XML; whatever is wrong with it becomes problems."""
    file, kind = File(path.name), suffix(path)
    table = Table(path.name, problems=file.problems)
    try:
        if kind not in OPENED:
            remedy = NOT_READ.get(kind, f"save the votes as one of {', '.join(OPENED)}")
            raise Broken("no annotations", f"{kind or 'a file without an ending'} is not read", remedy)
        if kind in (".parquet", ".xlsx"):
            _with_pandas(path, kind, table)
            file.table = table if table.header else None
        elif kind == ".json":
            file.content = _json(_text(path))
        elif kind in JSON_LINES:
            _json_lines(_text(path), file, table)
        elif kind == ".xml":
            file.content = _xml(_text(path))
        else:
            text, file.table = _text(path), table
            _delimited(text, table, header)
    except Broken as broken:
        table.problem(*broken.args)
    return file


def _text(path: Path) -> str:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as packed:
                content = packed.read(LARGEST + 1)
            if len(content) > LARGEST:
                found = f"unpacks to more than {LARGEST:,} bytes"
                raise Broken("no annotations", found, "unpack and cut it")
        else:
            content = path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        found = f"no gzip file that can be read ({error})"
        raise Broken("no annotations", found, "pack it again") from error
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
        raise Broken("no annotations", found, "check the file's permissions") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Broken("not UTF-8", f"byte {error.start} is no UTF-8", "save it as UTF-8", line) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise Broken("not text", "a zero byte", "save it as UTF-8", line)
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        found = f"broken JSON: {error.msg} at column {error.colno}"
        raise Broken("broken JSON", found, "repair or replace it", error.lineno) from error
    except (RecursionError, ValueError) as error:
        found = f"JSON that cannot be read ({type(error).__name__})"
        raise Broken("broken JSON", found, "repair or replace it") from error


def _json_lines(text: str, file: File, table: Table) -> None:
    file.content = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                file.content.append(_json(line))
                file.lines.append(number)
            except Broken as broken:
                table.problem("broken JSON", broken.args[1], "each line is a JSON object of its own", number)
    if not file.content and not file.problems:
        table.problem("no annotations", "no line in the file", "add the annotations")


def _xml(text: str) -> ElementTree.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # no export has one; entities can grow without bound
        raise Broken("broken XML", "a document type", "export the annotations again")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        line = getattr(error, "position", (None,))[0]
        raise Broken("broken XML", f"XML that cannot be read ({error})", "export it again", line) from error


def _with_pandas(path: Path, kind: str, table: Table) -> None:
    import pandas as pd

    table.kind = {".parquet": "parquet", ".xlsx": "Excel"}[kind]
    try:
        if kind == ".parquet":
            frame = pd.read_parquet(path)
        else:
            sheets = pd.read_excel(path, None, dtype=object, keep_default_na=False, na_values=[""])
            name = next(filter(lambda name: _has_images(sheets[name]), sheets), next(iter(sheets)))
            frame = sheets[name]
            table.kind += f", sheet {quoted(name)}" if len(sheets) > 1 else ""
    except ImportError as error:
        remedy = 'pip install "softlabels[formats]", or save the votes as CSV UTF-8'
        raise Broken(
            "no annotations", f"a library that reads {table.kind} is not installed", remedy
        ) from error
    except Exception as error:  # these libraries raise whatever a damaged file makes them
        found = f"cannot be read as {table.kind} ({type(error).__name__})"
        raise Broken("no annotations", found, "save it again, or as CSV UTF-8") from error
    if frame.index.name:
        frame = frame.reset_index()
    table.header = [normal(str(name)) for name in frame.columns]
    frame.columns = pd.RangeIndex(frame.shape[1])
    table.rows = frame.map(_cell)
    table.lines = list(range(2, len(frame) + 2)) if kind == ".xlsx" else [0] * len(frame)


def _has_images(sheet: "pd.DataFrame") -> bool:
    return any(str(name).strip().casefold() == "image" for name in sheet.columns)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def records_table(file: File) -> Table:
    """Objects of JSON as a table, one row each; nested values stay JSON."""
    import pandas as pd

    entries = [entry if isinstance(entry, dict) else {} for entry in file.content]
    rows = [{normal(str(key)): value for key, value in entry.items()} for entry in entries]
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_scalar(row.get(name)) for name in names] for row in rows]
    return Table(
        file.name,
        names,
        pd.DataFrame(cells, columns=range(len(names)), dtype=object),
        list(file.lines) or [0] * len(rows),
        kind="JSON objects",
    )


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# Delimited text. The module csv reads it and not pandas: it alone tells lines, and refuses stray quotes.
def _delimited(text: str, table: Table, header: bool) -> None:
    import pandas as pd

    lines = text.splitlines(keepends=True) if "\r" in text and "\n" not in text else text.split("\n")
    control = CONTROL.fullmatch(lines[0].strip("\r\n"))
    start = 1 if control else 0
    told = sum(
        1 for _ in takewhile(lambda line: line.startswith("#"), lines[start:])
    )  # lines above the header
    delimiter = control[1] if control else _delimiter(lines[told : told + SAMPLE])
    while told and delimiter not in lines[start]:  # what has cells is a header
        start, told = start + 1, told - 1
    kept = []
    for number, cells in _rows(lines, start, delimiter, table):
        if not table.header:
            table.header = list(map(normal, cells)) if header else [str(i + 1) for i in range(len(cells))]
            if header:
                continue
        if len(cells) == len(table.header):
            kept.append((number, cells))
        else:
            found = f"{len(cells)} cells, expected {len(table.header)} as in the header"
            table.problem("wrong number of cells", found, "complete the line", number)
    if not kept and not table.problems:
        table.problem("no annotations", "no line below the header", "add the annotations")
    if table.header:
        table.lines = [number for number, _ in kept]
        table.rows = pd.DataFrame([row for _, row in kept], columns=range(len(table.header)), dtype=object)
        table.kind = f"table separated by {SEPARATORS.get(delimiter, quoted(delimiter))}"


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
        text = io.StringIO("\n".join(lines[start:]), newline="")
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        while True:
            number = start + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                table.problem("broken CSV", str(error), "check the quotation marks", number)
                if "end of data" in str(error):
                    start = number
                    break
                continue
            if any(cell.strip() for cell in cells):
                yield number, cells
