"""Poli et al.'s compressor on whole aerial scenes, beside its rate estimate and other codecs.

    python -m benchmarks.aerial --images data/dota

Each scene is coded with codec `poli2022` (Poli et al. 2022, arXiv 2204.07673); the size of the file
is compared with the rate estimate of the published script. Every other codec is measured at the
setting of equal rate and at the setting of equal PSNR. The scene is decoded at 10x in windows.
Writes aerial.json, aerial.md and aerial.png.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from torch import Tensor
from torch.nn import functional

import neural_collage as nc
from benchmarks.aerial.figure import figure
from benchmarks.support.commands import shown_path
from benchmarks.support.options import CORES, OutputFolder, Threads
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.scenes import scene_files
from benchmarks.support.timing import timed
from neural_collage.codec.streams.poli2022 import NAME, make_encoder, tile_symbols
from neural_collage.evaluation.codecs import BenchmarkCodec, benchmark_codecs
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import ms_ssim, psnr
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.results import Point
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil
from neural_collage.models.poli2022 import CHANNELS, estimated_bits
from neural_collage.runtime import use_threads

PEERS = ("neural", "fractal", "jpeg", "webp", "jpeg2000")
MODEL = "aerial"
"""Model of the neural codec."""
QUALITIES = tuple(float(n) for n in range(1, 101))
RATES = tuple(n / 100 for n in range(1, 101))
"""Settings of JPEG 2000, in bits per pixel."""
ENLARGEMENT, WINDOW = 10, 1000
TILES_PER_ESTIMATE = 90
"""Batch size of the published script."""


@dataclass(frozen=True)
class Estimate:
    """Rate of the same parameters as estimated by the published script, which writes no file.

    bits_per_pixel: by its formula. bits_per_sample: a third of that, which the script calls bpp.
    as_reported: as the script prints it, with the running total divided by three after every 90
        tiles.
    """

    bits_per_pixel: float
    bits_per_sample: float
    as_reported: float


@dataclass(frozen=True)
class Enlarged:
    """The whole scene decoded at 10x.

    seconds: of the decode, in windows. largest_difference: between its means over 10 x 10 pixels
    and the decode at 1x, before rounding to 8 bits.
    """

    width: int
    height: int
    seconds: float
    largest_difference: float


@dataclass(frozen=True)
class Scene:
    """One scene: `poli2022`, and the other codecs at its rate and at its PSNR."""

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
    images: Annotated[Path, typer.Option(help="A folder of lossless aerial scenes.")] = Path(
        "data/dota"
    ),
    output: OutputFolder = RESULTS,
    threads: Threads = CORES,
    rounds: Annotated[int, typer.Option(help="Rounds of timing of poli2022.")] = 3,
    effort: Annotated[
        int, typer.Option(help="Effort of the neural and fractal codecs.", min=0, max=9)
    ] = 5,
) -> None:
    """Measure codec poli2022 on aerial scenes; writes aerial.json, aerial.md and aerial.png."""
    use_threads(threads)
    peers = benchmark_codecs(PEERS, effort=effort, model=MODEL)
    scenes, pictures = [], []
    for path in scene_files(images):
        picture = read_rgb(path)
        scene = measure(path.name, picture, peers, rounds)
        scenes.append(scene)
        pictures.append((picture, {p.name: scene.at_its_rate[p.name].quality for p in peers}))
    result = Aerial(
        command=f"python -m benchmarks.aerial --images {shown_path(images)}",
        environment=Environment.current(),
        weights=f"{NAME} {make_encoder().model.digest.hex()}",
        scenes=scenes,
    )
    write_results(output, "aerial", asdict(result), to_markdown(result))
    figure(pictures, peers).save(output / "aerial.png", optimize=True)
    typer.echo(to_markdown(result))


def measure(name: str, scene: Image.Image, peers: Sequence[BenchmarkCodec], rounds: int) -> Scene:
    """Measure all codecs on one scene."""
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
        settings = RATES if peer.name == "jpeg2000" else QUALITIES
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
    """The point at the highest setting whose rate is not above `bpp`, else at the lowest."""
    below = bisect_right(settings, bpp, key=lambda setting: at(setting).bpp)
    return at(settings[max(below - 1, 0)])


def smallest_above(at: Callable[[float], Point], settings: Sequence[float], psnr: float) -> Point:
    """The point at the lowest setting whose PSNR is not below `psnr`, else at the highest."""
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
    """The rate of a scene's parameters by the published formula, with its two normalisations."""
    symbols = tile_symbols(make_encoder().compressor, read_picture(scene).pixels)
    pixels = scene.width * scene.height
    parts = [estimated_bits(tiles) / pixels for tiles in symbols.split(TILES_PER_ESTIMATE)]
    reported = 0.0
    for part in parts:
        reported = (reported + part / CHANNELS) / CHANNELS
    return Estimate(sum(parts), sum(parts) / CHANNELS, reported)


