"""The first cell of a published notebook: where the package is not installed, it fetches the project.

The address is `repository: url` of ``_config.yml``, the one place where it is set.
"""

import nbformat
import yaml

from softlabels import paths

TAG = "install"
_START = """import importlib.util

# Elsewhere than in the project: get it, with its records. Where the package is there, this does nothing.
if importlib.util.find_spec("softlabels") is None:
"""
_FETCH = """    import subprocess
    import sys

    subprocess.run(["git", "clone", "--depth", "1", "{address}", "companion"], check=True)
    install = ["-m", "pip", "install", "--quiet", "--editable", "companion[book]"]
    subprocess.run([sys.executable, *install], check=True)
    sys.path.insert(0, "companion/lib")  # a running kernel does not see what was installed since
"""
_REFUSE = """    raise SystemExit("softlabels is not installed here: run `pip install -e .` in the project")
"""


def address() -> str:
    """Where the project lies publicly; empty while it does not."""
    settings = yaml.safe_load((paths.PROJECT / "_config.yml").read_text("utf-8"))
    return str(settings.get("repository", {}).get("url") or "")


def cell(url: str) -> nbformat.NotebookNode:
    """The cell; pages leave it out, a downloaded notebook has it."""
    rest = _FETCH.format(address=url) if url else _REFUSE
    tags = {"tags": [TAG, "remove-cell"]}
    return nbformat.v4.new_code_cell((_START + rest).rstrip("\n"), metadata=tags)


def prepared(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Put the cell after the title of an executed notebook."""
    notebook.cells.insert(1, cell(address()))
    return notebook
