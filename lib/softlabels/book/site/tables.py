"""Tables with a number, a caption, the scope of every heading cell, and a box to scroll in."""

import html
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from softlabels.book.site.numbers import Numbers, anchor, heading

_BOX = '<div class="pst-scrollable-table-container">'
_FIRST_CELL = re.compile(r"(<tr[^>]*>\s*)<td([^>]*)>(.*?)</td>", re.DOTALL)
_OWN_BOX = re.compile(r'^<div style="overflow-x:auto;font-size:0.85em"><table class="table">')


def caption(table: nodes.table, numbers: Numbers) -> None:
    """Give a table of the prose its number, and the section's heading where it has no caption."""
    name = numbers.next("Table")
    if not isinstance(table[0], nodes.title):
        table.insert(0, nodes.title("", heading(table)))
    title = table[0]
    title.insert(0, nodes.inline("", f"{name}. ", classes=["caption-number"]))
    table["ids"].append(anchor(name))


def dress(node: nodes.raw, numbers: Numbers) -> None:
    """Do the same for a table that a cell of a chapter has shown."""
    name = numbers.next("Table")
    words = f'<span class="caption-number">{name}. </span>{html.escape(heading(node))}'
    opening = f'{_BOX}<table class="table from-cell" id="{anchor(name)}"><caption>{words}</caption>'
    text = _OWN_BOX.sub(opening, node.astext())
    node.replace_self(nodes.raw("", text, format="html"))


def scopes(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say of every heading cell what it is the heading of; the first cell of a row names the row."""
    if "<table" in (context.get("body") or ""):
        context["body"] = re.sub(r"<table.*?</table>", _scoped, context["body"], flags=re.DOTALL)


def _scoped(found: re.Match[str]) -> str:
    head, end, body = found[0].partition("</thead>")
    if not end:
        return found[0]
    head = re.sub(r"<th(?=[\s>])(?![^>]*scope)", '<th scope="col"', head)
    return head + end + _FIRST_CELL.sub(r'\1<th scope="row"\2>\3</th>', body)


def rows(text: str) -> list[dict[str, str]]:
    """Rows of a table that a cell has shown, by the name of the column; cells are HTML."""
    head, _, body = text.partition("</thead>")
    names = [html.unescape(name) for name in re.findall(r"<th(?:\s[^>]*)?>(.*?)</th>", head, re.DOTALL)]
    lines = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    cells = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL) for line in lines)
    return [dict(zip(names, line, strict=True)) for line in cells]
