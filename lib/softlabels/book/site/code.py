"""Pages with the source of the functions that draw the figures, so that links to them work offline."""

import ast
import html
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

# Read, not imported: the libraries that draw take seconds to load, and nothing is drawn here.
_FOLDER = Path(__file__).parents[2] / "figures"


@cache
def functions() -> dict[str, str]:
    """Module of every function that returns a figure."""
    found = {}
    for path in sorted(_FOLDER.glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "Figure":
                found[node.name] = path.stem
    return found


def page_of(module: str) -> str:
    """Name of the page that shows a module of figure functions."""
    return f"functions/figures_{module}"


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield one page for each module that a figure links to."""
    for module in sorted(getattr(app, "softlabels_modules", ())):
        title = f"softlabels.figures.{module}"
        body = f"<h1>{title}</h1>{''.join(_sections(app, _FOLDER / f'{module}.py'))}"
        yield page_of(module), {"title": title, "body": body, "sourcename": ""}, "page.html"


def _sections(app: Sphinx, path: Path) -> Iterator[str]:
    """Cut a module before each of its functions; public ones get a heading."""
    lines = path.read_text("utf-8").splitlines()
    cuts = [n for n in ast.parse("\n".join(lines)).body if isinstance(n, ast.FunctionDef)]
    starts = [min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1 for node in cuts]
    yield _block(app, lines[: starts[0]])
    for node, start, end in zip(cuts, starts, [*starts[1:], len(lines)], strict=True):
        name = html.escape(node.name)
        title = "" if name.startswith("_") else f"<h2><code>{name}</code></h2>"
        yield f'<section id="{name}">{title}{_block(app, lines[start:end])}</section>'


def _block(app: Sphinx, lines: list[str]) -> str:
    highlighter = app.builder.highlighter  # type: ignore[attr-defined]
    return highlighter.highlight_block("\n".join(lines).strip("\n"), "python")
