"""Pages in Chromium; skipped without it."""

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="the browser needs the extra: dev")

from playwright.sync_api import Browser, Page, expect, sync_playwright

import neural_collage as nc
from tests.conformance.decode import FOLDER
from tests.viewer.pages import Levels, levels_of, page_of

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="NO BROWSER: install chromium to test pages"),
    pytest.mark.xdist_group("browser"),
]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TIMEOUT = 60_000
PIXELS = """() => {
    const pixels = document.createElement("canvas");
    [pixels.width, pixels.height] = [picture.width, picture.height];
    const context = pixels.getContext("2d");
    for (const tile of picture.tiles) context.drawImage(tile.canvas, tile.left, tile.top);
    const { data } = context.getImageData(0, 0, picture.width, picture.height);
    return btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a telephone that is not connected; it asks for nothing and has no errors."""
    context = browser.new_context(
        viewport={"width": 390, "height": 700}, has_touch=True, color_scheme="dark", offline=True
    )
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    own = ("file:", "blob:")
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith(own) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.set_default_timeout(TIMEOUT)
    yield page
    context.close()
    assert asked == []
    assert errors == []


def open_page(page: Page, data: bytes, folder: Path, state: str = "done") -> None:
    path = folder / "page.html"
    path.write_bytes(data)
    page.goto(path.as_uri())
    page.wait_for_selector(f"html[data-state={state}]", state="attached")


def pixels_of(page: Page) -> Levels:
    size = page.evaluate("[picture.height, picture.width, 4]")
    return np.frombuffer(base64.b64decode(page.evaluate(PIXELS)), np.uint8).reshape(size)


SHOWN = (
    *("neural-segments", "neural-adaptive", "neural-precise", "neural-precise-tiles"),
    *("graphics-neural", "graphics-text", "fractal-high"),
)


@pytest.mark.parametrize("name", SHOWN)
def test_the_pixels_are_those_of_the_package(name: str, page: Page, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.clg"
    open_page(page, page_of(path), tmp_path)
    shown, expected = pixels_of(page), levels_of(nc.load(path))
    np.testing.assert_array_equal(shown[..., 3], expected[..., 3], strict=True)
    opaque = expected[..., 3] == 255  # a canvas multiplies colours by alpha; Node has all of them
    assert opaque.any()
    np.testing.assert_array_equal(shown[opaque], expected[opaque], strict=True)
    expect(page.locator("#progress")).to_be_empty()
    expect(page.locator("#error")).to_be_empty()


def test_keys_buttons_the_wheel_and_the_mouse_zoom_and_move(page: Page, tmp_path: Path) -> None:
    open_page(page, page_of(FOLDER / "neural-grey.clg"), tmp_path)
    view = page.get_by_role("img", name="neural-grey.clg, a picture of")
    expect(view).to_be_visible()
    magnification = page.get_by_label("Magnification")
    expect(magnification).to_have_text("1.0x")
    page.keyboard.press("+")
    expect(magnification).to_have_text("1.3x, interpolated")
    page.get_by_role("button", name="Zoom in").click()
    expect(magnification).to_have_text("1.6x, interpolated")
    page.keyboard.press("-")
    page.get_by_role("button", name="Zoom out").click()
    expect(magnification).to_have_text("1.0x")
    view.hover()
    page.mouse.wheel(0, -500)
    expect(magnification).to_have_text("3.1x, interpolated")
    before = page.evaluate("[x, y, scale]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expected = [before[0] + 64 / before[2], min(before[1] + 64 / before[2], 33), before[2]]
    assert page.evaluate("[x, y, scale]") == pytest.approx(expected, abs=0.1)
    page.mouse.down()
    page.mouse.move(150, 250)
    page.mouse.up()
    assert page.evaluate("[x, y, scale]") != pytest.approx(expected)
    page.keyboard.press("0")
    expect(magnification).to_have_text("1.0x")


def test_two_fingers_zoom(page: Page, tmp_path: Path) -> None:
    open_page(page, page_of(FOLDER / "graphics-icon.clg"), tmp_path)
    touch = page.context.new_cdp_session(page)
    for kind, gap in (("touchStart", 40), ("touchMove", 60), ("touchMove", 120), ("touchEnd", 0)):
        points = [{"x": 195 - gap, "y": 300, "id": 0}, {"x": 195 + gap, "y": 300, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if gap else []})
    assert page.evaluate("scale") == pytest.approx(3, rel=0.05)


def test_windows_above_the_original_size_come_from_the_samples(page: Page, tmp_path: Path) -> None:
    path = FOLDER / "neural-grey.clg"
    open_page(page, page_of(path), tmp_path)
    page.evaluate("zoom(2)")
    page.wait_for_timeout(100)
    for _ in range(100):
        if page.evaluate("picture.window?.octave") == 1:
            break
        page.wait_for_timeout(100)
    text, left, top = page.evaluate("""() => {
        const { canvas, left, top } = picture.window;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [btoa(String.fromCharCode(...data.subarray(0, 4 * canvas.width))), left, top];
    }""")
    line = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 4)
    first = slice(int(2 * left), int(2 * left) + len(line))
    np.testing.assert_array_equal(line, levels_of(nc.load(path), 2)[int(2 * top), first])


def test_the_picture_is_saved_as_png(page: Page, tmp_path: Path) -> None:
    for name in ("neural-alpha", "fractal-alpha"):
        path = FOLDER / f"{name}.clg"
        open_page(page, page_of(path), tmp_path)
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as PNG").click()
        assert download.value.suggested_filename == f"{name}.png"
        with Image.open(download.value.path()) as saved:
            expected = np.asarray(nc.load(path).to_pil())
            np.testing.assert_array_equal(np.asarray(saved), expected)


def test_a_page_that_is_damaged_says_so(page: Page, tmp_path: Path) -> None:
    text = page_of(FOLDER / "graphics-icon.clg").decode("utf-16")
    start = text.index(">", text.index('id="file"')) + 20
    other = chr(0x3000 + (ord(text[start]) - 0x3000 ^ 1))
    damaged = text[:start] + other + text[start + 1 :]
    open_page(page, damaged.encode("utf-16"), tmp_path, "failed")
    alert = page.get_by_role("alert")
    expect(alert).to_have_text(re.compile("cannot be shown: the file is damaged: its checksum"))


def test_a_page_works_in_the_dark_and_on_narrow_screens(page: Page, tmp_path: Path) -> None:
    open_page(page, page_of(FOLDER / "graphics-icon.clg"), tmp_path)
    colours = page.evaluate("""() => {
        const { color, backgroundColor } = getComputedStyle(document.body);
        return [color, backgroundColor].map((text) => text.match(/\\d+/g).slice(0, 3).map(Number));
    }""")
    assert min(colours[0]) - max(colours[1]) > 180
    boxes = [button.bounding_box() for button in page.get_by_role("button").all()]
    assert all(box and min(box["width"], box["height"]) >= 44 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
