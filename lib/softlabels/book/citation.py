"""How to cite, as BibTeX: the companion from CITATION.cff, the three papers from the bibliography."""

import re

import yaml

from softlabels import paths

PAPERS = ("grossmann2022", "peterson2019", "herde2024")


def page() -> str:
    """Markdown: one block to copy."""
    entries = [companion(), *map(paper, PAPERS)]
    return "```bibtex\n" + "\n\n".join(entries) + "\n```"


def companion() -> str:
    """The companion's own entry."""
    facts = yaml.safe_load((paths.PROJECT / "CITATION.cff").read_text("utf-8"))
    year = yaml.safe_load((paths.PROJECT / "_config.yml").read_text("utf-8"))["copyright"]
    authors = " and ".join(f"{{{one['name']}}}" for one in facts["authors"])
    return (
        f"@software{{softlabels,\n  title = {{{facts['title']}}},\n  author = {{{authors}}},\n"
        f"  version = {{{facts['version']}}},\n  year = {{{year}}},\n  note = {{{facts['abstract']}}}\n}}"
    )


def paper(key: str) -> str:
    """An entry of the bibliography as it stands there."""
    text = (paths.PROJECT / "book" / "references.bib").read_text("utf-8")
    found = re.search(rf"^@\w+\{{{key},.*?^\}}", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no entry {key}"
    return found[0]
