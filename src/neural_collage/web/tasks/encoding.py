"""Compress: a picture as a .clg file or in another format, at a quality or a size, and measured."""

import math
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from neural_collage.codec import api
from neural_collage.codec.image import CollageImage
from neural_collage.web.problems import StudioError
from neural_collage.web.tasks.files import (
    OVERVIEW,
    SOURCE,
    Levels,
    decode_strips,
    image_of,
    load_meta,
    load_pixels,
    on_white,
    picture_of,
    rgb,
    save_meta,
    save_pixels,
    strips,
    to_levels,
)
from neural_collage.web.tasks.scenes import described
from neural_collage.web.tasks.worker import Context

SUFFIXES = {"clg": ".clg", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif", "jxl": ".jxl"}
_PILLOW = {"jpeg": "JPEG", "webp": "WEBP", "avif": "AVIF", "jxl": "JXL"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"optimize": True},
    "webp": {"method": 4},
    "avif": {"speed": 8},
    "jxl": {"effort": 4},
}
_MOST_SCORED = 512
"""Pixels across the window of a large picture that SSIMULACRA2 is measured on."""
_SECONDS_A_PIXEL = 0.5e-6
_SHOWN_FIRST = 6_000_000
"""Pixels of pictures of which a reduced one is shown before all of it is decoded."""
_OVERVIEW_SIDE = 2048
Region = tuple[int, int, int, int]


def encode(
    context: Context,
    folder: Path,
    form: str,
    quality: int | None,
    size: int | None,
    psnr: float | None,
    codec: str,
    region: Region | None,
) -> dict[str, Any]:
    """A file of the picture of an item, or of a window of it, with its decoded pixels.

    The file of a large picture is a part of the result, with a reduced picture, before all of it
    is decoded and measured.
    """
    started = time.perf_counter()
    levels = load_pixels(folder)
    if region is not None:
        region = _inside(region, levels)
        x, y, width, height = region
        levels = levels[y : y + height, x : x + width]
    context.report(0, 1, "compressing")
    height, width = levels.shape[:2]
    collage = None
    if form == "clg":
        collage = _collage(context, folder, region, quality, size, psnr, codec)
        data, used, has_alpha = collage.to_bytes(), collage.quality, collage.channels in (2, 4)
    else:
        data, used = _peer(context, levels, form, quality, size, load_meta(folder).get("icc"))
        with Image.open(BytesIO(data)) as image:
            shown = np.asarray(image)
        save_pixels(context.out, shown)
        has_alpha = load_pixels(context.out).shape[2] in (2, 4)
    (context.out / SOURCE).write_bytes(data)
    facts = {
        "bytes": len(data),
        "width": width,
        "height": height,
        "alpha": has_alpha,
        "bpp": 8 * len(data) / (height * width),
        "ssimulacra2": None,
        "quality": used,
        "seconds": time.perf_counter() - started,
        "format": form,
        "region": region,
        "pyramid": described(CollageImage.from_bytes(data)) if form == "clg" else None,
    }
    if collage is not None:
        _decode(context, collage, facts)
    context.report(0.9, 1, "measuring")
    return {**facts, "psnr": _psnr(levels, load_pixels(context.out))}


def score(context: Context, folder: Path, original: Path, region: Region | None) -> dict[str, Any]:
    """SSIMULACRA2 of a result, for a large picture of a window in its middle.

    None if the package is not installed, or the picture is too small.
    """
    context.report(0, 1, "measuring")
    try:
        from neural_collage.evaluation.ssimulacra2 import Ssimulacra2
    except ImportError:
        return {"ssimulacra2": None, "window": False}
    levels = load_pixels(original)
    if region is not None:
        x, y, width, height = region
        levels = levels[y : y + height, x : x + width]
    result = load_pixels(folder)
    if levels.shape[:2] != result.shape[:2]:
        raise StudioError("only a result of the same size can be measured")
    rows, columns = (_middle(side) for side in levels.shape[:2])
    one, other = (rgb(part[rows, columns]) for part in (levels, result))
    is_window = one.shape[0] * one.shape[1] < levels.shape[0] * levels.shape[1]
    return {"ssimulacra2": Ssimulacra2(one).score(other), "window": is_window}


