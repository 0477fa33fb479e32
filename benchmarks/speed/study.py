"""Speed and memory of our codecs, beside Pillow's JPEG and JPEG 2000 and plain iteration.

    python -m benchmarks.speed --image photo.png

The methods of each comparison are timed alternately in one process; times are medians. Time and
memory by picture size are measured in a fresh process per point. Writes speed.json and speed.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.speed.growth import GrowthPoint, growth_point, growth_table
from benchmarks.support.options import CORES, OutputFolder, Threads
from benchmarks.support.peers import peers_at
from benchmarks.support.photos import photo
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.timing import Seconds, medians
from neural_collage.codec.base import Layer
from neural_collage.core.affine import ScaledMap
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.report import markdown_table

STEPS = 10
"""Steps of the plain iteration."""
EFFORTS = {"fractal": (0, 5, 9), "neural": (5, 7)}
WINDOW, WINDOW_SCALE = 512, 64


@dataclass(frozen=True)
class Speed:
    """All results: median seconds by method, and growth with picture size by codec."""

    command: str
    environment: Environment
    size: tuple[int, int]
    file_bytes: int
    neural_bytes: int
    decode: Seconds
    window: Seconds
    encode: Seconds
    growth_effort: int
    growth: Mapping[str, Sequence[GrowthPoint]]


def main(
    image: Annotated[
        Path | None,
        typer.Option(help="A photo; by default the astronaut of scikit-image."),
    ] = None,
    output: OutputFolder = RESULTS,
    threads: Threads = CORES,
    size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the photo in comparisons.")
    ] = (768, 512),
    decode_rounds: Annotated[int, typer.Option(help="Rounds of timing of decodes.")] = 11,
    encode_rounds: Annotated[int, typer.Option(help="Rounds of timing of encodes.")] = 3,
    megapixels: Annotated[
        str, typer.Option(help="Sizes for time and memory by picture size.")
    ] = "0.1,0.4,1,2,6,12,24",
    growth_effort: Annotated[int, typer.Option(help="Effort of the encodes at these sizes.")] = 5,
) -> None:
    """Measure speed and memory of our codecs; writes speed.json and speed.md."""
    torch.set_num_threads(threads)
    picture = photo(image, *size)
    data, neural = (nc.compress(picture, codec=codec) for codec in ("fractal", "neural"))
    result = Speed(
        command=f"python -m benchmarks.speed{f' --image {image.name}' if image else ''}",
        environment=Environment.current(),
        size=size,
        file_bytes=len(data),
        neural_bytes=len(neural),
        decode=medians(decoders(picture, data, neural), decode_rounds),
        window=medians(window_decoders(picture, data, neural), decode_rounds),
        encode=medians(encoders(picture, len(data)), encode_rounds),
        growth_effort=growth_effort,
        growth={
            codec: [
                growth_point(image, float(count), codec, growth_effort, threads)
                for count in megapixels.split(",")
            ]
            for codec in EFFORTS
        },
    )
    write_results(output, "speed", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def decoders(picture: Image.Image, data: bytes, neural: bytes) -> dict[str, Callable[[], object]]:
    """Decodes from file to pixels, and solutions of the fixed point alone.

    The latter by the exact pyramid and by plain iteration; half-size chroma is decoded at scale 2,
    so that all planes have the size of the picture.
    """
    layers = nc.CollageImage.from_bytes(data).layers
    return {
        "fractal, file to pixels": partial(nc.decompress, data),
        "fractal, pyramid only": lambda: [
            layer.collage.decode(layer.reduction) for layer in layers
        ],
        f"{STEPS} full-size steps": lambda: [iterate(layer) for layer in layers],
        f"{STEPS} full-size steps, indices kept": lambda: [
            iterate_one_map(layer) for layer in layers
        ],
        "neural, file to pixels": partial(nc.decompress, neural),
        **{
            f"{peer.name}, file to pixels": partial(peer.decode, peer.encode(picture, quality))
            for peer, quality in peers_at(picture, len(data))
        },
    }


def iterate(layer: Layer) -> torch.Tensor:
    """Fractal decoding by plain iteration: `STEPS` steps of the map at full size."""
    z = black(layer)
    for _ in range(STEPS):
        z = layer.collage.step(z, layer.reduction)
    return z


def iterate_one_map(layer: Layer) -> torch.Tensor:
    """`iterate` with the gather indices computed once instead of in each step."""
    z, full_size = black(layer), ScaledMap.of(layer.collage, Fraction(layer.reduction))
    for _ in range(STEPS):
        z = full_size.step(z)
    return z


def black(layer: Layer) -> torch.Tensor:
    """A black image of the size of the picture's canvas, (c, height, width)."""
    canvas, scale = layer.collage.partition, layer.reduction
    sides = (canvas.canvas_height * scale, canvas.canvas_width * scale)
    return torch.zeros(layer.collage.channels, *sides)


def window_decoders(
    picture: Image.Image, data: bytes, neural: bytes
) -> dict[str, Callable[[], object]]:
    """Decodes from file to a region at the centre of the enlarged picture."""
    left, top = (WINDOW_SCALE * side // 2 for side in picture.size)
    region = (left, top, WINDOW, WINDOW)
    name = f"{WINDOW} x {WINDOW} at scale {WINDOW_SCALE}"
    return {
        title: partial(nc.decompress, file, scale=WINDOW_SCALE, region=region)
        for title, file in ((name, data), (f"neural, {name}", neural))
    }


def encoders(picture: Image.Image, file_bytes: int) -> dict[str, Callable[[], object]]:
    """Encodes from pixels to file."""
    return {
        **{
            f"{codec}, effort {effort}": partial(nc.compress, picture, codec=codec, effort=effort)
            for codec, efforts in EFFORTS.items()
            for effort in efforts
        },
        **{
            peer.name: partial(peer.encode, picture, quality)
            for peer, quality in peers_at(picture, file_bytes)
        },
    }


def to_markdown(result: Speed) -> str:
    """All results as tables."""
    width, height = result.size
    growth = "\n\n".join(
        f"### {codec}\n\n{growth_table(points)}" for codec, points in result.growth.items()
    )
    idle_peak = result.growth["fractal"][0].decode.idle_peak
    return f"""# Speed and memory

    {result.command}

Median times for a photo of {width} x {height} RGB pixels. The file of the fractal codec at its
default quality has {result.file_bytes:,} bytes, those of JPEG and JPEG 2000 about as many; that of
the neural codec at its default quality has {result.neural_bytes:,}.
Machine: {result.environment}.

## Decode

{seconds_table(result.decode)}

{seconds_table(result.window)}

## Encode

{seconds_table(result.encode)}

## Time and memory by picture size

Encode at effort {result.growth_effort} and decode, each in a process of its own. The peaks include
{idle_peak:,.0f} MB of the interpreter and the libraries.

{growth}
"""


def seconds_table(seconds: Seconds) -> str:
    """Milliseconds, and the ratio to the first row."""
    first = next(iter(seconds.values()))
    rows = [[name, f"{1e3 * s:,.1f}", f"{s / first:.2f}"] for name, s in seconds.items()]
    return markdown_table(["", "ms", "relative to the first"], rows)
