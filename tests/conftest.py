"""Fixtures that several test modules share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# A data folder beside the project is used where there is one; without it, tests of real data skip.
BESIDE = PROJECT.parent / "shared" / "data"
if BESIDE.is_dir():
    os.environ.setdefault("SOFTLABELS_DATA", str(BESIDE))

# The same arithmetic on every machine; a test of bfloat16 asks for it.
os.environ.setdefault("SOFTLABELS_PRECISION", "fp32")


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


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the committed book, built once, warnings as errors: the folder of its pages."""
    from softlabels.book import execute

    root = tmp_path_factory.mktemp("site") / "book"
    execute.assemble(root)
    shutil.copytree(PROJECT / "book" / "chapters", root / "chapters")
    return execute.build(root).parent


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A headless browser of this machine, driven by Playwright."""
    from softlabels.book import browser as ours

    if ours.program() is None:
        reason = f"no browser here: none of {', '.join(ours.NAMES)} is on the PATH"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
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
