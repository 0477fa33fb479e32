"""The page of `benchmarks.aerial_table`."""

from collections.abc import Sequence
from statistics import fmean
from textwrap import fill

from benchmarks.aerial_table.coin import STEPS
from benchmarks.aerial_table.extrapolation import FORMULA
from benchmarks.aerial_table.results import AerialTable, Coded, CoinFit
from neural_collage.evaluation.tables import markdown_table

MEANS = (
    "bytes", "bits per pixel", "RGB PSNR (dB)", "encode (CPU s)", "decode (CPU s)",
)  # fmt: skip


def to_markdown(result: AerialTable) -> str:
    """All tables; means over the pictures."""
    sections = [
        "# COIN, the compressor of Poli et al. and other codecs on aerial scenes",
        f"    {result.command}",
        _paragraph(
            f"Means over {len(result.parts)} parts of {result.side} x {result.side} pixels: "
            f"{'; '.join(part.name for part in result.parts)}. Bytes are those of complete files, "
            "PSNR is that of 8-bit RGB, times are CPU seconds of single calls in one process, all "
            "threads together. `neural:aerial` has weights trained on other aerial pictures, "
            "`auto` is the default of `collage compress`, `poli2022` the compressor of Poli et al. "
            f"2022, `avif-444-psnr` AVIF with full chroma, tuned to PSNR. {result.environment}."
        ),
        _about_coin(result),
        f"## The table\n\n{_table(result)}",
        f"## At the PSNR of COIN\n\n{_at_psnr(result)}",
        f"## At the PSNR of the compressor of Poli et al.\n\n{_at_paper(result)}",
        f"## Checks of the shortened runs\n\n{_checks(result)}",
        f"## PSNR of COIN over steps\n\n{_curves(result)}",
    ]
    return "\n\n".join(sections) + "\n"


def _about_coin(result: AerialTable) -> str:
    share = "all pixels" if result.stride == 1 else f"1/{result.stride**2} of the pixels"
    return _paragraph(
        "COIN (Dupont et al. 2021, arXiv 2103.03123) fits a network to each picture; the networks "
        f"are published ones (layers x width), stored as float16. Its {STEPS:,} steps on all "
        f"pixels are shortened here: **after {result.steps:,} steps** is measured, with the time "
        f"of those steps, each on {share}. **Extrapolated** is the PSNR after {STEPS:,} steps by "
        f"{FORMULA}; its encode time is a product, {STEPS:,} times the measured CPU seconds of a "
        "step on all pixels. All else is measured."
    )


def _table(result: AerialTable) -> str:
    pixels = result.side**2
    paper = _mean_row("poli2022, of a single rate", [p.paper for p in result.parts], pixels)
    rows = [paper]
    for number in range(len(result.parts[0].fits)):
        fits = [part.fits[number] for part in result.parts]
        rows.append((f"**bytes nearest to {fits[0].network}**", *([""] * len(MEANS))))
        rows += _coin_rows(fits, result, pixels)
        for found in zip(*(part.at_bytes[number] for part in result.parts), strict=True):
            rows.append(_mean_row(_with_qualities(found), found, pixels))
    note = _paragraph(
        "Where a codec has no files so small, its smallest ones stand, which their bytes show."
    )
    return f"{markdown_table(('codec (qualities)', *MEANS), rows)}\n\n{note}"


def _coin_rows(fits: Sequence[CoinFit], result: AerialTable, pixels: int) -> list[tuple[str, ...]]:
    name, size = fits[0].network, fits[0].file_bytes
    step = result.step_seconds[name]
    decode = f"{fmean(fit.decode_seconds for fit in fits):.3f}"
    rate = (f"{size:,}", f"{8 * size / pixels:.3f}")
    after, later = fmean(fit.psnr for fit in fits), fmean(fit.extrapolated for fit in fits)
    taken = fmean(fit.seconds for fit in fits)
    return [
        (f"{name}, after {result.steps:,} steps", *rate, f"{after:.2f}", f"{taken:.1f}", decode),
        (
            f"{name}, extrapolated",
            *(*rate, f"{later:.2f}", f"{STEPS:,} x {step:.3f} = {STEPS * step:,.0f}", decode),
        ),
    ]


def _mean_row(name: str, found: Sequence[Coded], pixels: int) -> tuple[str, ...]:
    size = fmean(each.file_bytes for each in found)
    return (
        name,
        f"{size:,.0f}",
        f"{8 * size / pixels:.3f}",
        f"{fmean(each.psnr for each in found):.2f}",
        f"{fmean(each.encode_seconds for each in found):.3f}",
        f"{fmean(each.decode_seconds for each in found):.3f}",
    )


