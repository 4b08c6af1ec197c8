"""From notebooks to the book: execute, publish, build, and the generated parts of README and pages.

``python -m softlabels.book execute|build|compare|publish|generate`` is what Makefile and Snakefile call.
"""

import argparse
import ast
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import yaml

from softlabels import paths
from softlabels.analysis import annotators, formatting, names
from softlabels.book import elsewhere, stamps
from softlabels.book.site import head
from softlabels.errors import ConfigError, SoftlabelsError, told, unknown

# Chapters that train while they are executed; all others are drawn from records.
LIVE = ("quickstart",)
PAPERS = ("grossmann2022", "peterson2019", "herde2024")

# What the published chapters say about their kernel, wherever they were executed.
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
_WIDGET = "application/vnd.jupyter.widget-view+json"
_NOT_PROSE = shutil.ignore_patterns("_build", "chapters", ".ipynb_checkpoints")


def execute(notebook: Path, out: Path, parameters: dict[str, Any] | None = None) -> None:
    """Execute a notebook with papermill and write it without anything that changes from run to run.

    A parameter equal to the notebook's own default is not injected, so that the published chapter
    keeps one parameters cell.

    Raises
    ------
    ConfigError
        If a parameter is not in the notebook's parameters cell; papermill would only warn.
    """
    changed = _changed(notebook, parameters or {})
    done = normalised(elsewhere.prepared(_executed(notebook, changed)))
    done.metadata[stamps.NAME] = stamps.stamp(notebook, done)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.partial")  # a chapter is whole or not there
    nbformat.write(done, part)
    part.replace(out)


def _executed(notebook: Path, changed: dict[str, Any], tries: int = 3) -> nbformat.NotebookNode:
    import papermill

    settings = {"cwd": str(notebook.parent), "kernel_name": "python3", "progress_bar": False}
    while True:
        try:
            # Without a file of its own: it would be written again after every cell.
            return papermill.execute_notebook(str(notebook), None, changed, **settings)
        except RuntimeError as error:
            # Two kernels that start at once may choose the same port; the second one dies before it begins.
            tries -= 1
            if "before replying" not in str(error) or not tries:
                raise


