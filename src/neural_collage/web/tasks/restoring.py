"""Restore: holes filled, noise removed, pictures enlarged; large pictures part by part."""

import base64
import binascii
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from neural_collage.art import denoising, inpainting
from neural_collage.codec import api
from neural_collage.core.scales import output_length
from neural_collage.web.problems import StudioError
from neural_collage.web.settings import MOST_OUTPUT
from neural_collage.web.tasks.files import (
    SOURCE,
    Levels,
    decode_strips,
    load_pixels,
    picture_of,
    save_pixels,
    to_levels,
)
from neural_collage.web.tasks.images import png_of
from neural_collage.web.tasks.worker import Context

_MARGIN = 64
"""Pixels around a hole that it is filled from, at least."""
_PART, _OVERLAP = 256, 32
"""Sides of the parts that are denoised at once, and pixels around them that they are made from."""
_MEASURED = 1024
"""Sides of the part in the middle that noise is estimated from."""
_PAINTED = 25
"""The least alpha or brightness of a painted pixel of a mask."""


def restore(
    context: Context,
    folder: Path,
    what: str,
    mask: str | None,
    noise: float | None,
    scale: float,
) -> dict[str, Any]:
    """The restored picture of an item, as a PNG file and as pixels."""
    context.report(0, 1, "restoring")
    if what == "enlarge":
        _enlarge(context, folder, scale)
    else:
        levels = load_pixels(folder)
        result = np.array(levels)
        if what == "fill":
            _fill(context, result, _holes(mask or "", levels.shape[:2]))
        else:
            _clean(context, levels, result, None if noise is None else noise / 255)
        save_pixels(context.out, result)
    pixels = load_pixels(context.out)
    (context.out / SOURCE).write_bytes(png_of(pixels))
    height, width, channels = pixels.shape
    return {"width": width, "height": height, "alpha": channels in (2, 4)}


def _holes(mask: str, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The painted pixels of a mask: a PNG file in base64, of the size of the picture or smaller."""
    try:
        data = base64.b64decode(mask.partition("base64,")[2] or mask, validate=True)
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            if image.width > size[1] or image.height > size[0]:
                raise StudioError("the painted mask is larger than the picture: paint it again")
            painted = image.getchannel("A") if "A" in image.getbands() else image.convert("L")
            if painted.size != (size[1], size[0]):
                painted = painted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            holes: npt.NDArray[np.bool_] = np.asarray(painted) > _PAINTED
    except (binascii.Error, ValueError, OSError, SyntaxError) as error:
        raise StudioError("the painted mask is no PNG file: paint it again") from error
    if not holes.any():
        raise StudioError("paint over the part to be filled first")
    if holes.all():
        raise StudioError("the whole picture is painted over: leave some of it")
    return holes


def _fill(context: Context, result: Levels, holes: npt.NDArray[np.bool_]) -> None:
    """Fill holes in place, from what lies around them: the rest of a large picture is not read."""
    rows, columns = (
        _around(np.flatnonzero(holes.any(axis)), side)
        for axis, side in ((1, holes.shape[0]), (0, holes.shape[1]))
    )
    if holes[rows, columns].all():
        rows, columns = slice(None), slice(None)
    part = torch.from_numpy(result[rows, columns].transpose(2, 0, 1).copy()).float().div_(255)
    unknown = torch.from_numpy(holes[rows, columns].copy())
    filled = inpainting.fill(
        part, unknown, lambda done, steps: context.report(done, steps, "filling")
    )
    hole = holes[rows, columns]
    result[rows, columns][hole] = to_levels(filled.numpy())[hole]


def _around(painted: npt.NDArray[np.intp], side: int) -> slice:
    first, last = int(painted[0]), int(painted[-1]) + 1
    margin = max(_MARGIN, (last - first) // 2)
    return slice(max(0, first - margin), min(side, last + margin))


def _clean(context: Context, levels: Levels, result: Levels, noise: float | None) -> None:
    """Remove noise part by part: the search for domains grows with the square of what it sees."""
    height, width = levels.shape[:2]
    if noise is None:
        noise = float(denoising.estimate_noise(_tensor(levels[_middle(height), _middle(width)])))
    corners = [(top, left) for top in range(0, height, _PART) for left in range(0, width, _PART)]
    for number, (top, left) in enumerate(corners):
        y, x = max(0, top - _OVERLAP), max(0, left - _OVERLAP)
        part = levels[y : top + _PART + _OVERLAP, x : left + _PART + _OVERLAP]

        def report(done: int, steps: int, number: int = number) -> None:
            context.report(number + done / steps, len(corners), "removing noise")

        cleaned = denoising.clean(_tensor(part), noise, report)
        inner = to_levels(cleaned.numpy())[top - y :, left - x :][:_PART, :_PART]
        result[top : top + _PART, left : left + _PART] = inner


def _middle(side: int) -> slice:
    start = max(0, (side - _MEASURED) // 2)
    return slice(start, start + _MEASURED)


def _tensor(levels: Levels) -> torch.Tensor:
    return torch.from_numpy(levels.transpose(2, 0, 1).copy()).float().div_(255)


def _enlarge(context: Context, folder: Path, scale: float) -> None:
    height, width = load_pixels(folder).shape[:2]
    size = output_length(height, scale), output_length(width, scale)
    if size[0] * size[1] > MOST_OUTPUT:
        raise StudioError(
            f"{size[1]:,} x {size[0]:,} pixels are more than {MOST_OUTPUT:,}: take a smaller scale"
        )
    collage = api.encode(picture_of(folder), codec="neural", quality=95)
    context.report(0.4, 1, "enlarging")
    decode_strips(
        lambda region: collage.decode(scale, region),
        context.out,
        (*size, collage.channels),
        lambda done, rows: context.report(0.4 + 0.6 * done / rows, 1, "enlarging"),
    )
