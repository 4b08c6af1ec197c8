"""The chapters as sources: claims first, no outputs; and executed, with profile smoke."""

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
import torch
from asking import Ask, executor
from conftest import executed
from softlabels import paths
from softlabels.book import execute as book
from softlabels.errors import ConfigError
from softlabels.learning import attacks
from softlabels.learning.annotators.methods import blend, log_marginal_of

NOTEBOOKS = sorted((paths.PROJECT / "notebooks").glob("*.ipynb"))
SHARED = {"profile", "seeds", "device", "fresh"}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_every_chapter_is_in_the_table_of_contents():
    contents = (paths.PROJECT / "book" / "_toc.yml").read_text()
    listed = [line.rsplit("/", 1)[1] for line in contents.splitlines() if "file: chapters/" in line]
    assert sorted(listed) == [path.stem for path in NOTEBOOKS]


@each
def test_sources_hold_no_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in cells(path, "code"):
        assert cell.outputs == [] and cell.execution_count is None


@each
def test_the_first_cell_states_the_claim(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert "**Claim" in first.source


@each
def test_one_cell_holds_the_parameters(path):
    tagged = [c for c in cells(path, "code") if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert set(papermill.inspect_notebook(str(path))) >= SHARED


@each
def test_an_unknown_parameter_is_an_error(path, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'profile'"):
        book.execute(path, tmp_path / "out.ipynb", {"profil": "smoke"})
    assert not (tmp_path / "out.ipynb").exists()


def test_the_attacks_that_are_shown_are_those_that_are_made():
    rng = np.random.default_rng(0)
    x, y, W = rng.random((40, 12)), rng.integers(0, 3, 40), rng.normal(size=(12, 3))
    shown, one_hot, ε = executed("07_adversarial", "def fgsm"), np.eye(3)[y], 0.1
    model = torch.nn.Linear(12, 3, bias=False, dtype=torch.float64)
    model.weight.data = torch.from_numpy(W.T.copy())
    given = torch.from_numpy(x), torch.from_numpy(y), ε
    for found, attack in (
        (shown["fgsm"](x, one_hot, W, ε), attacks.FGSM),
        (shown["pgd"](x, one_hot, W, ε, 4, 2.5 * ε / 4), attacks.Attack(steps=4)),
    ):
        np.testing.assert_allclose(found, attacks.perturb(model, *given, attack).numpy(), atol=1e-12)


def test_the_mixture_that_is_shown_is_that_of_the_method():
    shown = executed("11_annot_mix", "two images, two annotators", "def mixed")
    assert len(set(shown["annotator"])) == len(set(shown["labels"])) == 2
    images = torch.from_numpy(shown["images"].astype(np.float64))
    weight = torch.tensor([shown["λ"], 0.0], dtype=torch.float64)
    theirs = blend(images, weight, torch.tensor([1, 0]))[0]
    np.testing.assert_allclose(shown["x"], theirs.numpy())
    assert shown["a"].sum() == pytest.approx(1) and shown["z"].sum() == pytest.approx(1)
    rng = np.random.default_rng(0)
    p, confusion = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6), 6)  # [K], [K (true), K (given)]
    log_p, log_a = (torch.from_numpy(np.log(one)) for one in (p, confusion))
    given = torch.tensor([list(shown["labels"])])
    both = -log_marginal_of(log_p[None], log_a[:, :, None], given)[0]
    assert shown["loss"](p, confusion) == pytest.approx(float(0.6 * both[0] + 0.4 * both[1]))


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """All chapters share one store, so that a run is trained once."""
    folder = tmp_path_factory.mktemp("chapters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTLABELS_CACHE", str(folder / "cache"))
        patch.setenv("SOFTLABELS_RESULTS", str(folder / "results"))
        with executor(folder) as ask:
            yield ask


@pytest.fixture(scope="module")
def run(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Execute a chapter with profile smoke."""
    folder = tmp_path_factory.mktemp("smoke")

    def execute(path: Path) -> Path:
        out = folder / path.name
        if not out.exists():
            done = ask("execute", str(path), str(out), "--set", "profile=smoke", "--set", "seeds=[0, 1]")
            assert done.returncode == 0, done.stderr
        return out

    return execute


@each
def test_the_chapter_runs_with_profile_smoke(path, run):
    out = run(path)
    outputs = [output for cell in cells(out, "code") for output in cell.outputs]
    assert not [o for o in outputs if o.output_type in ("error", "stream")]
    pictures = [o.data["text/html"] for o in outputs if "<figure>" in o.get("data", {}).get("text/html", "")]
    assert pictures and all('<img alt="' in html and 'alt=""' not in html for html in pictures)
    assert tables(out) >= 1
    assert out.stat().st_size < 1.2e6


def tables(path):
    """Count the outputs that are tables."""
    outputs = [output for cell in cells(path, "code") for output in cell.outputs]
    return sum("<table" in output.get("data", {}).get("text/html", "") for output in outputs)


def test_from_the_same_records_a_chapter_repeats_byte_by_byte(run, tmp_path):
    """Once in a fork, once in a kernel."""
    path = paths.PROJECT / "notebooks" / "04_figure1.ipynb"
    first = run(path).read_bytes()
    book.execute(path, tmp_path / path.name, {"profile": "smoke", "seeds": [0, 1]})
    assert (tmp_path / path.name).read_bytes() == first


GRIDS = {
    "17_atlas": ["train --chapter atlas"],
    "03_table1": ["train --chapter table1"],
    "06_human_uncertainty": [
        "train --chapter human",
        "train --chapter human-rates",
        "train --chapter human-scratch",
    ],
    "07_adversarial": ["train --chapter human", "evaluate --chapter human --profile laptop --kinds attacks"],
    "08_blur_and_shift": ["evaluate --chapter human --profile laptop --kinds blur"],
    "09_annotation_budget": ["train --chapter budget", "train --chapter budget-total"],
    "10_when_to_ask_a_person": ["train --chapter human-scratch", "train --chapter human "],
    "18_beyond_images": [
        "train --chapter text",
        "train --chapter text-features",
        "train --chapter text-budget",
    ],
}


FIRST_SEED = (
    "17_atlas",
    "06_human_uncertainty",
    "07_adversarial",
    "08_blur_and_shift",
    "09_annotation_budget",
    "10_when_to_ask_a_person",
)


@pytest.mark.parametrize("name", GRIDS)
def test_without_records_a_chapter_says_what_is_missing(ask, tmp_path, name):
    """The store has no runs but those of profile smoke."""
    out = tmp_path / f"{name}.ipynb"
    done = ask("execute", str(paths.PROJECT / "notebooks" / out.name), str(out), "--set", "train=false")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    for command in GRIDS[name]:
        assert f"softlabels {command}" in text
    # The atlas shows one pair of runs; chapters 6 to 9 have folds of the first seed.
    seeds = "0" if name in FIRST_SEED else "0 1 2"
    assert "--profile laptop" in text and f"--seeds {seeds}" in text
