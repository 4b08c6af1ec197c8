"""Details that are folded: a section headed "More", or "More: …", has everything below its heading in a box.

The box is a <details> element, which opens with mouse and keyboard and needs no script. The page's script
opens it where a link leads into it, and on paper; its line names the sections inside.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

_HEADING = re.compile(r"More(:\s.*)?", re.DOTALL)


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
