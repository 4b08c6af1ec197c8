"""The chapters with their claims and first figures, for the page of contents."""

import html
import re
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from softlabels.book.site import provenance, tables
from softlabels.book.site.tables import Numbers

_KIND = re.compile(r'src="data:image/([a-z]+)')


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
