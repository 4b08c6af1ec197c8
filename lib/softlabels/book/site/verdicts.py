"""Verdicts as cards: the word, the claim, published value and our interval on one axis, the reason.

They are made from the tables that the chapters show, whose columns are those of `analysis.verdicts.table`, so
that a card always says what its chapter says. The overview, whose table has a column *chapter*, has a filter.
"""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

from softlabels.analysis.formatting import NOTHING
from softlabels.analysis.verdicts import CLAIMS, GROUPS, Claim
from softlabels.book.site import tables
from softlabels.book.site.provenance import is_html
from softlabels.book.site.tables import Numbers

# A word and a sign, so that the colour says nothing that they do not say.
SIGNS = {"reproduced": "✓", "contradicted": "✗", "undecided": "◐", "not tested": "○"}
KEY = '<p class="axis-key">◇ published · ● ours, the line its 95 % interval · │ no difference</p>'
Row = Mapping[str, str]  # a row of the table; cells are HTML
NEEDED = ("claim", "published", "ours", "verdict")  # columns of a table that becomes cards
_MOST = 12  # rows under a claim; more are shown by their counts
_NUMBER = re.compile(r"[+−-]?\d+(?:\.\d+)?")
_TAG = re.compile(r"<[^>]+>")
_WIDTH, _HEIGHT, _EDGE = 240, 26, 8  # of an axis


def is_table(node: nodes.Node) -> bool:
    """Is this a table of verdicts that a cell has shown?"""
    return is_html(node) and _has_columns(node.astext())


def _has_columns(text: str) -> bool:
    return all(f">{name}</th>" in text for name in NEEDED)


def begin(app: Sphinx) -> None:
    """Find the chapter of every claim, for the links of the overview."""
    app.softlabels_places = {}  # type: ignore[attr-defined]
    for path in sorted((Path(app.srcdir) / "chapters").glob("*.ipynb")):
        judged = filter(_has_columns, tables.shown(nbformat.read(path, as_version=4)))
        for row in (row for text in judged for row in tables.rows(text)):
            if "chapter" not in row:
                app.softlabels_places.setdefault(identity(row), f"chapters/{path.stem}")  # type: ignore[attr-defined]


def below_claim(doctree: nodes.document, docname: str) -> None:
    """Insert the verdicts of a chapter's first table after its claim, and a link to its notebook.

    Groups of claims are never added up.
    """
    first, claim = next(doctree.findall(is_table), None), claim_of(doctree)
    if claim is None:
        return
    address = f"{'../' * docname.count('/')}_sources/{docname}.ipynb"
    text = f'<p class="download"><a download href="{address}">Download this notebook</a></p>'
    marks = "" if first is None else _marks(tables.rows(first.astext()))
    below = [nodes.raw("", part, format="html") for part in (marks, text) if part]
    claim.parent.insert(claim.parent.index(claim) + 1, below)


def claim_of(doctree: nodes.document) -> nodes.paragraph | None:
    """Return the paragraph that states the chapter's claim."""
    for paragraph in doctree.findall(nodes.paragraph):
        strong = next(paragraph.findall(nodes.strong), None)
        if strong is not None and strong.astext().startswith("Claim"):
            return paragraph
    return None


def dress(app: Sphinx, node: nodes.raw, numbers: Numbers, first: bool) -> None:
    """Turn a table of verdicts into cards; the first of an overview brings the filter."""
    found = tables.rows(node.astext())
    places: Mapping[str, str] = getattr(app, "softlabels_places", {})
    text = cards(found, {name: f"{numbers.root}{place}.html" for name, place in places.items()})
    link = tables.csv_link(app, numbers, node.astext())
    filters = _filters() if first and "chapter" in found[0] else ""
    node.replace_self(nodes.raw("", f"{filters}{text}{link}", format="html"))


def cards(rows: Sequence[Row], places: Mapping[str, str] | None = None) -> str:
    """A card for each row of `analysis.verdicts.table`, as HTML.

    `places` has the address of the chapter that judges a claim, by the claim's id; used where a row names its
    chapter.
    """
    return f'{KEY}<ul class="cards">{"".join(_card(row, places or {}) for row in rows)}</ul>'


def _card(row: Row, places: Mapping[str, str]) -> str:
    word, name, claim = row["verdict"], identity(row), _claims().get(plain(row["claim"]))
    group = GROUPS[claim.group] if claim else ""
    known = re.fullmatch(r"([a-z]+)(\d{4})", claim.source) if claim else None
    paper = f"{known[1].capitalize()} {known[2]}" if known else ""  # author and year
    text = row["claim"]
    if "chapter" in row and name in places:
        text = f'<a href="{places[name]}#claim-{name}">{text}</a>'
    reason, needs = (row.get(column, NOTHING) for column in ("reason", "would decide"))
    rest = f'<p class="reason">{reason}</p>' if reason != NOTHING else ""
    rest += f'<p class="needs">Would decide: {needs}</p>' if needs != NOTHING else ""
    data = f'data-word="{word}" data-group="{html.escape(group)}" data-paper="{html.escape(paper)}"'
    source = f'<span class="paper">{html.escape(paper)}</span>' if paper else ""
    return (
        f'<li class="card-of {_kind(word)}" id="claim-{name}" {data}>'
        f'<p class="claim">{_chip(word)} {text} {source}</p>{_values(row)}{rest}</li>'
    )


