"""What an executed chapter says of its origin, so that anybody can tell whether it still holds.

The stamp lies in the chapter's own metadata: hashes of the notebook it was executed from, of its cells and
outputs, of the modules of the library that it can reach, and of every committed result that was opened.
A result that was looked for and not there leaves no trace in it.
"""

import ast
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import nbformat

from softlabels import paths
from softlabels.opened import VARIABLE

NAME = "softlabels"  # of the stamp in the metadata
DIGITS = 16  # of the hash of a result
PACKAGE = Path(__file__).parents[1]
Notebook = nbformat.NotebookNode


@contextmanager
def listing(file: Path) -> Iterator[None]:
    """Let processes that are started inside list the committed results they open (`opened`)."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(file)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def stamp(source: Path, done: Notebook, opened: Path) -> dict[str, Any]:
    """Describe the origin of a chapter `done`, executed from `source`, whose kernel listed what it opened."""
    names = opened.read_text().splitlines() if opened.exists() else []
    cells = nbformat.read(source, as_version=4)
    return {
        "notebook": of_source(cells),
        "chapter": of_outputs(done),
        "library": of_library(cells),
        "results": {name: of_result(name) for name in sorted(set(names))},
    }


def of_source(notebook: Notebook) -> str:
    """Hash of cells and tags, whatever was executed."""
    return _hash([[c.cell_type, c.source, c.metadata.get("tags", [])] for c in notebook.cells])


def of_outputs(notebook: Notebook) -> str:
    """Hash of cells with their outputs."""
    return _hash([[cell.source, cell.get("outputs", [])] for cell in notebook.cells])


def of_library(notebook: Notebook) -> str:
    """Hash of the modules that the cells import, directly or through others, and of the package's data."""
    code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    data = [p for p in PACKAGE.rglob("*") if p.suffix in (".json", ".npz")]
    files = sorted(path.relative_to(PACKAGE).as_posix() for path in [*reached(code), *data])
    return _hash([[name, sha256((PACKAGE / name).read_bytes()).hexdigest()] for name in files])


def of_result(name: str) -> str | None:
    """First digits of the SHA-256 of a file below the committed results; None where it is not there."""
    path = paths.results() / name
    return sha256(path.read_bytes()).hexdigest()[:DIGITS] if path.is_file() else None


def reached(code: str) -> set[Path]:
    """Modules of the package that `code` imports, directly or through others."""
    found: set[Path] = set()
    waiting = [code]
    while waiting:
        fresh = set(_imported(waiting.pop())) - found
        found |= fresh
        waiting += [path.read_text("utf-8") for path in fresh]
    return found


@cache
def _imported(code: str) -> tuple[Path, ...]:
    found: list[Path] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            found += _files(name)
    return tuple(found)


def _files(module: str) -> Iterator[Path]:
    """File of a module of the package, and those of the packages it lies in; none for a mere name in one."""
    first, *rest = module.split(".")
    if first != PACKAGE.name:
        return
    for depth in range(len(rest) + 1):
        place = PACKAGE.joinpath(*rest[:depth])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


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
    if said["library"] != of_library(cells):
        yield "library", "a module that it reaches was changed since"
    if changed := [name for name, digest in said["results"].items() if of_result(name) != digest]:
        yield "results", f"{len(changed)} results it was drawn from were changed since: {_few(changed)}"


def _few(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
