"""Files of the theme that no page needs are left out of the site, and of a page what it does not need.

The theme brings 600 KB of styles and icon fonts, of which a page uses a tenth; on a slow line they are
most of the wait for the first word. So the whole site has one style sheet, with the rules and the icons that
its pages use.
"""

import base64
import io
import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from sphinx.application import Sphinx

# Script -> what a page must have for it to be loaded.
NEEDED_BY = {
    "scripts/fontawesome.js": None,  # the icons come as a font too, of a tenth of the size
    "sphinx-thebe.js": None,
    "scripts/bootstrap.js": r'data-bs-toggle="dropdown"|pst-collapse-sidebar-button',
    "togglebutton.js": r'class="[^"]*\b(?:toggle|dropdown admonition|admonition dropdown)\b',
    "design-tabs.js": r"sd-tab-set",
    "clipboard.min.js": r'class="highlight',
    "copybutton.js": r'class="highlight',
    "searchtools.js": r'id="search-results"',
    "language_data.js": r'id="search-results"',
    "searchindex.js": r'id="search-results"',
}
# For those who debug the theme, and words of other languages.
_UNUSED = ("**/*.map", "locales", "vendor")

NAME = "styles/site.css"  # in the site's folder of static files
_LINK = re.compile(r'\s*<link[^>]*rel="stylesheet"[^>]*/?>')
_HREF = re.compile(r'href="(?:[./]*)_static/([^"?#]+)')
_IMPORT = re.compile(r'@import\s+"([^"]+)";')
_URL = re.compile(r"url\(\s*[\"']?([^\"')]+)[\"']?\s*\)")
_ICON = re.compile(r'content:"\\([0-9a-f]{4})"|--fa:"\\([0-9a-f]{4})"')
_CLASS = re.compile(r"[.#]((?:\\.|[\w-])+)")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_ATTRIBUTE = re.compile(r'\b(?:class|id)="([^"]*)"')
_INLINE = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_INSIDE = re.compile(r"\([^()]*\)|\[[^\]]*\]")
ICONS = "Font Awesome\\ 6 Free"


def drop_unused(app: Sphinx, error: Exception | None) -> None:
    """Take out of every page what it does not need, and delete what no page needs."""
    if error is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    pages = {path: lightened(path.read_text("utf-8")) for path in out.rglob("*.html")}
    static = out / "_static"
    loaded = "".join(pages.values())
    for name in NEEDED_BY:
        if name not in loaded and name != "searchindex.js":
            for file in (static / name).parent.glob(f"{Path(name).name}*"):
                file.unlink()
    combine(static, pages)
    for path, text in pages.items():
        path.write_text(text, "utf-8")
    for pattern in _UNUSED:
        for path in sorted(static.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def lightened(page: str) -> str:
    """A page without the scripts that it does not need."""
    for name, sign in NEEDED_BY.items():
        if sign is None or not re.search(sign, page):
            named = rf'[^"]*{re.escape(name)}[^"]*"[^>]*>'
            page = re.sub(rf'\s*<script[^>]*src="{named}</script>', "", page)
            page = re.sub(rf'\s*<link[^>]*rel="preload"[^>]*href="{named}', "", page)
    return page


def combine(static: Path, pages: dict[Path, str]) -> None:
    """Put what `pages` (text by file, changed in place) need of their style sheets into one file."""
    order: list[str] = []
    for text in pages.values():
        order += [name for link in _LINK.findall(text) for name in _HREF.findall(link) if name not in order]
    sheets = "\n".join(_read(static, name) for name in order)
    kept = purged(sheets, used(static, pages.values()))
    kept = _with_icons(kept, static)
    file = static / NAME
    file.write_text(kept, "utf-8")
    for path, text in pages.items():
        pages[path] = _linked(text)
    for name in {*order, "basic.css"} - {NAME}:
        (static / name).unlink(missing_ok=True)


def _linked(text: str) -> str:
    """One link to the style sheet where the first of many stood."""
    found = [link for link in _LINK.findall(text) if _HREF.search(link)]
    if not found:
        return text
    root = re.search(r'href="([./]*)_static/', found[0])
    assert root is not None
    one = f'\n  <link rel="stylesheet" href="{root[1]}_static/{NAME}" />'
    text = text.replace(found[0], one, 1)
    for link in found[1:]:
        text = text.replace(link, "", 1)
    return text


def _read(static: Path, name: str) -> str:
    """A style sheet with those that it imports; addresses are turned to the folder of the new one."""
    file = static / name
    text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"@charset[^;]*;", "", text)
    text = _IMPORT.sub(lambda m: _read(static, _beside(static, file, m[1])), text)
    return _URL.sub(lambda m: m[0] if ":" in m[1] else f'url("../{_beside(static, file, m[1])}")', text)


