"""The built site for its readers: provenance, verdicts, tables, sizes, keyboard, search, axe, PDF."""

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from site_pages import Page, Site
from softlabels import paths
from softlabels.analysis import formatting
from softlabels.analysis.verdicts import CLAIMS
from softlabels.book import execute, first_page, pdf, screens
from softlabels.book.site import assets, head, only_with_an_address, provenance, tables, verdicts
from softlabels.book.site.tables import anchor

CHAPTERS = sorted((paths.PROJECT / "book" / "chapters").glob("*.ipynb"))
LIMIT = {"landing": 400_000, "chapter": 1_200_000}  # bytes, with all that a page loads
MATHS = "noto-sans-math.woff2"  # loaded by pages with formulas alone
STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"
AXE = {"resultTypes": ["violations"], "preload": False}


def outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    found = (o.get("data", {}).get("text/html", "") for c in cells for o in c.get("outputs", []))
    return ["".join(text) for text in found]


def page_of(site: Path, chapter: Path) -> str:
    return (site / "chapters" / f"{chapter.stem}.html").read_text()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_figure_links_to_what_is_behind_it(site: Path, chapter: Path) -> None:
    drawn = [text for text in outputs(chapter) if "<figure>" in text]
    blocks = re.findall(r'<figure class="drawn".*?</figure>', page_of(site, chapter), re.DOTALL)
    assert len(blocks) == len(drawn)
    for before, block in zip(drawn, blocks, strict=True):
        assert 'href="../functions/figures_' in block, "no link to the function"
        assert f'href="../_sources/chapters/{chapter.stem}.ipynb"' in block
        ids = re.search(r"<summary>records</summary><small>(.*?)</small>", before)
        linked = re.findall(r'href="\.\./records/([0-9a-f]{12})\.json"', block)
        committed = (
            [i for i in ids[1].split() if (paths.results() / "runs" / f"{i}.json").exists()] if ids else []
        )
        assert set(committed) <= set(linked)


def test_a_linked_record_is_the_committed_one(site: Path) -> None:
    copies = sorted((site / "records").glob("*.json"))
    assert copies
    for copy in copies[:20]:
        [original] = (paths.results()).glob(f"*/{copy.name}")
        assert copy.read_bytes() == original.read_bytes()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_verdicts_stand_under_the_claim(site: Path, chapter: Path) -> None:
    page = page_of(site, chapter)
    assert f'<a download href="../_sources/chapters/{chapter.stem}.ipynb">Download this notebook</a>' in page
    judged = next((text for text in outputs(chapter) if ">verdict</th>" in text), None)
    marks = re.search(r'<ul class="verdicts[^>]*>.*?</ul>', page, re.DOTALL)
    assert (marks is None) == (judged is None)
    if marks and judged:
        assert page.index("Claim") < marks.start() < page.index('class="cell')
        words = {row["verdict"] for row in tables.rows(judged)}
        assert set(re.findall(r"</span> (?:\d+ )?([a-z ]+)</a>", marks[0])) == words


ROW = {"claim": "It &lt; all", "published": "+0.3", "ours": "+0.1 [−0.1, 0.2]", "verdict": "undecided"}
OPEN = {"claim": "B", "published": "no number found", "ours": "–", "verdict": "not tested"}


def test_marks_say_word_and_sign_and_count_what_is_not_tested() -> None:
    text = verdicts._marks([ROW, OPEN, OPEN])
    assert text.count("<li>") == 2 and "◐" in text and "2 of 3 claims" in text and "+0.1 [−0.1, 0.2]" in text
    assert 'href="#claim-it-all"' in text
    assert "20 not tested" in verdicts._marks([OPEN] * 20)
    assert "for want of runs</li>" in text
    failed = OPEN | {"reason": "did not learn: one class without recall"}
    assert "for want of runs that learnt</li>" in verdicts._marks([ROW, failed])


