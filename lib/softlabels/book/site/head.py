"""What a page says of itself to search engines and links, and that a site was built with other settings."""

import ast
import html
import re
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

PICTURE, ICON = "_static/social.png", "_static/favicon.svg"
LONGEST = 160  # characters of a description
_HELD = ("train",)  # parameters that say how a chapter was made, not what it shows


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Add a description, and what stands beside a link to the page."""
    if doctree is None:
        return
    words = _first_sentences(doctree)
    base = app.config.html_baseurl.rstrip("/")
    root = "../" * page.count("/")
    fields = {
        "og:title": re.sub(r"<[^>]+>", "", context.get("title") or ""),
        "og:description": words,
        "og:type": "article" if page.startswith("chapters/") else "website",
        "og:image": f"{base}/{PICTURE}" if base else f"{root}{PICTURE}",
    }
    if base:
        fields["og:url"] = f"{base}/{page}.html"
    tags = [f'<meta name="description" content="{html.escape(words)}">']
    tags += [f'<meta property="{name}" content="{html.escape(text)}">' for name, text in fields.items()]
    if (Path(app.srcdir) / ICON).exists():
        tags.append(f'<link rel="icon" href="{root}{ICON}">')
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def _first_sentences(doctree: nodes.document) -> str:
    paragraph = next(iter(doctree.findall(nodes.paragraph)), None)
    words = " ".join(paragraph.astext().split()) if paragraph is not None else ""
    return words if len(words) <= LONGEST else words[: words.rfind(" ", 0, LONGEST)] + " …"


def begin(app: Sphinx) -> None:
    """Read with which settings the chapters were executed, where these are not the notebooks' own."""
    found: dict[str, set[str]] = {}
    for path in sorted((Path(app.srcdir) / "chapters").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                for name, value in injected(cell.source).items():
                    found.setdefault(name, set()).add(value)
    app.softlabels_settings = found  # type: ignore[attr-defined]


def injected(source: str) -> dict[str, str]:
    """Names and values of a cell of parameters that change what a chapter shows."""
    lines = (node for node in ast.parse(source).body if isinstance(node, ast.Assign))
    values = {ast.unparse(line.targets[0]): ast.unparse(line.value).strip("'\"") for line in lines}
    return {name: value for name, value in values.items() if name not in _HELD}


def say_rebuilt(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say on every page that the site is not the published one."""
    settings: dict[str, set[str]] = getattr(app, "softlabels_settings", {})
    if not settings or "body" not in context:
        return
    words = ", ".join(f"{name} {' or '.join(sorted(values))}" for name, values in sorted(settings.items()))
    first = " This page shows the published records." if page == app.config.root_doc else ""
    note = (
        f'<p class="rebuilt" role="note">Built with {html.escape(words)}: not the published book.{first}</p>'
    )
    context["body"] = note + context["body"]
