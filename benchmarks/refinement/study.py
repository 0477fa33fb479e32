"""Rate, distortion and time of the neural codec's efforts, and times of complete calls.

    python -m benchmarks.refinement

On a few pictures: bytes, PSNR, seconds and rate-distortion cost of the efforts of the neural codec,
beside the fractal codec at its default effort; effort 7 also without links, which shows what links
add. Then encode and decode of a 768 x 512 photo, pixels to file and back, with one thread and with
all. Methods are timed alternately. Writes refinement.json and refinement.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean
from textwrap import fill
from typing import Annotated

import numpy as np
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.refinement.calls import FRACTAL, Calls, Timing, call_table, calls
from benchmarks.support.commands import numbers, shown_path
from benchmarks.support.neural import Variant, linked_share
from benchmarks.support.options import CORES, OutputFolder, PhotoFolder, Threads
from benchmarks.support.photos import photo, photo_files
from benchmarks.support.results import RESULTS, write_results
from benchmarks.support.timing import turns
from neural_collage.codec.api import DEFAULT_EFFORT
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import psnr
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.tables import markdown_table
from neural_collage.models.compression.compressor import lambda_of_quality
from neural_collage.runtime import use_threads

EFFORT_WITHOUT_LINKS = 7
"""The effort that is also measured without links."""


@dataclass(frozen=True)
class Outcome:
    """Result of one effort of a codec on a picture at one quality.

    contestant: codec and effort.
    cost: bits per pixel + lambda * MSE (of 8-bit samples), with lambda as in training at this
        quality; refinement minimises it. None for the fractal codec, whose lambda differs.
    linked: share of the ranges with a link; None for the fractal codec.
    """

    picture: str
    contestant: str
    quality: int
    bytes: int
    bpp: float
    psnr: float
    cost: float | None
    linked: float | None
    encode: Timing


@dataclass(frozen=True)
class Refinement:
    """All results.

    rounds: of the efforts. size: width and height of the photo of the complete calls.
    call_rounds: of the complete calls.
    """

    command: str
    environment: Environment
    rounds: int
    outcomes: Sequence[Outcome]
    size: tuple[int, int]
    call_rounds: int
    calls: Sequence[Calls]


def main(
    images: PhotoFolder = None,
    output: OutputFolder = RESULTS,
    count: Annotated[int, typer.Option(help="Maximum number of pictures.", min=1)] = 4,
    qualities: Annotated[str, typer.Option(help="1..100, separated by commas.")] = "20,50,80",
    efforts: Annotated[str, typer.Option(help="Efforts of the neural codec.")] = "5,6,7,8,9",
    model: Annotated[str, typer.Option(help="Model of the neural codec.")] = "natural-psnr",
    threads: Threads = CORES,
    rounds: Annotated[int, typer.Option(help="Rounds of timing of the efforts.")] = 3,
    call_rounds: Annotated[int, typer.Option(help="Rounds of timing of complete calls.")] = 11,
    size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the photo of complete calls.")
    ] = (768, 512),
) -> None:
    """Measure efforts and complete calls; writes refinement.json and refinement.md."""
    use_threads(threads)
    pictures = {path.name: read_rgb(path) for path in photo_files(images)[:count]}
    outcomes = [
        outcome
        for name, picture in pictures.items()
        for quality in numbers(qualities)
        for outcome in measure(name, picture, quality, numbers(efforts), model, rounds)
    ]
    folder = f" --images {shown_path(images)}" if images else ""
    result = Refinement(
        command=f"python -m benchmarks.refinement{folder} --count {count} --qualities {qualities}"
        f" --efforts {efforts} --model {model} --threads {threads}",
        environment=Environment.current(),
        rounds=rounds,
        outcomes=outcomes,
        size=size,
        call_rounds=call_rounds,
        calls=[calls(photo(None, *size), model, at, call_rounds) for at in sorted({1, threads})],
    )
    write_results(output, "refinement", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def measure(
    name: str,
    picture: Image.Image,
    quality: int,
    efforts: Sequence[int],
    model: str,
    rounds: int,
) -> list[Outcome]:
    """All efforts, and the fractal codec, on one picture."""
    variants = [Variant(effort) for effort in efforts]
    if EFFORT_WITHOUT_LINKS in efforts:
        without_links = Variant(EFFORT_WITHOUT_LINKS, links=False)
        variants.insert(efforts.index(EFFORT_WITHOUT_LINKS), without_links)
    encoders: dict[str, Callable[[], bytes]] = {
        variant.name: partial(variant.encode, picture, quality, model) for variant in variants
    }
    encoders[FRACTAL] = partial(
        nc.compress, picture, codec="fractal", quality=quality, effort=DEFAULT_EFFORT
    )
    seconds = turns(encoders, rounds)
    return [
        outcome_of(name, encoder, picture, quality, encode(), seconds[encoder])
        for encoder, encode in encoders.items()
    ]


def outcome_of(
    name: str,
    encoder: str,
    picture: Image.Image,
    quality: int,
    data: bytes,
    seconds: Sequence[float],
) -> Outcome:
    """The outcome of a file and the seconds of its encoding in each round."""
    image = nc.CollageImage.from_bytes(data)
    neural = encoder != FRACTAL
    bpp = 8 * len(data) / (picture.width * picture.height)
    decibels = psnr(np.asarray(picture), np.asarray(image.to_pil()))
    mse = 255**2 / 10 ** (decibels / 10)
    return Outcome(
        picture=name,
        contestant=encoder,
        quality=quality,
        bytes=len(data),
        bpp=bpp,
        psnr=decibels,
        cost=bpp + lambda_of_quality(quality) * mse if neural else None,
        linked=linked_share(image) if neural else None,
        encode=Timing.of(seconds),
    )


def to_markdown(result: Refinement) -> str:
    """All results as tables."""
    qualities = sorted({outcome.quality for outcome in result.outcomes})
    efforts = "\n\n".join(
        f"### Quality {quality}\n\n"
        + effort_table([one for one in result.outcomes if one.quality == quality])
        for quality in qualities
    )
    width, height = result.size
    whole = "\n\n".join(
        f"### Torch threads: {found.threads}\n\n"
        f"{call_table(found.encode, 'encode')}\n\n{call_table(found.decode, 'decode')}"
        for found in result.calls
    )
    pictures = ", ".join(dict.fromkeys(outcome.picture for outcome in result.outcomes))
    sentences = (
        f"Means over {pictures}. The cost is bits per pixel + lambda * MSE, with the lambda of "
        f"training. Seconds are medians of {result.rounds} rounds, summed over the pictures, with "
        "the sums of the fastest and of the slowest rounds in brackets. Of the fractal codec, only "
        "the time is comparable: equal qualities of the two codecs have different rates."
    )
    return f"""# Refinement

    {result.command}

