"""COIN, the compressor of Poli et al. and other codecs on aerial scenes, as one table.

    python -m benchmarks.aerial_table --images data/dota

Poli et al. 2022 (arXiv 2204.07673) compare their compressor with COIN (Dupont et al. 2021, arXiv
2103.03123) on scenes of DOTA. Here both, our codecs and usual formats code the same parts of
lossless scenes, at about the bytes of each of COIN's networks and at its PSNR. COIN takes 50,000
steps; here it takes `--steps`, and the rest is extrapolated, which one run of all steps checks.
Times are CPU seconds of calls, of all threads, which other work on the machine does not lengthen
much. Writes aerial_table.json and aerial_table.md.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer
from PIL import Image

from benchmarks.aerial_table import coin
from benchmarks.aerial_table.extrapolation import extrapolated, marks_of
from benchmarks.aerial_table.report import to_markdown
from benchmarks.aerial_table.results import (
    AerialTable,
    Coded,
    CoinFit,
    FormulaCheck,
    LatticeCheck,
    Part,
)
from benchmarks.support.commands import shown_path
from benchmarks.support.options import OutputFolder
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.scenes import square_parts
from neural_collage.codec.streams.poli2022 import NAME
from neural_collage.evaluation.codecs import BenchmarkCodec, benchmark_codecs
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import Rgb, psnr
from neural_collage.runtime import use_threads

CODECS = ("neural:aerial", "auto", "fractal", "jpeg", "webp", "avif-444-psnr", "jxl")
QUALITIES = tuple(float(n) for n in range(1, 100))
"""Below the 100 at which some formats are lossless."""
T = TypeVar("T")
At = Callable[[float], Coded]
"""A picture coded at a quality."""


def main(
    images: Annotated[Path, typer.Option(help="A folder of lossless aerial scenes.")] = Path(
        "data/dota"
    ),
    count: Annotated[int, typer.Option(help="Parts of the scenes.", min=1)] = 4,
    side: Annotated[int, typer.Option(help="Of the parts, in pixels.", min=64)] = 512,
    networks: Annotated[
        int, typer.Option(help="Published networks of COIN, the smallest first.", min=1, max=5)
    ] = 3,
    steps: Annotated[int, typer.Option(help="Steps of COIN.", min=1)] = 2000,
    stride: Annotated[
        int, typer.Option(help="Of the rows and columns that a step takes; 1 for all.", min=1)
    ] = 8,
    check_steps: Annotated[
        int, typer.Option(help="Steps of the run that checks the formula; 0 for none.", min=0)
    ] = coin.STEPS,
    full_steps: Annotated[
        int, typer.Option(help="Steps on all pixels, to compare those on some with.", min=1)
    ] = 100,
    output: OutputFolder = RESULTS,
) -> None:
    """Compare COIN, the compressor of the Neural Collages paper and other codecs."""
    use_threads(1)
    codecs = benchmark_codecs((NAME, *CODECS))
    parts = square_parts(images, side, count)
    chosen = coin.PUBLISHED[:networks]
    first = parts[0][1]
    for codec in codecs:
        code(first, codec, 50)  # loads weights and plugins
    measured = []
    for number, (name, picture) in enumerate(parts, 1):
        typer.echo(f"{number} of {count}: {name}", err=True)
        fits = [fit(picture, network, steps, stride) for network in chosen]
        measured.append(compare(name, picture, fits, codecs))
    result = AerialTable(
        command=f"python -m benchmarks.aerial_table --images {shown_path(images)} --count {count} "
        f"--side {side} --networks {networks} --steps {steps} --stride {stride} "
        f"--check-steps {check_steps} --full-steps {full_steps}",
        environment=Environment.current(),
        side=side,
        steps=steps,
        stride=stride,
        parts=measured,
        step_seconds={
            network.name: coin.seconds_per_step(np.asarray(first), network) for network in chosen
        },
        lattice_check=check_lattices(first, chosen[0], full_steps, stride),
        formula_check=check_formula(first, chosen[0], measured[0].fits[0], check_steps, stride),
    )
    page = to_markdown(result)
    write_results(output, "aerial_table", asdict(result), page)
    typer.echo(page)


def fit(picture: Image.Image, network: coin.Network, steps: int, stride: int) -> CoinFit:
    """A network of COIN fitted to a picture, and what all published steps would reach."""
    found = coin.fit(np.asarray(picture), network, steps, stride, marks_of(steps))
    decode_seconds, _ = cpu_timed(
        partial(coin.decode, found.data, network, picture.height, picture.width)
    )
    return CoinFit(
        network=network.name,
        file_bytes=len(found.data),
        curve=found.curve,
        extrapolated=extrapolated(found.curve, coin.STEPS),
        seconds=found.seconds,
        decode_seconds=decode_seconds,
    )


def compare(
    name: str, picture: Image.Image, fits: Sequence[CoinFit], codecs: Sequence[BenchmarkCodec]
) -> Part:
    """A picture by all codecs, of which the first has a single rate, beside fits of COIN."""
    paper, *others = (lru_cache(maxsize=None)(partial(code, picture, codec)) for codec in codecs)
    return Part(
        name=name,
        paper=paper(codecs[0].qualities[0]),
        fits=fits,
        at_bytes=[[of_nearest_bytes(at, each.file_bytes) for at in others] for each in fits],
        at_psnr=[[of_least_psnr(at, each.extrapolated) for at in others] for each in fits],
    )


def code(picture: Image.Image, codec: BenchmarkCodec, quality: float) -> Coded:
    """A picture coded at a quality."""
    encode_seconds, data = cpu_timed(partial(codec.encode, picture, quality))
    decode_seconds, decoded = cpu_timed(partial(codec.decode, data))
    reached = psnr(np.asarray(picture), decoded)
    return Coded(codec.name, quality, len(data), reached, encode_seconds, decode_seconds)


def of_nearest_bytes(at: At, file_bytes: int) -> Coded:
    """The file whose size is nearest to a number of bytes."""
    above = bisect_left(QUALITIES, file_bytes, key=lambda quality: at(quality).file_bytes)
    candidates = QUALITIES[max(above - 1, 0) : above + 1]
    return min(map(at, candidates), key=lambda coded: abs(coded.file_bytes - file_bytes))


def of_least_psnr(at: At, wanted: float) -> Coded:
    """The file at the lowest quality whose PSNR is not below `wanted`, else at the highest."""
    above = bisect_left(QUALITIES, wanted, key=lambda quality: at(quality).psnr)
    return at(QUALITIES[min(above, len(QUALITIES) - 1)])


def check_lattices(
    picture: Image.Image, network: coin.Network, steps: int, stride: int
) -> LatticeCheck:
    """The same steps on all pixels and on lattices of them."""
    pixels: Rgb = np.asarray(picture)
    reached = [coin.fit(pixels, network, steps, each).curve[-1][1] for each in (1, stride)]
    return LatticeCheck(network.name, steps, *reached)


def check_formula(
    picture: Image.Image, network: coin.Network, short: CoinFit, steps: int, stride: int
) -> FormulaCheck | None:
    """More steps of the network than those of `short`, unless there are none."""
    if steps <= short.curve[-1][0]:
        return None
    curve = coin.fit(np.asarray(picture), network, steps, stride, marks_of(steps)).curve
    return FormulaCheck(network.name, curve, extrapolated(short.curve, steps))


def cpu_timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of a call, of all threads, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result