def test_a_card_has_word_values_reason_and_what_would_decide() -> None:
    row = ROW | {"chapter": "C", "reason": "few pairs", "would decide": "about 9 pairs"}
    text = verdicts.cards([row], {"it-all": "../chapters/03.html"})
    assert "undecided" in text and 'href="../chapters/03.html#claim-it-all"' in text
    assert "published +0.3" in text and "few pairs" in text and "Would decide: about 9 pairs" in text
    known = verdicts.cards([ROW | {"claim": CLAIMS["huc-loss"].text}])
    assert 'id="claim-huc-loss"' in known and 'data-paper="Peterson 2019"' in known
    assert 'data-group="The three papers"' in known


def places(row: dict[str, str]) -> dict[str, float]:
    """Where an axis has what: x of zero, of the published value, of our mean and of both ends."""
    text = verdicts.axis(row)
    one = {
        "zero": r'class="zero" x1="([\d.]+)"',
        "published": r'class="published" d="M([\d.]+)',
        "ours": r'circle cx="([\d.]+)"',
        "low": r'class="interval" x1="([\d.]+)"',
        "high": r'class="interval" x1="[\d.]+" x2="([\d.]+)"',
    }
    return {name: float(found[1]) for name, sign in one.items() if (found := re.search(sign, text))}


def test_values_stand_on_one_axis_in_their_order() -> None:
    x = places(ROW)
    assert x["low"] < x["zero"] < x["ours"] < x["high"] < x["published"]
    # +0.3 lies three times as far from zero as +0.1
    assert x["published"] - x["zero"] == pytest.approx(3 * (x["ours"] - x["zero"]), abs=0.2)
    down = places(ROW | {"published": "−32.0 %", "ours": "<strong>−26.6 [−33.6, −19.6]</strong> %"})
    assert down["low"] < down["published"] < down["ours"] < down["high"] < down["zero"]
    assert set(places(ROW | {"ours": "+0.1 (one pair)"})) == {"zero", "published", "ours"}
    assert verdicts.axis(OPEN) == ""
    within = verdicts.axis(ROW | {"published": "none (± 2.00 points)"})
    assert 'class="margin"' in within and "published" not in places({**ROW, "published": "none (± 2.00)"})


def test_every_claim_of_the_overview_leads_to_its_card(site: Path) -> None:
    page = (site / "chapters" / "15_verdicts.html").read_text()
    links = re.findall(r'<p class="claim"><span class="verdict[^"]*">.*?</span> <a href="([^"]+)"', page)
    cards = page.count('<li class="card-of')
    assert cards > 30 and len(links) == cards
    for link in links:
        path, _, name = link.partition("#")
        assert f'id="{name}"' in (site / "chapters" / path).resolve().read_text(), link


def test_rows_of_a_table_are_read_back() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        [{"claim": "x < y", "verdict": "undecided"}, {"claim": "z", "verdict": "reproduced"}]
    )
    found = tables.rows(formatting.markup(frame))
    assert [row["verdict"] for row in found] == ["undecided", "reproduced"]
    assert found[0]["claim"] == "x &lt; y"


def test_a_table_keeps_the_caption_that_its_cell_gives() -> None:
    import pandas as pd
    from docutils import nodes

    for given, caption in (("KL [nats] of a < b, **lower is better**", ""), ("", "Heading")):
        section = nodes.section("", nodes.title("", "Heading"))
        text = formatting.markup(pd.DataFrame({"arm": ["soft"], "KL": ["1"]}), given)
        section += nodes.raw("", text, format="html")
        tables.dress(section[1], SimpleNamespace(next=lambda kind: f"{kind} 3.1"))
        words = caption or "KL [nats] of a &lt; b, <strong>lower is better</strong>"
        assert (
            f'<caption><span class="caption-number">Table 3.1. </span>{words}</caption>' in section.astext()
        )