Machine: {result.environment}.

## Efforts

{fill(sentences, 100)}

{efforts}

## Complete calls

A photo of {width} x {height} RGB pixels at default quality, pixels to file and file to pixels;
medians, fastest and slowest of {result.call_rounds} rounds.

{whole}
"""


def effort_table(outcomes: Sequence[Outcome]) -> str:
    """One row per effort, with means over the pictures at one quality."""
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.contestant, []).append(outcome)
    fractal = sum(one.encode.median for one in by_name[FRACTAL])
    header = ["", "bytes", "bpp", "PSNR (dB)", "cost", "linked", "encode (s)", "of fractal's"]
    return markdown_table(
        header, [_effort_row(name, found, fractal) for name, found in by_name.items()]
    )


def _effort_row(name: str, found: Sequence[Outcome], fractal: float) -> list[str]:
    costs = [one.cost for one in found if one.cost is not None]
    shares = [one.linked for one in found if one.linked is not None]
    total = Timing(
        sum(one.encode.median for one in found),
        sum(one.encode.least for one in found),
        sum(one.encode.most for one in found),
    )
    return [
        name,
        f"{fmean(one.bytes for one in found):,.0f}",
        f"{fmean(one.bpp for one in found):.4f}",
        f"{fmean(one.psnr for one in found):.3f}",
        f"{fmean(costs):.4f}" if costs else "–",
        f"{100 * fmean(shares):.1f} %" if shares else "–",
        f"{total.median:.2f} ({total.least:.2f} to {total.most:.2f})",
        f"{total.median / fractal:.2f}",
    ]