@cache
def _claims() -> dict[str, Claim]:
    return {claim.text: claim for claim in CLAIMS.values()}


def identity(row: Row) -> str:
    """Id of a row's claim; made of its words where it is not among `CLAIMS`."""
    text = plain(row["claim"])
    claim = _claims().get(text)
    return claim.id if claim else re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def plain(cell: str) -> str:
    """A cell without its marks."""
    return html.unescape(_TAG.sub("", cell))


def _values(row: Row) -> str:
    theirs = row["published"]
    was = "no published number" if theirs.startswith("no number") else f"published {theirs}"
    ours = f"ours {row['ours']}" if row["ours"] != NOTHING else "no result of ours"
    words = f'<span class="was">{was}</span> <span class="found">{ours}</span>'
    return f'<p class="values">{axis(row)}{words}</p>'


def axis(row: Row) -> str:
    """Published value, as a diamond, and our interval on one small axis through zero, as SVG; or nothing."""
    theirs, ours = plain(row["published"]), plain(row["ours"])
    first = _values_of(theirs)[:1]
    margin, published = (first, [0.0]) if "±" in theirs else ([], first)
    found = _values_of(ours)[: 3 if "[" in ours else 1]
    if not published and not found:
        return ""
    every = [0.0, *published, *found, *margin, *(-m for m in margin)]
    low, high = min(every), max(every)
    scale = (_WIDTH - 2 * _EDGE) / ((high - low) or 1)

    def x(value: float) -> str:
        return f"{_EDGE + (value - low) * scale:.1f}"

    middle = _HEIGHT / 2
    level = f'y1="{middle}" y2="{middle}"'
    parts = [f'<line class="base" x1="0" x2="{_WIDTH}" {level}/>']
    for m in margin:
        width = f"{2 * m * scale:.1f}"
        parts.append(f'<rect class="margin" x="{x(-m)}" width="{width}" y="4" height="{_HEIGHT - 8}"/>')
    parts.append(f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="2" y2="{_HEIGHT - 2}"/>')
    if len(found) == 3:
        parts.append(f'<line class="interval" x1="{x(found[1])}" x2="{x(found[2])}" {level}/>')
    parts += [f'<circle cx="{x(value)}" cy="{middle}" r="4.5"/>' for value in found[:1]]
    for value in () if margin else published:
        parts.append(f'<path class="published" d="M{x(value)} {middle - 6}l6 6-6 6-6-6z"/>')
    label = html.escape(f"published {theirs}, ours {ours}")
    return (
        f'<svg class="axis" role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}">{"".join(parts)}</svg>'
    )


def _values_of(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in _NUMBER.findall(text)]


def _filters() -> str:
    """Three lists to choose from; the page's script fills and shows them."""
    fields = "".join(
        f'<label>{words} <select data-by="{name}"><option value="">all</option></select></label>'
        for name, words in (("word", "Verdict"), ("group", "Claims of"), ("paper", "Paper"))
    )
    return f'<form class="filters" hidden>{fields}<output aria-live="polite"></output></form>'


def _marks(rows: Sequence[Row]) -> str:
    many = len(rows) > _MOST
    if many:
        counted = Counter(row["verdict"] for row in rows)
        first = {word: next(identity(row) for row in rows if row["verdict"] == word) for word in counted}
        items = [_chip(word, f"#claim-{first[word]}", f"{counted[word]} ") for word in SIGNS if counted[word]]
    else:
        items, untested = [], [row for row in rows if row["verdict"] == "not tested"]
        for row in rows:
            if row not in untested:
                chip = _chip(row["verdict"], f"#claim-{identity(row)}")
                items.append(f'<p class="claim">{chip} {row["claim"]}</p>{_values(row)}')
        if untested:
            n, of, chip = len(untested), len(rows), _chip("not tested", f"#claim-{identity(untested[0])}")
            which = "the claim" if n == of == 1 else "every claim" if n == of else f"{n} of {of} claims"
            learnt = any("did not learn" in row.get("reason", "") for row in untested)
            items.append(f"{chip} {which} of this chapter, for want of runs{' that learnt' * learnt}")
    listed = "".join(f"<li>{item}</li>" for item in items)
    kind, key = ("verdicts counted", "") if many else ("verdicts", KEY)
    return f'{key}<ul class="{kind}" aria-label="Verdicts on the claims">{listed}</ul>'


def _kind(word: str) -> str:
    return word.replace(" ", "-")


def _chip(word: str, address: str = "", number: str = "") -> str:
    inside = f'<span aria-hidden="true">{SIGNS[word]}</span> {number}{word}'
    if not address:
        return f'<span class="verdict {_kind(word)}">{inside}</span>'
    return f'<a class="verdict {_kind(word)}" href="{address}">{inside}</a>'
