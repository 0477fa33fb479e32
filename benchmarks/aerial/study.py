"""The paper's compressor on whole aerial scenes, beside its own estimate and beside other codecs.

    python -m benchmarks.aerial --images dota

Each scene is coded with `--codec poli2022` and measured as a file; the estimate of the published
script (Poli et al. 2022, arXiv 2204.07673) stands beside it. Every other codec is given the setting
whose file is as large, and the one that is as good in PSNR. The scene is decoded at 10x in windows.
Writes aerial.json, aerial.md and aerial.png.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor
from torch.nn import functional

import neural_collage as nc
from benchmarks.aerial.figure import figure
from benchmarks.speed.growth import timed
from benchmarks.speed.study import RESULTS
from neural_collage.codec.streams.poli2022 import NAME, make_encoder, tile_symbols
from neural_collage.errors import CollageError
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import ms_ssim, psnr
from neural_collage.evaluation.peers import BenchmarkCodec, benchmark_codecs
from neural_collage.evaluation.rate_distortion import Point
from neural_collage.evaluation.report import markdown_table
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil
from neural_collage.models.poli2022 import CHANNELS, estimated_bits
from neural_collage.runtime import available_cores

PEERS = ("neural", "fractal", "jpeg", "webp", "jpeg2000")
MODEL = "aerial"  # of the neural codec
WHOLE_NUMBERS = tuple(float(n) for n in range(1, 101))
RATES = tuple(n / 100 for n in range(1, 101))  # JPEG 2000 is steered by bits per pixel
LOSSLESS = {".png", ".tif", ".tiff", ".bmp"}
ENLARGEMENT, WINDOW = 10, 1000
TILES_PER_ESTIMATE = 90  # that the published script takes at a time


@dataclass(frozen=True)
class Estimate:
    """What the published script makes of the same parameters, without writing a file.

    bits_per_pixel: by its formula. bits_per_sample: a third of it, which it calls bpp.
    as_reported: with its running total divided by three after every 90 tiles.
    """

    bits_per_pixel: float
    bits_per_sample: float
    as_reported: float


@dataclass(frozen=True)
class Enlarged:
    """The whole scene at 10x.

    seconds: to decode it, in windows. largest_difference: between its averages over 10 x 10 pixels
    and the scene at 1x, before rounding to 8 bits.
    """

    width: int
    height: int
    seconds: float
    largest_difference: float


@dataclass(frozen=True)
class Scene:
    """One scene: the paper's compressor, and the other codecs at its rate and at its PSNR."""

    name: str
    width: int
    height: int
    file_bytes: int
    point: Point
    estimate: Estimate
    enlarged: Enlarged
    at_its_rate: Mapping[str, Point]
    at_its_psnr: Mapping[str, Point]


@dataclass(frozen=True)
class Aerial:
    """All results."""

    command: str
    environment: Environment
    weights: str
    scenes: Sequence[Scene]


