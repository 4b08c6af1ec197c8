"""The book as one PDF, printed from the built site: ``python -m softlabels.book.pdf SITE OUT.pdf``.

The pages are put into one document with a title, contents and a style for print; Chromium prints it.
It is printed twice: the first time tells on which page each chapter begins.
"""

import argparse
import html
import sys
from importlib import metadata
from pathlib import Path
from string import ascii_uppercase
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup, NavigableString, Tag

from softlabels.book import screens
from softlabels.errors import SoftlabelsError, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What only a reader at a screen can use; the code is in the notebooks.
SCREEN_ONLY = (
    ".headerlink, .cell_input, details.hide, details.records, .download, script, style, .copybtn, "
    ".code-switch, .filters, .table-tools, source"
)
FORM: dict[str, Any] = {
    "format": "A4",
    "margin": {"top": "20mm", "bottom": "20mm", "left": "18mm", "right": "18mm"},
    "print_background": True,
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": '<div style="width:100%;text-align:center;font:8pt sans-serif;color:#555">'
    '<span class="pageNumber"></span></div>',
    "outline": True,
    "tagged": True,
}


def contents(site: Path) -> list[tuple[str, str]]:
    """Address and title of every page, in the order of the book."""
    first = site / "intro.html"
    if not first.exists():
        raise SoftlabelsError(f"{site}: no site here; run `make book` first")
    links = _soup(first).select("nav.bd-links a.reference.internal")
    found = {_address("intro.html", str(a["href"])): " ".join(a.get_text().split()) for a in links}
    return [("intro.html", "Introduction"), *(entry for entry in found.items() if entry[0] != "intro.html")]


def _soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def _address(page: str, link: str) -> str:
    """Address of a link's page, from the site's first folder; "#" is the page itself."""
    path = urldefrag(link)[0]
    return urljoin(f"/{page}", path).lstrip("/") if path else page


def numbers(pages: list[str]) -> dict[str, str]:
    """Number of every chapter, letter of every other page, nothing for the first."""
    found, letters = {}, iter(ascii_uppercase)
    for page in pages:
        first = Path(page).stem.split("_")[0]
        chapter = page.startswith("chapters/") and first.isdigit()
        found[page] = "" if page == "intro.html" else str(int(first)) if chapter else next(letters)
    return found


def _slug(page: str) -> str:
    return page.removesuffix(".html").replace("/", "-")


def section(site: Path, page: str, number: str, known: set[str]) -> str:
    """One page as a section of the document: ids made unique, links turned to the document's own."""
    article = _soup(site / page).select_one("article.bd-article")
    if article is None:
        raise SoftlabelsError(f"{site / page}: not a page of the book")
    for tag in article.select(SCREEN_ONLY):
        tag.decompose()
    for tag in article.select(".provenance a[download]"):
        if isinstance(before := tag.previous_sibling, NavigableString):
            before.replace_with(before.removesuffix(" · "))
        tag.decompose()
    for tag in article.select("details.more"):
        tag["open"] = ""
    for tag in article.find_all(id=True):
        tag["id"] = f"{_slug(page)}--{tag['id']}"
    for tag in article.find_all("img"):
        if not str(tag["src"]).startswith("data:"):
            tag["src"] = (site / page).parent.joinpath(str(tag["src"])).resolve().as_uri()
    for tag in article.find_all("a"):
        _turn(tag, page, known)
    _fit(article)
    title = article.find("h1")
    if isinstance(title, Tag) and number:
        title.insert(0, f"{number}\u2002")
    return f'<section class="page" id="{_slug(page)}">{article.decode_contents()}</section>'


def _turn(link: Tag, page: str, known: set[str]) -> None:
    target = str(link.get("href") or "")
    if urlsplit(target).scheme:
        return
    place, fragment = _address(page, target), urldefrag(target)[1]
    if place in known:
        link["href"] = f"#{_slug(place)}--{fragment}" if fragment else f"#{_slug(place)}"
    else:
        link.unwrap()  # a file of the site: paper cannot follow it


