"""Chromium, where it is installed with Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TIMEOUT = 300_000
"""Milliseconds that `opened` waits for anything."""


def find_browser() -> str | None:
    """The path of a browser that `opened` can start, or None."""
    if find_spec("playwright") is None:
        return None
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


@contextmanager
def opened(browser: str, address: str) -> "Iterator[Page]":
    """A page of a screen of 1280 x 900 pixels, which has gone to an address."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=_QUIET)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(TIMEOUT)
        page.goto(address)
        yield page
        chromium.close()
