"""Pictures above their original size: detail beside average interpolation, bicubic and Lanczos.

    python -m benchmarks.superresolution --images data/kodak data/clic

Pictures are reduced by averaging 2 x 2 or 4 x 4 pixels and enlarged again, exact (as they are) or
as the neural codec decodes them at a quality. All methods enlarge the same decode at 1x, and are
compared with the picture of full size: PSNR of luma, without a margin of 4 pixels, MS-SSIM and
SSIMULACRA 2. Detail is that of `decode`, which a network predicts in the first two octaves; beside
it are detail of the picture's own domains from the first octave on (links), and from the second on,
after the network (both).
Writes superresolution.json and superresolution.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import numpy as np
import typer
from PIL import Image

import neural_collage as nc
from benchmarks.support.commands import numbers, shown_path
from benchmarks.support.options import CORES, OutputFolder, Threads
from benchmarks.support.photos import photo_files
from benchmarks.support.results import RESULTS, write_results
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.detail_links import DetailLinks
from neural_collage.core.arrays.domain_pool import DomainPool
from neural_collage.core.arrays.octaves import Octaves, Reader
from neural_collage.core.scales import Window
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.metrics import Rgb, ms_ssim
from neural_collage.evaluation.rate_distortion import read_rgb
from neural_collage.evaluation.ssimulacra2 import Ssimulacra2
from neural_collage.evaluation.tables import markdown_table
from neural_collage.io.writing import to_pil
from neural_collage.models.enlargement.detail_network import shipped_detail
from neural_collage.runtime import use_threads

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}
METHODS = (*FILTERS, "average interpolation", "links", "detail", "both")
MARGIN = 4
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Row:
    """PSNR of luma in dB, MS-SSIM and SSIMULACRA 2 of each method, of one picture or of several.

    Of several they are means.

    quality: of the codec; None if the reduced picture is exact. linked: whether its self-similarity
    counts as such, or the share of such pictures.
    """

    scale: int
    quality: int | None
    psnr: Mapping[str, float]
    ms_ssim: Mapping[str, float | None]
    ssimulacra2: Mapping[str, float | None]
    linked: float


@dataclass(frozen=True)
class SetResult:
    """The results of one folder."""

    images: str
    means: Sequence[Row]
    pictures: Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class SuperResolution:
    """All results."""

    command: str
    environment: Environment
    sets: Sequence[SetResult]


def main(
    images: Annotated[list[Path] | None, typer.Option(help="Folders of pictures.")] = None,
    output: OutputFolder = RESULTS,
    qualities: Annotated[str, typer.Option(help="1..100, separated by commas.")] = "75",
    every: Annotated[int, typer.Option(help="Measure every n-th picture.")] = 1,
    threads: Threads = CORES,
) -> None:
    """Measure enlargement; writes superresolution.json and superresolution.md."""
    use_threads(threads)
    folders = images or [Path("data/kodak"), Path("data/clic")]
    sets = [measure_set(folder, numbers(qualities), every) for folder in folders]
    shown = " ".join(f"--images {shown_path(folder)}" for folder in folders)
    result = SuperResolution(
        command=f"python -m benchmarks.superresolution {shown} --qualities {qualities}"
        + (f" --every {every}" if every > 1 else ""),
        environment=Environment.current(),
        sets=sets,
    )
    write_results(output, "superresolution", asdict(result), to_markdown(result))
    typer.echo(to_markdown(result))


def measure_set(folder: Path, qualities: Sequence[int], every: int) -> SetResult:
    """All pictures of a folder."""
    pictures = {path.name: measure(path, qualities) for path in photo_files(folder)[::every]}
    means = [mean(rows) for rows in zip(*pictures.values(), strict=True)]
    return SetResult(shown_path(folder), means, pictures)


def measure(path: Path, qualities: Sequence[int]) -> list[Row]:
    """One picture, its sides cut to multiples of four."""
    picture = read_rgb(path)
    full = picture.crop((0, 0, picture.width // 4 * 4, picture.height // 4 * 4))
    truth = np.asarray(full)
    score = Ssimulacra2(truth).score
    samples = (truth.transpose(2, 0, 1) / np.float32(255)).astype(np.float32)
    rows = []
    for scale in (2, 4):
        reduced = pool(samples, scale)
        links = DetailLinks.of(reduced)
        rows.append(compare(truth, reduced, scale, None, links, score))
        for quality in qualities:
            data = nc.compress(
                np.ascontiguousarray(reduced.transpose(1, 2, 0)),
                codec="neural",
                quality=quality,
                graphics=False,
            )
            rows.append(compare(truth, nc.decompress(data), scale, quality, links, score))
    return rows


def compare(
    truth: Rgb,
    reduced: PixelArray,
    scale: int,
    quality: int | None,
    links: DetailLinks | None,
    score: Callable[[Rgb], float | None],
) -> Row:
    """Enlarge a reduced picture by all methods."""
    level = 1.0 if quality is None else quality / 100
    small, size = to_pil(reduced), (truth.shape[1], truth.shape[0])
    term, read, sides = shipped_detail().at(level), reader(reduced), _size(reduced)
    domains = DomainPool.of(read, sides)
    rendered = {
        "average interpolation": Octaves(read, sides),
        "links": Octaves(read, sides, domains=lambda: domains, continued=1),
        "detail": Octaves(read, sides, term),
        "both": Octaves(read, sides, term, domains=lambda: domains, continued=2),
    }
    enlarged = {name: np.asarray(small.resize(size, kind)) for name, kind in FILTERS.items()} | {
        name: octaves(reduced, scale, render) for name, render in rendered.items()
    }
    return Row(
        scale,
        quality,
        {name: luma_psnr(truth, image) for name, image in enlarged.items()},
        {name: ms_ssim(truth, image) for name, image in enlarged.items()},
        {name: score(image) for name, image in enlarged.items()},
        float(links is not None),
    )


def octaves(reduced: PixelArray, scale: int, render: Octaves) -> Rgb:
    """A picture at a scale of 2 or 4."""
    height, width = _size(reduced)
    window = Window(0, 0, scale * height, scale * width)
    return np.asarray(to_pil(render.window(scale.bit_length() - 1, window)))


def reader(picture: PixelArray) -> Reader:
    """Returns windows of a picture."""
    return lambda w: picture[:, w.top : w.top + w.height, w.left : w.left + w.width]


def _size(picture: PixelArray) -> tuple[int, int]:
    return picture.shape[1], picture.shape[2]


def luma_psnr(one: Rgb, other: Rgb) -> float:
    """PSNR of luma in dB, without a margin."""
    error = (one.astype(np.float64) - other) @ LUMA
    inside = error[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return float(10 * np.log10(255**2 / max(np.square(inside).mean(), 1e-12)))


def mean(rows: Sequence[Row]) -> Row:
    """The means of one scale and quality over several pictures."""
    return Row(
        rows[0].scale,
        rows[0].quality,
        {name: fmean(row.psnr[name] for row in rows) for name in METHODS},
        {name: _mean(row.ms_ssim[name] for row in rows) for name in METHODS},
        {name: _mean(row.ssimulacra2[name] for row in rows) for name in METHODS},
        fmean(row.linked for row in rows),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean if all have a value."""
    listed = list(values)
    found = [value for value in listed if value is not None]
    return fmean(found) if len(found) == len(listed) else None


