"""The pages of the library: every setting is there, and every example does what it says."""

import doctest
import re
from dataclasses import fields
from pathlib import Path

import pytest
from softlabels import paths
from softlabels.book.site import directives
from softlabels.learning.config import RunConfig

PAGES = sorted((paths.PROJECT / "book").glob("api*.md"))


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "api.md"], ids=lambda path: path.stem)
def test_examples_do_what_they_say(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    text = "\n".join(block for block in blocks if ">>>" in block)
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert len(example.examples) > 2
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert result.failed == 0


def test_every_setting_of_a_run_is_explained(site: Path) -> None:
    rows = {name: (default, words) for name, default, words in directives.settings()}
    assert list(rows) == [field.name for field in fields(RunConfig)]
    assert rows["lr"] == ("0.05", "peak learning rate of SGD")
    assert "`majority`" not in rows["label"][1] and "`permuted`" in rows["label"][1]
    page = (site / "api_runs.html").read_text()
    for name in rows:
        assert f'<span class="pre">{name}</span></code>' in page, name


def test_pages_show_the_functions_of_their_modules(site: Path) -> None:
    for page, name in [
        ("labels", "softlabels.labels.votes.soft_labels"),
        ("metrics", "softlabels.labels.metrics.kl_divergence"),
        ("selective", "softlabels.labels.selective.review"),
        ("datasets", "softlabels.datasets.load"),
        ("runs", "softlabels.runs.run.get"),
        ("owndata", "softlabels.owndata.check.inspect"),
        ("attacks", "softlabels.learning.attacks.perturb"),
    ]:
        assert f'id="{name}"' in (site / f"api_{page}.html").read_text(), name


def test_what_is_not_installed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    config = SimpleNamespace(suppress_warnings=[])
    monkeypatch.setattr(directives, "find_spec", lambda name: None if name == "torch" else name)
    directives.mock_what_is_missing(config)
    assert config.autodoc_mock_imports == ["torch"] and config.suppress_warnings == ["autodoc"]
