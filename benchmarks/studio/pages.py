"""The page itself in Chromium: from a click to what is seen."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.studio.server import Studio
from benchmarks.support.browser import TIMEOUT, find_browser, opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

_READY = "() => document.querySelector('compare-view')?.dataset.ready === 'true'"
_WHOLE = f"() => ({_READY})() && !document.querySelector('.side[data-stale]')"
_SEEN = "**/api/results/*/image*"
Figure = tuple[str, float, float]


def page_times(studio: Studio, jpeg: Callable[[int, int], bytes]) -> list[Figure]:
    """What was measured, seconds, and the bar; nothing without a browser or the built page.

    jpeg: makes the file of a photo of a width and a height.
    """
    browser = find_browser()
    if browser is None or httpx.get(studio.address).status_code != 200:
        print("the page is not measured: Playwright, Chromium or `make studio` is missing")
        return []
    with tempfile.TemporaryDirectory() as folder, opened(browser, studio.address) as page:
        page.locator(".example").first.wait_for()
        found = [_example(page)]
        for name, size, bars in (
            ("2 megapixels", (1728, 1152), (0.4, 2.0)),
            ("24 megapixels", (6000, 4000), (2.0, 6.0)),
        ):
            file = Path(folder, f"{name}.jpg")
            file.write_bytes(jpeg(*size))
            found += _slider(page, file, name, bars)
        return found


def _example(page: "Page") -> Figure:
    started = time.perf_counter()
    page.locator(".example").first.click()
    page.wait_for_function(_WHOLE)
    return "page: click on an example to its result", time.perf_counter() - started, 1.0


def _slider(page: "Page", file: Path, name: str, bars: tuple[float, float]) -> list[Figure]:
    """From a step of the slider to the first new pixels, and to the whole."""
    page.locator("header input[type=file]").set_input_files(file)
    page.wait_for_function(f"() => document.querySelector('.chip')?.innerText.includes('{name}')")
    page.wait_for_function(_WHOLE)
    quality = page.get_by_label("Quality", exact=True).last
    quality.focus()
    started = time.perf_counter()
    with page.expect_response(_SEEN, timeout=TIMEOUT) as seen:
        page.keyboard.press("ArrowRight")
    seen.value.finished()
    preview = time.perf_counter() - started
    page.wait_for_function(_WHOLE)
    whole = time.perf_counter() - started
    return [
        (f"page: slider to preview, {name}", preview, bars[0]),
        (f"page: slider to whole result, {name}", whole, bars[1]),
    ]
