"""The pages of `collage view` in Chromium: how large they are, and when all pixels are seen.

    python -m benchmarks.viewer

A photo of 768 x 512 pixels at several qualities. Times are from going to the page until it says
that it has decoded all; those of a page with the same pixels as a PNG, in the same browser, stand
beside them. Writes viewer.json and viewer.md; needs Playwright and Chromium.
"""

import base64
import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.support.browser import find_browser, opened
from benchmarks.support.options import OutputFolder, PhotoFolder
from benchmarks.support.photos import photo
from benchmarks.support.results import RESULTS, write_results
from neural_collage.codec.api import encode
from neural_collage.codec.image import CollageImage
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.tables import markdown_table
from neural_collage.viewer.page import content_of, make_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZE = (768, 512)
_DONE = "html[data-state=done]"
_PNG = """<!doctype html><html><img src="data:image/png;base64,{}"><script>
document.images[0].decode().then(() => {{ document.documentElement.dataset.state = "done"; }});
</script></html>"""


@dataclass(frozen=True)
class Row:
    """A page: its bytes, those of the file and of the weights in it, and seconds until it is seen.

    png_seconds: of a page with the same pixels as a PNG.
    """

    quality: int
    page_bytes: int
    file_bytes: int
    weight_bytes: int
    seconds: float
    png_seconds: float


def main(
    images: PhotoFolder = None,
    output: OutputFolder = RESULTS,
    qualities: Annotated[str, typer.Option(help="Separated by commas.")] = "25,50,75,95",
    rounds: Annotated[int, typer.Option(help="Visits of each page.", min=1)] = 5,
) -> None:
    """Measure the pages; writes viewer.json and viewer.md."""
    browser = find_browser()
    if browser is None:
        raise CollageError("Playwright and Chromium are needed: pip install neural-collage[dev]")
    original = photo(images, *SIZE)
    try:
        files = {int(word): encode(original, quality=int(word)) for word in qualities.split(",")}
    except ValueError as error:
        raise CollageError(f"give qualities, separated by commas: {error}") from error
    with tempfile.TemporaryDirectory() as folder, opened(browser, "about:blank") as page:
        rows = [row(page, Path(folder), image, quality, rounds) for quality, image in files.items()]
    environment = Environment.current()
    numbers = {"environment": asdict(environment), "rows": [asdict(row) for row in rows]}
    write_results(output, "viewer", numbers, to_markdown(rows, environment))
    typer.echo(to_markdown(rows, environment))


def row(page: "Page", folder: Path, image: CollageImage, quality: int, rounds: int) -> Row:
    """The page of an image, and that of its pixels as a PNG, visited in turns."""
    data = image.to_bytes()
    made = make_page(image, data, "photo.clg")
    weights = content_of(image, data).weights
    pixels = io.BytesIO()
    image.to_pil().save(pixels, "PNG")
    plain = _PNG.format(base64.b64encode(pixels.getvalue()).decode()).encode()
    seconds: dict[str, list[float]] = {"page": [], "png": []}
    for _ in range(rounds):
        for name, content in (("page", made), ("png", plain)):
            file = folder / f"{name}.html"
            file.write_bytes(content)
            page.goto("about:blank")
            started = time.perf_counter()
            page.goto(file.as_uri())
            page.wait_for_selector(_DONE, state="attached")
            seconds[name].append(time.perf_counter() - started)
    held = 0 if weights is None else len(weights.data)
    return Row(quality, len(made), len(data), held, median(seconds["page"]), median(seconds["png"]))


def to_markdown(rows: Sequence[Row], environment: Environment) -> str:
    """The table."""
    cells = [
        (str(r.quality), f"{r.file_bytes:,}", f"{r.weight_bytes:,}", f"{r.page_bytes:,}",
         f"{r.page_bytes / (r.file_bytes + r.weight_bytes):.2f}", f"{r.seconds:.2f}",
         f"{r.png_seconds:.2f}")
        for r in rows
    ]  # fmt: skip
    head = ("quality", "file", "weights", "page", "ratio", "seconds", "PNG, seconds")
    return "\n".join(
        (
            "# Pages of `collage view`\n",
            "    python -m benchmarks.viewer\n",
            fill(
                f"A photo of {SIZE[0]} x {SIZE[1]} pixels in Chromium; sizes in bytes. The ratio "
                "is that of the page to the file and the packed weights together. Seconds are "
                "medians from going to the page until all pixels are decoded; those of a page of "
                f"the same pixels as a PNG beside them. {environment}.",
                100,
            ),
            "",
            markdown_table(head, cells),
            "",
        )
    )
