"""Files of the theme that no page needs are left out of the site, and of a page what it does not need."""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from softlabels.book.site import stylesheets

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
    stylesheets.combine(static, pages)
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
