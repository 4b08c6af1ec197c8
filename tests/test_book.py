"""The book: execution of chapters, generated parts, the built site, a page in a browser."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from site_pages import Site
from softlabels import cli, paths
from softlabels.book import elsewhere, execute
from softlabels.book.site.mathml import mathml
from softlabels.errors import ConfigError, SoftlabelsError

CHAPTERS = paths.PROJECT / "book" / "chapters"
PUBLISHED = sorted(CHAPTERS.glob("*.ipynb"))
COMMANDS = ("book/reproduce.md", "book/run_one.md", "book/one_gpu.md", "book/your_votes.md", "book/api.md")
DRAWN = [path for path in PUBLISHED if path.stem.split("_", 1)[1] not in execute.LIVE]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "05_toy.ipynb"
    cells = [
        new_markdown_cell("# Toy"),
        new_code_cell("seeds = [0, 1]\nprofile = 'laptop'", metadata={"tags": ["parameters"]}),
        new_code_cell("print(profile, seeds)"),
    ]
    nbformat.write(new_notebook(cells=cells, metadata=execute.KERNEL), path)
    return path


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.text for cell in cells for output in cell.get("outputs", []))


def test_executing_twice_gives_the_same_bytes(notebook: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name / "05_toy.ipynb" for name in ("one", "two")]
    for out in outs:
        execute.execute(notebook, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert printed(outs[0]) == "laptop [0, 1]\n"
    assert [path.name for path in outs[0].parent.iterdir()] == ["05_toy.ipynb"]


def test_a_kernel_that_dies_before_it_begins_is_started_again(notebook, tmp_path, monkeypatch) -> None:
    import papermill

    really, calls = papermill.execute_notebook, []

    def unlucky_once(*args, **settings):
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return really(*args, **settings)

    monkeypatch.setattr(papermill, "execute_notebook", unlucky_once)
    execute.execute(notebook, tmp_path / "out" / "05_toy.ipynb")
    assert len(calls) == 2
    assert printed(tmp_path / "out" / "05_toy.ipynb") == "laptop [0, 1]\n"


def test_an_error_of_a_cell_is_not_tried_again(notebook, tmp_path, monkeypatch) -> None:
    import papermill

    def fail(*args, **settings):
        calls.append(args)
        raise RuntimeError("a cell's own error")

    calls: list = []
    monkeypatch.setattr(papermill, "execute_notebook", fail)
    with pytest.raises(RuntimeError, match="own error"):
        execute.execute(notebook, tmp_path / "out" / "05_toy.ipynb")
    assert len(calls) == 1


def test_a_parameter_is_passed_and_a_default_is_not_injected(notebook: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "05_toy.ipynb"
    execute.execute(notebook, out, {"profile": "laptop", "seeds": [7]})
    assert printed(out) == "laptop [7]\n"
    injected = [c for c in nbformat.read(out, 4).cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert len(injected) == 1 and "seeds" in injected[0].source and "profile" not in injected[0].source


def test_an_unknown_parameter_raises_and_names_the_nearest(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"05_toy.*'seed'; did you mean 'seeds'"):
        execute.execute(notebook, tmp_path / "out.ipynb", {"seed": [1]})
    assert not (tmp_path / "out.ipynb").exists()


def test_normalising_removes_progress_and_widgets_and_keeps_warnings() -> None:
    outputs = [
        new_output("stream", name="stderr", text="\r 10%|█ | 1/10 [00:01<00:09, 1.0it/s]"),
        new_output("stream", name="stderr", text="UserWarning: look\n"),
        new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "0%"}),
        new_output("stream", name="stdout", text="kept\n"),
    ]
    cell = new_code_cell("1", outputs=outputs, metadata={"papermill": {"duration": 1.2}, "tags": ["x"]})
    before = new_notebook(cells=[cell], metadata={"papermill": {"start_time": "now"}, "widgets": {}})
    after = execute.normalised(before)
    assert [o.text for o in after.cells[0].outputs] == ["UserWarning: look\n", "kept\n"]
    assert after.cells[0].metadata == {"tags": ["x"]}
    assert set(after.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize(
    ("source", "tag"), [("train = False", "remove-cell"), ("seeds = [5]\ntrain = True", "hide-input")]
)
def test_settings_that_change_a_chapter_are_shown_in_it(source: str, tag: str) -> None:
    cell = new_code_cell(f"# Parameters\n{source}", metadata={"tags": ["injected-parameters"]})
    found = execute.normalised(new_notebook(cells=[cell]))
    assert found.cells[0].metadata["tags"] == ["injected-parameters", tag]


def test_publishing_replaces_and_removes(tmp_path: Path) -> None:
    executed, chapters = tmp_path / "executed", tmp_path / "chapters"
    for folder, names in [(executed, ["01_a", "02_b"]), (chapters, ["01_a", "09_gone"])]:
        folder.mkdir()
        for name in names:
            (folder / f"{name}.ipynb").write_text(folder.name)
    execute.publish(executed, chapters)
    found = {path.name: path.read_text() for path in chapters.iterdir()}
    assert found == {"01_a.ipynb": "executed", "02_b.ipynb": "executed"}


def test_publishing_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "01_a.ipynb").write_text("precious")
    with pytest.raises(SoftlabelsError, match="make book"):
        execute.publish(tmp_path / "nothing", tmp_path)
    assert (tmp_path / "01_a.ipynb").read_text() == "precious"


def test_filling_replaces_only_between_its_marks() -> None:
    text = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n"
    once = execute.filled(text, {"t": lambda: r"new \1"})
    assert once == "a\n<!-- t -->\nnew \\1\n<!-- /t -->\nb\n"
    assert execute.filled(once, {"t": lambda: r"new \1"}) == once
    with pytest.raises(ConfigError, match="/t"):
        execute.filled("<!-- t -->\nno end", {"t": str})
    named = "What stands between `<!-- t -->` and its end is made again.\n"
    assert execute.filled(named, {"t": lambda: "new"}) == named


def test_generated_parts_are_in_step_with_the_records() -> None:
    if not list((paths.results() / "runs").glob("*.json")):
        pytest.skip("no committed records yet")
    pages = list(execute.pages_with_parts())
    assert paths.PROJECT / "README.md" in pages
    for page in pages:
        assert execute.filled(page.read_text()) == page.read_text(), f"{page.name}: run `make publish`"


def test_published_chapters_are_the_notebooks() -> None:
    sources = sorted((paths.PROJECT / "notebooks").glob("*.ipynb"))
    assert [path.name for path in PUBLISHED] == [path.name for path in sources]
    for published, source in zip(PUBLISHED, sources, strict=True):
        cells = [nbformat.read(path, 4).cells for path in (published, source)]
        own = [[c.source for c in some if elsewhere.TAG not in c.metadata.get("tags", [])] for some in cells]
        assert own[0] == own[1], f"{published.name}: run `make publish`"
        assert [c.source for c in cells[0]][1] == elsewhere.cell(elsewhere.address()).source


def run_elsewhere(source: str, folder: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """Run a cell where only what lies in `packages` is installed; `pip` writes down what it is asked."""
    asked = "import sys; from pathlib import Path; Path('asked').write_text(' '.join(sys.argv[1:]))"
    (packages / "pip").mkdir(parents=True, exist_ok=True)
    (packages / "pip" / "__init__.py").touch()
    (packages / "pip" / "__main__.py").write_text(asked)
    command = [sys.executable, "-S", "-c", f"{source}\nimport softlabels; print(softlabels.__file__)"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_downloaded_notebook_fetches_the_project_where_it_is_not(tmp_path: Path) -> None:
    origin, here, packages = (tmp_path / name for name in ("origin", "here", "packages"))
    (origin / "lib" / "softlabels").mkdir(parents=True)
    (origin / "lib" / "softlabels" / "__init__.py").touch()
    here.mkdir()
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm x"):
        subprocess.run(["git", *command.split()], cwd=origin, check=True)
    done = run_elsewhere(elsewhere.cell(origin.as_uri()).source, here, packages)
    assert done.stdout.strip().endswith("companion/lib/softlabels/__init__.py"), done.stderr
    assert (here / "asked").read_text() == "install --quiet --editable companion[book]"
    without = run_elsewhere(elsewhere.cell("").source, here, packages)
    assert without.returncode == 1 and "softlabels is not installed here" in without.stderr
    (packages / "softlabels").mkdir()
    (packages / "softlabels" / "__init__.py").touch()
    (here / "asked").unlink()
    assert run_elsewhere(elsewhere.cell(origin.as_uri()).source, here, packages).returncode == 0
    assert not (here / "asked").exists(), "where the package is there, nothing is fetched"


def test_every_dataset_has_a_row_on_its_page() -> None:
    from softlabels.datasets import LOADERS, PREFIXES

    page = (paths.PROJECT / "book" / "data.md").read_text()
    missing = [name for name in LOADERS if f"`{name}`" not in page]
    # A run names data of one's own by what is in them, with an @; a reader never writes that.
    missing += [name for name in PREFIXES if not name.endswith("@") and f"`{name}" not in page]
    assert not missing


BARE = re.compile(r"^(?:softlabels|papermill|snakemake|python|ruff|mypy|pytest) ")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *COMMANDS])
def test_no_command_is_bare(page: str) -> None:
    """A block to paste that needs the environment begins with it, or follows what makes it."""
    text = (paths.PROJECT / page).read_text()
    blocks = re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    blocks += re.findall(r"^```(?:sh|bash)?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    seen = 0
    for block in blocks:
        lines = [line.strip() for line in block.splitlines()]
        bare = [n for n, line in enumerate(lines) if BARE.match(line)]
        if not bare or ">>>" in block:
            continue
        seen += 1
        assert any("bin/activate" in line for line in lines[: bare[0]]), f"{page}: {lines[bare[0]]}"
    assert seen, f"{page}: no command found"


def test_citations_are_those_of_the_bibliography() -> None:
    text = execute.bibtex()
    assert text.count("@") == 1 + len(execute.PAPERS) and "doi       = {10.1109" in text
    assert yaml.safe_load((paths.PROJECT / "CITATION.cff").read_text())["version"] in text


def test_the_version_is_that_of_the_package(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    said = capsys.readouterr().out.strip()
    project = tomllib.loads((paths.PROJECT / "pyproject.toml").read_text())["project"]
    assert said == f"softlabels {project['version']}"
    assert f"## {project['version']}" in (paths.PROJECT / "CHANGELOG.md").read_text()


def test_published_chapters_hold_nothing_volatile() -> None:
    for path in PUBLISHED:
        text = path.read_text()
        assert str(paths.PROJECT) not in text, f"{path.name} names a path of the machine it was made on"
        again = execute.normalised(nbformat.reads(text, 4))
        assert nbformat.writes(again) + "\n" == text or nbformat.writes(again) == text, path.name


def executed_without_pytorch(names: list[str], folder: Path) -> Path:
    """A folder with these chapters, executed from the committed records where PyTorch cannot be imported."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("raise ImportError('only what trains may need PyTorch')")
    lines = []
    for name in names:
        train = " --set train=False" if "train = " in (paths.PROJECT / "notebooks" / name).read_text() else ""
        lines.append(f"notebooks/{name} '{folder / name}'{train}")
    executes = ["xargs", "-P", "2", "-L", "1", sys.executable, "workflow/chapter.py", "execute"]
    environment = os.environ | {"SOFTLABELS_RESULTS": str(paths.PROJECT / "results")}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-m", "softlabels.book.engine", *executes],
        env=environment,
        cwd=paths.PROJECT,
        input="\n".join(lines),
        text=True,
        check=True,
    )
    return folder


