"""Code that is folded away: one switch a page shows it, and the search does not read it."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_FOLDED = 'class="admonition hide above-input"'
SWITCH = '<button type="button" class="code-switch" aria-pressed="false" hidden>Show code</button>'


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
