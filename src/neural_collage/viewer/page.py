"""One HTML page that holds a file and its decoder, and needs no server and no network."""

import json
from codecs import BOM_UTF16_LE
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import neural_collage
from neural_collage.codec.image import CollageImage
from neural_collage.codec.streams.neural import LINKED, PRECISE, SEGMENTED
from neural_collage.codec.streams.precise import Precision
from neural_collage.codec.weights import weights_of
from neural_collage.errors import CollageFormatError
from neural_collage.io.writing import image_bytes
from neural_collage.viewer.decoder_weights import (
    PackedNumbers,
    decoder_numbers,
    pack_numbers,
    precision_numbers,
)
from neural_collage.viewer.text_packing import pack_text

_FLAGS_AT, _KNOWN_FLAGS = 6, 63
"""Of what the decoder of the page knows: a file with other flags is decoded beforehand."""
_NEURAL = "neural"
_UNPACKING = ("packing.js", "worker.js")
_DECODER = (
    "packing.js",
    "range_decoder.js",
    "neural.js",
    "synthesis.js",
    "precision.js",
    "hashes.js",
    "graphics.js",
    "file.js",
    "zoom.js",
    "png.js",
    "worker.js",
)


@dataclass(frozen=True)
class Content:
    """What a page holds.

    kind: "clg", or "png" for a picture that was decoded beforehand. data: the file. weights: what
    decoding it needs, if anything. note: why it was decoded beforehand, if it was.
    """

    kind: str
    data: bytes
    weights: PackedNumbers | None = None
    note: str = ""


def content_of(image: CollageImage, data: bytes) -> Content:
    """What the page of a .clg file holds: the file and its weights, or a PNG.

    data: the file, of which `image` was read.

    Raises:
        CollageFormatError: it is damaged, as far as that is noticed without decoding it.
        CheckpointError: it needs weights that cannot be found.
        MissingExtraError: decoding it beforehand needs an extra that is not installed.
    """
    if unknown := _unknown_part(image, data):
        return Content("png", image_bytes(image.to_pil(), ".png"), note=unknown)
    header = image.header
    if not image.payload:
        return Content("clg", data)
    if header.model is None:
        raise CollageFormatError("the file is damaged: it does not name its model")
    quality = header.quality if header.graphics is None else header.graphics[0]
    further = {}
    if image.payload[0] & PRECISE:
        quality = Precision.of_bytes(image.payload[1 : 1 + Precision.SIZE]).base_quality
        further = precision_numbers()
    numbers = decoder_numbers(weights_of(header.model), quality) | further
    return Content("clg", data, pack_numbers(numbers))


def _unknown_part(image: CollageImage, data: bytes) -> str:
    """What the decoder of the page does not know of a file, if there is anything."""
    if data[_FLAGS_AT] & ~_KNOWN_FLAGS:
        return "optional parts of this file"
    if not image.payload:
        return ""
    if image.codec != _NEURAL:
        return f"the codec {image.codec}"
    if image.payload[0] & LINKED:
        return "links"
    known = SEGMENTED | PRECISE
    return "the parameters of this payload" if image.payload[0] & ~known else ""


def make_page(image: CollageImage, data: bytes, name: str, alt: str | None = None) -> bytes:
    """The page of a .clg file, in UTF-16 with a byte order mark.

    data: the file, of which `image` was read. name: of the file, shown and given to what is saved
    from the page. alt: text that stands for the picture; None for its name and size.

    Raises:
        as `content_of` does.
    """
    content = content_of(image, data)
    weights = content.weights
    size = f"{image.width} x {image.height} pixels"
    facts = f"{name}, {size}, {len(data):,} bytes, quality {image.quality}"
    if content.note:
        facts += f"; decoded beforehand, as the decoder of this page does not know {content.note}"
    text = Template(_source("page.html")).substitute(
        generator=f"neural-collage {neural_collage.__version__}",
        title=escape(name),
        stem=escape(Path(name).stem),
        alt=escape(f"{name}, a picture of {size}" if alt is None else alt),
        facts=escape(facts),
        kind=content.kind,
        file=pack_text(content.data),
        file_bytes=len(content.data),
        weights="" if weights is None else pack_text(weights.data),
        weight_bytes=0 if weights is None else len(weights.data),
        index="" if weights is None else json.dumps(weights.index, separators=(",", ":")),
        decoder='"use strict";\n' + "\n".join(map(_source, _parts(content))),
        page=_source("page.js"),
    )
    return BOM_UTF16_LE + text.encode("utf-16-le")


def _parts(content: Content) -> tuple[str, ...]:
    return _DECODER if content.kind == "clg" else _UNPACKING


def _source(name: str) -> str:
    return (resources.files("neural_collage.viewer") / name).read_text(encoding="utf-8")
