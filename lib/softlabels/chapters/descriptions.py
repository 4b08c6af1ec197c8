"""What chapters say of datasets, in small committed files, so that a page needs no data: read and made."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from softlabels.errors import DataUnavailable, told, unknown
from softlabels.store import Shelf, read, write_atomically

T = TypeVar("T")


def find(shelf: Shelf, file: str, chapter: str, parse: Callable[[Any], T]) -> T | None:
    """Return what `parse` makes of a committed JSON file of a chapter, or None where there is none.

    If it is damaged, `RecordError` names the file and the command that renews it.
    """
    path = shelf.find(file, committed_only=True)
    if path is None:
        return None
    return read(path, lambda content: parse(json.loads(content)), "a description", remedy(chapter))


def remedy(chapter: str) -> str:
    """The command that renews what a chapter has committed, in words."""
    return f"`python -m softlabels.chapters.{chapter}` renews it"


def write(shelf: Shelf, file: str, body: Any) -> Path:
    """Write a JSON file into the committed results; returns where."""
    path = shelf.committed / file
    write_atomically(path, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode())
    return path


@told(2)
def command(
    chapter: str, makers: Mapping[str, Callable[[], object]], arguments: Sequence[str] | None = None
) -> None:
    """Make the committed files of a chapter from the data that can be had here, and name what cannot."""
    parser = argparse.ArgumentParser(
        prog=f"python -m softlabels.chapters.{chapter}", description=command.__doc__
    )
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(makers)}; all if left out")
    wanted = parser.parse_args(arguments).names or list(makers)
    for name in wanted:
        if name not in makers:
            raise unknown("description", name, makers)
    for name in wanted:
        try:
            print(makers[name]())
        except DataUnavailable as error:
            print(f"{name}: left out: {error}")
