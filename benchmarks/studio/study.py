"""The studio under use: waiting times, memory, and many visitors at once.

    python -m benchmarks.studio [--visitors 20] [-o benchmarks/results]

Starts `collage studio`, asks by plain HTTP for what its page asks for, and opens the page itself in
Chromium where Playwright, Chromium and the page are there. Pictures are photos of
scikit-image, extended by mirroring to 2 and 24 megapixels with a little noise. Writes studio.json
and studio.md; a bar that is missed is marked, and does not fail.
"""

import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks.studio.pages import page_times
from benchmarks.studio.server import Studio, running_studio
from benchmarks.studio.visits import Visit
from benchmarks.support.options import OutputFolder
from benchmarks.support.photos import photo
from benchmarks.support.results import RESULTS, write_results
from neural_collage.evaluation.environment import Environment

_MEGABYTE = 1 << 20
_IDLE = 75.0  # seconds after which the session of a visitor who left has ended


@dataclass(frozen=True)
class Row:
    """One figure and its bar; `unit` is "s", "MB" or "errors"."""

    what: str
    value: float
    bar: float
    unit: str = "s"

    @property
    def met(self) -> bool:
        return self.value <= self.bar


def jpeg(width: int, height: int) -> bytes:
    """A photo of a size with a little noise, as a camera writes it."""
    pixels = np.asarray(photo(None, width, height)).astype(np.int16)
    noise = np.random.default_rng(0).integers(-4, 5, (height, width, 1), dtype=np.int16)
    file = io.BytesIO()
    noisy = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    noisy.save(file, "JPEG", quality=92)
    return file.getvalue()


@contextmanager
def stopwatch(rows: list[Row], what: str, bar: float) -> Iterator[None]:
    """Add the seconds of the context as a row."""
    started = time.perf_counter()
    yield
    rows.append(Row(what, time.perf_counter() - started, bar))
    print(f"{rows[-1].what}: {rows[-1].value:.2f} s", flush=True)


def small_pictures(studio: Studio) -> list[Row]:
    """An example, the slider, and a photo of 2 megapixels."""
    rows: list[Row] = []
    with Visit(studio.address) as visit:
        with stopwatch(rows, "example: click to first result", 1.0):
            picture = visit.ask("POST", "/api/examples/cat").json()["id"]
            visit.look(visit.make("encode", picture, format="clg", quality=30))
        picture = visit.open(jpeg(1728, 1152))
        visit.make("encode", picture, quality=20, region=[0, 0, 256, 256])
        with stopwatch(rows, "slider to preview of a window, 512x384", 0.4):
            window = visit.make("encode", picture, quality=50, region=[600, 300, 512, 384])
            visit.look(window, "form=png")
        with stopwatch(rows, "2 megapixels: whole result", 2.0):
            visit.look(visit.make("encode", picture, quality=50))
    return rows


def large_picture(studio: Studio) -> list[Row]:
    """A photo of 24 megapixels, and the memory that it takes until its page is closed."""
    rows: list[Row] = []
    data = jpeg(6000, 4000)
    before = studio.memory()
    with studio.peak() as seen, Visit(studio.address) as visit:
        with stopwatch(rows, "24 megapixels: open and show", 2.0):
            picture = visit.open(data)
            visit.ask("GET", f"/api/pictures/{picture}/image?max=1600")
        with stopwatch(rows, "24 megapixels: preview of a window", 2.0):
            window = visit.make("encode", picture, region=[3000, 2000, 512, 384])
            visit.look(window, "form=png")
        with stopwatch(rows, "24 megapixels: compressed, decoded and measured", 9.0):
            job = visit.start("encode", picture)
            with stopwatch(rows, "24 megapixels: compressed and shown", 6.0):
                visit.look(visit.result(job, first=True))
            visit.result(job)
        with stopwatch(rows, "24 megapixels: zoom shows its first tiles", 3.0):
            scene = visit.make("scene", picture, of="copies")
            level = scene["pyramid"]["base_level"] - 2
            visit.ask("GET", f"/tiles/{scene['scene']}/{level}/0_0.jpg")
    rows.append(Row("memory of all processes at 24 megapixels", seen[-1] / _MEGABYTE, 1536, "MB"))
    time.sleep(_IDLE)
    left = (studio.memory() - before) / _MEGABYTE
    rows.append(Row("memory left a minute after the page was closed", left, 150, "MB"))
    return rows


