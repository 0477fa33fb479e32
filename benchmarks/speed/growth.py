"""Time and memory of encode and decode by picture size, each measured in a fresh process."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar

from PIL import Image

import neural_collage as nc
from benchmarks.speed.calls import Cost, corner, decode_cost, encode_cost
from benchmarks.speed.report import Row, Table, plural
from benchmarks.speed.samples import Samples, Settings
from benchmarks.support.processes import in_fresh_process

P = ParamSpec("P")
T = TypeVar("T")

COLOUR = (70, 130, 180)


def growth_tables(settings: Settings, samples: Samples) -> list[Table]:
    """Photos side by side by the neural and the fractal codec, and one colour by auto."""
    sizes = settings.megapixels
    runs: list[tuple[str, str, Sequence[float], Callable[[int, int], Image.Image]]] = [
        ("Neural", "neural", [*sizes, *settings.large_megapixels], samples.large_picture),
        ("Fractal", "fractal", sizes, samples.large_picture),
        ("Auto, one colour", "auto", settings.plain_megapixels, plain),
    ]
    tables = [
        Table(
            title,
            {
                f"{size:g} megapixels": _costs(picture(*side_lengths(size)), codec, settings)
                for size in megapixels
            },
        )
        for title, codec, megapixels, picture in runs
        if megapixels
    ]
    note = f"""\
Encode at effort {settings.growth_effort} and decode, each a call in a fresh process with
{plural(max(settings.threads), "thread")}. Idle is the peak before the call: the interpreter,
libraries, weights and the input. No process may have more than {settings.memory_limit:,} MiB of
its own."""
    return [replace(table, note=note) for table in tables[:1]] + tables[1:]


def plain(width: int, height: int) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", (width, height), COLOUR)


def side_lengths(megapixels: float) -> tuple[int, int]:
    """Width and height of a 3:2 picture."""
    width = round(sqrt(1.5e6 * megapixels))
    return width, round(width / 1.5)


def _costs(picture: Image.Image, codec: str, settings: Settings) -> Row:
    """Encode and decode of one picture; what needs too much memory has its error instead."""
    effort, limits = settings.growth_effort, (max(settings.threads), settings.memory_limit)
    with TemporaryDirectory() as folder:
        source, file, corner_file = (
            Path(folder, name) for name in ("picture.ppm", "picture.clg", "corner.clg")
        )
        picture.save(source)
        corner_file.write_bytes(nc.compress(corner(picture), codec=codec, effort=effort))
        encoded = _or_error(encode_cost, source, codec, effort, *limits)
        if isinstance(encoded, str):
            return {"file kB": "–", **_columns("encode", encoded), **_columns("decode", "–")}
        encode, data = encoded
        file.write_bytes(data)
        decode = _or_error(decode_cost, file, corner_file, *limits)
    return {
        "file kB": len(data) / 1e3,
        **_columns("encode", encode),
        **_columns("decode", decode),
    }


def _or_error(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | str:
    """What a function returns in a fresh process, or the error that a lack of memory causes."""
    try:
        return in_fresh_process(work, *args, **kwargs)
    except (MemoryError, RuntimeError) as error:  # of numpy; of torch, and of a killed process
        return " ".join(f"{type(error).__name__}: {error}".split())


def _columns(name: str, cost: Cost | str) -> Row:
    if isinstance(cost, str):
        return {f"{name} s": cost, f"{name} idle MiB": "–", f"{name} peak MiB": "–"}
    return {
        f"{name} s": cost.seconds,
        f"{name} idle MiB": cost.idle_peak,
        f"{name} peak MiB": cost.peak,
    }