def _fit(article: Tag) -> None:
    """Mark wide tables, which are set smaller, and short ones, which are not broken over pages."""
    for table in article.find_all("table"):
        columns, rows = len(table.select("thead th")), len(table.select("tbody tr"))
        marks = ["wide" if columns < 9 else "widest"] if columns > 6 else []
        classes = [*table.get_attribute_list("class"), *marks, *(["whole"] if rows <= 24 else [])]
        table["class"] = " ".join(map(str, classes))


def document(site: Path, starts: dict[str, int] | None = None) -> str:
    """The whole book as one HTML text; `starts` has the page on which each section begins."""
    listed = contents(site)
    number = numbers([page for page, _ in listed])
    known = {page for page, _ in listed}
    rows = [_entry(page, title, number[page], (starts or {}).get(_slug(page))) for page, title in listed]
    body = "".join(section(site, page, number[page], known) for page, _ in listed)
    heading = _soup(site / "intro.html").select_one("article h1")
    title = html.escape(str(heading.find(string=True)))  # type: ignore[union-attr]
    style = Path(__file__).with_name("paper.css").read_text("utf-8")
    font = (site / "_static" / "noto-sans-math.woff2").resolve().as_uri()
    face = f'@font-face{{font-family:"Noto Sans Math";src:url("{font}") format("woff2")}}'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{face}{style}</style></head><body>{_front(title)}"
        f'<nav class="contents"><h1>Contents</h1><ol>{"".join(rows)}</ol></nav>{body}</body></html>'
    )


def _front(title: str) -> str:
    return (
        f'<header class="front"><h1>{title}</h1>'
        "<p>A reproducible companion to three papers on label distributions</p>"
        f"<p>The softlabels maintainers · version {metadata.version('softlabels')}</p>"
        "<p>Printed from the site, where every figure links to its records, its notebook and its code. "
        "Text and figures: CC BY 4.0. Code: MIT. What is made from the votes of CIFAR-10H: CC BY-NC-SA 4.0."
        "</p></header>"
    )


def _entry(page: str, title: str, number: str, start: int | None) -> str:
    words = f'<span class="number">{number}</span><span class="title">{html.escape(title)}</span>'
    return f'<li><a href="#{_slug(page)}">{words}<span class="start">{start or "000"}</span></a></li>'


def _print(text: str, out: Path, running: "Browser") -> None:
    with TemporaryDirectory() as folder:
        source = Path(folder) / "book.html"
        source.write_text(text, "utf-8")
        page = running.new_page()
        page.goto(source.as_uri())
        page.pdf(path=out, **FORM)
        page.close()


def starts(pdf: Path, pages: list[str]) -> dict[str, int]:
    """Page, from one, on which each section of a printed document begins."""
    from pypdf import PdfReader

    reader = PdfReader(pdf)
    places = {name.lstrip("/"): place for name, place in reader.named_destinations.items()}
    slugs = [slug for slug in map(_slug, pages) if slug in places]
    return {slug: (reader.get_destination_page_number(places[slug]) or 0) + 1 for slug in slugs}


def make(site: Path, out: Path, running: "Browser") -> Path:
    """Print the built site as one PDF."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _print(document(site), out, running)
    _print(document(site, starts(out, [page for page, _ in contents(site)])), out, running)
    return out


@told(1)
def main(arguments: list[str] | None = None) -> None:
    """Make the PDF; 1 where the site or a browser is missing."""
    parser = argparse.ArgumentParser(prog="python -m softlabels.book.pdf", description=__doc__)
    parser.add_argument("site", type=Path, help="folder of the built pages")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    with screens.running() as running:
        print(f"The book as PDF: {make(options.site, options.out, running).resolve()}")


if __name__ == "__main__":
    sys.exit(main())
