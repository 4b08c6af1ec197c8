"""What every reader of votes takes and gives: options, a table of text, and the votes that were found."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softlabels.datasets.collection import Problem
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
    notes: list[str] = field(default_factory=list)

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
