"""Fixtures that several test modules share, and what may be skipped."""

import os
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# A data folder beside the project is used where there is one; without it, tests of real data skip.
BESIDE = PROJECT.parent / "shared" / "data"
if BESIDE.is_dir():
    os.environ.setdefault("SOFTLABELS_DATA", str(BESIDE))

# The same arithmetic on every machine; a test of bfloat16 asks for it.
os.environ.setdefault("SOFTLABELS_PRECISION", "fp32")

# Bars are tested: whoever has turned them off in the shell has not meant these.
os.environ.pop("TQDM_DISABLE", None)

# Where CI is set a skipped test fails, but for these reasons: what a machine of others cannot get.
ALLOWED_TO_SKIP = (
    "SOFTLABELS_DATA|data folder",  # data that is not published, or that only its owner may pass on
    "needs root",
    "one of glibc",  # the C library of another system
)
# Extras of pyproject.toml and a module of each; `make test` installs all of them.
EXTRAS = {
    "attacks": ("foolbox", "pyautoattack"),
    "crowds": ("cleanlab", "crowdkit", "scikit_posthocs", "skactiveml", "skorch"),
    "cluster": ("snakemake_executor_plugin_kubernetes", "snakemake_executor_plugin_slurm"),
    "pdf": ("pypdf",),
    "test": ("axe_playwright_python",),
    "text": ("wordllama",),
}


# Files that take longest: they begin first, or one core would wait for the other at the end.
LONG = (
    "notebooks",
    "book",
    "every_page",
    "kubernetes",
    "site",
    "batches",
    "cifar10",
    "features",
    "faults",
    "tables_figures",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of `LONG` before the others; `--no-loadscope-reorder` keeps the order."""
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


def pytest_report_header() -> list[str]:
    """What will be skipped on this machine, and the one command that changes it."""
    return [f"skipped here: {what}; to have it: {remedy}" for what, remedy in missing()]


def missing() -> Iterator[tuple[str, str]]:
    """Each kind of tests that this machine skips, and what changes that."""
    from softlabels import paths
    from softlabels.book import screens
    from softlabels.datasets import fetch

    if screens.program() is None:
        yield "the site in a browser, and the PDF", "apt-get install chromium"
    without = [name for name, modules in EXTRAS.items() if not all(map(find_spec, modules))]
    if without:
        yield "comparisons with other libraries", f"pip install -e '.[{','.join(without)}]'"
    if shutil.which("rsync") is None:
        yield "jobs on Kubernetes", "apt-get install rsync"
    folders = [folder for folder in (paths.data(), paths.cache() / "downloads") if folder]
    absent = [key for key in fetch.FILES if not any((folder / key).is_file() for folder in folders)]
    if absent:
        some = f"{len(absent)} of {len(fetch.FILES)} files of data are not here"
        yield some, "export SOFTLABELS_DATA=FOLDER, whose content book/data.md lists"
    if not hasattr(os, "geteuid") or os.geteuid():
        yield "a full disk", "run as root"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Where CI is set, a test that skips for a reason that is not allowed fails."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        if not re.search("|".join(ALLOWED_TO_SKIP), reason):
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: {reason}; in CI only what ALLOWED_TO_SKIP lists may be skipped"
    return report


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for records and cache, so that a test neither sees nor leaves anything."""
    for variable, name in [("SOFTLABELS_RESULTS", "results"), ("SOFTLABELS_CACHE", "cache")]:
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    return tmp_path


def data_or_skip(name: str, **options):
    """A dataset, or a skipped test where its files are not here (nothing is downloaded)."""
    from softlabels import datasets
    from softlabels.datasets import fetch
    from softlabels.errors import DataUnavailable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "_download", _no_download)
        try:
            return datasets.load(name, **options)
        except DataUnavailable as error:
            pytest.skip(f"{name}: {error}")


def _no_download(key, file, part):
    from softlabels.errors import DataUnavailable

    raise DataUnavailable(f"{key} is not in SOFTLABELS_DATA")


def executed(name: str, *texts: str, **known):
    """What cells of a chapter define: its imports, then the cell that holds each of these texts, in order.

    `known` stands in for what other cells define. The tables and words that the cells show are listed in
    "shows" and "says"; figures are drawn and not shown.
    """
    import nbformat
    from softlabels import figures

    notebook = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    exec(next(source for source in sources if "from softlabels." in source), found := {})
    found |= {"shows": [], "says": []}
    found |= {"show": lambda frame, caption="": found["shows"].append(frame), "say": found["says"].append}
    found["figures"] = SimpleNamespace(**vars(figures) | {"show": lambda *drawn, **words: None})
    found |= known
    for text in texts:
        [source] = [source for source in sources if text in source]
        exec(source, found)
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed book, built once for all processes, warnings as errors: the folder of its pages."""
    from filelock import FileLock
    from softlabels.book import execute

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = shared / "site"
    with FileLock(shared / "site.lock"):
        first = root / "_build" / "html" / "index.html"
        if not first.exists():
            execute.assemble(root)
            shutil.copytree(PROJECT / "book" / "chapters", root / "chapters", dirs_exist_ok=True)
            first = execute.build(root)
    return first.parent


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A headless browser of this machine, driven by Playwright."""
    from softlabels.book import screens as ours

    if ours.program() is None:
        pytest.skip(f"no browser here: none of {', '.join(ours.NAMES)} is on the PATH")
    with ours.running() as running:
        yield running


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run on one thread: two on a busy machine wait for each other longer than they compute."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
