"""The verdicts of a chapter's last table, as marks under its claim."""

from collections import Counter
from collections.abc import Sequence

from docutils import nodes

from softlabels.book.site import tables
from softlabels.book.site.provenance import is_html

# A word and a sign, so that the colour says nothing that they do not say.
SIGNS = {"reproduced": "✓", "contradicted": "✗", "undecided": "◐", "not tested": "○"}
_MOST = 12  # rows; a longer table is shown by its counts
_LONGEST = 150  # characters of what came out, marks of HTML included


def below_claim(doctree: nodes.document) -> None:
    """Insert the marks after the claim, where the chapter shows a table of verdicts."""
    text = next((n.astext() for n in doctree.findall(is_html) if ">verdict</th>" in n.astext()), None)
    claim = claim_of(doctree)
    if text is None or claim is None:
        return
    target = text.partition(' id="')[2].partition('"')[0]
    marks = nodes.raw("", _marks(tables.rows(text), target), format="html")
    claim.parent.insert(claim.parent.index(claim) + 1, marks)


def claim_of(doctree: nodes.document) -> nodes.paragraph | None:
    """Return the paragraph that states the chapter's claim."""
    for paragraph in doctree.findall(nodes.paragraph):
        strong = next(paragraph.findall(nodes.strong), None)
        if strong is not None and strong.astext().startswith("Claim"):
            return paragraph
    return None


def _marks(rows: Sequence[dict[str, str]], target: str) -> str:
    if len(rows) > _MOST:
        counted = Counter(row["verdict"] for row in rows)
        items = [_chip(word, target, f"{counted[word]} ") for word in SIGNS if counted[word]]
    else:
        items = [_row(row, target) for row in rows if row["verdict"] != "not tested"]
        items += _untested(sum(row["verdict"] == "not tested" for row in rows), len(rows), target)
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul class="verdicts" aria-label="Verdicts on the claims">{listed}</ul>'


def _row(row: dict[str, str], target: str) -> str:
    shown = len(row["ours"]) <= _LONGEST and row["ours"] != "–"
    found = f' <span class="found">{row["ours"]}</span>' if shown else ""
    return f"{_chip(row['verdict'], target)} {row['claim']}{found}"


def _untested(n: int, of: int, target: str) -> list[str]:
    if not n:
        return []
    which = "the claim" if n == of == 1 else "every claim" if n == of else f"{n} of {of} claims"
    return [f"{_chip('not tested', target)} {which} of this chapter, for want of runs"]


def _chip(word: str, target: str, number: str = "") -> str:
    kind = word.replace(" ", "-")
    sign = f'<span aria-hidden="true">{SIGNS[word]}</span>'
    return f'<a class="verdict {kind}" href="#{target}">{sign} {number}{word}</a>'
