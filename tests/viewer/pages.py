"""Helpers of the tests of pages: what the worker of a page sends, in node."""

import base64
import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from neural_collage.codec.image import CollageImage
from neural_collage.viewer.page import make_page

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="NO NODE: install Node.js to test the decoder")
SCRIPT = Path(__file__).with_name("run_page.js")
Levels = npt.NDArray[np.uint8]


def page_of(path: Path) -> bytes:
    """The page of a .clg file."""
    return _page(path.read_bytes(), path.name)


@cache
def _page(data: bytes, name: str) -> bytes:
    return make_page(CollageImage.from_bytes(data), data, name)


def levels_of(image: CollageImage, scale: float = 1) -> Levels:
    """The pixels (h, w, 4) that Python makes of a file, without detail."""
    return np.asarray(image.to_pil(scale, detail="none").convert("RGBA"))


def run_page(page: Path, *options: str) -> list[dict[str, Any]]:
    """What `run_page.js` prints for a page."""
    assert NODE is not None
    done = subprocess.run([NODE, SCRIPT, page, *options], capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(messages: Sequence[dict[str, Any]]) -> Levels:
    """The pixels (h, w, 4) that a page shows after these messages."""
    (size,) = [message["size"] for message in messages if "size" in message]
    pixels = np.zeros((size["height"], size["width"], 4), np.uint8)
    for lines in (message["lines"] for message in messages if "lines" in message):
        pixels[lines["top"] : lines["bottom"]] = pixels_of(lines["bytes"], size["width"])
    return pixels


def pixels_of(text: str, width: int) -> Levels:
    """Pixels (h, w, 4) of bytes in base64."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, width, 4)


def picture_of(text: str) -> Image.Image:
    """A picture file in base64."""
    return Image.open(io.BytesIO(base64.b64decode(text)))
