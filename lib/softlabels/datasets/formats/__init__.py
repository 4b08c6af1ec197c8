"""Votes from the files that people really have. A format is a function from a file to votes, with a sniffer.

`FORMATS` is the registry: the first sniffer that knows a file says what it is, and its function reads it. To
add a format, write such a function in `exports`. Nothing is downloaded and nothing is changed.
"""

from pathlib import Path

from softlabels.datasets.collection import Problem
from softlabels.datasets.formats.containers import (
    NOT_READ,
    OPENED,
    File,
    Options,
    Reading,
    no_votes,
    opened,
    parse_columns,
    suffix,
)
from softlabels.datasets.formats.exports import FORMATS, Format

__all__ = [
    "FORMATS",
    "NOT_READ",
    "OPENED",
    "Format",
    "Options",
    "Reading",
    "named",
    "parse_columns",
    "read",
    "suffix",
]


def sniffed(file: File) -> Format | None:
    """The format of a file, or None where nothing knows it."""
    return next((known for known in FORMATS if known.sniff(file)), None)


def named(path: Path) -> str:
    """Name of the format of a file; empty where nothing knows it or it cannot be opened."""
    known = sniffed(opened(path)[0])
    return known.name if known else ""


def read(path: Path, options: Options | None = None) -> Reading:
    """Read the votes of a file with every problem it has.

    Parameters
    ----------
    path : Path
        A file of any format in `FORMATS`.
    options : Options or None
        What a user says of it.

    Returns
    -------
    Reading
        Without votes, and with problems, where nothing could be read.
    """
    options = options or Options()
    file, problems = opened(path, options.header)
    known = sniffed(file)
    if known is None:
        if not problems:
            found = "no export that is known here, and no table"
            remedy = "save the votes as CSV with columns image, annotator and label"
            problems = [Problem("no annotations", path.name, found, remedy)]
        return Reading("nothing that is known", no_votes(), problems=problems)
    try:
        reading = known.read(file, options)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        # JSON from outside can have anything anywhere; what is of another shape is no export of this kind.
        found = f"looks like {known.name}, and is not ({type(error).__name__}: {error})"
        problem = Problem("broken export", path.name, found, "export the annotations again")
        return Reading(known.name, no_votes(), problems=[*problems, problem])
    if known.name != "table":  # a table's own problems are in its reading already
        reading.problems = [*problems, *reading.problems]
    return reading