def enlarge(data: bytes) -> Enlarged:
    """Decode a file at 10x, window by window, and compare its block means with the 1x decode."""
    collage = nc.CollageImage.from_bytes(data)
    once = collage.decode()
    seconds, largest = 0.0, 0.0
    for x, y, width, height in windows(collage.width, collage.height, WINDOW // ENLARGEMENT):
        region = tuple(ENLARGEMENT * n for n in (x, y, width, height))
        window_seconds, window = timed(partial(unclipped, collage, ENLARGEMENT, region))
        seconds += window_seconds
        expected = unclipped(collage, 1, (x, y, width, height))
        difference = functional.avg_pool2d(window[None], ENLARGEMENT)[0] - expected
        largest = max(largest, float(difference.abs().max()))
    return Enlarged(ENLARGEMENT * once.shape[2], ENLARGEMENT * once.shape[1], seconds, largest)


def unclipped(collage: nc.CollageImage, scale: int, region: tuple[int, ...]) -> Tensor:
    """The colours of a region before `CollageImage.decode` clips them to [0, 1]."""
    x, y, width, height = region
    return collage.layers[0].collage.decode(scale, (x, y, width, height))


def windows(width: int, height: int, side: int) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, width, height) of the squares that tile a picture, cropped at right and bottom."""
    for y in range(0, height, side):
        for x in range(0, width, side):
            yield x, y, min(side, width - x), min(side, height - y)


def to_markdown(result: Aerial) -> str:
    """All results as tables."""
    scenes = "\n\n".join(_scene_section(scene) for scene in result.scenes)
    return f"""# The compressor of Poli et al. on aerial scenes

    {result.command}

Tiles of 40 x 40, side by side; weights {result.weights} and, of the neural codec, `{MODEL}`; both
were trained on other pictures.
Bits per pixel are those of complete files. At equal rate, each other codec has the highest setting
whose file is not larger; at equal PSNR, the lowest setting whose PSNR is not lower. Times of
`{NAME}` are medians of several rounds, those of the others of one.
Machine: {result.environment}.

{scenes}
"""


def _scene_section(scene: Scene) -> str:
    rate, large = scene.estimate, scene.enlarged
    estimates = markdown_table(
        ["", "bits per pixel"],
        [
            ["the file", f"{scene.point.bpp:.4f}"],
            ["estimate of the published formula", f"{rate.bits_per_pixel:.4f}"],
            ["the same per sample (three samples per pixel)", f"{rate.bits_per_sample:.4f}"],
            ["as the published script reports it", f"{rate.as_reported:.4f}"],
        ],
    )
    return f"""## {scene.name}, {scene.width} x {scene.height}

{scene.file_bytes:,} bytes.

{estimates}

At equal rate:

{_point_table({NAME: scene.point, **scene.at_its_rate})}

At equal PSNR:

{_point_table({NAME: scene.point, **scene.at_its_psnr})}

At 10x: {large.width:,} x {large.height:,} pixels in {large.seconds:.1f} s; their means over
10 x 10 pixels differ from the 1x decode by at most {large.largest_difference:.1e}."""


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
