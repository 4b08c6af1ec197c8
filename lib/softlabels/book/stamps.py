"""What an executed chapter says of its origin, so that anybody can tell whether it still holds.

The stamp lies in the chapter's own metadata: hashes of the notebook it was executed from, of its cells and
outputs, of the library, and of every committed result that it is drawn from: the records of its grids, and
what else is kept beside records. Snakemake executes a chapter again when one of these changes; the stamp says
so of the committed chapters, in a clone that has built nothing. A result that is not there leaves no trace.
"""

import json
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat

from softlabels import paths
from softlabels.runs import grids, records

NAME = "softlabels"  # of the stamp in the metadata
DIGITS = 16  # of the hash of a result
SEEDS = range(10)  # of the runs that are committed
PACKAGE = Path(__file__).parents[1]
Notebook = nbformat.NotebookNode


def stamp(source: Path, done: Notebook) -> dict[str, Any]:
    """Describe the origin of a chapter `done`, executed from `source`."""
    return {
        "notebook": of_source(nbformat.read(source, as_version=4)),
        "chapter": of_outputs(done),
        "library": of_library(),
        "results": {name: of_result(name) for name in results(source)},
    }


def results(source: Path) -> list[str]:
    """Names, below the committed results, of what a chapter is drawn from, in whatever profile."""
    module, root = f"softlabels.chapters.{source.stem.partition('_')[2]}", paths.results()
    names = import_module(module).GRIDS if find_spec(module) else ()
    cells = (c for name in names for profile in grids.PROFILES for c in grids.grid(name, profile, SEEDS))
    runs = {f"{cell.config.id}.json" for cell in cells}
    found = [path for path in root.rglob("*.*") if path.parent != root]
    shelf = records.SHELF.committed
    found = [path for path in found if path.parent != shelf or path.name in runs]
    return sorted(path.relative_to(root).as_posix() for path in found)


def of_source(notebook: Notebook) -> str:
    """Hash of cells and tags, whatever was executed."""
    return _hash([[c.cell_type, c.source, c.metadata.get("tags", [])] for c in notebook.cells])


def of_outputs(notebook: Notebook) -> str:
    """Hash of cells with their outputs."""
    return _hash([[cell.source, cell.get("outputs", [])] for cell in notebook.cells])


@cache
def of_library() -> str:
    """Hash of all modules of the package and of its data."""
    files = sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".js", ".css", ".json", ".npz"))
    return _hash([[p.relative_to(PACKAGE).as_posix(), sha256(p.read_bytes()).hexdigest()] for p in files])


def of_result(name: str) -> str | None:
    """First digits of the SHA-256 of a file below the committed results; None where it is not there."""
    path = paths.results() / name
    return sha256(path.read_bytes()).hexdigest()[:DIGITS] if path.is_file() else None


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def faults(chapter: Path, source: Path) -> Iterator[tuple[str, str]]:
    """Yield what of a committed chapter no longer fits: its kind and, in words, where.

    Kinds are "stamp", "notebook", "chapter", "library" and "results".
    """
    done, cells = (nbformat.read(path, as_version=4) for path in (chapter, source))
    said = done.metadata.get(NAME)
    if not said:
        yield "stamp", "it does not say what it was executed from"
        return
    if said["notebook"] != of_source(cells):
        yield "notebook", f"{source.name} was changed since"
    if said["chapter"] != of_outputs(done):
        yield "chapter", "its cells or outputs were changed by hand"
    if said["library"] != of_library():
        yield "library", "the library was changed since"
    if changed := [name for name, digest in said["results"].items() if of_result(name) != digest]:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        shown = f"{', '.join(changed[:3])}{more}"
        yield "results", f"{len(changed)} results it was drawn from were changed since: {shown}"