@pytest.mark.weekly  # `make book` and `python -m softlabels.book compare build/book` do, with PyTorch there
def test_published_tables_are_what_the_code_gives_without_pytorch(store: Path) -> None:
    execute.compare(executed_without_pytorch([path.name for path in DRAWN], store))


def test_the_verdicts_of_all_chapters_need_no_pytorch(store: Path) -> None:
    (verdicts,) = (path for path in DRAWN if path.stem.endswith("_verdicts"))
    fresh = executed_without_pytorch([verdicts.name], store)
    (store / "published").mkdir()
    shutil.copy(verdicts, store / "published")
    execute.compare(fresh, store / "published")


def test_a_table_that_is_no_longer_what_was_published_is_named(tmp_path: Path) -> None:
    published = CHAPTERS / "15_verdicts.ipynb"
    for folder in ("chapters", "fresh"):
        (tmp_path / folder).mkdir()
        shutil.copy(published, tmp_path / folder)
    execute.compare(tmp_path / "fresh", tmp_path / "chapters")
    fresh = tmp_path / "fresh" / published.name
    changed = nbformat.read(fresh, as_version=4)
    table = next(c for c in changed.cells if "nbval-check-output" in c.metadata.get("tags", []))
    table.outputs = table.outputs[:-1]
    nbformat.write(changed, fresh)
    with pytest.raises(SoftlabelsError, match=r"15_verdicts.*make publish"):
        execute.compare(tmp_path / "fresh", tmp_path / "chapters")
    fresh.unlink()
    with pytest.raises(SoftlabelsError, match="15_verdicts"):
        execute.compare(tmp_path / "fresh", tmp_path / "chapters")
    with pytest.raises(SoftlabelsError, match="no published chapter"):
        execute.compare(tmp_path / "fresh", tmp_path / "nothing")


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"l_s(x)", "<msub><mi>l</mi><mi>s</mi></msub>"),
        (r"\frac{1}{N}", "<mfrac><mn>1</mn><mi>N</mi></mfrac>"),
        (r"\mathbb{R}", "ℝ"),
    ],
)
def test_formulas_become_mathml(latex: str, expected: str) -> None:
    assert expected in mathml(latex)


