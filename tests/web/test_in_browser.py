"""The studio as a visitor uses it, in a real browser.

Skipped where there is no Chromium, or no OpenSeadragon, which `make studio` fetches.
"""

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the studio needs the extra: studio")
pytest.importorskip("playwright", reason="the browser needs the extra: dev")

from playwright.sync_api import (
    Browser,
    FloatRect,
    FrameLocator,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from neural_collage.io.writing import to_pil
from neural_collage.web.app import STATIC
from tests.pictures import photo_crop

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="NO BROWSER: install chromium to test the studio"),
    pytest.mark.skipif(
        not STATIC.is_dir(), reason="NO VIEWER: npm and `make studio` fetch OpenSeadragon"
    ),
    pytest.mark.xdist_group("browser"),
]
COLLAGE = [sys.executable, "-c", "from neural_collage.cli.main import run; run()"]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 60_000  # milliseconds


class Studio:
    """A studio that runs, and the folder where its files are."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.folder = f"http://127.0.0.1:{port}/", folder
        self._log = (folder / "log.txt").open("wb")
        self._process = subprocess.Popen(
            [*COLLAGE, "studio", "--port", str(port)],
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.address, timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((folder / "log.txt").read_text())

    def stop(self) -> str:
        """End it; what it said."""
        self._process.terminate()
        self._process.wait(20)
        self._log.close()
        return (self.folder / "log.txt").read_text()

    def pictures(self) -> list[Path]:
        """Files of visitors that are there."""
        return [p for p in self.folder.rglob("*") if p.suffix in {".png", ".jpg", ".clg", ".mp4"}]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    running = Studio(tmp_path_factory.mktemp("studio"))
    yield running
    said = running.stop()
    assert "Traceback" not in said, said
    assert running.pictures() == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, studio: Studio) -> Iterator[Page]:
    """The studio; no request leaves it and no error is logged."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    elsewhere: list[str] = []
    errors: list[str] = []
    ours = (studio.address, "data:", "blob:")
    page.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith(ours) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(PATIENCE)
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Collage studio")).to_be_visible(timeout=PATIENCE)
    yield page
    context.close()
    assert elsewhere == []
    assert errors == []


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "holiday.png"
    to_pil(photo_crop(256, 0, 100)).save(path)
    return path


def panel(page: Page, name: str) -> Locator:
    """Open a page of the studio."""
    page.get_by_role("tab", name=name, exact=True).click()
    return page.locator("[role=tabpanel]:visible")


def upload(shown: Locator, *files: Path) -> None:
    """To the first, second ... place for a picture."""
    for number, file in enumerate(files):
        inputs = shown.locator("input[type=file]")
        place = number if inputs.count() > 1 else 0
        with shown.page.expect_response(lambda r: "/upload" in r.url):
            inputs.nth(place).set_input_files(file)
        shown.page.wait_for_timeout(700)


def settled_box(shown: Locator) -> FloatRect:
    """Where something is, once a page has loaded its pictures and put everything in its place."""
    page = shown.page
    expect(shown).to_be_visible()
    page.wait_for_function("[...document.images].every(image => image.complete)")
    before = None
    while (box := shown.bounding_box()) is None or box != before:
        before = box
        page.wait_for_timeout(400)
    return box


def depth(viewer: FrameLocator) -> float:
    text = viewer.locator("#depth").inner_text()
    return float(text.removesuffix("x"))


def test_a_photo_is_compressed_compared_and_kept(page: Page, photo: Path, tmp_path: Path) -> None:
    shown = panel(page, "Compress")
    upload(shown, photo)
    quality = shown.locator("input[type=range]")
    quality.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(shown.locator("input[type=number]")).to_have_value("55")
    shown.get_by_role("button", name="Compress", exact=True).click()
    expect(shown.get_by_text("bits per pixel")).to_be_visible(timeout=PATIENCE)
    facts = shown.get_by_text("bits per pixel").inner_text()
    size = int(re.findall(r"([\d,]+) bytes", facts)[0].replace(",", ""))

    line = shown.locator(".inner").first  # the handle between original and decode
    box = settled_box(line)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"], steps=5)
    page.mouse.up()
    assert settled_box(line)["x"] < box["x"] - 30

    files = []
    for name in ("Download .clg", "Download PNG"):
        with page.expect_download() as download:
            shown.get_by_role("button", name=name).click()
        files.append(tmp_path / download.value.suggested_filename)
        download.value.save_as(files[-1])
    collage, decoded = files
    assert collage.name == "holiday.clg"
    assert collage.stat().st_size == size
    again = tmp_path / "again.png"
    subprocess.run([*COLLAGE, "decompress", str(collage), "-o", str(again)], check=True)
    with Image.open(again) as here, Image.open(decoded) as there:
        assert np.array_equal(np.asarray(here), np.asarray(there))


