"""Speed and memory of our codecs, beside Pillow's JPEG and JPEG 2000 and plain iteration.

    python -m benchmarks.speed --image photo.png

Each comparison is measured in one process, its contestants taking turns, and given as medians.
How time and memory grow with the picture is measured in a fresh process per point. Writes
speed.json and speed.md.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.speed.growth import GrowthPoint, growth_point, growth_table, photo, timed
from neural_collage.codec.base import Layer
from neural_collage.core.affine import ScaledMap
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.peers import PEERS, PillowCodec
from neural_collage.evaluation.report import markdown_table
from neural_collage.runtime import available_cores

Seconds = Mapping[str, float]

RESULTS = Path(__file__).parents[1] / "results"
STEPS = 10
EFFORTS = {"fractal": (0, 5, 9), "neural": (5, 7)}
WINDOW, WINDOW_SCALE = 512, 64


@dataclass(frozen=True)
class Speed:
    """All results; times are medians in seconds, by contestant; growth is by codec."""

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
        typer.Option(help="A photo; without it, the astronaut that scikit-image ships."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    threads: Annotated[int, typer.Option(help="Of torch.")] = available_cores(),
    size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the compared picture.")
    ] = (768, 512),
    decode_rounds: Annotated[int, typer.Option(help="Rounds a median is of.")] = 11,
    encode_rounds: Annotated[int, typer.Option(help="Rounds a median is of.")] = 3,
    megapixels: Annotated[str, typer.Option(help="Sizes to grow through.")] = (
        "0.1,0.4,1,2,6,12,24"
    ),
    growth_effort: Annotated[int, typer.Option(help="Effort of the encodes that grow.")] = 5,
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
    output.mkdir(parents=True, exist_ok=True)
    (output / "speed.json").write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    (output / "speed.md").write_text(to_markdown(result), encoding="utf-8")
    typer.echo(to_markdown(result))


def medians(contestants: Mapping[str, Callable[[], object]], rounds: int) -> Seconds:
    """Median seconds of each; see `turns`."""
    return {name: median(values) for name, values in turns(contestants, rounds).items()}


def turns(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each; they take turns, so that a slow spell of the machine hits all.

    Each is run once before, for what is only done the first time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()
    for _ in range(rounds):
        for name, work in contestants.items():
            seconds[name].append(timed(work)[0])
    return seconds


def decoders(picture: Image.Image, data: bytes, neural: bytes) -> dict[str, Callable[[], object]]:
    """File to pixels; and the fixed point alone, by the exact pyramid and by plain iteration.

    Half-size chroma is decoded at scale 2, so that all planes have the size of the picture.
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


def peers_at(picture: Image.Image, file_bytes: int) -> list[tuple[PillowCodec, float]]:
    """Pillow's JPEG and JPEG 2000 with the qualities at which they make a file of about a size."""
    jpeg, jpeg2000 = PEERS["jpeg"], PEERS["jpeg2000"]
    large_enough = (q for q in range(1, 101) if len(jpeg.encode(picture, q)) >= file_bytes)
    return [
        (jpeg, next(large_enough, 100)),
        (jpeg2000, 8 * file_bytes / (picture.width * picture.height)),
    ]


def iterate(layer: Layer) -> torch.Tensor:
    """Fractal decoding before the pyramid: apply the map to the full-size image again and again."""
    z = blank(layer)
    for _ in range(STEPS):
        z = layer.collage.step(z, layer.reduction)
    return z


def iterate_one_map(layer: Layer) -> torch.Tensor:
    """`iterate`, with the gather indices computed once and not in each step."""
    z, full_size = blank(layer), ScaledMap.of(layer.collage, Fraction(layer.reduction))
    for _ in range(STEPS):
        z = full_size.step(z)
    return z


def blank(layer: Layer) -> torch.Tensor:
    """A black canvas of the size of the picture, (c, height, width)."""
    canvas, scale = layer.collage.partition, layer.reduction
    sides = (canvas.canvas_height * scale, canvas.canvas_width * scale)
    return torch.zeros(layer.collage.channels, *sides)


def window_decoders(
    picture: Image.Image, data: bytes, neural: bytes
) -> dict[str, Callable[[], object]]:
    """File to a window at the centre of the enlarged picture."""
    left, top = (WINDOW_SCALE * side // 2 for side in picture.size)
    region = (left, top, WINDOW, WINDOW)
    name = f"{WINDOW} x {WINDOW} at scale {WINDOW_SCALE}"
    return {
        title: partial(nc.decompress, file, scale=WINDOW_SCALE, region=region)
        for title, file in ((name, data), (f"neural, {name}", neural))
    }


def encoders(picture: Image.Image, file_bytes: int) -> dict[str, Callable[[], object]]:
    """Pixels to file."""
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

Median times for a photo of {width} x {height} RGB pixels, of which the fractal codec at its
default quality makes {result.file_bytes:,} bytes, and the peers about as many; the neural codec at
its own makes {result.neural_bytes:,}.
Machine: {result.environment}.

## Decode

{seconds_table(result.decode)}

{seconds_table(result.window)}

## Encode

{seconds_table(result.encode)}

## Growth

Encode at effort {result.growth_effort} and decode, each in a process of its own. Of its peak, the
interpreter and the libraries take {idle_peak:,.0f} MB.

{growth}
"""


def seconds_table(seconds: Seconds) -> str:
    """Milliseconds, and the ratio to the first row."""
    first = next(iter(seconds.values()))
    rows = [[name, f"{1e3 * s:,.1f}", f"{s / first:.2f}"] for name, s in seconds.items()]
    return markdown_table(["", "ms", "of the first"], rows)


if __name__ == "__main__":
    typer.run(main)
