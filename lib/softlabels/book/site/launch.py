"""Ways to run a chapter: its notebook to download, and buttons that start it elsewhere."""

from docutils import nodes
from sphinx.config import Config

from softlabels.book.site.verdicts import claim_of


def only_with_an_address(config: Config) -> None:
    """Drop the launch buttons while `repository: url` of the configuration is empty."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        options["launch_buttons"] = {}


def below_claim(doctree: nodes.document, docname: str) -> None:
    """Link to the notebook under the claim of a chapter."""
    claim = claim_of(doctree)
    if claim is None:
        return
    address = f"{'../' * docname.count('/')}_sources/{docname}.ipynb"
    text = f'<p class="download"><a download href="{address}">Download this notebook</a></p>'
    claim.parent.insert(claim.parent.index(claim) + 1, nodes.raw("", text, format="html"))