def test_an_unknown_formula_stops_the_build(tmp_path: Path) -> None:
    shutil.copy(paths.PROJECT / "_config.yml", tmp_path)
    shutil.copy(paths.PROJECT / "book" / "references.bib", tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (tmp_path / "intro.md").write_text("# Page\n\n$x^2$\n")
    assert "<math" in execute.build(tmp_path).with_name("intro.html").read_text()
    (tmp_path / "intro.md").write_text("# Page\n\n$\\nosuchcommand{x}$\n")
    with pytest.raises(SoftlabelsError, match="warnings"):
        execute.build(tmp_path)


def test_site_has_every_page_it_links_to(site: Path) -> None:
    pages = Site(site)
    assert len(pages.pages) > len(PUBLISHED) + 4
    assert list(pages.broken_links()) == []


def test_site_has_every_file_it_loads_and_none_from_elsewhere(site: Path) -> None:
    pages = Site(site)
    assert sum(len(page.loads) for page in pages.pages.values()) > 10
    assert list(pages.missing_files()) == []
    assert list(pages.other_hosts()) == []


def test_every_image_has_a_text_and_every_formula_is_mathml(site: Path) -> None:
    pages = Site(site).pages
    assert [image for page in pages.values() for image in page.without_alt] == []
    assert pages[site.resolve() / "glossary.html"].n_formulas >= 5
    assert all("\\(" not in page.path.read_text() for page in pages.values() if page.n_formulas)


def test_checker_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="no.html"></a><a href="b.html#x"></a><img src="no.png">')
    (tmp_path / "b.html").write_text('<script src="https://example.org/x.js"></script><p id="y">')
    found = Site(tmp_path)
    assert len(list(found.broken_links())) == 2
    assert len(list(found.missing_files())) == 1
    assert len(list(found.other_hosts())) == 1
    assert len(found.pages[tmp_path / "a.html"].without_alt) == 1


def test_formula_has_a_size_in_the_browser(site: Path, browser) -> None:
    page = browser.new_page()
    page.goto((site / "glossary.html").as_uri())
    box = page.locator(".formula math").first.bounding_box()
    page.close()
    assert box["height"] > 25 and box["width"] > 150  # drawn as a formula, not as a line of letters


def test_command_line_reports_a_mistake_in_one_line(notebook: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "softlabels.book", "execute", str(notebook), str(tmp_path / "o.ipynb")]
    done = subprocess.run(
        [*command, "--set", "sedes=[1]"], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "did you mean 'seeds'" in done.stderr
