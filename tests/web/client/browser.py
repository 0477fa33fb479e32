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
from playwright.sync_api import Locator, Page, expect

from neural_collage import web

COLLAGE = [sys.executable, "-c", "from neural_collage.cli.main import run; run()"]
WEB = Path(web.__file__).parent
AXE = WEB / "node_modules/axe-core/axe.min.js"
TIMEOUT = 60_000
"""Milliseconds that a page may take."""
VIEWS = ["Compress", "Zoom", "Fractalize", "Stylize", "Restore", "Morph", "Draw"]


class Studio:
    """A running studio. folder: of its temporary files."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address, self.folder = f"http://127.0.0.1:{self.port}/", folder
        self.start()

    def start(self) -> None:
        """Start it at its address; raises AssertionError if it does not answer."""
        self._log = (self.folder / "log.txt").open("ab")
        self._process = subprocess.Popen(
            [*COLLAGE, "studio", "--port", str(self.port)],
            env={**os.environ, "TMPDIR": str(self.folder)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        if not wait_until(self._answers):
            raise AssertionError((self.folder / "log.txt").read_text())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.address, timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> str:
        """Terminate it; returns its output."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
        return (self.folder / "log.txt").read_text()


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true within `TIMEOUT`."""
    end = time.monotonic() + TIMEOUT / 1000
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return met


def open_picture(page: Page, file: Path) -> None:
    """Choose the picture of the workspace."""
    page.locator("header input[type=file]").set_input_files(file)
    expect(page.locator(".chip strong")).to_have_text(file.name, timeout=TIMEOUT)


def visit(page: Page, view: str) -> Locator:
    """Open a view from its tab; returns what it shows."""
    tab = page.get_by_role("tab", name=view, exact=True)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    return page.locator("main")


def wait_compared(page: Page) -> None:
    """Wait until both sides of the compare view show what their settings say."""
    expect(page.locator(".side[data-stale]")).to_have_count(0, timeout=TIMEOUT)
    expect(page.locator("compare-view:visible")).to_have_attribute(
        "data-ready", "true", timeout=TIMEOUT
    )


def wait_zoomed(page: Page) -> Locator:
    """The viewer of a scene, with all tiles of its view loaded."""
    viewer = page.locator("zoom-view:visible")
    expect(viewer).to_have_attribute("data-loaded", "true", timeout=TIMEOUT)
    expect(page.locator(".stage[data-stale]")).to_have_count(0, timeout=TIMEOUT)
    return viewer


def factor(viewer: Locator) -> float:
    """Screen pixels per pixel of the scene, at the end of the animation."""
    last = -1.0
    while (now := float(viewer.get_attribute("data-factor") or 0)) != last:
        last = now
        viewer.page.wait_for_timeout(250)
    return now


def pinch(page: Page, centre: tuple[float, float], first: float, last: float) -> None:
    """Move two fingers beside a point from one distance between them to another, as touches."""
    (x, y), steps = centre, 10
    touches = page.context.new_cdp_session(page)

    def send(kind: str, distance: float | None) -> None:
        points = [] if distance is None else [(0, -distance / 2), (1, distance / 2)]
        fingers = [{"x": x + beside, "y": y, "id": number} for number, beside in points]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    send("touchStart", first)
    for step in range(1, steps + 1):
        send("touchMove", first + (last - first) * step / steps)
        page.wait_for_timeout(30)
    for step in range(1, 5):  # at rest: fingers that are lifted in motion push the picture
        send("touchMove", last + step % 2)
        page.wait_for_timeout(80)
    send("touchEnd", None)


def saved(page: Page, link: Locator, folder: Path) -> Path:
    """The file that a link or a button saves, with the name that the browser gives it."""
    with page.expect_download(timeout=TIMEOUT) as download:
        link.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def pixels_of(path: Path) -> npt.NDArray[np.uint8]:
    """The RGB pixels of a file."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def screenshot(locator: Locator) -> npt.NDArray[np.uint8]:
    """What is seen of an element, as RGB."""
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"))


def query(page: Page) -> dict[str, str]:
    """The settings in the address."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? ''))"
    )
    return found


def kilobytes(text: str) -> float:
    """The size that a text gives last, in kB."""
    number, unit = re.findall(r"([\d.,]+) (bytes|kB|MB)", text)[-1]
    return float(number.replace(",", "")) * {"bytes": 1e-3, "kB": 1, "MB": 1000}[unit]
