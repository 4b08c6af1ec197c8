"""Chapters in forks of one process: the same bytes as from kernels, errors told, and status handed on."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from softlabels import paths
from softlabels.book import execute

CHAPTER = str(paths.PROJECT / "workflow" / "chapter.py")
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


def asked(*commands: str) -> subprocess.CompletedProcess:
    """Run shell commands beside a process that executes the chapters they ask for."""
    words = [sys.executable, "-m", "softlabels.book.engine", "bash", "-c", "\n".join(commands)]
    return subprocess.run(words, capture_output=True, text=True, cwd=paths.PROJECT)


def test_a_fork_gives_the_bytes_of_a_kernel(tmp_path):
    source = written(tmp_path / "05_toy.ipynb", SHOWN, "hidden = 1", "del seeds")
    execute.execute(source, tmp_path / "kernel.ipynb", {"seeds": [7]})
    done = asked(
        f"{sys.executable} {CHAPTER} execute '{source}' '{tmp_path}/one.ipynb' --set 'seeds=[7]' &",
        f"{sys.executable} {CHAPTER} execute '{source}' '{tmp_path}/two.ipynb' --set 'seeds=[7]'",
        "wait $!",
    )
    assert done.returncode == 0, done.stderr
    expected = (tmp_path / "kernel.ipynb").read_bytes()
    assert b"([7], " in expected
    assert (tmp_path / "one.ipynb").read_bytes() == (tmp_path / "two.ipynb").read_bytes() == expected


def test_an_error_of_a_cell_fails_the_chapter_and_the_command(tmp_path):
    source = written(tmp_path / "05_toy.ipynb", "raise ValueError('of a cell')", "print('not reached')")
    done = asked(f"{sys.executable} {CHAPTER} execute '{source}' '{tmp_path}/out.ipynb'")
    assert done.returncode == 1 and "of a cell" in done.stderr and "not reached" not in done.stdout
    assert not (tmp_path / "out.ipynb").exists()


def test_a_mistake_is_one_line(tmp_path):
    source = written(tmp_path / "05_toy.ipynb")
    done = asked(f"{sys.executable} {CHAPTER} execute '{source}' '{tmp_path}/out.ipynb' --set seed=1")
    assert done.returncode == 1 and "'seed'; did you mean 'seeds'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_that_process_a_chapter_executes_itself(tmp_path):
    source = written(tmp_path / "05_toy.ipynb", "print(seeds)")
    words = [sys.executable, CHAPTER, "execute", str(source), str(tmp_path / "out.ipynb")]
    subprocess.run(words, check=True)
    assert "[0]" in (tmp_path / "out.ipynb").read_text()


def test_the_status_of_the_command_is_handed_on():
    assert asked("exit 3").returncode == 3


@pytest.mark.timeout(60)
def test_a_library_that_breaks_while_it_is_imported_lets_nobody_wait(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise RuntimeError('a broken library')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    source = written(tmp_path / "05_toy.ipynb", "print(seeds)")
    done = asked(f"{sys.executable} {CHAPTER} execute '{source}' '{tmp_path}/out.ipynb'")
    assert done.returncode != 0 and "a broken library" in done.stderr
    assert "the process that executes the chapter has died" in done.stderr
    assert not (tmp_path / "out.ipynb").exists()
