"""The rule of the house: an import points to an earlier wing, and none hides in a function to dodge that."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from softlabels.paths import PROJECT

LIBRARY = PROJECT / "lib" / "softlabels"
# From the ground up: a wing needs those above it in this list, and itself.
WINGS = (
    ("errors", "paths", "store"),
    ("labels",),
    ("datasets",),
    ("learning",),
    ("runs",),
    ("analysis",),
    ("figures",),
    ("owndata",),
    ("chapters",),
    ("notebook",),
    ("book",),
    ("cli",),
)
FLOOR = {name: number for number, names in enumerate(WINGS) for name in names}
# What an import inside a function may spare the module around it: libraries that are slow to load, or that
# belong to an extra which a bare GPU node does not have.
HEAVY = {
    "torch": "two seconds",
    "timm": "two seconds",
    "torchvision": "two seconds",
    "matplotlib": "half a second; extra `book`",
    "pandas": "half a second; training needs none",
    "scipy": "half a second; extra `book`",
    "nbformat": "half a second; extra `book`",
    "papermill": "a second; extra `book`",
    "pooch": "downloads alone need it",
    "numpy": "a tenth of a second, which `softlabels --help` need not take",
    "PIL": "who draws no picture need not have it",
}
TOP, FUNCTION, TYPING = "at the top", "in a function", "for type checking"


def module_of(path: Path) -> str:
    """Name below the package; a folder's is that of its ``__init__``."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(LIBRARY.rglob("*.py"))}


def imported(node: ast.AST) -> Iterator[str]:
    """Full names of what a statement or a call imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            yield full if full.removeprefix("softlabels.") in MODULES else str(node.module)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant))


def walk(node: ast.AST, where: str = TOP) -> Iterator[tuple[str, str]]:
    """Imports below a node, with where they stand."""
    for child in ast.iter_child_nodes(node):
        inner = where
        if isinstance(child, ast.FunctionDef | ast.Lambda) and where == TOP:
            inner = FUNCTION
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            inner = TYPING
        yield from ((name, where) for name in imported(child))
        yield from walk(child, inner)


@cache
def imports(module: str) -> list[tuple[str, str]]:
    """What a module of the package imports: full names, and where."""
    return list(walk(ast.parse(MODULES[module].read_text("utf-8"))))


def own(module: str, *wanted: str) -> set[str]:
    """Modules of the package that a module imports at one of these places."""
    names = (name.removeprefix("softlabels.") for name, where in imports(module) if where in wanted)
    return {name for name in names if name in MODULES and name} - {module}


@cache
def loads(module: str) -> frozenset[str]:
    """Slow libraries that come along when a module is imported."""
    seen, waiting, found = set(), [module], set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        found |= {name.split(".")[0] for name, where in imports(one) if where == TOP} & set(HEAVY)
        folders = (".".join(one.split(".")[:n]) for n in range(1, one.count(".") + 1))
        waiting += [*own(one, TOP), *folders]
    return frozenset(found)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Nodes of one circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def room(module: str) -> str:
    """Folder of a module; for one that lies in none, itself. Formats are files of `datasets`, in a folder."""
    if module.startswith("datasets."):
        return "datasets"
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0] or module


def rooms() -> dict[str, set[str]]:
    """Rooms that a room needs."""
    needed: dict[str, set[str]] = {}
    for module in MODULES:
        others: Iterable[str] = own(module, TOP, FUNCTION)
        needed.setdefault(room(module), set()).update(map(room, others))
    return {name: others - {name} for name, others in needed.items()}


@pytest.mark.parametrize("module", [name for name in MODULES if name], ids=str)
def test_an_import_points_to_an_earlier_wing(module: str) -> None:
    floor = FLOOR[module.split(".")[0]]
    above = {name for name in own(module, TOP, FUNCTION, TYPING) if FLOOR[name.split(".")[0]] > floor}
    assert above == set(), f"{module} needs what stands above it"


def test_nothing_stands_in_a_circle() -> None:
    assert circle({name: own(name, TOP, FUNCTION) for name in MODULES}) == []
    assert circle(rooms()) == []


@pytest.mark.parametrize("module", [name for name in MODULES if own(name, FUNCTION)], ids=str)
def test_an_import_in_a_function_spares_a_slow_library(module: str) -> None:
    spared = {name: loads(name) - loads(module) for name in own(module, FUNCTION) - own(module, TOP)}
    assert [name for name, slow in spared.items() if not slow] == [], f"{module}: belongs to the top"


def test_what_breaks_the_rule_is_seen() -> None:
    code = "import softlabels.cli\ndef f():\n    from softlabels.labels import votes\n    import torch"
    assert dict(walk(ast.parse(code))) == {
        "softlabels.cli": TOP,
        "softlabels.labels.votes": FUNCTION,
        "torch": FUNCTION,
    }
    assert "torch" in loads("learning.training") and not loads("errors")
    assert circle({"a": {"b"}, "b": {"a"}}) and not circle({"a": {"b"}, "b": set()})
