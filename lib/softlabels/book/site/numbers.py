"""Numbers of figures and tables: by chapter, and by a letter on the other pages."""

from string import ascii_uppercase

from docutils import nodes
from sphinx.environment import BuildEnvironment


class Numbers:
    """Counts the figures and tables of one page.

    Attributes
    ----------
    docname : str
        Page, such as "chapters/03_table1".
    prefix : str
        Number of the chapter, letter of another page, nothing for the first page.
    """

    def __init__(self, env: BuildEnvironment, docname: str):
        self.docname = docname
        self.prefix = _prefix(env, docname)
        self._counts = {"Figure": 0, "Table": 0}

    @property
    def root(self) -> str:
        """Relative address of the site's first folder."""
        return "../" * self.docname.count("/")

    def next(self, kind: str) -> str:
        """Name of the next "Figure" or "Table", such as "Table 3.2"."""
        self._counts[kind] += 1
        number = str(self._counts[kind])
        return f"{kind} {self.prefix}.{number}" if self.prefix else f"{kind} {number}"


def _prefix(env: BuildEnvironment, docname: str) -> str:
    first = docname.rsplit("/", 1)[-1].split("_", 1)[0]
    if docname.startswith("chapters/") and first.isdigit():
        return str(int(first))
    others = [name for name in env.toctree_includes.get(env.config.root_doc, []) if "/" not in name]
    return ascii_uppercase[others.index(docname) % 26] if docname in others else ""


def heading(node: nodes.Node) -> str:
    """Title of the section that a node stands in."""
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    return node[0].astext() if node is not None and len(node) else ""


def anchor(name: str) -> str:
    """Id of a figure or table: "table-3-2" for "Table 3.2"."""
    return name.lower().replace(" ", "-").replace(".", "-")
