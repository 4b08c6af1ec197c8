"""A small reader of built pages: what they define, what they link to, what they load."""

import html.parser
import urllib.parse
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LINK_LOADS = {"stylesheet", "preload", "modulepreload", "icon", "shortcut icon"}


class Page(html.parser.HTMLParser):
    """Ids, links, loaded files and images without a text of one page."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.without_alt: list[str] = []
        self.n_images = 0
        self.n_formulas = 0
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list) -> None:
        a = dict(attributes)
        self.ids |= {a[key] for key in ("id", "name") if a.get(key)}
        self.n_formulas += tag == "math"
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "link" and a.get("rel") in LINK_LOADS:
            self.loads.append(a["href"])
        if a.get(LOADS.get(tag, "")):
            self.loads.append(a[LOADS[tag]])
        if tag == "img":
            self._image(a)

    def _image(self, a: dict) -> None:
        self.n_images += 1
        decoration = a.get("role") == "presentation" or a.get("aria-hidden") == "true"
        if not decoration and not (a.get("alt") or "").strip():
            self.without_alt.append(f"{self.path.name}: {a.get('src', '')[:60]}")

    def target(self, url: str) -> Path | None:
        """File that a relative address names; None for an address elsewhere or embedded data."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme or parts.netloc:
            return None
        here = self.path.parent / urllib.parse.unquote(parts.path) if parts.path else self.path
        return here.resolve()


class Site:
    """All pages below a folder."""

    def __init__(self, root: Path):
        self.root = root.resolve()

    @cached_property
    def pages(self) -> dict[Path, Page]:
        found = (path for path in sorted(self.root.rglob("*.html")))
        return {
            path: Page(path) for path in found if not path.relative_to(self.root).parts[0].startswith("_")
        }

    def broken_links(self) -> Iterator[str]:
        for page in self.pages.values():
            for url in dict.fromkeys(page.links):
                target, anchor = page.target(url), urllib.parse.urlsplit(url).fragment
                if target is None:
                    continue
                if not target.is_file():
                    yield f"{page.path.name}: no such page: {url}"
                elif anchor and target in self.pages and anchor not in self.pages[target].ids:
                    yield f"{page.path.name}: no such anchor: {url}"

    def missing_files(self) -> Iterator[str]:
        for page in self.pages.values():
            for url in dict.fromkeys(page.loads):
                target = page.target(url)
                if target is not None and not target.is_file():
                    yield f"{page.path.name}: {url}"

    def other_hosts(self) -> Iterator[str]:
        for page in self.pages.values():
            for url in page.loads:
                if urllib.parse.urlsplit(url).scheme in ("http", "https") or url.startswith("//"):
                    yield f"{page.path.name}: {url}"
