"""Print the lines of requirements.lock that an environment needs: there is one lock for all three.

``full`` is all of it. ``cpu`` leaves out PyTorch and CUDA: PyTorch's own index has builds without. ``reader``
is what draws the book from its records: the extra `book` and all that it needs, without PyTorch.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CUDA = re.compile(r"nvidia-|cuda-|triton$")
TORCH = re.compile(r"torch$|torchvision$")
# What only trains; the rest of the project's own dependencies is small.
TRAINS = re.compile(r"torch|timm$")


def entries() -> Iterator[tuple[str, set[str], str]]:
    """Name of a locked package, names of those that need it, and its lines."""
    for text in re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[
        1:
    ]:
        comment = text.partition("# via")[2]
        yield text.partition("==")[0], set(re.findall(r"[A-Za-z0-9_.-]+", comment)), text


def wanted(environment: str) -> Iterator[str]:
    """Lines of the lock for one environment."""
    found = list(entries())
    if environment == "reader":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        asked = project["dependencies"] + project["optional-dependencies"]["book"]
        kept = {re.split(r"[^A-Za-z0-9_.-]", name)[0].lower() for name in asked}
        kept = {name for name in kept if not TRAINS.match(name)}
        while more := {n for n, needed_by, _ in found if needed_by & kept and n not in kept}:
            kept |= more
    for name, _, text in found:
        left_out = {
            "full": False,
            "cpu": CUDA.match(name) or TORCH.match(name),
            "reader": environment == "reader" and name not in kept,
        }
        if not left_out[environment]:
            yield text


if __name__ == "__main__":
    sys.stdout.writelines(wanted(sys.argv[1]))
