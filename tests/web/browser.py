"""Helpers of the browser tests: a studio in a process of its own, and actions on its pages."""

import io
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Frame, Locator, Page, expect

COLLAGE = [sys.executable, "-c", "from neural_collage.cli.main import run; run()"]
TIMEOUT = 60_000
"""Milliseconds that a page may take."""
TILES_LOADED = """() => {
    const scene = window.viewer?.world.getItemAt(0);
    return scene?.getFullyLoaded() ?? false;
}"""
"""Whether the viewer has loaded all tiles of the current view (OpenSeadragon)."""


class Studio:
    """A running studio. folder: of its temporary files."""

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
        if not wait_until(self._answers):
            raise AssertionError((folder / "log.txt").read_text())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.address, timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> str:
        """Terminate it; returns its output."""
        self._process.terminate()
        self._process.wait(20)
        self._log.close()
        return (self.folder / "log.txt").read_text()

    def pictures(self) -> list[Path]:
        """Files of visitors."""
        return [p for p in self.folder.rglob("*") if p.suffix in {".png", ".jpg", ".clg", ".mp4"}]


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true within `TIMEOUT`."""
    end = time.monotonic() + TIMEOUT / 1000
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return met


def open_tab(page: Page, name: str) -> Locator:
    """Select a page of the studio; returns its panel."""
    page.get_by_role("tab", name=name, exact=True).click()
    return page.locator("[role=tabpanel]:visible")


def upload(panel: Locator, *files: Path) -> None:
    """Upload files to the empty upload components, in their order."""
    empty = panel.locator("button", has_text="Click to Upload")
    for file in files:
        count = empty.count()
        empty.first.locator("input[type=file]").set_input_files(file)
        expect(empty).to_have_count(count - 1, timeout=TIMEOUT)
        wait_for_images(panel.page)


def upload_to_editor(panel: Locator, file: Path) -> None:
    """Upload a picture to an image editor, which fails while its canvas does not exist yet."""
    expect(panel.get_by_role("button", name="Upload")).to_be_visible(timeout=TIMEOUT)
    expect(panel.locator("canvas").first).to_be_visible(timeout=TIMEOUT)
    panel.locator("input[type=file]").first.set_input_files(file)
    expect(panel.get_by_role("button", name="Brush Size")).to_be_visible(timeout=TIMEOUT)  # loaded


def wait_for_images(page: Page) -> None:
    """Wait until all images of the page are loaded."""
    page.wait_for_function(
        "[...document.images].every(image => image.complete && image.naturalWidth)"
    )


def image_at(panel: Locator, selector: str) -> npt.NDArray[np.uint8]:
    """The RGB pixels of an image on the page, as served."""
    image = panel.locator(selector).first
    expect(image).to_be_visible(timeout=TIMEOUT)
    data = panel.page.request.get(str(image.evaluate("image => image.src"))).body()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def record_tiles(page: Page) -> list[tuple[int, int]]:
    """A list to which the level and the HTTP status of every requested tile are added."""
    tiles: list[tuple[int, int]] = []

    def record(url: str, status: int) -> None:
        if match := re.search(r"/tiles/[^/]+/(\d+)/", url):
            tiles.append((int(match[1]), status))

    page.on("response", lambda response: record(response.url, response.status))
    return tiles


def loaded_viewer(panel: Locator) -> Frame:
    """The frame of the viewer, with all tiles of its view loaded."""
    iframe = panel.locator("iframe")
    expect(iframe).to_be_visible(timeout=TIMEOUT)
    frame = iframe.element_handle().content_frame()
    assert frame is not None
    frame.wait_for_function(TILES_LOADED, timeout=TIMEOUT)
    return frame


def magnification(frame: Frame) -> float:
    """The magnification that the viewer displays."""
    return float(frame.locator("#magnification").inner_text().removesuffix("x"))
