"""Things to touch: a script of our own, its data and its style inside one cell output.

They are written by hand and not with a plotting library. Vega-Lite, which altair inlines, brings about 800 KB
to each page and marks that no key reaches; these scripts are 20 KB together, draw 3,000 points on a canvas in
milliseconds, and what they show can be chosen by mouse, finger and keyboard. They ask nothing of any host.
Where scripts are off, or not trusted in a notebook, a static figure or a sentence stands instead.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

from softlabels.errors import ConfigError

TEMPLATES = Path(__file__).with_name("templates")

# Elements are made by name and filled with text: no name of a class is ever read as markup.
_RUN = """(() => {
const root = document.getElementById(%s), data = JSON.parse(root.querySelector("script").textContent);
const el = (name, fields = {}, ...inside) => {
  const one = document.createElement(name);
  Object.assign(one, fields);
  one.append(...inside);
  return one;
};
root.hidden = false;
%s
})();"""


def show(kind: str, key: str, data: dict[str, Any], static: str) -> None:
    """Display one of `TEMPLATES` in a notebook, as `markup` writes it."""
    from IPython.display import HTML, display

    display(HTML(markup(kind, key, data, static)))


def markup(kind: str, key: str, data: dict[str, Any], static: str) -> str:
    """Write a thing to touch as HTML that needs no other file.

    Script and style are those of its kind ("atlas" or "slider") in the folder of templates; the script reads
    the data as JSON. `static` is HTML that stands where scripts are off. The key is its id on the page, of
    small letters, digits and hyphens; else `ConfigError`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", key):
        raise ConfigError(f"'{key}' cannot be an id: use small letters, digits and hyphens")
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in ("style.css", f"{kind}.css"))
    script = _RUN % (json.dumps(key), (TEMPLATES / f"{kind}.js").read_text("utf-8"))
    held = f'<script type="application/json">{_json(data)}</script>'
    return (
        f'<style>{style}</style><div class="sl sl-kind-{kind}" id="{key}" hidden>{held}</div>'
        f"<noscript>{static}</noscript><script>{script}</script>"
    )


def sentence(words: str) -> str:
    """A sentence as HTML, for readers without scripts."""
    return f"<p>{html.escape(words)}</p>"


def _json(data: dict[str, Any]) -> str:
    """JSON that can stand inside a script element, whatever its strings are; not-a-numbers are an error."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
