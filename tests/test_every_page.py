"""Every page of the built site in a browser, each loaded once on a desk, on a tablet and on a phone."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from softlabels import paths
from softlabels.book import screens

CHAPTERS = {path.stem for path in (paths.PROJECT / "book" / "chapters").glob("*.ipynb")}
HEIGHT = 900  # pixels of a screen
TABLET = 1024  # in width: with the left column, without the right one
SCREENS = 8  # of that height
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ALL_PICTURES = """async () => {
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
  return document.documentElement.scrollHeight;
}"""
# Whatever can be opened is, and what happens then has happened.
OPENED = """async () => {
  for (const box of document.querySelectorAll("details.more")) box.open = true;
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""
HIDDEN = """() => [...document.querySelectorAll(".pst-scrollable-table-container")]
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .filter((box) => !box.nextElementSibling?.querySelector(".scroll-hint")?.checkVisibility())
  .map((box) => box.innerText.slice(0, 80))"""
# Captions that reach beyond the box in which their table scrolls.
CUT = """() => [...document.querySelectorAll(".pst-scrollable-table-container caption")]
  .filter((one) => one.offsetWidth > one.closest(".pst-scrollable-table-container").clientWidth + 1)
  .map((one) => one.innerText.slice(0, 80))"""


class Seen(NamedTuple):
    """A page as a browser showed it."""

    contrast: float  # standard deviation of its pixels, from 0 to 255
    height: int  # pixels, with all pictures
    wider: tuple[int, int]  # pixels more than the screen, as it is and with everything opened
    hidden: list[str]  # tables with columns out of sight and no hint
    cut: list[str]  # captions out of sight
    hints: int  # tables that say that they scroll


class Visit(NamedTuple):
    """What became of all pages on a screen of one width."""

    width: int
    pages: dict[str, Seen]
    wrong: list[str]  # other hosts that were asked, files that were not there, errors


@pytest.fixture(scope="module", params=(*screens.WIDTHS, TABLET))
def visit(site: Path, browser, request: pytest.FixtureRequest) -> Visit:
    page = browser.new_page(viewport={"width": request.param, "height": HEIGHT})
    wrong: list[str] = []

    def asked(url: str) -> None:
        if not url.startswith(("file:", "data:")):
            wrong.append(f"{page.url}: asks for {url}")

    page.on("request", lambda wish: asked(wish.url))
    page.on("requestfailed", lambda wish: wrong.append(f"{page.url}: does not get {wish.url}"))
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on(
        "console", lambda said: wrong.append(f"{page.url}: {said.text}") if said.type == "error" else None
    )
    pages = {}
    for path in screens.pages(site):
        page.goto(path.as_uri())
        pages[path.relative_to(site).with_suffix("").as_posix()] = look(page)
    page.close()
    return Visit(request.param, pages, wrong)


def look(page) -> Seen:
    contrast, wider, height = spread(page.screenshot()), page.evaluate(WIDER), page.evaluate(ALL_PICTURES)
    page.evaluate(OPENED)
    hints = page.locator(".scroll-hint:not([hidden])").count()
    opened = (wider, page.evaluate(WIDER))
    return Seen(contrast, height, opened, page.evaluate(HIDDEN), page.evaluate(CUT), hints)


def spread(screenshot: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(screenshot)).convert("L"), np.float32).std())


def test_no_page_asks_another_host_or_complains(visit: Visit) -> None:
    assert len(visit.pages) > len(CHAPTERS) + 8
    assert visit.wrong == []


def test_no_page_is_blank(visit: Visit) -> None:
    assert [name for name, seen in visit.pages.items() if seen.contrast <= 5] == []


def test_no_page_scrolls_sideways(visit: Visit) -> None:
    assert {name: seen.wider for name, seen in visit.pages.items() if max(seen.wider) > 0} == {}


def test_no_table_hides_a_column_without_a_hint(visit: Visit) -> None:
    assert {name: seen.hidden for name, seen in visit.pages.items() if seen.hidden} == {}
    assert {name: seen.cut for name, seen in visit.pages.items() if seen.cut} == {}
    assert sum(seen.hints for seen in visit.pages.values()) > 0


def test_a_chapter_is_read_in_eight_screens(visit: Visit) -> None:
    if visit.width != screens.WIDTHS[0]:
        return  # the measure is a desk's
    heights = {
        name: seen.height / HEIGHT for name, seen in visit.pages.items() if Path(name).name in CHAPTERS
    }
    assert len(heights) == len(CHAPTERS)
    assert {name: round(height, 1) for name, height in heights.items() if height > SCREENS} == {}
