"""Files of the theme that no page needs are left out of the site."""

import re
from pathlib import Path

from sphinx.application import Sphinx

# The icons come as a font too, of a tenth of the size; maps are for those who debug the theme.
_ICON_SCRIPT = re.compile(r"\s*<script[^>]*scripts/fontawesome\.js[^>]*></script>")
_UNUSED = ("scripts/fontawesome.js*", "**/*.map", "vendor/fontawesome/webfonts/*.ttf", "locales/**/*")


def drop_unused(app: Sphinx, error: Exception | None) -> None:
    """Take the icon script out of every page, and delete it with the other unused files."""
    if error is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    for page in out.rglob("*.html"):
        text = page.read_text("utf-8")
        page.write_text(_ICON_SCRIPT.sub("", text), "utf-8")
    for pattern in _UNUSED:
        for path in sorted((out / "_static").glob(pattern)):
            if path.is_file():
                path.unlink()
