"""What pages ask for in braces: ``{chapters}``, cards of all chapters, and ``{settings}``, those of a run.

Pages of the library come from its docstrings; they say what is not installed.
"""

import ast
import html
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from softlabels.book.site import provenance, tables
from softlabels.book.site.tables import Numbers
from softlabels.learning import config

_KIND = re.compile(r'src="data:image/([a-z]+)')
_CONFIG = Path(__file__).parents[2] / "learning" / "config.py"
_FIELD = re.compile(r"    (\w+): (\w+) = ([^#]+?)(?:\s+# (.+))?")
# What a reader's environment lacks.
_HEAVY = ("torch", "timm", "torchvision", "safetensors")
_NEED_IT = ("api_runs", "api_attacks")


class Chapters(SphinxDirective):
    """``{chapters}``: a card for each executed chapter of the book, in its order."""

    def run(self) -> list[nodes.Node]:
        """Read the notebooks beside the pages, in the order of the book."""
        listed = self.env.external_site_map  # type: ignore[attr-defined]  # of sphinx-external-toc
        order = (name for name in listed if name.startswith("chapters/"))
        cards = "".join(_card(self, Path(self.env.srcdir) / f"{name}.ipynb") for name in order)
        return [nodes.raw("", f'<ol class="gallery">{cards}</ol>', format="html")]


def _card(directive: SphinxDirective, path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0].source
    title = html.escape(first.partition("\n")[0].lstrip("# "))
    claim = html.escape(_sentence(first))
    docname = f"chapters/{path.stem}"
    numbers = Numbers(directive.env, docname)
    shown = next((text for text in tables.shown(notebook) if "<figure>" in text), None)
    picture = ""
    if shown is not None and (kind := _KIND.search(shown)):
        address = provenance.picture(docname, numbers.next("Figure"), kind[1])
        drawn = "line-art" if kind[1] == "svg" else "photograph"
        picture = f'<img class="{drawn}" loading="lazy" alt="" role="presentation" src="{address}">'
    words = f'<span class="title"><span class="number">{numbers.prefix}</span> {title}</span>'
    return f'<li><a href="{docname}.html">{picture}{words}</a><p>{claim}</p></li>'


def _sentence(cell: str) -> str:
    """The claim's first sentence, without marks."""
    found = re.search(r"\*\*Claim[^*]*\*\*\s*(.+)|^([^#\n].+)", cell, re.MULTILINE)
    words = (found[1] or found[2]) if found else ""
    words = re.sub(r"\(?\{[a-z]+\}`[^`]*`\)?|[*`$]|\[([^\]]*)\]\([^)]*\)", r"\1", words)
    return re.sub(r"\s+([,;.)])", r"\1", re.split(r"(?<![A-Z] al)(?<=[.?!])\s", words.strip())[0])


def mock_what_is_missing(options: Config) -> None:
    """Let pages be made where PyTorch is not installed; what cannot be read without it is left out."""
    options.autodoc_mock_imports = [name for name in _HEAVY if find_spec(name) is None]
    if options.autodoc_mock_imports:
        options.suppress_warnings = [*options.suppress_warnings, "autodoc"]


def say_what_is_missing(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Say on pages that lack functions why."""
    if page in _NEED_IT and app.config.autodoc_mock_imports:
        words = "Built without PyTorch: functions that need it are not shown."
        context["body"] = f'<p class="rebuilt" role="note">{words}</p>{context["body"]}'


class Settings(SphinxDirective):
    """``{settings}``: a row for each field of `RunConfig`, with what its line says of it."""

    def run(self) -> list[nodes.Node]:
        """Read the lines of the class; choices are those that it checks."""
        lines = ["| setting | default | what it is |", "|---|---|---|"]
        lines += [f"| `{name}` | `{default}` | {words} |" for name, default, words in settings()]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, str(_CONFIG)), 0, container)
        return container.children


def settings() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every field of `RunConfig`."""
    source = _CONFIG.read_text("utf-8")
    [body] = [n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == "RunConfig"]
    lines = source.splitlines()
    found = []
    for node in body.body:
        if not isinstance(node, ast.AnnAssign):
            continue
        line = _FIELD.fullmatch(lines[node.lineno - 1])
        assert line is not None and node.lineno == node.end_lineno
        name, _, default, words = line.groups()
        choices = config._CHOICES.get(name, ())
        listed = "one of " + ", ".join(f"`{choice}`" for choice in choices if choice) if choices else ""
        said = [part.replace("|", "\\|") for part in (words, listed) if part]
        found.append((name, default, "; ".join(said)))
    return found
