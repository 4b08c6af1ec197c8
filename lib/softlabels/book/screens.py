"""The browser of this machine, and pictures of every page of the built site that it takes.

``python -m softlabels.book.screens SITE OUT`` takes them.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softlabels.errors import SoftlabelsError, told

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (1280, 360)  # pixels
THEMES = ("light", "dark")


def program() -> str | None:
    """Path of the first Chromium or Chrome on the PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running() -> "Iterator[Browser]":
    """Start the browser, and end it afterwards; `SoftlabelsError` if there is none."""
    path = program()
    if path is None:
        raise SoftlabelsError(f"no browser here: none of {', '.join(NAMES)} is on the PATH; install Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def pages(site: Path) -> list[Path]:
    """Pages of a site that a reader sees."""
    found = (path for path in sorted(site.rglob("*.html")) if path.name != "index.html")
    return [path for path in found if not path.relative_to(site).parts[0].startswith("_")]


def take(site: Path, out: Path, words: str = "") -> Iterator[Path]:
    """Yield one PNG for each page, width and theme; only pages whose address has `words` in it."""
    chosen = [path for path in pages(site) if words in path.relative_to(site).as_posix()]
    if not chosen:
        raise SoftlabelsError(f"{site}: no page '{words}' here; run `make book` first")
    out.mkdir(parents=True, exist_ok=True)
    with running() as browser:
        for theme in THEMES:
            for width in WIDTHS:
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
                for path in chosen:
                    page.goto(path.resolve().as_uri())
                    file = out / f"{path.relative_to(site).with_suffix('').as_posix().replace('/', '_')}"
                    file = file.with_name(f"{file.name}-{width}-{theme}.png")
                    page.screenshot(path=file, full_page=True)
                    yield file
                page.close()


@told(1)
def main(arguments: list[str] | None = None) -> None:
    """Take the pictures and print their files; 1 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m softlabels.book.screens", description=__doc__)
    parser.add_argument("site", type=Path, help="folder of the built pages")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--only", default="", metavar="WORDS", help="pages whose address has these in it")
    options = parser.parse_args(arguments)
    for file in take(options.site, options.out, options.only):
        print(file)


if __name__ == "__main__":
    sys.exit(main())