def _changed(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    for name in parameters:
        if name not in known:
            raise unknown(f"parameter of {notebook.name}", name, known)
    return {name: value for name, value in parameters.items() if _literal(known[name]["default"]) != value}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def normalised(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove times, progress bars, widget state and the kernel's details; give cells stable ids."""
    stamp = notebook.metadata.get(stamps.NAME)
    notebook.metadata = nbformat.from_dict(KERNEL | ({stamps.NAME: stamp} if stamp else {}))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        cell.metadata = {key: cell.metadata[key] for key in ("mystnb", "tags") if cell.metadata.get(key)}
        if "injected-parameters" in cell.metadata.get("tags", []):
            # Shown where a chapter was made with other settings than it says; `train` changes nothing in it.
            told = "hide-input" if head.injected(cell.source) else "remove-cell"
            cell.metadata["tags"] = ["injected-parameters", told]
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _volatile(output)]
    return notebook


def _volatile(output: nbformat.NotebookNode) -> bool:
    if output.output_type == "stream":
        # A progress bar returns to the start of its line; a warning does not, and stays visible.
        bar = "\r" in output.text or "it/s]" in output.text or not output.text.strip()
        return output.name == "stderr" and bar
    return _WIDGET in output.get("data", {})


def build(root: Path) -> Path:
    """Build the site of the book folder `root`, warnings as errors, and return its first page.

    As ``jupyter-book build`` does it, here and on all cores. Every page is read anew: Sphinx does not repeat
    the warnings of pages that it finds unchanged.
    """
    from jupyter_book.sphinx import build_sphinx  # type: ignore[import-untyped]

    html = root.absolute() / "_build" / "html"
    failed = build_sphinx(
        root.absolute(),
        html,
        noconfig=True,
        path_config=root / "_config.yml",
        confoverrides={"external_toc_path": "_toc.yml", "latex_individualpages": False},
        warningiserror=True,
        keep_going=True,
        freshenv=True,
        jobs=os.cpu_count(),
    )
    if failed:
        raise SoftlabelsError(f"{root}: the site has errors or warnings; each is listed above with its page")
    return html / "index.html"


def assemble(root: Path, source: Path | None = None) -> None:
    """Lay the prose, table of contents and configuration of `source` beside the chapters in `root`."""
    source = source or paths.PROJECT / "book"
    root.mkdir(parents=True, exist_ok=True)
    for old in root.iterdir():
        if old.name == "chapters":
            continue
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.copytree(source, root, ignore=_NOT_PROSE, dirs_exist_ok=True)
    if (changed := head.together(head.changed(root).values())) and (root / "intro.md").exists():
        first = import_module("softlabels.book.first_page")
        page, parts = root / "intro.md", first.rebuilt(root, changed)
        page.write_text(filled(page.read_text(), {name: partial(str, part) for name, part in parts.items()}))


def publish(executed: Path, chapters: Path | None = None) -> list[Path]:
    """Make the committed chapters those of the folder `executed`, and renew the generated parts."""
    chapters = chapters or paths.PROJECT / "book" / "chapters"
    fresh = {path.name: path for path in sorted(executed.glob("*.ipynb"))}
    if not fresh:
        raise SoftlabelsError(f"{executed}: no executed chapter here; run `make book` first")
    chapters.mkdir(parents=True, exist_ok=True)
    for old in chapters.glob("*.ipynb"):
        if old.name not in fresh:
            old.unlink()
    return [Path(shutil.copyfile(path, chapters / name)) for name, path in fresh.items()]


def compare(executed: Path, chapters: Path | None = None) -> None:
    """Check that the tables of the folder `executed` are those of the committed chapters.

    Compared are the outputs of cells tagged nbval-check-output; a live chapter is another one each time.

    Raises
    ------
    SoftlabelsError
        If a chapter is missing, has no such cell or has other tables.
    """
    published = sorted((chapters or paths.PROJECT / "book" / "chapters").glob("*.ipynb"))
    drawn = [path for path in published if path.stem.split("_", 1)[1] not in LIVE]
    both = {path.stem: (_tables(path), _tables(executed / path.name)) for path in drawn}
    others = [name for name, (old, new) in both.items() if not old or old != new]
    if others or not drawn:
        found = f"other tables than published in {', '.join(others)}" if drawn else "no published chapter"
        raise SoftlabelsError(f"{executed}: {found}; look, then `make publish`")


def _tables(chapter: Path) -> list[Any]:
    cells = nbformat.read(chapter, as_version=4).cells if chapter.exists() else []
    return [cell.outputs for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]


def _of(module: str, function: str = "page") -> Callable[[], str]:
    """Part made by a module that is loaded only then."""
    return lambda: getattr(import_module(f"softlabels.book.{module}"), function)()


@cache
def _judged(results: Path) -> str:
    from softlabels.chapters import verdicts

    return verdicts.summary()


def _verdicts() -> str:
    return _judged(paths.results())


def _verdict_counts() -> str:
    """The first sentence of the verdicts, linked to their page."""
    words = _verdicts().partition("\n")[0].partition(": of ")[2].replace(" claims, ", " claims: ")
    return f"[{words}](chapters/15_verdicts.ipynb)"


def _methods() -> str:
    return formatting.markdown(annotators.glossary())


def bibtex() -> str:
    """How to cite, as one block of BibTeX to copy: the companion and the three papers."""
    entries = [companion(), *map(paper, PAPERS)]
    return "```bibtex\n" + "\n\n".join(entries) + "\n```"


def companion() -> str:
    """The companion's own entry, from CITATION.cff."""
    facts = yaml.safe_load((paths.PROJECT / "CITATION.cff").read_text("utf-8"))
    year = yaml.safe_load((paths.PROJECT / "_config.yml").read_text("utf-8"))["copyright"]
    authors = " and ".join(f"{{{one['name']}}}" for one in facts["authors"])
    return (
        f"@software{{softlabels,\n  title = {{{facts['title']}}},\n  author = {{{authors}}},\n"
        f"  version = {{{facts['version']}}},\n  year = {{{year}}},\n  note = {{{facts['abstract']}}}\n}}"
    )


def paper(key: str) -> str:
    """An entry of the bibliography as it stands there."""
    text = (paths.PROJECT / "book" / "references.bib").read_text("utf-8")
    found = re.search(rf"^@\w+\{{{key},.*?^\}}", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no entry {key}"
    return found[0]


PARTS: dict[str, Callable[[], str]] = {
    "example": _of("first_page", "example"),
    "answer": _of("first_page", "answer"),
    "headline": _of("first_page", "headline"),
    "verdict-counts": _verdict_counts,
    "verdicts": _verdicts,
    "timings": _of("costs", "timings"),
    "costs": _of("costs"),
    "shares": _of("costs", "shares"),
    "gpu": _of("costs", "on_gpu"),
    "speed": _of("speed"),
    "bibtex": bibtex,
    "arms": names.arms,
    "methods": _methods,
}


def filled(text: str, parts: dict[str, Callable[[], str]] | None = None) -> str:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->``, each a line of its own.

    Raises
    ------
    ConfigError
        If a part has a beginning and no end.
    """
    for name, part in (parts or PARTS).items():
        if not (begin := _begin(name).search(text)):
            continue
        end = re.compile(f"^<!-- /{name} -->$", re.MULTILINE).search(text, begin.end())
        if not end:
            raise ConfigError(f"'{begin[0]}' has no '<!-- /{name} -->' after it")
        text = f"{text[: begin.end()]}\n{part().strip()}\n{text[end.start() :]}"
    return text


def _begin(name: str) -> re.Pattern[str]:
    return re.compile(f"^<!-- {name} -->$", re.MULTILINE)


def pages_with_parts(root: Path | None = None) -> Iterator[Path]:
    """Yield the README and the pages of the book that have a generated part."""
    root = root or paths.PROJECT
    for page in [root / "README.md", *sorted((root / "book").glob("*.md"))]:
        if any(_begin(name).search(page.read_text()) for name in PARTS):
            yield page


def generate() -> list[Path]:
    """Renew every generated part and figure from records and timings; return the files that changed."""
    from softlabels.book import first_page

    changed = first_page.renew()
    for page in pages_with_parts():
        old = page.read_text()
        new = filled(old)
        if new != old:
            page.write_text(new)
            changed.append(page)
    return changed


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, {"true": True, "false": False}.get(value, _literal(value))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m softlabels.book", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("execute", help="execute one notebook")
    one.add_argument("notebook", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--set", type=_parameter, action="append", default=[], metavar="NAME=VALUE")
    for name, text in [
        ("build", "assemble and build the site"),
        ("compare", "check that its tables are those of the committed chapters"),
        ("publish", "refresh the committed chapters"),
    ]:
        commands.add_parser(name, help=text).add_argument("root", type=Path)
    commands.add_parser("generate", help="renew the generated parts of README and pages")
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.command == "execute":
        execute(options.notebook, options.out, dict(options.set))
    elif options.command == "build":
        assemble(options.root)
        build(options.root)
    elif options.command == "compare":
        compare(options.root / "chapters")
    elif options.command == "publish":
        done = publish(options.root / "chapters") + generate()
        print(f"{len(done)} files published; `git diff --stat` shows what changed")
    else:
        print("\n".join(str(path) for path in generate()) or "nothing to change")


@told(1)
def main(arguments: list[str] | None = None) -> None:
    """Run one command; a user's mistake is one line on stderr and status 1."""
    _run(_parser().parse_args(arguments))