def _beside(static: Path, file: Path, address: str) -> str:
    return (file.parent / address).resolve().relative_to(static.resolve()).as_posix()


def used(static: Path, pages: Iterable[str]) -> set[str]:
    """Every word that may be the class or the id of an element: of the pages, and of all scripts."""
    words: set[str] = set()
    for text in pages:
        for value in _ATTRIBUTE.findall(text):
            words.update(value.split())
        for script in _INLINE.findall(text):
            words.update(_WORD.findall(script))
    for path in static.rglob("*.js"):
        words.update(_WORD.findall(path.read_text("utf-8")))
    return words


def purged(sheet: str, words: set[str]) -> str:
    """The rules of a style sheet that can apply where classes and ids are among `words`."""
    kept = []
    for head, body in _rules(sheet):
        if body is None:
            continue
        if head.startswith(("@media", "@supports")):
            inner = purged(body, words)
            if inner:
                kept.append(f"{head}{{{inner}}}")
        elif head.startswith("@font-face"):
            kept.append("" if "Font Awesome" in body else f"{head}{{{body}}}")
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        else:
            selectors = [one.strip() for one in _split(head) if _applies(one, words)]
            if selectors:
                kept.append(f"{','.join(selectors)}{{{body.strip()}}}")
    return "".join(kept)


def _applies(selector: str, words: set[str]) -> bool:
    bare = selector
    while (shorter := _INSIDE.sub("", bare)) != bare:  # what stands in :not() or :is() need not be there
        bare = shorter
    return all(re.sub(r"\\(.)", r"\1", name) in words for name in _CLASS.findall(bare))


def _rules(sheet: str) -> Iterator[tuple[str, str | None]]:
    """Heads and bodies at the outermost level; a statement without a block has no body."""
    start = depth = opened = 0
    quote = ""
    for i, sign in enumerate(sheet):
        if quote:
            if sign == quote and sheet[i - 1] != "\\":
                quote = ""
        elif sign in "\"'":
            quote = sign
        elif sign == "{":
            depth += 1
            if depth == 1:
                opened = i
        elif sign == "}":
            depth -= 1
            if depth == 0:
                yield sheet[start:opened].strip(), sheet[opened + 1 : i]
                start = i + 1
        elif sign == ";" and depth == 0:
            yield sheet[start:i].strip(), None
            start = i + 1


def _split(head: str) -> Iterator[str]:
    """Selectors of a list; commas inside brackets divide nothing."""
    start = depth = 0
    for i, sign in enumerate(head):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            yield head[start:i]
            start = i + 1
    yield head[start:]


def _with_icons(sheet: str, static: Path) -> str:
    """The icons that are left, as a font inside the style sheet."""
    codes = {int(a or b, 16) for a, b in _ICON.findall(sheet)}
    font = static / "vendor/fontawesome/webfonts/fa-solid-900.ttf"
    if not codes or not font.exists():
        return sheet
    from fontTools import subset  # type: ignore[import-untyped]  # what matplotlib reads fonts with

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # the theme has set them all to tell everything
    options = subset.Options(flavor="woff", hinting=False, layout_features=[], name_IDs=[0, 13, 14])
    loaded = subset.load_font(font, options)
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=codes)
    chosen.subset(loaded)
    buffer = io.BytesIO()
    subset.save_font(loaded, buffer, options)
    data = base64.b64encode(buffer.getvalue()).decode()
    source = f'url("data:font/woff;base64,{data}") format("woff")'
    return f"@font-face{{font-family:{ICONS};font-weight:900;font-display:block;src:{source}}}{sheet}"