def _with_qualities(found: Sequence[Coded]) -> str:
    qualities = sorted({each.quality for each in found})
    low, high = qualities[0], qualities[-1]
    return f"{found[0].codec} ({low:g})" if low == high else f"{found[0].codec} ({low:g}-{high:g})"


def _at_psnr(result: AerialTable) -> str:
    about = _paragraph(
        "Each codec at the least quality that reaches the extrapolated PSNR, or at its lowest one "
        "where that is better. COIN's encode time is the product. How much faster these are than "
        "an exhaustive fractal search at equal PSNR: [exhaustive](exhaustive.md)."
    )
    header = ("codec (qualities)", *MEANS[:4], "of COIN's bytes", "times as fast as COIN")
    rows: list[tuple[str, ...]] = []
    for number in range(len(result.parts[0].fits)):
        fits = [part.fits[number] for part in result.parts]
        size, seconds = fits[0].file_bytes, STEPS * result.step_seconds[fits[0].network]
        wanted = fmean(fit.extrapolated for fit in fits)
        rate = f"{8 * size / result.side**2:.3f}"
        coin = (f"{size:,}", rate, f"{wanted:.2f}", f"{seconds:,.0f}", "100%", "1")
        rows.append((f"**{fits[0].network}**", *coin))
        for found in zip(*(part.at_psnr[number] for part in result.parts), strict=True):
            row = _mean_row(_with_qualities(found), found, result.side**2)[:5]
            share = fmean(each.file_bytes for each in found) / size
            factor = seconds / fmean(each.encode_seconds for each in found)
            rows.append((*row, f"{share:.0%}", f"{float(f'{factor:.2g}'):,.0f}"))
    return f"{about}\n\n{markdown_table(header, rows)}"


def _at_paper(result: AerialTable) -> str:
    papers = [part.paper for part in result.parts]
    encode = fmean(each.encode_seconds for each in papers)
    about = _paragraph(
        f"`poli2022` reaches {fmean(each.psnr for each in papers):.2f} dB with "
        f"{fmean(each.file_bytes for each in papers):,.0f} bytes and {encode:.3f} CPU seconds. "
        "COIN passes its PSNR after so many steps of the curves below, the mean over the pictures; "
        "the time is their product with that of a step on all pixels."
    )
    rows = []
    for number, fit in enumerate(result.parts[0].fits):
        steps = [_steps_to(part.fits[number].curve, part.paper.psnr) for part in result.parts]
        reached = [n for n in steps if n is not None]
        if len(reached) < len(steps):
            rows.append((fit.network, f"{fit.file_bytes:,}", f"above {result.steps:,}", "", ""))
            continue
        seconds = fmean(reached) * result.step_seconds[fit.network]
        times = (f"{fmean(reached):,.0f}", f"{seconds:,.1f}", f"{seconds / encode:,.0f}")
        rows.append((fit.network, f"{fit.file_bytes:,}", *times))
    header = ("network", "bytes", "steps", "product (CPU s)", "times the encode of poli2022")
    return f"{about}\n\n{markdown_table(header, rows)}"


def _steps_to(curve: Sequence[tuple[int, float]], wanted: float) -> int | None:
    return next((steps for steps, reached in curve if reached >= wanted), None)


def _checks(result: AerialTable) -> str:
    lattice, formula = result.lattice_check, result.formula_check
    text = (
        f"{lattice.network} on {result.parts[0].name}: after {lattice.steps:,} steps on all pixels "
        f"{lattice.all_pixels:.2f} dB, after as many with stride {result.stride} "
        f"{lattice.lattices:.2f} dB."
    )
    if formula is not None:
        last, reached = formula.curve[-1]
        text += (
            f" After {last:,} steps with stride {result.stride} {reached:.2f} dB; extrapolated "
            f"from {result.steps:,}, {formula.extrapolated:.2f} dB, off by "
            f"{formula.extrapolated - reached:+.2f} dB. Curves of larger networks are steeper at "
            "their end, and their extrapolation is less certain."
        )
    return _paragraph(text)


def _curves(result: AerialTable) -> str:
    rows = []
    for number, fit in enumerate(result.parts[0].fits):
        curves = [[value for _, value in part.fits[number].curve] for part in result.parts]
        rows.append((fit.network, *(f"{fmean(at):.2f}" for at in zip(*curves, strict=True))))
    steps = [f"{n:,}" for n, _ in result.parts[0].fits[0].curve]
    table = markdown_table(("steps", *steps), rows)
    return f"{table}\n\nThose of single pictures are in aerial_table.json."


def _paragraph(text: str) -> str:
    return fill(text, 100, break_long_words=False, break_on_hyphens=False)