def test_every_table_has_a_caption_and_scopes(site: Path) -> None:
    seen = 0
    for path in Site(site).pages:
        for table in re.findall(r"<table class=\"table.*?</table>", path.read_text(), re.DOTALL):
            seen += 1
            assert "<caption>" in table, path.name
            assert re.search(r"<th(?=[\s>])(?![^>]*scope)", table) is None, path.name
    assert seen > 40


def test_anchors_are_unique_on_every_page(site: Path) -> None:
    for path in Site(site).pages:
        ids = re.findall(r'<(?:figure|table)[^>]* id="([^"]+)"', path.read_text())
        assert len(ids) == len(set(ids)), path.name
    assert anchor("Table 3.2") == "table-3-2"


def test_functions_of_figures_are_found_without_importing_them() -> None:
    from softlabels import figures

    drawing = {name for name, found in vars(figures).items() if hasattr(found, "__wrapped__")}
    assert len(drawing) > 20 and drawing <= set(provenance.functions())
    assert provenance.functions()["differences"] == "results"


def weight(page: Page) -> int:
    """Bytes of a page and of all that it loads."""
    text = page.path.read_text()
    unscripted = set(
        re.findall(r'<img[^>]* src="([^"]+)"', "".join(re.findall(r"<noscript>.*?</noscript>", text)))
    )
    called = re.findall(r'"url":"([^":]+)"', text)  # by the script of an atlas
    files = {page.path, *(page.target(url) for url in {*page.loads, *called} - unscripted)}
    if page.n_formulas:
        files.add(next(root for root in page.path.parents if (root / "_static").is_dir()) / "_static" / MATHS)
    return sum(path.stat().st_size for path in files if path is not None and path.is_file())


def test_pages_stay_light(site: Path) -> None:
    pages = Site(site).pages
    assert weight(pages[(site / "intro.html").resolve()]) <= LIMIT["landing"]
    for chapter in CHAPTERS:
        page = pages[(site / "chapters" / f"{chapter.stem}.html").resolve()]
        assert weight(page) <= LIMIT["chapter"], chapter.stem
    atlas = (site / "chapters" / "17_atlas.html").read_text()
    assert (
        len(list((site / "_images").glob("17_atlas-*.webp")))
        == 2
        == atlas.count('"url":"../_images/17_atlas-')
    )
    static = site / "_static"
    for unused in ("*.map", "fontawesome*", "bootstrap.js", "sphinx-thebe.js", "*.ttf"):
        assert not list(static.rglob(unused)), unused


def test_rules_that_can_apply_stay_and_others_go() -> None:
    sheet = (
        "@media print{.a:not(.gone) > p,.gone p{x:1}} .gone{y:2}"
        '@font-face{font-family:F} .a[data-x="{"],.gone .a{z:"}"} @media screen{.gone{u:1}}'
    )
    kept = assets.purged(sheet, {"a"})
    assert kept == '@media print{.a:not(.gone) > p{x:1}}@font-face{font-family:F}.a[data-x="{"]{z:"}"}'


def test_a_page_says_what_it_is_and_other_settings_are_said(tmp_path: Path, site: Path) -> None:
    page = (site / "chapters" / "03_table1.html").read_text()
    assert re.search(r'<meta name="description" content="Claim of the paper\. [^"]{20,}">', page)
    assert '<meta property="og:image" content="../_static/social.png">' in page
    assert 'class="rebuilt"' not in page
    assert head.injected("# Parameters\nprofile = 'smoke'\nseeds = [5]\ntrain = False\n") == {
        "profile": "smoke",
        "seeds": "[5]",
    }


def test_figures_of_the_first_page_are_those_of_the_records(tmp_path: Path) -> None:
    if not list((paths.results() / "runs").glob("*.json")):
        pytest.skip("no committed records yet")
    for file in first_page.renew(tmp_path):
        committed = paths.PROJECT / "book/_static" / file.name
        if file.suffix == ".svg":
            drawn, known = (re.findall(r"-?\d+(?:\.\d+)?", p.read_text()) for p in (file, committed))
            assert len(drawn) == len(known), f"{file.name}: run `make publish`"
            assert np.allclose(np.float64(drawn), np.float64(known), atol=2), f"{file.name}: `make publish`"
            continue
        ours, committed = (Image.open(p).convert("L") for p in (file, committed))
        assert ours.size == committed.size, f"{file.name}: run `make publish`"
        difference = np.abs(np.asarray(ours, np.float32) - np.asarray(committed, np.float32)).mean()
        assert difference < 2, f"{file.name}: run `make publish`"


