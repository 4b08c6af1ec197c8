"""Details folded under "More": in the page, in the browser, on paper."""

import re
import shutil
from pathlib import Path

import pytest
from docutils import nodes
from softlabels import paths
from softlabels.book import execute, pdf
from softlabels.book.site import more

CHAPTER = """# Toy

**Claim.** It works. See {ref}`further down <rates>`.

## Result

Plain words.

## More

(rates)=
### Rates

A needle in the box.

| a | b |
|---|---|
| 1 | 2 |

### Temperatures

Warm words.

## Moreover

Open words.
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built book of two pages: the folder of its pages."""
    root = tmp_path_factory.mktemp("more")
    for name in ("_config.yml", "book/references.bib"):
        shutil.copy(paths.PROJECT / name, root)
    shutil.copytree(paths.PROJECT / "book" / "_static", root / "_static")
    (root / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: toy\n")
    (root / "intro.md").write_text("# First\n\n{ref}`Inside <rates>`\n")
    (root / "toy.md").write_text(CHAPTER)
    return execute.build(root).parent


def section(title: str, *inside: nodes.Node) -> nodes.section:
    return nodes.section("", nodes.title("", title), *inside)


@pytest.mark.parametrize("title", ["More", "More: rates and temperatures"])
def test_a_section_that_is_headed_more_is_folded_once(title: str) -> None:
    inner = section("More", nodes.paragraph("", "inner"))
    document = nodes.document("", "")
    document += section("Top", section(title, nodes.paragraph("", "words"), inner), section("Moreover"))
    more.fold(document)
    [box] = document.findall(more.folded)
    assert box.parent[0].astext() == title and box["summary"] == "Details: More"
    assert box.astext().split() == ["words", "More", "inner"]


def test_the_line_of_the_box_names_what_is_inside(toy: Path) -> None:
    text = (toy / "toy.html").read_text()
    [box] = re.findall(r'<details class="more">(.*?)</details>', text, re.DOTALL)
    assert "<summary>Details: Rates · Temperatures</summary>" in box
    assert "needle" in box and "Warm words" in box and "Table" in box
    assert "Plain words" not in box and "Open words" not in box
    assert re.search(r'href="#rates"[^>]*>\s*Rates', text), "the contents of the page lead inside"
    assert "needl" in (toy / "searchindex.js").read_text(), "the search reads what is folded"


def test_a_link_leads_into_the_box(toy: Path, browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 300})
    page.goto((toy / "intro.html").as_uri())
    page.locator("article a", has_text="Inside").click()
    box, words = page.locator("details.more"), page.get_by_text("A needle in the box.")
    page.wait_for_function("document.querySelector('details.more')?.open")
    page.wait_for_function("document.querySelector('#rates')?.getBoundingClientRect().top < innerHeight")
    for _ in range(2):  # from the page itself, and once more from the same address
        box.locator("summary").evaluate("summary => summary.click()")
        assert not words.is_visible()
        page.locator("article a", has_text="further down").click()
        page.wait_for_function("document.querySelector('details.more')?.open")
        assert words.is_visible()
    page.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_keyboard_opens_and_closes_the_box(toy: Path, browser, scripts: bool) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto((toy / "toy.html").as_uri())
    summary, words = page.locator("details.more > summary"), page.get_by_text("Warm words.")
    assert not words.is_visible()
    for visible in (True, False):
        summary.press("Enter")
        assert words.is_visible() == visible
    context.close()


def test_on_paper_the_box_is_open_and_closed_again_afterwards(toy: Path, browser, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: `make test` has it")
    page = browser.new_page()
    page.goto((toy / "toy.html").as_uri())
    page.pdf(path=tmp_path / "toy.pdf", format="A4")
    text = " ".join(leaf.extract_text() for leaf in pypdf.PdfReader(tmp_path / "toy.pdf").pages)
    assert "needle in the box" in text and "Details:" not in text
    assert not page.locator("details.more").evaluate("box => box.open")
    page.close()


def test_in_the_book_of_paper_the_box_is_open(toy: Path) -> None:
    assert '<details class="more" open="">' in pdf.section(toy, "toy.html", "", {"toy.html"})
