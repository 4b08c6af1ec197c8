"""Where a figure comes from, as links: its records, its notebook, and pages with the functions that draw."""

import ast
import base64
import html
import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from softlabels import paths
from softlabels.book.site.tables import Numbers, anchor
from softlabels.learning.config import RunConfig
from softlabels.runs import records

FOLDER = "records"  # of the site
# Read, not imported: the libraries that draw take seconds to load, and nothing is drawn here.
FIGURES = Path(__file__).parents[2] / "figures"
_RECORDS = re.compile(r"<details><summary>records</summary><small>(.*?)</small></details>", re.DOTALL)
_LINE = re.compile(r"<p><small>(.*?)</small></p>", re.DOTALL)
_SHEET = re.compile(r'"url":"data:image/([a-z]+);base64,([^"]*)"')
_IMAGE = re.compile(r'src="data:image/([a-z]+)[^;,"]*;base64,([^"]*)"')


def is_html(node: nodes.Node) -> bool:
    """Is this HTML that a cell has shown?"""
    return isinstance(node, nodes.raw) and node.get("format") == "html"


def begin(app: Sphinx) -> None:
    """Forget what an earlier build in the same process has linked to."""
    app.softlabels_records = set()  # type: ignore[attr-defined]
    app.softlabels_modules = set()  # type: ignore[attr-defined]


def link(app: Sphinx, node: nodes.raw, numbers: Numbers) -> None:
    """Number a figure, and turn what stands under it into links."""
    name, text = numbers.next("Figure"), node.astext()
    text = text.replace("<figure>", f'<figure class="drawn" id="{anchor(name)}">', 1)
    text = _IMAGE.sub(lambda m: _filed(app, numbers, name, m), text)
    label = f'<span class="caption-number">{name}. </span>'
    text = text.replace('<figcaption style="color:inherit"><p>', f"<figcaption><p>{label}", 1)
    text = _LINE.sub(lambda m: _line(app, node, numbers, m[1]), text, count=1)
    text = _RECORDS.sub(lambda m: _listed(app, numbers.root, m[1].split()), text)
    node.replace_self(nodes.raw("", text, format="html"))


def picture(docname: str, name: str, kind: str) -> str:
    """Address of a figure's picture, from the site's first folder."""
    return f"_images/{docname.rsplit('/', 1)[-1]}-{anchor(name)}.{kind}"


def _filed(app: Sphinx, numbers: Numbers, name: str, found: re.Match[str]) -> str:
    """A file of its own: the page is there before its pictures are, and those further down come later."""
    address = _written(app, picture(numbers.docname, name, found[1]), base64.b64decode(found[2]))
    return f'loading="lazy" src="{numbers.root}{address}"'


def _written(app: Sphinx, address: str, content: bytes) -> str:
    file = Path(app.outdir) / address
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return address


def sheet(app: Sphinx, node: nodes.raw, docname: str) -> None:
    """Give the small pictures of an atlas a file of their own, a quarter smaller; its script loads it."""
    root = "../" * docname.count("/")

    def filed(found: re.Match[str]) -> str:
        content = base64.b64decode(found[2])
        address = f"_images/{docname.rsplit('/', 1)[-1]}-{sha256(content).hexdigest()[:8]}.{found[1]}"
        return f'"url":"{root}{_written(app, address, content)}"'

    node.replace_self(nodes.raw("", _SHEET.sub(filed, node.astext()), format="html"))


def _line(app: Sphinx, node: nodes.raw, numbers: Numbers, words: str) -> str:
    drawn = []
    for name in dict.fromkeys(re.findall(r'data-drawn="(\w+)"', node.astext())):
        if module := functions().get(name):
            app.softlabels_modules.add(module)  # type: ignore[attr-defined]
            address = f"{numbers.root}{page_of(module)}.html#{name}"
            drawn.append(f'<a href="{address}"><code>figures.{name}</code></a>')
    notebook = f'<a download href="{numbers.root}_sources/{numbers.docname}.ipynb">notebook</a>'
    parts = [words, *([f"drawn by {', '.join(drawn)}"] if drawn else []), notebook]
    return f'<p class="provenance">{" · ".join(parts)}</p>'


def _listed(app: Sphinx, root: str, ids: list[str]) -> str:
    items = "".join(f"<li>{item}</li>" for run in dict.fromkeys(ids) for item in _files(app, root, run))
    n = f"{len(ids)} record{'s' if len(ids) > 1 else ''}"
    return f'<details class="records"><summary>{n}</summary><ul>{items}</ul></details>'


def _files(app: Sphinx, root: str, run: str) -> list[str]:
    """Links to the record of a run and to those of its evaluations."""
    found = [*_evaluations(paths.results() / "evaluations").get(run, ())]
    if record := records.SHELF.find(f"{run}.json"):
        found.insert(0, record)
    if not found:
        return [run]  # trained elsewhere, or only for this page
    app.softlabels_records.update(found)  # type: ignore[attr-defined]
    return [f'<a href="{root}{FOLDER}/{path.name}">{path.stem}</a> {_title(path)}' for path in found]


@cache
def _evaluations(folder: Path) -> dict[str, list[Path]]:
    """Records of evaluations by the run that was evaluated."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.json")):
        found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


@cache
def _title(path: Path) -> str:
    body = json.loads(path.read_text("utf-8"))
    if "run" in body:
        return html.escape(f"evaluated: {body['suite'].partition('-')[0]}")
    config = RunConfig.from_dict(body["config"])
    return html.escape(f"{config.dataset}, {config.network}, {config.label}, seed {config.seed}")


def copy_records(app: Sphinx, error: Exception | None) -> None:
    """Put every record that a page links to into the site."""
    found: set[Path] = getattr(app, "softlabels_records", set())
    if error is not None or app.builder.format != "html" or not found:
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for path in sorted(found):
        shutil.copyfile(path, folder / path.name)


@cache
def functions() -> dict[str, str]:
    """Module of every function that returns a figure."""
    found = {}
    for path in sorted(FIGURES.glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "Figure":
                found[node.name] = path.stem
    return found


def page_of(module: str) -> str:
    """Name of the page that shows a module of figure functions."""
    return f"functions/figures_{module}"


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield one page for each module that a figure links to."""
    for module in sorted(getattr(app, "softlabels_modules", ())):
        title = f"softlabels.figures.{module}"
        body = f"<h1>{title}</h1>{''.join(_sections(app, FIGURES / f'{module}.py'))}"
        yield page_of(module), {"title": title, "body": body, "sourcename": ""}, "page.html"


def _sections(app: Sphinx, path: Path) -> Iterator[str]:
    """Cut a module before each of its functions; public ones get a heading."""
    lines = path.read_text("utf-8").splitlines()
    cuts = [n for n in ast.parse("\n".join(lines)).body if isinstance(n, ast.FunctionDef)]
    starts = [min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1 for node in cuts]
    yield _block(app, lines[: starts[0]])
    for node, start, end in zip(cuts, starts, [*starts[1:], len(lines)], strict=True):
        name = html.escape(node.name)
        title = "" if name.startswith("_") else f"<h2><code>{name}</code></h2>"
        yield f'<section id="{name}">{title}{_block(app, lines[start:end])}</section>'


def _block(app: Sphinx, lines: list[str]) -> str:
    highlighter = app.builder.highlighter  # type: ignore[attr-defined]
    return highlighter.highlight_block("\n".join(lines).strip("\n"), "python")
