"""Tables with a number, a caption, scopes, a box to scroll in, and a file for a spreadsheet.

Figures and tables are numbered by chapter, and by a letter on the other pages.
"""

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

FOLDER = "tables"  # of the site
SORTED_FROM = 11  # rows
_BOX = '<div class="pst-scrollable-table-container">'
_FIRST_CELL = re.compile(r"(<tr[^>]*>\s*)<td([^>]*)>(.*?)</td>", re.DOTALL)
_OWN_BOX = re.compile(
    r'^<div style="overflow-x:auto;font-size:0.85em"><table class="table">(?:<caption>(.*?)</caption>)?',
    re.DOTALL,
)
_TABLE = re.compile(rf"{_BOX}\s*<table.*?</table>\s*</div>|<table.*?</table>", re.DOTALL)
_CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


class Numbers:
    """Counts the figures and tables of one page, such as "chapters/03_table1"."""

    def __init__(self, env: BuildEnvironment, docname: str):
        self.docname = docname
        self.prefix = _prefix(env, docname)
        self._counts = {"Figure": 0, "Table": 0}

    @property
    def root(self) -> str:
        """Relative address of the site's first folder."""
        return "../" * self.docname.count("/")

    def next(self, kind: str) -> str:
        """Name of the next "Figure" or "Table", such as "Table 3.2"."""
        self._counts[kind] += 1
        number = str(self._counts[kind])
        return f"{kind} {self.prefix}.{number}" if self.prefix else f"{kind} {number}"


def _prefix(env: BuildEnvironment, docname: str) -> str:
    """Number of a chapter, letter of another page, nothing for the first page."""
    first = docname.rsplit("/", 1)[-1].split("_", 1)[0]
    if docname.startswith("chapters/") and first.isdigit():
        return str(int(first))
    others = [name for name in env.toctree_includes.get(env.config.root_doc, []) if "/" not in name]
    return ascii_uppercase[others.index(docname) % 26] if docname in others else ""


def heading(node: nodes.Node) -> str:
    """Title of the section that a node stands in."""
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    return node[0].astext() if node is not None and len(node) else ""


def anchor(name: str) -> str:
    """Id of a figure or table: "table-3-2" for "Table 3.2"."""
    return name.lower().replace(" ", "-").replace(".", "-")


def caption(table: nodes.table, numbers: Numbers) -> None:
    """Give a table of the prose its number, and the section's heading where it has no caption."""
    name = numbers.next("Table")
    if not isinstance(table[0], nodes.title):
        table.insert(0, nodes.title("", heading(table)))
    table[0].insert(0, nodes.inline("", f"{name}. ", classes=["caption-number"]))
    table["ids"].append(anchor(name))


def dress(node: nodes.raw, numbers: Numbers) -> None:
    """Do the same for a table that a cell of a chapter has shown."""
    name = numbers.next("Table")
    own = _OWN_BOX.match(node.astext())
    words = own[1] if own and own[1] else html.escape(heading(node))
    label = f'<span class="caption-number">{name}. </span>{words}'
    opening = f'{_BOX}<table class="table from-cell" id="{anchor(name)}"><caption>{label}</caption>'
    text = _OWN_BOX.sub(lambda _: opening, node.astext())
    node.replace_self(nodes.raw("", text, format="html"))


def finish(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give every table of a page its scopes, its file, and the mark by which it can be sorted."""
    body = context.get("body") or ""
    if "<table" not in body or app.builder.format != "html":
        return
    count = iter(range(1, body.count("<table") + 1))
    context["body"] = _TABLE.sub(lambda found: _finished(app, page, found, next(count)), body)


def _finished(app: Sphinx, page: str, found: re.Match[str], number: int) -> str:
    text = found[0]
    if "</thead>" not in text:
        return text
    if len(lines(text)) > SORTED_FROM:  # the heading is one of them
        text = text.replace("<table", "<table data-sortable", 1)
    link = _filed(app, page, f"{page.rsplit('/', 1)[-1]}-{number}", text)
    tools = f'<p class="table-tools"><span class="scroll-hint" hidden></span> {link}</p>'
    head, _, body = text.partition("</thead>")
    head = re.sub(r"<th(?=[\s>])(?![^>]*scope)", '<th scope="col"', head)
    body = _FIRST_CELL.sub(r'\1<th scope="row"\2>\3</th>', body)  # it names the row
    return f'<div class="table-whole">{head}</thead>{body}{tools}</div>'


def csv_link(app: Sphinx, numbers: Numbers, text: str) -> str:
    """Write a table that is shown in another form, and link to its file."""
    page = numbers.docname
    name = f"{page.rsplit('/', 1)[-1]}-{anchor(numbers.next('Table'))}"
    return f'<p class="table-tools">{_filed(app, page, name, text)}</p>'


def _filed(app: Sphinx, page: str, name: str, text: str) -> str:
    file = Path(app.outdir) / FOLDER / f"{name}.csv"
    file.parent.mkdir(exist_ok=True)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines(text))
    file.write_text(buffer.getvalue(), "utf-8")
    return f'<a class="csv" download href="{"../" * page.count("/")}{FOLDER}/{file.name}">CSV</a>'


def shown(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """HTML that the cells of an executed notebook have shown, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield "".join(output.get("data", {}).get("text/html", ""))


def lines(text: str) -> list[list[str]]:
    """Cells of every line of a table, its heading first, as plain text with a plain minus."""
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)
    return [[_plain(cell) for cell in _CELL.findall(line)] for line in found]


def _plain(cell: str) -> str:
    words = html.unescape(re.sub(r"<[^>]+>", "", cell))
    return " ".join(words.split()).replace("−", "-")


def rows(text: str) -> list[dict[str, str]]:
    """Rows of a table that a cell has shown, by the name of the column; cells are HTML."""
    head, _, body = text.partition("</thead>")
    names = [html.unescape(name) for name in re.findall(r"<th(?:\s[^>]*)?>(.*?)</th>", head, re.DOTALL)]
    found = (_CELL.findall(line) for line in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL))
    return [dict(zip(names, line, strict=True)) for line in found]