def to_markdown(result: SuperResolution) -> str:
    """The means as tables."""
    header = [
        *("scale", "coded", *METHODS, "detail - bicubic", "worst - average interpolation"),
        *(f"MS-SSIM, {name}" for name in ("bicubic", "detail")),
    ]
    tables = []
    for one in result.sets:
        rows = []
        for index, row in enumerate(one.means):
            worst = min(
                rows_of[index].psnr["detail"] - rows_of[index].psnr["average interpolation"]
                for rows_of in one.pictures.values()
            )
            rows.append(
                [
                    f"{row.scale}x",
                    _coded(row),
                    *(f"{row.psnr[name]:.2f}" for name in METHODS),
                    f"{row.psnr['detail'] - row.psnr['bicubic']:+.2f}",
                    f"{worst:+.2f}",
                    *(_shown(row.ms_ssim[name], 4) for name in ("bicubic", "detail")),
                ]
            )
        table = markdown_table(header, rows)
        scores = markdown_table(
            ["scale", "coded", *METHODS],
            [
                [
                    f"{row.scale}x",
                    _coded(row),
                    *(_shown(row.ssimulacra2[name], 1) for name in METHODS),
                ]
                for row in one.means
            ],
        )
        tables.append(
            f"## {one.images}, {len(one.pictures)} pictures\n\n{table}\n\nSSIMULACRA 2:\n\n{scores}"
        )
    sections = "\n\n".join(tables)
    return f"""# Above the original size

    {result.command}

Pictures reduced by averages and enlarged again by each method, from the same pixels: PSNR of luma
in dB. "Worst" is the picture that detail helps least. Detail is that of `decode`; links is detail
of the picture's own domains alone, both that after one octave of the network.
Machine: {result.environment}.

{sections}
"""


def _coded(row: Row) -> str:
    return "exact" if row.quality is None else f"quality {row.quality}"


def _shown(found: float | None, digits: int) -> str:
    return "–" if found is None else f"{found:.{digits}f}"
