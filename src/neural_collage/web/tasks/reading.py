"""Uploads: checked, bounded, and stored as pixels."""

import math
import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from neural_collage.codec.container import MAGIC
from neural_collage.codec.image import CollageImage
from neural_collage.errors import CollageError, PictureWarning
from neural_collage.io.picture import Picture
from neural_collage.io.reading import open_picture, read_image, read_picture
from neural_collage.web.problems import StudioError
from neural_collage.web.tasks.files import SOURCE, decode_strips, save_meta, save_pixels
from neural_collage.web.tasks.worker import Context


def read(
    context: Context, name: str, most: int, offer: int, reduce: bool = False
) -> dict[str, Any]:
    """Read the file `source` of the folder; returns what the page is told of the picture.

    name: for messages. most: pixels above which a picture is refused, with the offer to reduce it
    to at most `offer` of them; `reduce` takes it.

    Raises:
        StudioError: not a picture (415), or too large (413).
    """
    path = context.out / SOURCE
    with path.open("rb") as file:
        is_collage = file.read(len(MAGIC)) == MAGIC
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", PictureWarning)
            if is_collage:
                facts = _read_collage(context, path, most)
            else:
                facts = _read_picture(context, path, name, most, offer, reduce)
    except StudioError:
        raise
    except CollageError as error:
        text = str(error).replace(str(path), name)
        raise StudioError(text if name in text else f"{name}: {text}", 415) from error
    said = [str(warning.message).replace(str(path), name) for warning in caught]
    facts["notes"] += [text.removeprefix(f"{name}: ") for text in said]
    return facts | {"bytes": path.stat().st_size}


def _read_collage(context: Context, path: Path, most: int) -> dict[str, Any]:
    collage = CollageImage.from_bytes(path.read_bytes(), max_pixels=most)
    size = collage.height, collage.width, collage.channels
    decode_strips(lambda region: collage.decode(1, region), context.out, size, context.report)
    save_meta(
        context.out, icc=collage.header.icc_profile, metadata=collage.header.metadata, deep=False
    )
    return _facts("clg", *size)


def _read_picture(
    context: Context, path: Path, name: str, most: int, offer: int, reduce: bool
) -> dict[str, Any]:
    notes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with open_picture(path, str(path)) as image:
            pixels = image.width * image.height
            factor = math.ceil(math.sqrt(pixels / offer))
            if pixels > most and not reduce:
                raise _too_large(name, image.width, image.height, factor)
            if pixels > most:
                notes.append(f"reduced from {image.width} x {image.height} pixels")
                picture = _reduced(image, name, factor)
            else:
                picture = read_picture(path, max_pixels=most)
    is_deep = picture.samples.is_floating_point()
    save_pixels(context.out, picture.levels.transpose(1, 2, 0))
    save_meta(
        context.out, icc=picture.icc_profile, metadata=picture.metadata, deep=is_deep and not notes
    )
    facts = _facts("picture", picture.height, picture.width, len(picture.samples))
    return facts | {"notes": notes}


def _reduced(image: Image.Image, name: str, factor: int) -> Picture:
    """A picture averaged over squares of `factor` pixels, which JPEG does while it is read."""
    size = math.ceil(image.width / factor), math.ceil(image.height / factor)
    image.draft(image.mode, size)
    rest = round(image.width / size[0])
    try:
        if image.mode in ("P", "1"):
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        small = image.reduce(rest) if rest > 1 else image
    except OSError as error:
        raise StudioError(f"{name}: damaged or incomplete picture: {error}", 415) from error
    return read_image(small, name)


def _too_large(name: str, width: int, height: int, factor: int) -> StudioError:
    offer = {"width": math.ceil(width / factor), "height": math.ceil(height / factor)}
    return StudioError(
        f"{name} has {width:,} x {height:,} pixels, more than the studio works with: open it "
        f"reduced to {offer['width']:,} x {offer['height']:,}",
        413,
        {"offer": offer},
    )


def _facts(kind: str, height: int, width: int, channels: int) -> dict[str, Any]:
    alpha = channels in (2, 4)
    return {"kind": kind, "width": width, "height": height, "alpha": alpha, "notes": []}
