"""The three environments of requirements.lock: what each leaves out, and that the rest is complete."""

import re
import subprocess
import sys

import pytest
from softlabels import paths

SCRIPT = paths.PROJECT / "workflow" / "environment.py"


def lines(environment: str) -> str:
    return subprocess.run(
        [sys.executable, SCRIPT, environment], check=True, capture_output=True, text=True
    ).stdout


def names(text: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE))


def test_the_whole_environment_is_the_lock_byte_by_byte():
    assert lines("full") == (paths.PROJECT / "requirements.lock").read_text()


def test_without_cuda_only_cuda_and_pytorch_are_missing():
    missing = names(lines("full")) - names(lines("cpu"))
    assert {"torch", "torchvision", "triton"} < missing
    assert all(re.match("nvidia-|cuda-|triton|torch", name) for name in missing)
    assert "torchmetrics" not in missing


def test_a_reader_has_what_the_book_is_made_with_and_nothing_that_trains():
    kept = names(lines("reader"))
    assert {"jupyter-book", "papermill", "snakemake", "matplotlib", "scipy", "pandas", "numpy"} <= kept
    assert not {"torch", "torchvision", "timm", "triton", "pytest", "foolbox", "playwright"} & kept
    assert "--hash=sha256:" in lines("reader")


@pytest.mark.parametrize("environment", ["cpu", "reader"])
def test_what_a_kept_package_needs_is_kept(environment):
    """By the lock's own word: each package is listed with those that need it."""
    kept, left_out = names(lines(environment)), "nvidia-|cuda-|triton|torch|timm"
    for text in re.split(r"^(?=[A-Za-z0-9])", lines("full"), flags=re.MULTILINE)[1:]:
        name, needed_by = text.partition("==")[0], set(re.findall(r"[\w.-]+", text.partition("# via")[2]))
        if needed_by & kept and not re.match(left_out, name):
            assert name in kept, f"{name} is needed by {needed_by & kept}"
