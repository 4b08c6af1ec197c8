"""Sphinx extension: what the site adds to pages and chapters when it is built.

Figures and tables get numbers, captions and links to what is behind them; chapters get their verdicts
under the claim and a link that downloads the notebook. All of it is read off the executed chapters, so it
always says what they say.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from softlabels.book.site import assets, directives, head, more, provenance, tables, verdicts
from softlabels.book.site.tables import Numbers


def _dress(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    numbers = Numbers(app.env, docname)
    for node in [n for n in doctree.findall(provenance.is_html) if '"url":"data:image/' in n.astext()]:
        provenance.sheet(app, node, docname)
    found = list(doctree.findall(lambda n: isinstance(n, nodes.table) or provenance.is_html(n)))
    if docname.startswith("chapters/"):
        verdicts.below_claim(doctree, docname)
    judged = [node for node in found if verdicts.is_table(node)]
    for node in found:
        if isinstance(node, nodes.table):
            tables.caption(node, numbers)
        elif "<figure>" in node.astext():
            provenance.link(app, node, numbers)
        elif node in judged:
            verdicts.dress(app, node, numbers, first=node is judged[0])
        elif "<table" in node.astext():
            tables.dress(node, numbers)
    more.fold(doctree)


def _without_roles(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop the roles of the bibliography: the list's entries have links beside them, which no list may."""
    body = context.get("body") or ""
    if "citation-list" in body:
        body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
        context["body"] = body.replace(' role="doc-biblioentry"', "")


def only_with_an_address(config: Config) -> None:
    """Drop the launch buttons while `repository: url` of the configuration is empty."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options["launch_buttons"] = {}


def _settings(app: Sphinx, config: Config) -> None:
    only_with_an_address(config)
    directives.mock_what_is_missing(config)
    # The notebook is linked under its claim, and a browser prints by itself, in the style for paper.
    config.html_theme_options |= {"use_download_button": False, "use_fullscreen_button": False}
    config.html_context.setdefault("default_mode", "auto")  # the theme's script knows no empty one


def _parallel(app: Sphinx, env: Any, docnames: list[str]) -> None:
    """Let pages be read side by side, of which two extensions say nothing."""
    # One numbers the pages when all are read, the other serves LaTeX.
    for name in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the parts with the moments at which Sphinx calls them."""
    more.register(app)
    app.add_directive("chapters", directives.Chapters)
    app.add_directive("settings", directives.Settings)
    app.connect("config-inited", _settings)
    app.connect("env-before-read-docs", _parallel)
    for part in (provenance, verdicts, head, more):
        app.connect("builder-inited", part.begin)
    app.connect("doctree-resolved", _dress)
    for step in (tables.finish, more.switch, head.describe, head.say_rebuilt, directives.say_what_is_missing):
        app.connect("html-page-context", step)
    app.connect("html-page-context", _without_roles)
    app.connect("html-collect-pages", provenance.pages)
    app.connect("build-finished", provenance.copy_records)
    # After the theme, which writes its colours of code when the build is finished.
    app.connect("build-finished", assets.drop_unused, priority=900)
    # What steps share is filled while doctrees are resolved, which Sphinx leaves to its first process; those
    # of a page's context only write files of that page.
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
