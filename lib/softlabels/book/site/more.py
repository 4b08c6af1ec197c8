"""What is folded: sections headed "More", and the code of cells.

A section headed "More", or "More: …", has everything below its heading in a box. The box is a <details>
element, which opens with mouse and keyboard and needs no script. The page's script opens it where a link
leads into it, and on paper; its line names the sections inside. Code is shown by one switch a page, and the
search does not read it.
"""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

_HEADING = re.compile(r"More(:\s.*)?", re.DOTALL)
_FOLDED = 'class="admonition hide above-input"'
SWITCH = '<button type="button" class="code-switch" aria-pressed="false" hidden>Show code</button>'


class folded(nodes.General, nodes.Element):
    """A box that is closed; `summary` is its line."""


def fold(doctree: nodes.document) -> None:
    """Fold every section whose heading says so; one inside another is in its box already."""
    for section in list(_sections(doctree)):
        title, *rest = section.children
        inside = [str(part[0].astext()) for part in rest if isinstance(part, nodes.section)]
        section.children = [title]
        section += folded("", *rest, summary=f"Details: {' · '.join(inside)}" if inside else "Details")


def _sections(node: nodes.Element) -> Iterator[nodes.section]:
    for child in node.children:
        if isinstance(child, nodes.section) and _HEADING.fullmatch(child[0].astext().strip()):
            yield child
        elif isinstance(child, nodes.Element):
            yield from _sections(child)


def _open(self: HTML5Translator, node: folded) -> None:
    self.body.append(f'<details class="more"><summary>{self.encode(node["summary"])}</summary>\n')


def _close(self: HTML5Translator, node: folded) -> None:
    self.body.append("</details>\n")


def register(app: Sphinx) -> None:
    """Tell Sphinx how the box is written."""
    app.add_node(folded, html=(_open, _close))


def switch(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the switch under the title of a page that has folded cells; the page's script shows it."""
    body = context.get("body") or ""
    if _FOLDED in body:
        context["body"] = re.sub(r"</h1>", f"</h1>{SWITCH}", body, count=1)


def begin(app: Sphinx) -> None:
    """Index pages without the cells that are folded: their settings name everything on every page."""
    index = getattr(app.builder, "index_page", None)
    if index is None:
        return

    def without_code(pagename: str, doctree: nodes.document, title: str) -> None:
        bare = doctree.deepcopy()
        for cell in list(bare.findall(_is_folded)):
            cell.parent.remove(cell)
        index(pagename, bare, title)

    app.builder.index_page = without_code  # type: ignore[attr-defined]


def _is_folded(node: nodes.Node) -> bool:
    """Is this the code of a cell that is folded, or that sets parameters?"""
    classes = set(getattr(node, "attributes", {}).get("classes", ()))
    if "cell_input" not in classes:
        return False
    around = node.parent
    while around is not None and "cell" not in getattr(around, "attributes", {}).get("classes", ()):
        around = around.parent
    tags = set(around["classes"]) if isinstance(around, nodes.Element) else set()
    return bool(tags & {"tag_hide-input", "tag_parameters", "tag_injected-parameters"})