def test_the_most_divided_row_is_chosen() -> None:
    counts = np.array([[5, 5, 1], [30, 20, 0], [6, 5, 0], [26, 25, 0], [1, 1, 1]])
    assert first_page.most_divided(counts) == 3  # difference one, as the row above, and more votes
    assert first_page.most_divided(np.array([[9, 0], [4, 4], [7, 7]])) == 2


@pytest.mark.parametrize("url", ["", "https://github.com/someone/somewhere"])
def test_launch_buttons_follow_from_the_address(tmp_path: Path, url: str) -> None:
    options = {"repository_url": url, "launch_buttons": {"colab_url": "https://colab.example"}}
    only_with_an_address(SimpleNamespace(html_theme_options=options))
    assert bool(options["launch_buttons"]) == bool(url)
    if not url:
        return
    text = (paths.PROJECT / "_config.yml").read_text()
    (tmp_path / "_config.yml").write_text(text.replace('url: ""', f"url: {url}", 1))
    shutil.copy(paths.PROJECT / "book" / "references.bib", tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: chapters/01_toy\n")
    (tmp_path / "intro.md").write_text("# Page\n\nWords.\n")
    (tmp_path / "chapters").mkdir()
    nbformat.write(toy(), tmp_path / "chapters" / "01_toy.ipynb")
    page = (execute.build(tmp_path).parent / "chapters" / "01_toy.html").read_text()
    where = f"{url.removeprefix('https://github.com/')}/blob/main/book/chapters/01_toy.ipynb"
    assert f"https://colab.research.google.com/github/{where}" in page
    assert (
        "https://mybinder.org/v2/gh/someone/somewhere/main?urlpath=lab/tree/book/chapters/01_toy.ipynb"
        in page
    )
    assert (
        page.index("Claim") < page.index("✓") < page.index("Download this notebook") < page.index("card-of")
    )


def toy() -> nbformat.NotebookNode:
    import pandas as pd

    frame = pd.DataFrame(
        [{"claim": "It works", "published": "1", "ours": "+1", "verdict": "reproduced", "reason": "x"}]
    )
    shown = new_output("display_data", data={"text/html": formatting.markup(frame), "text/plain": ""})
    cells = [new_markdown_cell("# Toy\n\n**Claim.** It works."), new_code_cell("1", outputs=[shown])]
    return new_notebook(cells=cells, metadata=execute.KERNEL)


def test_a_rebuilt_site_says_so_and_shows_its_chapters(tmp_path: Path) -> None:
    for name in ("_config.yml", "book/references.bib"):
        shutil.copy(paths.PROJECT / name, tmp_path)
    toc = "format: jb-book\nroot: intro\nchapters:\n- file: chapters/01_toy\n"
    (tmp_path / "_toc.yml").write_text(toc)
    (tmp_path / "intro.md").write_text("# Page\n\nWords.\n\n```{chapters}\n```\n")
    (tmp_path / "chapters").mkdir()
    notebook = toy()
    told = new_code_cell("profile = 'smoke'\nseeds = [5]\ntrain = False")
    told.metadata["tags"] = ["injected-parameters", "hide-input"]
    drawn = new_output("display_data", data={"text/html": DRAWN, "text/plain": ""})
    notebook.cells += [told, new_code_cell("2", outputs=[drawn])]
    nbformat.write(notebook, tmp_path / "chapters" / "01_toy.ipynb")
    first = execute.build(tmp_path).with_name("intro.html").read_text()
    chapter = (tmp_path / "_build" / "html" / "chapters" / "01_toy.html").read_text()
    for page in (first, chapter):
        assert "Built from profile smoke, seeds 5: not the published book." in page
    card = re.search(r'<ol class="gallery">(.*?)</ol>', first, re.DOTALL)
    assert card and "1</span> Toy" in card[1] and "<p>It works.</p>" in card[1]
    [address] = re.findall(r'src="(_images/[^"]+\.svg)"', card[1])
    assert (tmp_path / "_build" / "html" / address).read_bytes() == b"<svg/>"
    assert 'src="../_images/01_toy-figure-1-1.svg"' in chapter and "data:image/svg" not in chapter


def test_the_first_page_of_a_rebuilt_site_speaks_of_its_own_runs(tmp_path: Path, store: Path) -> None:
    published = (paths.PROJECT / "book" / "intro.md").read_text()
    (tmp_path / "chapters").mkdir()
    told = new_code_cell("profile = 'smoke'\nseeds = [5]")
    told.metadata["tags"] = ["injected-parameters"]
    nbformat.write(new_notebook(cells=[told]), tmp_path / "chapters" / "03_table1.ipynb")
    execute.assemble(tmp_path)
    page = (tmp_path / "intro.md").read_text()
    assert "nothing can be said" in page and "nothing can be said" not in published
    counts = page.partition("<!-- verdict-counts -->")[2].partition("<!-- /")[0]
    assert "claims: **" in counts and "reproduced" not in counts
    drawn = [
        (folder / "_static" / "answer.svg").read_bytes() for folder in (tmp_path, paths.PROJECT / "book")
    ]
    assert drawn[0] != drawn[1] and len(drawn[0]) < len(drawn[1])
    assert head.changed(tmp_path) == {"chapters/03_table1": {"profile": "smoke", "seeds": "[5]"}}


DRAWN = (
    f'<figure><img alt="a" class="line-art" src="data:image/svg+xml;base64,{b64encode(b"<svg/>").decode()}">'
    '<figcaption style="color:inherit"><p>C</p><p><small>S</small></p></figcaption></figure>'
)


# In the browser


@pytest.fixture
def page(browser):
    found = browser.new_page(viewport={"width": 1280, "height": 900})
    found.route(
        "**/*",
        lambda route: (
            route.continue_() if route.request.url.startswith(("file:", "data:")) else route.abort()
        ),
    )
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield found
    found.close()
    assert errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_from_the_first_page_to_a_record(site: Path, page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((site / "intro.html").as_uri())
    page.locator("article a", has_text="full table").first.click()
    page.wait_for_url("**/03_table1.html")
    page.locator("details.records summary").first.focus()
    page.keyboard.press("Enter")  # as someone without a mouse does
    link = page.locator("details.records a").first
    run = link.inner_text()
    link.click()
    page.wait_for_url(f"**/records/{run}.json")
    record = json.loads(page.locator("pre").inner_text())
    assert record["id"] == run and record["metrics"]["test"]["kl"] > 0


def test_from_a_figure_to_its_function(site: Path, page) -> None:
    page.goto((site / "chapters" / "03_table1.html").as_uri())
    page.locator(".provenance a", has_text="figures.differences").click()
    page.wait_for_url("**/figures_results.html#differences")
    assert "def differences(" in page.locator("#differences").inner_text()


def test_the_theme_can_be_switched(site: Path, page) -> None:
    page.goto((site / "intro.html").as_uri())
    seen = set()
    for _ in range(3):
        page.locator("button.theme-switch-button").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}
    page.evaluate("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("GPU", "one_gpu.html"),
        ("KL divergence", "glossary.html"),
        ("Dawid-Skene", "glossary.html"),
        ("install", "reproduce.html"),
    ],
)
def test_search_finds_the_right_page_first(site: Path, page, words: str, first: str) -> None:
    page.goto(f"{(site / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
    page.locator("#search-results li a").nth(2).wait_for(timeout=20_000)
    assert page.locator("#search-results li a").first.get_attribute("href").partition("#")[0] == first
    assert "device = None" not in (site / "searchindex.js").read_text()


def test_the_keyboard_reaches_content_and_tables(site: Path, browser) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto((site / "chapters" / "03_table1.html").as_uri())
    page.keyboard.press("Tab")
    assert "Skip to main content" in page.evaluate("document.activeElement.innerText")
    box = page.locator(".pst-scrollable-table-container").first
    assert box.evaluate("e => e.scrollWidth > e.clientWidth && e.tabIndex === 0")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.close()


def test_the_first_page_is_one_screen(site: Path, page) -> None:
    page.goto((site / "intro.html").as_uri())
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    doors = page.locator(".doors .sd-card")
    assert doors.count() == 4 and doors.last.bounding_box()["y"] > 300


def test_one_switch_shows_all_code_and_the_next_page_knows(site: Path, page) -> None:
    page.goto((site / "chapters" / "15_verdicts.html").as_uri())
    code_of = page.locator("details.above-input")
    assert code_of.count() > 2 and not code_of.first.is_visible()
    switch = page.locator("button.code-switch")
    switch.focus()
    page.keyboard.press("Enter")
    assert switch.get_attribute("aria-pressed") == "true" and code_of.nth(2).locator("pre").is_visible()
    page.goto((site / "chapters" / "03_table1.html").as_uri())
    assert page.locator("details.above-input pre").first.is_visible()
    page.emulate_media(media="print")
    assert not page.locator("details.above-input pre").first.is_visible()


def test_verdicts_are_filtered(site: Path, page) -> None:
    page.goto((site / "chapters" / "15_verdicts.html").as_uri())
    cards, shown = page.locator(".card-of"), page.locator(".card-of:visible")
    every = cards.count()
    assert shown.count() == every > 30
    page.locator("select[data-by=word]").select_option("undecided")
    words = shown.locator(".verdict").all_inner_texts()
    assert 0 < len(words) < every and all("undecided" in word for word in words)
    page.locator("select[data-by=paper]").select_option("Peterson 2019")
    assert shown.count() < len(words)
    assert f"{shown.count()} of {every} claims" in page.locator(".filters output").inner_text()
    page.emulate_media(media="print")
    assert shown.count() == every  # paper has all of them, with their words


def test_a_long_table_is_sorted_by_its_headings(site: Path, page) -> None:
    page.goto((site / "costs.html").as_uri())
    table = page.locator("table[data-sortable]").first
    button = table.locator("thead th", has_text="runs").locator("button")
    button.click()
    column = "e => [...e.tBodies[0].rows].map((row) => Number(row.cells[2].innerText))"
    up = table.evaluate(column)
    assert up == sorted(up) and len(up) > 10
    button.click()
    assert table.evaluate(column) == sorted(up, reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1


def test_tables_are_files_too(site: Path) -> None:
    pages = Site(site)
    links = [url for page in pages.pages.values() for url in page.links if url.endswith(".csv")]
    assert len(links) > 80
    rows = (site / "tables" / "03_table1-1.csv").read_text().splitlines()
    assert rows[0].startswith("setting,n,") and len(rows) > 5 and "−" not in "".join(rows)


def test_without_scripts_nothing_is_missing(site: Path, browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "chapters" / "15_verdicts.html").as_uri())
    assert page.locator(".card-of:visible").count() == page.locator(".card-of").count() > 30
    assert page.locator("details.above-input summary").first.is_visible()
    assert not page.locator(".filters").is_visible() and not page.locator(".code-switch").is_visible()
    context.close()


COMBINATIONS = [(theme, width) for theme in screens.THEMES for width in screens.WIDTHS]
# The first page, one with tables, cards, the library, and the search; the weekly test looks at all.
SOME = ("intro.html", "03_table1.html", "15_verdicts.html", "api_runs.html", "search.html")


def test_axe_finds_nothing_serious(site: Path, browser) -> None:
    assert faults(browser, [page for page in screens.pages(site) if page.name in SOME]) == []


@pytest.mark.weekly
@pytest.mark.timeout(3600)
def test_axe_finds_nothing_serious_on_any_page(site: Path, browser) -> None:
    assert faults(browser, screens.pages(site)) == []


def faults(browser, pages: Iterable[Path]) -> list[str]:
    """What axe finds grave on pages, in both themes and both widths."""
    script = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    source = resources.files(script).joinpath("axe.min.js").read_text("utf-8")
    found, every = [], list(pages)
    for wanted in COMBINATIONS:
        page = browser.new_page(viewport={"width": wanted[1], "height": 900}, color_scheme=wanted[0])
        for path in every:
            page.goto(path.as_uri())
            page.add_style_tag(content=STILL)  # a colour on its way to another is not judged
            page.evaluate(source)
            wrong = page.evaluate("options => axe.run(options)", AXE)["violations"]
            grave = [w for w in wrong if w["impact"] in ("serious", "critical")]
            found += [f"{path.name} {wanted}: {w['id']}: {w['nodes'][0]['html'][:200]}" for w in grave]
        page.close()
    return found


# On paper


def test_links_of_the_pdf_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<article class="bd-article"><h1 id="t">T</h1><a href="b.html#x">b</a><a href="records/1.json">r</a>'
        '<a href="https://example.org">e</a><div class="cell_input">code</div></article>'
    )
    text = pdf.section(tmp_path, "a.html", "3", {"a.html", "b.html"})
    assert 'href="#b--x"' in text and "records/1.json" not in text and 'href="https://example.org"' in text
    assert 'id="a--t"' in text and "code" not in text and "3\u2002T" in text


