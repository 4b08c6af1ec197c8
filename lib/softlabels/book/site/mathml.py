"""Sphinx extension: pages that ask nothing of another host.

Formulas become MathML at build time. The usual renderers load a script of about 1 MB from elsewhere;
MathML needs no script and no network, works with screen readers and is drawn by every current browser.
A formula that cannot be converted is a warning, so that a build with warnings as errors stops at it.
"""

import re
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

_log = logging.getLogger(__name__)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def mathml(latex: str, display: bool = False) -> str:
    """Convert one LaTeX formula to a MathML element.

    Raises
    ------
    math_core.LatexError
        If the formula has an unknown command or does not close what it opens.
    """
    return LatexToMathML().convert_with_local_state(latex, displaystyle=display)


def _element(node: nodes.Element, display: bool) -> str:
    latex = node.astext().strip()
    try:
        return mathml(latex, display)
    except LatexError as error:
        reason = _ANSI.sub("", str(error)).strip().splitlines()[0]
        _log.warning("formula '%s': %s", latex, reason, location=node)
        return f"<code>{nodes.unescape(latex)}</code>"


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_element(node, display=False))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="formula notranslate"))
    translator.body.append(_element(node, display=True))
    if node.get("number"):
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append("</div>")
    raise nodes.SkipNode


def _without_live_code(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Drop the settings of an unused live-code library: they stand twice, an error in the browser."""
    scripts = context["script_files"]
    context["script_files"] = [
        s for s in scripts if "THEBE_JS_URL" not in (getattr(s, "attributes", {}).get("body") or "")
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name ``mathml`` (``html_math_renderer`` in the configuration)."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("html-page-context", _without_live_code, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
