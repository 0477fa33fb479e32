"""Pictures as the page shows them: whole, reduced, or a part at a scale."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from neural_collage.core.scales import output_length
from neural_collage.web.problems import StudioError
from neural_collage.web.tasks.files import (
    Levels,
    collage_of,
    image_of,
    load_meta,
    load_overview,
    load_pixels,
    reduced,
    to_levels,
)
from neural_collage.web.tasks.worker import Context

MOST_AT_ONCE = 6_000_000
"""Pixels of the largest answer."""
MEDIA = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}


def show(
    context: Context,
    folder: Path,
    most_side: int | None,
    region: tuple[int, int, int, int] | None,
    scale: float,
    form: str | None,
) -> tuple[bytes, str]:
    """A file of the picture of an item for the page, and its media type.

    most_side: of the answer in pixels. region: x, y, width, height in pixels of the picture.
    scale: pixels of the answer per pixel; those of a .clg are decoded, others are repeated.
    form: "png", "webp" (lossless) or "jpeg"; None chooses JPEG for what is reduced without alpha.
    """
    del context
    overview = load_overview(folder)
    collage = collage_of(folder) if overview is not None else None
    if collage is None:
        height, width = load_pixels(folder).shape[:2]
    else:  # all of it is being decoded
        height, width = collage.height, collage.width
    x, y, across, down = region or (0, 0, width, height)
    if x >= width or y >= height or across < 1 or down < 1:
        raise StudioError(f"the region lies outside of {width} x {height} pixels")
    across, down = min(across, width - x), min(down, height - y)
    if scale > 1 and output_length(across, scale) * output_length(down, scale) > MOST_AT_ONCE:
        raise StudioError("this is too much for one picture: take a smaller region or scale")
    if collage is None:
        cut = load_pixels(folder)[y : y + down, x : x + across]
    elif region is not None:
        cut = to_levels(np.asarray(collage.decode(1, (x, y, across, down))))
    else:
        assert overview is not None
        cut = overview
    if scale > 1:
        part = _enlarged(folder, (width, height), (x, y, across, down), scale)
    elif scale < 1:
        size = max(1, round(across * scale)), max(1, round(down * scale))
        part = _resized(cut, size)
    else:
        part = cut
    if most_side is not None and max(part.shape[:2]) > most_side:
        share = most_side / max(part.shape[:2])
        part = _resized(part, tuple(max(1, round(n * share)) for n in part.shape[1::-1]))
    part = part if part.shape[0] * part.shape[1] <= MOST_AT_ONCE else reduced(part, MOST_AT_ONCE)
    is_reduced = part.shape[0] * part.shape[1] < across * down
    has_alpha = part.shape[2] in (2, 4)
    form = form or ("jpeg" if is_reduced and not has_alpha else "png")
    return _file(part, form, load_meta(folder).get("icc")), MEDIA[form]


def _enlarged(
    folder: Path, size: tuple[int, int], region: tuple[int, int, int, int], scale: float
) -> Levels:
    """A part above scale 1: decoded from a .clg file, else with its pixels repeated."""
    x, y, across, down = region
    collage = collage_of(folder)
    if collage is None or (collage.width, collage.height) != size:
        cut = load_pixels(folder)[y : y + down, x : x + across]
        columns, rows = (
            (np.arange(output_length(n, scale)) / scale).astype(int).clip(0, n - 1)
            for n in (across, down)
        )
        repeated: Levels = cut[rows[:, None], columns]
        return repeated
    left, top = round(x * scale), round(y * scale)
    right, bottom = (
        min(round((start + length) * scale), output_length(side, scale))
        for start, length, side in ((x, across, size[0]), (y, down, size[1]))
    )
    return to_levels(np.asarray(collage.decode(scale, (left, top, right - left, bottom - top))))


def _resized(levels: Levels, size: tuple[int, ...]) -> Levels:
    image = image_of(levels).resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=2)
    shown = np.asarray(image)
    return shown if shown.ndim == 3 else shown[..., None]


def _file(levels: Levels, form: str, icc: bytes | None) -> bytes:
    image, file = image_of(levels), BytesIO()
    if form == "jpeg":
        if image.mode not in ("L", "RGB"):
            raise StudioError("a picture with transparency is shown as png or webp")
        image.save(file, "JPEG", quality=90, icc_profile=icc)
    elif form == "webp":
        image.save(file, "WEBP", lossless=True, quality=0, method=0, exact=True, icc_profile=icc)
    else:
        image.save(file, "PNG", compress_level=1, icc_profile=icc)
    return file.getvalue()


def png_of(levels: Levels, icc: bytes | None = None) -> bytes:
    """A PNG file for download."""
    file = BytesIO()
    image_of(levels).save(file, "PNG", compress_level=4, icc_profile=icc)
    return file.getvalue()


def whole_png(context: Context, folder: Path) -> bytes:
    """The picture of an item as a PNG file, for download."""
    del context
    return png_of(load_pixels(folder), load_meta(folder).get("icc"))
