"""A studio and a browser for all tests of the page; skipped without either."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("playwright", reason="the browser needs the extra: dev")

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop
from tests.web.client.browser import TIMEOUT, WEB, Studio

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
PHONE: ViewportSize = {"width": 390, "height": 844}
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.xdist_group("browser"))
        if not CHROMIUM:
            item.add_marker(pytest.mark.skip("NO BROWSER: install chromium to test the studio"))
        if not (WEB / "static/studio.js").is_file():
            item.add_marker(pytest.mark.skip("NO PAGE: `make studio` builds it, with npm"))


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    running = Studio(tmp_path_factory.mktemp("studio"))
    yield running
    output = running.stop()
    assert "Traceback" not in output, output


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, studio: Studio) -> Iterator[Page]:
    """The first screen; the browser loads nothing from elsewhere, and no script fails."""
    page = context.new_page()
    external: list[str] = []
    errors: list[str] = []
    own = (studio.address, "data:", "blob:")
    page.on("request", lambda r: external.append(r.url) if not r.url.startswith(own) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None,
    )
    page.set_default_timeout(TIMEOUT)
    open_studio(page, studio)
    yield page
    assert external == []
    assert errors == []


@pytest.fixture
def phone(browser: Browser, studio: Studio) -> Iterator[Page]:
    """The first screen on a phone."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    open_studio(page, studio)
    yield page
    context.close()


def open_studio(page: Page, studio: Studio) -> None:
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Pictures made of themselves")).to_be_visible(
        timeout=TIMEOUT
    )


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of 256 x 256 pixels, holiday.png."""
    path = tmp_path_factory.mktemp("photos") / "holiday.png"
    to_pil(photo_crop(256, 0, 100)).save(path)
    return path


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of 2 megapixels, wide.jpg."""
    path = tmp_path_factory.mktemp("photos") / "wide.jpg"
    tile = np.asarray(to_pil(photo_crop(256, 0, 100)))
    whole = np.tile(tile, (5, 6, 1))
    Image.fromarray(whole).save(path, quality=92)
    return path