def test_a_picture_goes_on_ten_levels_down(page: Page, photo: Path) -> None:
    tiles: dict[int, int] = {}

    def answered(url: str, status: int) -> None:
        if found := re.search(r"/tiles/[^/]+/(\d+)/", url):
            assert status == 200, url
            tiles[int(found[1])] = tiles.get(int(found[1]), 0) + 1

    page.on("response", lambda response: answered(response.url, response.status))
    shown = panel(page, "Zoom")
    upload(shown, photo)
    shown.get_by_role("button", name="Look").click()
    viewer = shown.frame_locator("iframe")
    scene = viewer.locator("#scene")
    expect(scene.locator("canvas").first).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(1000)
    start = depth(viewer)
    scene.click()
    for _ in range(20):  # keys enlarge by 1.1 to 2; ten octaves of wheel turns
        page.mouse.wheel(0, -600)
        page.wait_for_timeout(150)
    for _ in range(40):
        if depth(viewer) > 1024 * start:
            break
        viewer.locator("#scene [title='Zoom in']").first.click()
        page.wait_for_timeout(300)
    page.wait_for_timeout(2000)
    assert depth(viewer) > 1024 * start
    assert max(tiles) - 8 >= 10  # the photo itself has 8 levels
    seen = np.asarray(Image.open(io.BytesIO(scene.screenshot())).convert("L"), dtype=float)
    assert seen.std() > 2  # there is something to see


def test_a_photo_becomes_copies_of_itself(page: Page, photo: Path) -> None:
    shown = panel(page, "Fractalize")
    upload(shown, photo)
    shown.get_by_role("button", name="Fractalize", exact=True).click()
    expect(shown.locator("iframe")).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as download:
        shown.get_by_role("button", name="Download").first.click()
    with Image.open(download.value.path()) as made, Image.open(photo) as original:
        assert made.size == original.size
        small = [
            np.asarray(image.convert("RGB").resize((16, 16)), float) for image in (made, original)
        ]
    assert abs(small[0] - small[1]).mean() < 12
    shown.get_by_role("button", name="Make a movie").click()
    expect(shown.locator("video")).to_be_visible(timeout=PATIENCE)


def test_long_work_can_be_stopped(page: Page, photo: Path) -> None:
    shown = panel(page, "Fractalize")
    upload(shown, photo)
    shown.get_by_text("More").click()
    shown.get_by_label("By a network").check()
    shown.get_by_role("button", name="Fractalize", exact=True).click()
    page.wait_for_timeout(1500)
    shown.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Nothing was kept.")).to_be_visible(timeout=20_000)


def test_a_picture_is_painted_with_another(page: Page, photo: Path, tmp_path: Path) -> None:
    style = tmp_path / "style.png"
    to_pil(photo_crop(200, 250, 20)).save(style)
    shown = panel(page, "Stylize")
    upload(shown, photo, style)
    shown.get_by_role("button", name="Stylize", exact=True).click()
    expect(shown.locator("iframe")).to_be_visible(timeout=PATIENCE)


def test_noise_is_taken_away(page: Page, photo: Path) -> None:
    shown = panel(page, "Restore")
    expect(shown.locator("canvas").first).to_be_visible()
    page.wait_for_timeout(2000)  # the editor must be ready
    shown.locator("input[type=file]").first.set_input_files(photo)  # sent with the click
    page.wait_for_timeout(2000)
    shown.get_by_text("Take noise away").click()
    expect(shown.get_by_text("Noise in levels")).to_be_visible()
    shown.get_by_role("button", name="Restore", exact=True).click()
    expect(shown.locator(".inner").first).to_be_visible(timeout=PATIENCE)


def test_digits_are_drawn(page: Page) -> None:
    shown = panel(page, "Samples")
    shown.get_by_role("button", name="Draw").click()
    expect(shown.locator("img").first).to_be_visible(timeout=PATIENCE)


def test_what_is_no_picture_is_explained(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.clg"
    broken.write_bytes(b"no collage")
    shown = panel(page, "Zoom")
    shown.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Upload a picture or a .clg file first.")).to_be_visible()
    upload(shown, broken)
    shown.get_by_role("button", name="Look").click()
    expect(page.get_by_text("broken.clg: not a .clg file").first).to_be_visible()


def test_files_are_gone_when_the_page_is_closed(page: Page, photo: Path, studio: Studio) -> None:
    shown = panel(page, "Fractalize")
    upload(shown, photo)
    shown.get_by_role("button", name="Fractalize", exact=True).click()
    expect(shown.locator("iframe")).to_be_visible(timeout=PATIENCE)
    assert any(p.name == "holiday.png" for p in studio.pictures())
    page.close()
    for _ in range(100):
        if not studio.pictures():
            return
        time.sleep(0.2)
    assert studio.pictures() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(
    browser: Browser, studio: Studio, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True
    )
    page = context.new_page()
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Collage studio")).to_be_visible(timeout=PATIENCE)
    page.wait_for_function("document.documentElement.scrollWidth <= 390", timeout=10_000)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(n) for n in re.findall(r"\d+", background)[:3]]
    assert (sum(levels) < 300) == (scheme == "dark")
    context.close()


def test_the_keyboard_reaches_everything(page: Page) -> None:
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.innerText || document.activeElement.type || '').trim()"
            )
        )
    assert {"Compress", "range", "radio"} <= reached