def neighbours(studio: Studio) -> list[Row]:
    """A small photo beside 24 megapixels and a network of other visitors."""
    rows: list[Row] = []
    with (
        Visit(studio.address) as first,
        Visit(studio.address) as second,
        Visit(studio.address) as third,
    ):
        large, small = first.open(jpeg(6000, 4000)), third.open(jpeg(768, 512))
        jobs = [(first, first.start("encode", large))]
        jobs.append((second, second.start("draw", None, count=100, scale=20)))
        time.sleep(0.5)
        with stopwatch(rows, "768x512 beside 24 megapixels and a network", 3.0):
            third.look(third.make("encode", small))
        for visit, job in jobs:
            visit.ask("DELETE", f"/api/jobs/{job}")
    return rows


def crowd(studio: Studio, visitors: int) -> list[Row]:
    """10 uploads and 100 tiles by each of many visitors."""
    data = jpeg(320, 240)
    failed: list[str] = []

    def visit_once(number: int) -> None:
        try:
            with Visit(studio.address) as visit:
                for turn in range(10):
                    picture = visit.open(data, f"{number}-{turn}.jpg")
                scene = visit.make("scene", picture, of="copies")
                base = scene["pyramid"]["base_level"]
                for turn in range(100):
                    level = base + turn % 12
                    last = max(1, (240 << (level - base)) // 256)
                    place = f"{(turn * 7919 + number) % last}_{(turn * 104729 + number) % last}"
                    visit.ask("GET", f"/tiles/{scene['scene']}/{level}/{place}.jpg")
        except Exception as error:
            failed.append(f"{type(error).__name__}: {error}")

    memory = []
    for _ in range(2):  # the first round fills caches that are bounded
        with ThreadPoolExecutor(visitors) as pool:
            list(pool.map(visit_once, range(visitors)))
        memory.append(studio.memory())
    growth = (memory[1] - memory[0]) / _MEGABYTE
    print(f"{len(failed)} errors, {growth:.0f} MB more", *failed[:3], flush=True)
    return [
        Row(f"errors of {visitors} visitors, 10 uploads and 100 tiles each", len(failed), 0, ""),
        Row("growth of memory from one such crowd to the next", growth, 100, "MB"),
    ]


def to_markdown(rows: list[Row], environment: Environment) -> str:
    """The figures as a table."""
    lines = [
        "# The studio",
        "",
        "    python -m benchmarks.studio",
        "",
        f"Machine: {environment}.",
        "",
        "| | measured | bar | |",
        "|---|--:|--:|---|",
    ]
    for row in rows:
        digits = 2 if row.unit == "s" else 0
        value, bar = (f"{number:.{digits}f} {row.unit}" for number in (row.value, row.bar))
        lines.append(f"| {row.what} | {value} | {bar} | {'' if row.met else 'missed'} |")
    return "\n".join([*lines, ""])


def main(
    visitors: Annotated[int, typer.Option(help="Visitors of the crowd.")] = 20,
    output: OutputFolder = RESULTS,
) -> None:
    """Measure the studio; writes studio.json and studio.md."""
    rows: list[Row] = []
    parts: list[Callable[[Studio], list[Row]]] = [
        small_pictures,
        lambda studio: [Row(what, value, bar) for what, value, bar in page_times(studio, jpeg)],
        large_picture,
        neighbours,
        lambda studio: crowd(studio, visitors),
    ]
    with running_studio() as studio:
        for part in parts:
            rows += part(studio)
    environment = Environment.current()
    numbers = {"environment": asdict(environment), "rows": [asdict(row) for row in rows]}
    write_results(output, "studio", numbers, to_markdown(rows, environment))
