"""The browser of this machine, headless: it prints the book and takes pictures of its pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from softlabels.errors import SoftlabelsError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str | None:
    """Path of the first Chromium or Chrome on the PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running() -> "Iterator[Browser]":
    """Start the browser, and end it afterwards.

    Raises
    ------
    SoftlabelsError
        If there is none.
    """
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
