"""What more effort of the neural codec buys and takes, and how long a whole call takes.

    python -m benchmarks.refinement

On a few pictures: bytes, PSNR and seconds of the efforts of the neural codec, and the cost that
they lower, beside the fractal codec at its default effort; effort 7 also without links, to tell
what those add. Then encode and decode of a 768 x 512 photo, file to pixels, with one thread and
with all. The contestants take turns. Writes refinement.json and refinement.md.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.speed.calls import FRACTAL, Calls, Seconds, call_table, calls
from benchmarks.speed.growth import photo
from benchmarks.speed.study import RESULTS, turns
from benchmarks.support.neural import Variant, linked_share, numbers, photo_files, rgb
from neural_collage.codec.api import DEFAULT_EFFORT
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import psnr
from neural_collage.evaluation.report import markdown_table
from neural_collage.models.compression.compressor import lagrangian
from neural_collage.models.compression.ladder import level_of
from neural_collage.runtime import available_cores

LINKS_APART = 7
"""The effort that is measured without links, too."""


@dataclass(frozen=True)
class Outcome:
    """What one contestant made of a picture at one quality.

    cost: bits per pixel, plus the mean squared error (of 8-bit levels) times what training deems
        it worth at this quality: what refinement lowers. None for the fractal codec, which weighs
        them otherwise.
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
    encode: Seconds


@dataclass(frozen=True)
class Refinement:
    """All results. size: width and height of the photo of the calls, call_rounds: of theirs."""

    command: str
    environment: Environment
    rounds: int
    outcomes: Sequence[Outcome]
    size: tuple[int, int]
    call_rounds: int
    calls: Sequence[Calls]


def main(
    images: Annotated[
        Path | None, typer.Option(help="A folder of pictures, or the photos of scikit-image.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = RESULTS,
    count: Annotated[int, typer.Option(help="Pictures to take, at most.", min=1)] = 4,
    qualities: Annotated[str, typer.Option(help="1..100, separated by commas.")] = "20,50,80",
    efforts: Annotated[str, typer.Option(help="Of the neural codec.")] = "5,6,7,8,9",
    model: Annotated[str, typer.Option(help="Of the neural codec.")] = "natural",
    threads: Annotated[int, typer.Option(help="Of torch.")] = available_cores(),
    rounds: Annotated[int, typer.Option(help="That times of efforts are medians of.")] = 3,
    call_rounds: Annotated[int, typer.Option(help="That times of calls are medians of.")] = 11,
    size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the photo of the calls.")
    ] = (768, 512),
) -> None:
    """Measure efforts and calls; writes refinement.json and refinement.md."""
    torch.set_num_threads(threads)
    pictures = {path.name: rgb(path) for path in photo_files(images)[:count]}
    outcomes = [
        outcome
        for name, picture in pictures.items()
        for quality in numbers(qualities)
        for outcome in measure(name, picture, quality, numbers(efforts), model, rounds)
    ]
    where = f" --images {images.resolve().name}" if images else ""
    result = Refinement(
        command=f"python -m benchmarks.refinement{where} --count {count} --qualities {qualities}"
        f" --efforts {efforts} --model {model} --threads {threads}",
        environment=Environment.current(),
        rounds=rounds,
        outcomes=outcomes,
        size=size,
        call_rounds=call_rounds,
        calls=[calls(photo(None, *size), model, at, call_rounds) for at in sorted({1, threads})],
    )
    output.mkdir(parents=True, exist_ok=True)
    (output / "refinement.json").write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    (output / "refinement.md").write_text(to_markdown(result), encoding="utf-8")
    typer.echo(to_markdown(result))


def measure(
    name: str,
    picture: Image.Image,
    quality: int,
    efforts: Sequence[int],
    model: str,
    rounds: int,
) -> list[Outcome]:
    """All contestants on one picture."""
    variants = [Variant(effort) for effort in efforts]
    if LINKS_APART in efforts:
        variants.insert(efforts.index(LINKS_APART), Variant(LINKS_APART, links=False))
    contestants: dict[str, Callable[[], bytes]] = {
        variant.name: partial(variant.encode, picture, quality, model) for variant in variants
    }
    contestants[FRACTAL] = partial(
        nc.compress, picture, codec="fractal", quality=quality, effort=DEFAULT_EFFORT
    )
    seconds = turns(contestants, rounds)
    return [
        outcome_of(name, contestant, picture, quality, work(), seconds[contestant])
        for contestant, work in contestants.items()
    ]


def outcome_of(
    name: str,
    contestant: str,
    picture: Image.Image,
    quality: int,
    data: bytes,
    seconds: Sequence[float],
) -> Outcome:
    """What a file and the seconds of making it amount to."""
    image = nc.CollageImage.from_bytes(data)
    neural = contestant != FRACTAL
    bpp = 8 * len(data) / (picture.width * picture.height)
    fidelity = psnr(np.asarray(picture), np.asarray(image.to_pil()))
    return Outcome(
        picture=name,
        contestant=contestant,
        quality=quality,
        bytes=len(data),
        bpp=bpp,
        psnr=fidelity,
        cost=bpp + worth(quality) * 255**2 / 10 ** (fidelity / 10) if neural else None,
        linked=linked_share(image) if neural else None,
        encode=Seconds.of(seconds),
    )


def worth(quality: int) -> float:
    """Bits per pixel that a mean squared error of one 8-bit level is worth in training."""
    return float(lagrangian(torch.tensor(level_of(quality))))


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
    return f"""# Refinement

    {result.command}

Machine: {result.environment}.

## Efforts

Means over {pictures}. The cost is bits per pixel plus the mean squared error times what training
deems it worth. Seconds are medians of {result.rounds} rounds, summed over the pictures; in brackets
the same of the quickest and of the slowest rounds. Qualities of the fractal codec stand for other
rates: of it, the time is to be compared.

{efforts}

## Whole calls

A photo of {width} x {height} RGB pixels at default quality, pixels to file and file to pixels;
medians of {result.call_rounds} rounds, in brackets the quickest and the slowest.

{whole}
"""


def effort_table(outcomes: Sequence[Outcome]) -> str:
    """One row per contestant, over the pictures of one quality."""
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
    total = Seconds(
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


if __name__ == "__main__":
    typer.run(main)
