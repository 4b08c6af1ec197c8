"""Votes from the files that people really have. A format is a function from a file to votes, with a sniffer.

`FORMATS` is the registry: the first sniffer that knows a file says what it is, and its function reads it. To
add a format, write the two in `exports` and name them here. Nothing is downloaded and nothing is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from softlabels.datasets.collection import Problem
from softlabels.datasets.formats import exports
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


@dataclass(frozen=True)
class Format:
    """A format: its name, whether a file is one, and the votes in it."""

    name: str
    sniff: Callable[[File], bool]
    read: Callable[[File, Options], Reading]


FORMATS = (
    Format("label-studio", exports.is_label_studio, exports.label_studio),
    Format("label-studio-min", exports.is_label_studio_min, exports.label_studio_min),
    Format("mturk", exports.is_mturk, exports.mturk),
    Format("toloka", exports.is_toloka, exports.toloka),
    Format("zooniverse", exports.is_zooniverse, exports.zooniverse),
    Format("zooniverse-flat", exports.is_zooniverse_flat, exports.zooniverse_flat),
    Format("cvat", exports.is_cvat, exports.cvat),
    Format("via", exports.is_via, exports.via),
    Format("via-csv", exports.is_via_csv, exports.via_csv),
    Format("prodigy", exports.is_prodigy, exports.prodigy),
    Format("doccano", exports.is_doccano, exports.doccano),
    Format("records", exports.is_records, exports.records),
    Format("table", exports.is_table, exports.table),
)


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