def _collage(
    context: Context,
    folder: Path,
    region: Region | None,
    quality: int | None,
    size: int | None,
    psnr: float | None,
    codec: str,
) -> CollageImage:
    picture = picture_of(folder, region)
    tries = 1 if size is None and psnr is None else 4
    seconds = picture.width * picture.height * tries * _SECONDS_A_PIXEL
    context.expect(seconds * (12 if codec == "fractal" else 1), 0, 0.6, "compressing")
    return api.encode(picture, codec=codec, quality=quality, size=size, psnr=psnr)


def _decode(context: Context, collage: CollageImage, facts: dict[str, Any]) -> None:
    """Write the pixels of a collage; those of a large one reduced before, with its facts."""
    context.report(0.6, 1, "decoding")
    save_meta(context.out, icc=collage.header.icc_profile, metadata=collage.header.metadata)
    shape = collage.height, collage.width, collage.channels
    # a graphics layer is composed at scale 1 alone
    if shape[0] * shape[1] > _SHOWN_FIRST and collage.graphics is None:
        octaves = max(1, math.ceil(math.log2(max(shape[:2]) / _OVERVIEW_SIDE)))
        save_pixels(context.out, to_levels(np.asarray(collage.decode(0.5**octaves))), OVERVIEW)
        context.part(facts)
    decode_strips(
        lambda part: collage.decode(1, part),
        context.out,
        shape,
        lambda done, rows: context.report(0.6 + 0.3 * done / rows, 1, "decoding"),
    )


def _peer(
    context: Context,
    levels: Levels,
    form: str,
    quality: int | None,
    size: int | None,
    icc: bytes | None,
) -> tuple[bytes, int]:
    _register_jxl()
    kind = _PILLOW[form]
    if kind not in Image.SAVE:
        raise StudioError(f"{kind} cannot be written on this machine: choose another format")
    image = image_of(on_white(levels) if form == "jpeg" else levels)
    if form != "jpeg" and image.mode in ("L", "LA"):
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    tried = 0
    exact: tuple[dict[str, Any], ...] = {}, {"lossless": True} if form == "jxl" else {}

    def attempt(at: int) -> tuple[bytes, float]:
        nonlocal tried
        context.report(min(0.1 * tried, 0.8), 1, "compressing")
        tried += 1
        file = BytesIO()
        try:
            image.save(
                file, kind, quality=at, icc_profile=icc, **_OPTIONS[form], **exact[at == 100]
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise StudioError(f"{kind} cannot hold this picture: {error}", 422) from error
        return file.getvalue(), file.tell()

    if size is None:
        assert quality is not None
        return attempt(quality)[0], quality
    best, low, high = None, 1, 100
    while low <= high:  # the best of whole qualities, by bisection
        middle = (low + high) // 2
        data, length = attempt(middle)
        if length <= size:
            best, low = (data, middle), middle + 1
        else:
            high = middle - 1
    if best is None:
        raise StudioError(f"no {kind} is as small as {size:,} bytes: allow more", 422)
    return best


def _psnr(one: Levels, other: Levels) -> float | None:
    """Over the colours on white, in dB; None if the pictures are equal."""
    total, is_equal = 0.0, True
    for rows in strips(len(one)):
        left, right = rgb(one[rows]), rgb(other[rows])
        total += float(np.square(left.astype(np.int32) - right).sum(dtype=np.int64))
        if one.shape[2] == other.shape[2]:
            is_equal &= bool((one[rows] == other[rows]).all())
    if total == 0:
        return None if is_equal else 100.0
    mean = total / (one.shape[0] * one.shape[1] * 3)
    return float(10 * np.log10(255**2 / mean))


def _inside(region: Region, levels: Levels) -> Region:
    x, y, width, height = region
    if width < 1 or height < 1 or x >= levels.shape[1] or y >= levels.shape[0]:
        raise StudioError("the region lies outside of the picture")
    return x, y, min(width, levels.shape[1] - x), min(height, levels.shape[0] - y)


def _middle(side: int) -> slice:
    start = max(0, (side - _MOST_SCORED) // 2)
    return slice(start, start + _MOST_SCORED)


def _register_jxl() -> None:
    try:
        import pillow_jxl  # noqa: F401
    except ImportError:
        return


def warm_up() -> None:
    """Load the weights, so that the first picture does not wait for them."""
    collage = api.encode(np.zeros((64, 64, 3), np.uint8), codec="neural", graphics=False)
    CollageImage.from_bytes(collage.to_bytes()).decode()
