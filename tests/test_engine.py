"""Chapters in forks of one process: the same bytes as from kernels, errors told, and status handed on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from asking import CHAPTER, Ask, executor
from nbformat.v4 import new_code_cell, new_notebook
from softlabels import paths
from softlabels.book import execute

SHOWN = """
import os, sys
from IPython.display import Markdown, display
print("one", end=" ")
print("two")
print("three", file=sys.stderr)
display(Markdown("*four*"))
(seeds, os.path.basename(os.getcwd()))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks need a Unix")


def written(path: Path, *cells: str) -> Path:
    parameters = new_code_cell("seeds = [0]", metadata={"tags": ["parameters"]})
    cells_ = [parameters, *map(new_code_cell, cells)]
    nbformat.write(new_notebook(cells=cells_, metadata=execute.KERNEL), path)
    return path


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with executor(tmp_path_factory.mktemp("executor")) as ask:
        yield ask


def test_a_fork_gives_the_bytes_of_a_kernel(ask, tmp_path):
    source = written(tmp_path / "05_toy.ipynb", SHOWN, "hidden = 1", "del seeds")
    execute.execute(source, tmp_path / "kernel.ipynb", {"seeds": [7]})
    outs = [tmp_path / "one.ipynb", tmp_path / "two.ipynb"]
    with ThreadPoolExecutor(2) as side_by_side:
        all_done = side_by_side.map(
            lambda out: ask("execute", str(source), str(out), "--set", "seeds=[7]"), outs
        )
    assert [(done.returncode, done.stderr) for done in all_done if done.returncode] == []
    expected = (tmp_path / "kernel.ipynb").read_bytes()
    assert b"([7], " in expected
    assert outs[0].read_bytes() == outs[1].read_bytes() == expected


def test_an_error_of_a_cell_fails_the_chapter_and_the_command(ask, tmp_path):
    source = written(tmp_path / "05_toy.ipynb", "raise ValueError('of a cell')", "print('not reached')")
    done = ask("execute", str(source), str(tmp_path / "out.ipynb"))
    assert done.returncode == 1 and "of a cell" in done.stderr
    assert "not reached" not in done.stdout + done.stderr.replace("print('not reached')", "")
    assert not (tmp_path / "out.ipynb").exists()


def test_a_mistake_is_one_line(ask, tmp_path):
    source = written(tmp_path / "05_toy.ipynb")
    done = ask("execute", str(source), str(tmp_path / "out.ipynb"), "--set", "seed=1")
    assert done.returncode == 1 and "'seed'; did you mean 'seeds'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_that_process_a_chapter_executes_itself(tmp_path):
    source = written(tmp_path / "05_toy.ipynb", "print(seeds)")
    words = [sys.executable, CHAPTER, "execute", str(source), str(tmp_path / "out.ipynb")]
    subprocess.run(words, check=True)
    assert "[0]" in (tmp_path / "out.ipynb").read_text()


@pytest.mark.timeout(60)
def test_a_library_that_breaks_while_it_is_imported_lets_nobody_wait(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise RuntimeError('a broken library')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    source = written(tmp_path / "05_toy.ipynb", "print(seeds)")
    asked = [sys.executable, CHAPTER, "execute", str(source), str(tmp_path / "out.ipynb")]
    words = [sys.executable, "-m", "softlabels.book.engine", *asked]
    done = subprocess.run(words, capture_output=True, text=True, cwd=paths.PROJECT)
    assert done.returncode != 0 and "a broken library" in done.stderr
    assert "the process that executes the chapter has died" in done.stderr
    assert not (tmp_path / "out.ipynb").exists()
