"""The house: lock file, conda environment, licences, Makefile, workflow and what the sources load."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import papermill
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from softlabels.book import execute
from softlabels.paths import PROJECT
from softlabels.runs import grids

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((PROJECT / "environment.yml").read_text())
LOCK = (PROJECT / "requirements.lock").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()


def locked() -> dict[str, set[str]]:
    """Versions in the lock file by package; there can be several, for different Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def requirements() -> list[Requirement]:
    extras = PYPROJECT["optional-dependencies"].values()
    return [Requirement(text) for group in [PYPROJECT["dependencies"], *extras] for text in group]


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (PROJECT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return [path for name in done.stdout.split("\0") if name and (path := PROJECT / name).is_file()]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_lock_satisfies_pyproject(requirement: Requirement) -> None:
    versions = locked().get(canonicalize_name(requirement.name))
    assert versions, f"{requirement.name} is not in requirements.lock: run `make lock`"
    assert all(requirement.specifier.contains(v, prereleases=True) for v in versions), versions


def test_lock_has_a_hash_for_every_package_and_no_address() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK


def test_constraints_are_what_is_locked() -> None:
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    for pin in (Requirement(line) for line in lines if not line.startswith("#")):
        assert all(pin.specifier.contains(v) for v in locked()[canonicalize_name(pin.name)]), pin


def test_conda_environment_is_the_locked_one() -> None:
    plain = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]
    [pip] = [entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock"], "versions belong into the lock file only"
    python = next(SpecifierSet(entry.removeprefix("python")) for entry in plain if entry.startswith("python"))
    assert python == SpecifierSet(PYPROJECT["requires-python"])
    assert "pip" in plain


def test_makefile_chooses_a_python_of_the_declared_range() -> None:
    allowed = SpecifierSet(PYPROJECT["requires-python"])
    listed = re.search(r"for p in ([^;]+);", MAKEFILE).group(1).split()
    named = {name.removeprefix("python") for name in listed} - {"3"}
    assert named == {f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed}


def test_binder_installs_the_package() -> None:
    assert "pip install --no-deps" in (PROJECT / "postBuild").read_text()


def test_citation_agrees_with_the_package() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["version"] == PYPROJECT["version"]
    assert citation["license"] == PYPROJECT["license"] == "MIT"
    assert citation["authors"]


def test_licences_are_there() -> None:
    assert (PROJECT / "LICENSE").read_text().startswith("MIT License")
    assert "CC-BY-4.0" in (PROJECT / "LICENSE-TEXT.md").read_text()


def test_book_configuration_is_one_file() -> None:
    link = PROJECT / "book" / "_config.yml"
    assert link.is_symlink() and link.resolve() == PROJECT / "_config.yml"


def test_contents_list_every_notebook() -> None:
    contents = yaml.safe_load((PROJECT / "book" / "_toc.yml").read_text())
    listed = {entry["file"] for part in contents["parts"] for entry in part["chapters"]}
    notebooks = {f"chapters/{path.stem}" for path in (PROJECT / "notebooks").glob("*.ipynb")}
    assert {name for name in listed if name.startswith("chapters/")} == notebooks
    prose = {path.stem for path in (PROJECT / "book").glob("*.md")} - {contents["root"]}
    assert {name for name in listed if "/" not in name} == prose


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("target", targets())
def test_every_target_is_valid_and_phony(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert target in re.search(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE).group(1).split()


@pytest.mark.parametrize("target", sorted(set(targets()) - {"help", "clean"}))
def test_readme_and_help_name_every_target(target: str) -> None:
    listed = subprocess.run(["make", "-s", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert f"make {target} " in listed.stdout
    assert f"make {target}" in (PROJECT / "README.md").read_text()


def test_setup_says_which_python_is_missing(tmp_path: Path) -> None:
    """With no Python on the PATH the recipe stops with a sentence, not with a trace."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for program in ("sh", "date", "awk", "test"):
        if found := shutil.which(program):
            (bin_ / program).symlink_to(found)
    (bin_ / "python3").write_text("#!/bin/sh\nexit 127\n")  # a shim that is there and does not run
    (bin_ / "python3").chmod(0o755)
    make = shutil.which("make")
    done = subprocess.run(
        [make, "book"], cwd=tmp_path, env={"PATH": str(bin_)}, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "No Python 3.11, 3.12 or 3.13 found" in done.stderr


def test_shell_scripts_parse() -> None:
    for script in (PROJECT / ".ci" / "run", PROJECT / "postBuild"):
        assert script.stat().st_mode & 0o111, f"{script.name} is not executable"
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("train", ["false", "true"])
def test_workflow_is_a_graph_from_runs_to_book(train: str) -> None:
    command = [sys.executable, "-m", "snakemake", "-s", "workflow/Snakefile", "-n", "--forceall", "-c", "1"]
    config = ["--nolock", "--config", f"train={train}"]
    done = subprocess.run([*command, *config], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", done.stdout, re.MULTILINE))
    assert int(jobs["book"]) == 1
    assert int(jobs["live_chapter"]) == 1
    assert int(jobs["chapter"]) == len(list((PROJECT / "notebooks").glob("*.ipynb"))) - 1
    if train == "false":
        assert not set(jobs) & {"batch", "batch_gpu"}, "`make book` must train nothing but the live chapter"


def test_every_chapter_names_the_grids_that_it_is_drawn_from() -> None:
    """To a chapter without grids `make book` would not say that nothing is to be trained."""
    for path in (PROJECT / "notebooks").glob("*.ipynb"):
        topic = path.stem.split("_", 1)[1]
        chapter = import_module(f"softlabels.chapters.{topic}")
        assert set(chapter.GRIDS) <= set(grids.CHAPTERS), topic
        trains = "train" in papermill.inspect_notebook(str(path))
        assert bool(chapter.GRIDS) == hasattr(chapter, "collect") == (trains and topic not in execute.LIVE)


def test_no_file_is_large() -> None:
    large = [path for path in tracked() if path.stat().st_size > 2_000_000]
    assert large == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    pattern = re.compile(rb"(?<![\w.])/(home|Users|root)/\w|" + re.escape(str(PROJECT)).encode() + rb"\b")
    text = [path for path in tracked() if path.suffix not in {".npz", ".png"}]
    assert [str(path) for path in text if pattern.search(path.read_bytes())] == []


def test_package_import_is_light() -> None:
    """Importing the package loads no heavy library: command line and configuration stay quick."""
    code = "import softlabels.cli, sys; print({'torch', 'pandas', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_people_type_most_can_be_had_from_the_package() -> None:
    import softlabels
    from softlabels.labels import metrics, selective
    from softlabels.learning import attacks

    assert (softlabels.metrics, softlabels.selective, softlabels.attacks) == (metrics, selective, attacks)
    with pytest.raises(AttributeError, match="no attribute 'metric'"):
        _ = softlabels.metric


def test_drawing_from_records_loads_no_library_of_training() -> None:
    """Every chapter starts a process: what it loads in vain is paid eighteen times by `make book`."""
    code = "import importlib, pkgutil, sys; from softlabels import chapters, notebook; "
    code += "names = [m.name for m in pkgutil.iter_modules(chapters.__path__)]; "
    code += "[importlib.import_module(f'softlabels.chapters.{name}') for name in names]; "
    code += "print({'torch', 'timm', 'torchvision', 'scipy.stats', 'seaborn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_training_needs_no_library_of_the_book(tmp_path: Path) -> None:
    """A bare GPU node has what the package depends on, and nothing of the extra `book`."""
    code = """
import sys
for name in ("IPython", "ipywidgets", "matplotlib", "openTSNE", "pandas", "papermill", "scipy", "seaborn",
             "sklearn", "snakemake"):
    sys.modules[name] = None
from softlabels import cli
from softlabels.runs import grids
chapters = ("table1", "annot_mix")
runs = [(name, grids.grid(name, "smoke", [0])[0].config.id) for name in chapters]
asked = [["train", "--chapter", name, "--only", run, "--seeds", "0"] for name, run in runs] + [["status"]]
sys.exit(any(cli.main([*words, "--profile", "smoke"]) for words in asked))
"""
    places = {"SOFTLABELS_CACHE": str(tmp_path / "cache"), "SOFTLABELS_RESULTS": str(tmp_path / "results")}
    environment = {**os.environ, **places, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list((tmp_path / "cache" / "runs").glob("*.json"))) == 2