def test_pages_are_numbered_as_on_the_site() -> None:
    pages = ["intro.html", "chapters/03_table1.html", "differences.html", "data.html"]
    assert pdf.numbers(pages) == {pages[0]: "", pages[1]: "3", pages[2]: "A", pages[3]: "B"}


def test_a_printed_page_has_its_title_verdicts_and_every_column(site: Path, page, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: `make test` has it")
    text = {}
    for name in ("15_verdicts", "03_table1"):
        page.goto((site / "chapters" / f"{name}.html").as_uri())
        page.pdf(path=tmp_path / f"{name}.pdf", format="A4")
        leaves = pypdf.PdfReader(tmp_path / f"{name}.pdf").pages
        text[name] = " ".join(" ".join(leaf.extract_text() for leaf in leaves).split())
    page.goto((site / "chapters" / "15_verdicts.html").as_uri())
    words = page.locator(".card-of .verdict").all_inner_texts()
    for word in verdicts.SIGNS:
        assert text["15_verdicts"].count(word) >= sum(word in one for one in words)
    assert "Verdicts" in text["15_verdicts"][:200] and "Would decide" in text["15_verdicts"]
    assert "The table of the" in text["03_table1"][:100] and "profile =" not in text["03_table1"]
    for row in (site / "tables" / "03_table1-1.csv").read_text().splitlines()[1:4]:
        last = row.rpartition(",")[2].strip('"').split(" ")[0]
        assert last.replace("-", "−") in text["03_table1"], row


def test_the_book_is_printed(site: Path, browser, tmp_path: Path, monkeypatch) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: `make test` has it")
    every = pdf.contents(site)
    assert len(every) >= len(CHAPTERS) + 5
    monkeypatch.setattr(pdf, "contents", lambda _: [every[0], every[3], every[-1]])  # three pages, for time
    reader = pypdf.PdfReader(pdf.make(site, tmp_path / "book.pdf", browser))
    text = [leaf.extract_text() for leaf in reader.pages]
    assert "Learning from people who disagree" in " ".join(text[0].split()) and "Contents" in text[1]
    start = int(re.findall(r"The table of the \S+ paper\s*(\d+)", text[1])[0])
    assert "by accuracy and by KL" in " ".join(text[start - 1].split()) and reader.outline
