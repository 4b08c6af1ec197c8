"""What a page says of itself to search engines and links, and that a site was built with other settings."""

import ast
import html
import re
from collections.abc import Iterable, Mapping
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
    app.softlabels_settings = changed(Path(app.srcdir))  # type: ignore[attr-defined]


def changed(root: Path) -> dict[str, dict[str, str]]:
    """Settings of a book's chapters that were executed with others than their own, by page."""
    found = {
        f"chapters/{path.stem}": injected(cell.source)
        for path in sorted((root / "chapters").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    }
    return {page: settings for page, settings in found.items() if settings}


def together(settings: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """Every value of each setting, once."""
    found: dict[str, dict[str, None]] = {}
    for one in settings:
        for name, value in one.items():
            found.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in found.items()}


def injected(source: str) -> dict[str, str]:
    """Names and values of a cell of parameters that change what a chapter shows."""
    lines = (node for node in ast.parse(source).body if isinstance(node, ast.Assign))
    values = {ast.unparse(line.targets[0]): ast.unparse(line.value).strip("'\"") for line in lines}
    return {name: value for name, value in values.items() if name not in _HELD}


def say_rebuilt(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say on every page that the site is not the published one."""
    every: dict[str, dict[str, str]] = getattr(app, "softlabels_settings", {})
    own = [every[page]] if page in every else [] if page.startswith("chapters/") else every.values()
    settings = together(own)
    if not settings or "body" not in context:
        return
    words = ", ".join(f"{name} {' or '.join(v).strip('[]')}" for name, v in sorted(settings.items()))
    note = f'<p class="rebuilt" role="note">Built from {html.escape(words)}: not the published book.</p>'
    context["body"] = note + context["body"]
