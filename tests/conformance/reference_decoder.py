"""A second decoder of .clg files: docs/format.md in numpy, without the package's code.

It decodes the fractal and the neural codec, and graphics layers over them or over nothing. It is to
be read beside the format, in double precision and not fast. This module is the container, and the
pixels and the colours of fractal files; `reference_syntax` reads their planes, `reference_neural`
neural payloads with `reference_weights`, `reference_graphics` layers, all by `reference_entropy`.
"""

import zlib
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from tests.conformance.reference_entropy import Ints, SymbolDecoder, varint
from tests.conformance.reference_graphics import read_layer
from tests.conformance.reference_neural import read_neural
from tests.conformance.reference_syntax import Floats, Plane, averages, enlarge, read_plane
from tests.conformance.reference_weights import Weights

Base = Callable[[bytes, int, int, int, int], Floats]
"""Decodes a payload, of which the height, the width, the quality and the channels follow."""

CONTRASTS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 32 / 3, 12]) / 8


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of a file, (h, w) or (h, w, c); raises as `samples` does."""
    return np.floor(samples(data) + 0.5).astype(np.uint8)


def samples(data: bytes) -> Floats:
    """The pixels of a file before they are rounded, in [0, 255].

    Raises ValueError if it is damaged, of another version, or of the codec poli2022.
    """
    if data[:5] != b"\x89CLG\1" or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise ValueError("no .clg file of version 1, or a damaged one")
    rest = iter(data[5:-4])
    codec, flags, space, quality = islice(rest, 4)
    width, height, length = varint(rest), varint(rest), varint(rest)
    model = bytes(islice(rest, varint(rest) + 8)) if flags & 4 else b""
    if flags & 8:  # an ICC profile
        bytes(islice(rest, varint(rest)))
    graphics = bytes(islice(rest, varint(rest))) if flags & 16 else bytes([quality])
    if flags & 32:
        read_metadata(rest)
    payload = bytes(rest)
    if (codec, space) not in ((1, 0), (2, 1)) and graphics[0]:
        raise ValueError("neither a file of the fractal codec nor one of the neural codec")
    if flags > 63 or length != len(payload) or bool(payload) != bool(graphics[0]):
        raise ValueError("an unknown or damaged file")
    channels = (flags & 3) + 1
    read_base = neural_base(model) if codec == 2 else fractal_base
    if flags & 16:
        layer = read_layer(graphics, height, width, channels)
        pixels = np.zeros((height, width, channels))
        if payload:
            top, left, bottom, right = layer.base
            shown = read_base(payload, bottom - top, right - left, graphics[0], channels)
            pixels[top:bottom, left:right] = shown
        pixels = layer.over(pixels)
    else:
        pixels = read_base(payload, height, width, quality, channels)
    return pixels if channels > 1 else pixels[..., 0]


def metadata(data: bytes) -> dict[str, bytes]:
    """The ICC profile, EXIF and XMP of a file, as far as they are in it; raises as `samples`."""
    rest = iter(data[5:-4])
    _, flags, _, _ = islice(rest, 4)
    _ = varint(rest), varint(rest), varint(rest)
    found = {}
    if flags & 4:
        bytes(islice(rest, varint(rest) + 8))
    if flags & 8:
        found["icc_profile"] = zlib.decompress(bytes(islice(rest, varint(rest))))
    if flags & 16:
        bytes(islice(rest, varint(rest)))
    return found | (read_metadata(rest) if flags & 32 else {})


def read_metadata(rest: Iterator[int]) -> dict[str, bytes]:
    """The chunks of metadata that come next in a file."""
    length = varint(rest)
    chunks = bytes(islice(rest, length))
    if len(chunks) < length:
        raise ValueError("the metadata break off")
    found, last, left = {}, 0, iter(chunks)
    for byte in left:
        kind, length = byte & 127, varint(left)
        content = bytes(islice(left, length))
        if len(content) < length or kind <= last:
            raise ValueError("a chunk of metadata breaks off, or is not in order")
        last = kind
        if kind in (1, 2):
            if byte & 128:
                stream = zlib.decompressobj()
                content = stream.decompress(content, (16 << 20) + 1)
                if not stream.eof or stream.unused_data:
                    raise ValueError("a chunk of metadata is damaged or too long")
            if not 1 <= len(content) <= 16 << 20:
                raise ValueError("a chunk of metadata is empty or too long")
            found["exif" if kind == 1 else "xmp"] = content
    return found


def neural_base(model: bytes) -> Base:
    """Decodes neural payloads to pixels (h, w, c) in [0, 255], with a model as in a header."""

    def read_base(payload: bytes, height: int, width: int, quality: int, channels: int) -> Floats:
        weights = Weights(model[:-8].decode(), model[-8:], quality)
        return np.clip(read_neural(payload, weights, height, width, channels), 0, 255)

    return read_base


def fractal_base(payload: bytes, height: int, width: int, quality: int, channels: int) -> Floats:
    """The pixels (h, w, c) of a fractal payload, in [0, 255]."""
    planes = read_planes(payload, height, width, quality, channels > 2, channels in (2, 4))
    if channels > 2:
        luma, cb, cr = planes[:3]
        red, blue = luma + 1.402 * cr, luma + 1.772 * cb
        planes[:3] = red, (luma - 0.299 * red - 0.114 * blue) / 0.587, blue
    pixels: Floats = np.clip(np.stack(planes, -1), 0, 255)
    return pixels


def read_planes(
    payload: bytes, height: int, width: int, quality: int, colour: bool, alpha: bool
) -> list[Floats]:
    """Luma, chroma and alpha at the size of the picture, in units of 1/255."""
    byte, decoder = payload[0], SymbolDecoder(payload[1:])
    reduction = 1 if byte & 16 else 2
    step = 160 * (8 / 160) ** ((quality - 1) / 99) / 2 ** (byte >> 5 & 3)
    lattice, most = (4, 8, 16, 12)[byte & 3], (byte >> 2 & 3) + 1
    planes = []
    for kind in ["luma", *["chroma", "chroma"] * colour, *["luma"] * alpha]:
        decoder.kind = kind
        scale, unit = (reduction, step * 1.3 / reduction) if kind == "chroma" else (1, step)
        size = -(-height // scale), -(-width // scale)
        plane = read_plane(decoder, *size, lattice, most, byte > 127)
        shown = render(plane, scale, 3 if lattice == 12 else 2, byte > 127)
        planes.append(unit * shown[:height, :width])
    decoder.finish()
    return planes


def render(plane: Plane, scale: int, reduction: int, wide: bool) -> Floats:
    """The fixed point of a plane with its padding, at a scale of 1 or 2, in steps.

    reduction: from domains to ranges. wide: whether contrasts may be.
    """
    if not wide and np.abs(plane.domains[:, 0]).sum(0).max() >= 8:
        raise ValueError("the stream is damaged: a range does not contract")
    ranges = plane.ranges
    owner = enlarge(ranges.owner, 4 * scale)
    size = ranges.size[owner] * scale
    i, j = np.indices(owner.shape) - ranges.corner[:, owner] * scale

    def wave(u: int, position: Ints) -> Floats:
        height: Floats = np.sqrt((2 if u else 1) * scale / size)
        if scale == 2:
            height /= np.cos(np.pi * u / (2 * size))
        result: Floats = height * np.cos(np.pi * u / size * (position + 0.5))
        return result

    constant = ranges.mean[owner]
    for u, v in np.ndindex(8, 8):
        constant += plane.coefficients[owner, u, v] * wave(u, i) * wave(v, j)
    index, isometry, top, left = plane.domains[:, :, owner].swapaxes(0, 1)
    contrast = np.sign(index) * CONTRASTS[np.abs(index)]
    row, column = np.where(isometry & 4, j, i), np.where(isometry & 4, i, j)
    row = np.where(isometry & 2, size - 1 - row, row) + top * scale // reduction
    column = np.where(isometry & 1, size - 1 - column, column) + left * scale // reduction
    rows, columns = (side // reduction for side in owner.shape)  # what is left over is not read
    source = np.where(index, row * columns + column, 0)
    image: Floats = constant
    for _ in range(1000):
        cells = image[: rows * reduction, : columns * reduction]
        reduced = cells.reshape(rows, reduction, columns, reduction).mean((1, 3)).ravel()
        part = (contrast * reduced[source]).sum(0)
        before, image = image, constant + part - averages(part, owner)[owner]
        if np.abs(image - before).max() < 1e-9:
            return image
    raise ValueError("the means do not settle")
