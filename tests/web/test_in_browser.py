"""The pages of the studio in Chromium.

Skipped without Chromium, or without OpenSeadragon, which `make studio` fetches.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("playwright", reason="the browser needs the extra: dev")

from playwright.sync_api import Browser, Page, expect, sync_playwright

from neural_collage.evaluation.metrics import psnr
from neural_collage.io.writing import to_pil
from neural_collage.web.app import STATIC
from tests.pictures import photo_crop
from tests.web.browser import (
    COLLAGE,
    TILES_LOADED,
    TIMEOUT,
    Studio,
    image_at,
    loaded_viewer,
    magnification,
    open_tab,
    record_tiles,
    upload,
    upload_to_editor,
    wait_for_images,
    wait_until,
)

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
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    running = Studio(tmp_path_factory.mktemp("studio"))
    yield running
    output = running.stop()
    assert "Traceback" not in output, output
    assert running.pictures() == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, studio: Studio) -> Iterator[Page]:
    """The start page; the browser loads nothing from elsewhere and reports no errors."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    external: list[str] = []
    errors: list[str] = []
    own = (studio.address, "data:", "blob:")
    page.on("request", lambda r: external.append(r.url) if not r.url.startswith(own) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(TIMEOUT)
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Collage studio")).to_be_visible(timeout=TIMEOUT)
    yield page
    context.close()
    assert external == []
    assert errors == []


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "holiday.png"
    to_pil(photo_crop(256, 0, 100)).save(path)
    return path


def thumbnail(image: Image.Image) -> npt.NDArray[np.float64]:
    return np.asarray(image.convert("RGB").resize((16, 16)), float)


def test_a_photo_is_compressed_compared_and_downloaded(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    panel = open_tab(page, "Compress")
    upload(panel, photo)
    quality = panel.locator("input[type=range]")
    quality.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(panel.locator("input[type=number]")).to_have_value("55")
    panel.get_by_role("button", name="Compress", exact=True).click()
    summary = panel.get_by_text("bits per pixel")
    expect(summary).to_be_visible(timeout=TIMEOUT)
    text = summary.inner_text()
    size = int(re.findall(r"([\d,]+) bytes", text)[0].replace(",", ""))

    handle = panel.locator(".inner").first  # of the line between original and decoded picture
    wait_for_images(page)
    panel.locator(".icon-wrap").first.hover()  # in the middle of the handle
    before = handle.bounding_box()
    assert before is not None
    page.mouse.down()
    page.mouse.move(before["x"] - 60, before["y"], steps=5)
    page.mouse.up()
    page.wait_for_function(
        "([handle, x]) => handle.getBoundingClientRect().x < x - 30",
        arg=[handle.element_handle(), before["x"]],
    )

    files = []
    for name in ("Download .clg", "Download PNG"):
        with page.expect_download() as download:
            panel.get_by_role("button", name=name).click()
        files.append(tmp_path / download.value.suggested_filename)
        download.value.save_as(files[-1])
    collage, decoded = files
    assert collage.name == "holiday.clg"
    assert collage.stat().st_size == size
    again = tmp_path / "again.png"
    subprocess.run([*COLLAGE, "decompress", str(collage), "-o", str(again)], check=True)
    with Image.open(again) as here, Image.open(decoded) as there, Image.open(photo) as original:
        assert np.array_equal(np.asarray(here), np.asarray(there))
        shown = float(re.findall(r"PSNR ([\d.]+) dB", text)[0])
        assert shown == pytest.approx(psnr(np.asarray(original), np.asarray(there)), abs=0.01)


def test_the_viewer_zooms_ten_octaves_below_the_pixels(page: Page, photo: Path) -> None:
    tiles = record_tiles(page)
    panel = open_tab(page, "Zoom")
    upload(panel, photo)
    panel.get_by_role("button", name="Look").click()
    frame = loaded_viewer(panel)
    start = magnification(frame)
    scene = frame.locator("#scene")
    scene.hover()
    page.mouse.wheel(0, -600)
    frame.wait_for_function("viewer.viewport.getZoom() > 1")
    zoom_in = frame.locator("#scene [title='Zoom in']").first
    for _ in range(40):
        if frame.evaluate("viewer.viewport.getZoom()") > 1100:
            break
        zoom_in.click()
    frame.wait_for_function("viewer.viewport.getZoom(true) > 1030")  # the end of the animation
    frame.wait_for_function(TILES_LOADED, timeout=TIMEOUT)
    assert magnification(frame) > 1024 * start
    assert {status for _, status in tiles} == {200}
    assert max(level for level, _ in tiles) - 8 >= 10  # the photo itself has 8 levels
    seen = np.asarray(Image.open(io.BytesIO(scene.screenshot())).convert("L"), dtype=float)
    assert seen.std() > 2


def test_a_photo_is_fractalized_and_zoomed_in_a_movie(page: Page, photo: Path) -> None:
    tiles = record_tiles(page)
    panel = open_tab(page, "Fractalize")
    upload(panel, photo)
    panel.get_by_role("button", name="Fractalize", exact=True).click()
    loaded_viewer(panel)
    assert {status for _, status in tiles} == {200}
    with page.expect_download() as download:
        panel.get_by_role("button", name="Download").first.click()
    with Image.open(download.value.path()) as made, Image.open(photo) as original:
        assert made.size == original.size
        assert abs(thumbnail(made) - thumbnail(original)).mean() < 12
    panel.get_by_role("button", name="Make a movie").click()
    video = panel.locator("video")
    expect(video).to_be_visible(timeout=TIMEOUT)
    page.wait_for_function("video => video.readyState > 0", arg=video.element_handle())
    assert video.evaluate("v => [v.duration, v.videoWidth, v.videoHeight]") == [4, 360, 360]


def test_a_job_can_be_stopped(page: Page, photo: Path) -> None:
    panel = open_tab(page, "Fractalize")
    upload(panel, photo)
    panel.get_by_text("More").click()
    panel.get_by_label("By a network").check()
    panel.get_by_role("button", name="Fractalize", exact=True).click()
    expect(panel.get_by_text("fitting copies").first).to_be_visible(timeout=TIMEOUT)
    panel.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Nothing was kept.")).to_be_visible(timeout=20_000)
    expect(panel.locator("iframe")).to_have_count(0)


def test_a_photo_is_stylized(page: Page, photo: Path, tmp_path: Path) -> None:
    style = tmp_path / "style.png"
    to_pil(photo_crop(200, 250, 20)).save(style)
    tiles = record_tiles(page)
    panel = open_tab(page, "Stylize")
    upload(panel, photo, style)
    panel.get_by_role("button", name="Stylize", exact=True).click()
    loaded_viewer(panel)
    assert {status for _, status in tiles} == {200}
    painted = image_at(panel, "img[src$='holiday-painted.png']")
    with Image.open(photo) as original:
        assert painted.shape == (256, 256, 3)
        assert abs(painted.astype(float) - np.asarray(original)).mean() > 5
        means = [thumbnail(image).ravel() for image in (Image.fromarray(painted), original)]
    assert np.asarray(np.corrcoef(means))[0, 1] > 0.8


def test_noise_is_removed(page: Page, photo: Path, tmp_path: Path) -> None:
    with Image.open(photo) as image:
        clean = np.asarray(image)
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    noisy = tmp_path / "noisy.png"
    Image.fromarray((clean + noise).clip(0, 255).astype(np.uint8)).save(noisy)
    panel = open_tab(page, "Restore")
    upload_to_editor(panel, noisy)
    panel.get_by_text("Remove noise").click()
    expect(panel.get_by_text("Noise in grey levels")).to_be_visible()
    panel.get_by_role("button", name="Restore", exact=True).click()
    before, after = (image_at(panel, f"img[src$='{name}.png']") for name in ("before", "after"))
    assert psnr(clean, after) > psnr(clean, before) + 3


def test_painted_areas_are_filled_and_pictures_enlarged(page: Page, photo: Path) -> None:
    with Image.open(photo) as image:
        width, height = image.size
    panel = open_tab(page, "Restore")
    upload_to_editor(panel, photo)
    restore = panel.get_by_role("button", name="Restore", exact=True)
    restore.click()
    expect(page.get_by_text("Paint over the part to be filled first.")).to_be_visible()
    box = panel.locator("canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 20, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=10)
    page.mouse.up()
    restore.click()
    before, after = (image_at(panel, f"img[src$='{name}.png']") for name in ("before", "after"))
    assert before.shape == after.shape == (height, width, 3)
    changed = (before != after).any(2)
    assert 0.001 < changed.mean() < 0.5  # what was painted, and nothing else
    assert changed[height // 2 - 3 : height // 2 + 3, width // 2 - 3 : width // 2 + 3].any()

    panel.get_by_text("Enlarge", exact=True).click()
    restore.click()
    expect(panel.get_by_text(f"{2 * width} x {2 * height} pixels")).to_be_visible(timeout=TIMEOUT)


def test_samples_are_drawn(page: Page) -> None:
    panel = open_tab(page, "Samples")
    panel.get_by_role("button", name="Draw").click()
    samples = image_at(panel, "img[src$='samples.png']")
    assert samples.shape == (6 * 114 + 2, 6 * 114 + 2, 3)  # 36 digits of 112 pixels and lines
    assert 10 < samples[2:114, 2:114].mean() < 120


def test_missing_and_invalid_uploads_are_reported(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.clg"
    broken.write_bytes(b"no collage")
    panel = open_tab(page, "Zoom")
    panel.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Upload a picture or a .clg file first.")).to_be_visible()
    upload(panel, broken)
    panel.get_by_role("button", name="Look").click()
    expect(page.get_by_text("broken.clg: not a .clg file").first).to_be_visible()


def test_files_are_removed_when_the_page_is_closed(page: Page, photo: Path, studio: Studio) -> None:
    panel = open_tab(page, "Fractalize")
    upload(panel, photo)
    panel.get_by_role("button", name="Fractalize", exact=True).click()
    loaded_viewer(panel)
    assert any(p.name == "holiday.png" for p in studio.pictures())
    page.close()
    wait_until(lambda: not studio.pictures())
    assert studio.pictures() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_layout_fits_a_phone_in_both_colour_schemes(
    browser: Browser, studio: Studio, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True
    )
    page = context.new_page()
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Collage studio")).to_be_visible(timeout=TIMEOUT)
    page.wait_for_function("document.documentElement.scrollWidth <= 390", timeout=10_000)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    rgb = [int(n) for n in re.findall(r"\d+", background)[:3]]
    assert (sum(rgb) < 300) == (scheme == "dark")
    context.close()


def test_controls_are_reached_by_keyboard(page: Page) -> None:
    expect(page.locator("input[type=range]").first).to_be_visible()
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.innerText || document.activeElement.type || '').trim()"
            )
        )
    assert {"Compress", "range", "radio"} <= reached