def main(
    images: Annotated[Path, typer.Option(help="A folder of lossless aerial scenes.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    threads: Annotated[int, typer.Option(help="Of torch.")] = available_cores(),
    rounds: Annotated[int, typer.Option(help="Rounds that the paper's times are medians of.")] = 3,
    effort: Annotated[int, typer.Option(help="Of our other codecs.", min=0, max=9)] = 5,
) -> None:
    """Measure the paper's compressor; writes aerial.json, aerial.md and aerial.png."""
    torch.set_num_threads(threads)
    peers = benchmark_codecs(PEERS, effort=effort, model=MODEL)
    found, strips = [], []
    for path in scene_files(images):
        scene = to_pil(read_picture(path).pixels).convert("RGB")
        found.append(measure(path.name, scene, peers, rounds))
        strips.append((scene, {p.name: found[-1].at_its_rate[p.name].quality for p in peers}))
    result = Aerial(
        command=f"python -m benchmarks.aerial --images {images.resolve().name}",
        environment=Environment.current(),
        weights=f"{NAME} {make_encoder().model.digest.hex()}",
        scenes=found,
    )
    output.mkdir(parents=True, exist_ok=True)
    (output / "aerial.json").write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    (output / "aerial.md").write_text(to_markdown(result), encoding="utf-8")
    figure(strips, peers).save(output / "aerial.png", optimize=True)
    typer.echo(to_markdown(result))


def scene_files(folder: Path) -> list[Path]:
    """The lossless pictures of a folder; CollageError if it has none."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    scenes = [path for path in found if path.suffix.lower() in LOSSLESS]
    if not scenes:
        raise CollageError(
            f"{folder} holds no lossless pictures: put aerial scenes there, such as P0706.png and "
            "P1888.png of the DOTA data set (https://captain-whu.github.io/DOTA)"
        )
    return scenes


def measure(name: str, scene: Image.Image, peers: Sequence[BenchmarkCodec], rounds: int) -> Scene:
    """One scene through all codecs."""
    original = np.asarray(scene)
    encodes = [timed(partial(nc.compress, scene, codec=NAME)) for _ in range(rounds)]
    data = encodes[0][1]
    decodes = [timed(partial(nc.decompress, data)) for _ in range(rounds)]
    decoded = np.asarray(to_pil(decodes[0][1]))
    point = Point(
        quality=50,
        bpp=8 * len(data) / (scene.width * scene.height),
        psnr=psnr(original, decoded),
        ms_ssim=ms_ssim(original, decoded),
        encode_seconds=median(seconds for seconds, _ in encodes),
        decode_seconds=median(seconds for seconds, _ in decodes),
    )
    at_its_rate, at_its_psnr = {}, {}
    for peer in peers:
        at = lru_cache(maxsize=None)(partial(_point, scene, peer))
        settings = RATES if peer.name == "jpeg2000" else WHOLE_NUMBERS
        at_its_rate[peer.name] = largest_below(at, settings, point.bpp)
        at_its_psnr[peer.name] = smallest_above(at, settings, point.psnr)
    return Scene(
        name=name,
        width=scene.width,
        height=scene.height,
        file_bytes=len(data),
        point=point,
        estimate=estimate(scene),
        enlarged=enlarge(data),
        at_its_rate=at_its_rate,
        at_its_psnr=at_its_psnr,
    )


def largest_below(at: Callable[[float], Point], settings: Sequence[float], bpp: float) -> Point:
    """At the highest setting whose rate is not above `bpp`, else at the lowest."""
    below = bisect_right(settings, bpp, key=lambda setting: at(setting).bpp)
    return at(settings[max(below - 1, 0)])


def smallest_above(at: Callable[[float], Point], settings: Sequence[float], psnr: float) -> Point:
    """At the lowest setting whose PSNR is not below `psnr`, else at the highest."""
    below = bisect_left(settings, psnr, key=lambda setting: at(setting).psnr)
    return at(settings[min(below, len(settings) - 1)])


def _point(scene: Image.Image, codec: BenchmarkCodec, quality: float) -> Point:
    encode_seconds, data = timed(partial(codec.encode, scene, quality))
    decode_seconds, decoded = timed(partial(codec.decode, data))
    original = np.asarray(scene)
    return Point(
        quality=quality,
        bpp=8 * len(data) / (scene.width * scene.height),
        psnr=psnr(original, decoded),
        ms_ssim=ms_ssim(original, decoded),
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
    )


def estimate(scene: Image.Image) -> Estimate:
    """The published bit count of a scene's parameters, with which of its habits."""
    symbols = tile_symbols(make_encoder().compressor, read_picture(scene).pixels)
    pixels = scene.width * scene.height
    parts = [estimated_bits(tiles) / pixels for tiles in symbols.split(TILES_PER_ESTIMATE)]
    reported = 0.0
    for part in parts:
        reported = (reported + part / CHANNELS) / CHANNELS
    return Estimate(sum(parts), sum(parts) / CHANNELS, reported)


def enlarge(data: bytes) -> Enlarged:
    """Decode a file at 10x, window by window, and compare its averages with the 1x decode."""
    collage = nc.CollageImage.from_bytes(data)
    once = collage.decode()
    seconds, largest = 0.0, 0.0
    for x, y, width, height in windows(collage.width, collage.height, WINDOW // ENLARGEMENT):
        region = tuple(ENLARGEMENT * n for n in (x, y, width, height))
        spent, window = timed(partial(unclipped, collage, ENLARGEMENT, region))
        seconds += spent
        here = unclipped(collage, 1, (x, y, width, height))
        difference = functional.avg_pool2d(window[None], ENLARGEMENT)[0] - here
        largest = max(largest, float(difference.abs().max()))
    return Enlarged(ENLARGEMENT * once.shape[2], ENLARGEMENT * once.shape[1], seconds, largest)


def unclipped(collage: nc.CollageImage, scale: int, region: tuple[int, ...]) -> Tensor:
    """The colours of a region as they are before `CollageImage.decode` clips them to [0, 1]."""
    x, y, width, height = region
    return collage.layers[0].collage.decode(scale, (x, y, width, height))


def windows(width: int, height: int, side: int) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, width, height) of squares that tile a picture, smaller at its right and bottom."""
    for y in range(0, height, side):
        for x in range(0, width, side):
            yield x, y, min(side, width - x), min(side, height - y)


def to_markdown(result: Aerial) -> str:
    """All results as tables."""
    scenes = "\n\n".join(_scene_section(scene) for scene in result.scenes)
    return f"""# The paper's compressor on aerial scenes

    {result.command}

Tiles of 40 x 40, stitched; weights {result.weights}, trained on other pictures,
as are those of the neural codec, `{MODEL}`.
Bits per pixel are those of complete files. At the same rate, the others have the setting with the
largest file that is not larger; at the same PSNR, the one with the smallest file that is as good
(or the smallest of all, if that is better still). Times of `poli2022` are medians of several
rounds, those of the others of one.
Machine: {result.environment}.

{scenes}
"""


def _scene_section(scene: Scene) -> str:
    guess, large = scene.estimate, scene.enlarged
    estimates = markdown_table(
        ["", "bits per pixel"],
        [
            ["the file", f"{scene.point.bpp:.4f}"],
            ["estimate of the published formula", f"{guess.bits_per_pixel:.4f}"],
            ["the same per sample, three a pixel", f"{guess.bits_per_sample:.4f}"],
            ["as the published script would report it", f"{guess.as_reported:.4f}"],
        ],
    )
    return f"""## {scene.name}, {scene.width} x {scene.height}

{scene.file_bytes:,} bytes.

{estimates}

At its rate:

{_point_table({NAME: scene.point, **scene.at_its_rate})}

At its PSNR:

{_point_table({NAME: scene.point, **scene.at_its_psnr})}

At 10x: {large.width:,} x {large.height:,} pixels in {large.seconds:.1f} s; averaged back, they
differ from the 1x decode by at most {large.largest_difference:.1e}."""


def _point_table(points: Mapping[str, Point]) -> str:
    return markdown_table(
        ["", "setting", "bpp", "PSNR (dB)", "MS-SSIM", "encode (s)", "decode (s)"],
        [
            [
                name,
                "–" if name == NAME else f"{point.quality:g}",
                f"{point.bpp:.3f}",
                f"{point.psnr:.2f}",
                "–" if point.ms_ssim is None else f"{point.ms_ssim:.3f}",
                f"{point.encode_seconds:.3f}",
                f"{point.decode_seconds:.3f}",
            ]
            for name, point in points.items()
        ],
    )


if __name__ == "__main__":
    typer.run(main)
