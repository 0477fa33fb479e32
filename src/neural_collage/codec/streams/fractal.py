"""The fractal codec: planes of quadtree collages in one range-coded stream.

    1  parameters: bits 0-1 the domain lattice (4, 8, 16 pixels, or 12, with domains reduced by 3),
       bits 2-3 domains a range less one (1 to 3), bit 4 chroma at full (1) or half (0) size, bits
       5-6 halvings of the quantiser steps, bit 7 whether contrasts may be wide
    n  range-coded planes: luma, then Cb and Cr if in colour, then alpha if there is one

The symbols and their order are those of `fractal.syntax`, the tables start from the shipped
priors; luma and alpha adapt one set of tables, Cb and Cr another.
"""

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from neural_collage.arguments import is_whole
from neural_collage.codec.base import Layer
from neural_collage.codec.collage_layer import CollageLayer
from neural_collage.codec.container import Header
from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.planes import to_planes
from neural_collage.core.blocks import pad_to_multiple, pool
from neural_collage.errors import CollageFormatError, NotContractiveError, NotConvergedError
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.effort import EFFORTS, Effort
from neural_collage.fractal.encoder import encode_plane
from neural_collage.fractal.geometry import TRIPLE_LATTICE, PlaneGeometry, quantiser_step
from neural_collage.fractal.statistics import KINDS, Counts, prior_counts
from neural_collage.fractal.syntax import code_plane
from neural_collage.io.picture import Picture

_LATTICES = (4, 8, 16, TRIPLE_LATTICE)
_MOST_SOURCES = 3
_DOMAINS_PER_RANGE = 1
"""That the encoder writes; a second one saved less than 0.1 % of J at twice the time."""
MAX_HALVINGS = 3
ERROR_PER_BIT = 0.13
"""Squared error worth one bit, in squared quantiser steps: J = D + error_per_bit * R."""
_SHIFT = 0.085
"""Natural logarithm of what it falls by for files like those of the next quality."""
CHROMA_STEP = 0.65  # of the luma step; a chroma sample covers four pixels
FULL_CHROMA_QUALITY = 70  # from here on chroma keeps its size


@dataclass(frozen=True)
class PlaneSpec:
    """One coded plane: which statistics it shares, its size and its quantiser step."""

    kind: str
    reduction: int
    step: float


@dataclass(frozen=True)
class Parameters:
    """The first byte of the stream."""

    lattice: int
    domains_per_range: int
    chroma_reduction: int
    halvings: int = 0
    wide: bool = False

    def to_byte(self) -> bytes:
        """As written."""
        full = self.chroma_reduction == 1
        return bytes(
            [
                _LATTICES.index(self.lattice)
                | (self.domains_per_range - 1) << 2
                | full << 4
                | self.halvings << 5
                | self.wide << 7
            ]
        )

    @classmethod
    def from_payload(cls, payload: bytes) -> "Parameters":
        """As read; CollageFormatError if they are missing or unknown."""
        if not payload:
            raise CollageFormatError("the fractal stream is empty")
        byte = payload[0]
        if (byte >> 2 & 3) >= _MOST_SOURCES:
            raise CollageFormatError(f"unknown parameters {byte:#04x} of the fractal stream")
        return cls(
            lattice=_LATTICES[byte & 3],
            domains_per_range=(byte >> 2 & 3) + 1,
            chroma_reduction=1 if byte >> 4 & 1 else 2,
            halvings=byte >> 5 & 3,
            wide=bool(byte >> 7),
        )

    def planes(self, channels: int, quality: int) -> list[PlaneSpec]:
        """The planes of a picture of 1 to 4 channels."""
        return plane_specs(channels, quality, self.chroma_reduction, self.halvings)


def plane_specs(
    channels: int, quality: int, chroma_reduction: int, halvings: int
) -> list[PlaneSpec]:
    """The planes of a picture of 1 to 4 channels; halvings: of the quantiser steps."""
    step = quantiser_step(quality) / 2**halvings
    luma = PlaneSpec("luma", 1, step)
    chroma_step = step * (CHROMA_STEP if chroma_reduction == 2 else 2 * CHROMA_STEP)
    chroma = PlaneSpec("chroma", chroma_reduction, chroma_step)
    colour = [luma] if channels < 3 else [luma, chroma, chroma]
    return colour if channels % 2 else [*colour, luma]


def chroma_reduction_of(quality: int, full_chroma: bool = False) -> int:
    """The one that the encoder chooses, if it is not told to keep the size."""
    return 1 if full_chroma or quality >= FULL_CHROMA_QUALITY else 2


class FractalEncoder:
    """Search-based fractal compression; see the module.

    halvings: 0 to 3, how often the quantiser steps of a quality are halved; each one adds about
    6 dB, beyond quality 100 as well. full_chroma: chroma keeps its size at all qualities. fraction:
    see `base.FractionalEncoder`.

    Raises ValueError for other numbers of halvings.
    """

    model = None

    def __init__(self, halvings: int = 0, full_chroma: bool = False, fraction: float = 0.0) -> None:
        if not (is_whole(halvings) and 0 <= halvings <= MAX_HALVINGS):
            raise ValueError(f"halvings must be 0 to {MAX_HALVINGS}, not {halvings!r}")
        self.halvings = halvings
        self.full_chroma = full_chroma
        self.fraction = fraction

    def shifted(self, fraction: float, kept: dict[Hashable, Any]) -> "FractalEncoder":
        """See `base.FractionalEncoder`."""
        return FractalEncoder(self.halvings, self.full_chroma, fraction)

    def encode(self, picture: Picture, *, quality: int, effort: int, device: str) -> bytes:
        """The payload of a picture."""
        writer = SymbolWriter()
        statistics = {kind: prior_counts(kind) for kind in KINDS}
        lattice, wide = _LATTICES[0], False  # without domains, all lattices of a pooling are equal
        for code, spec in encode_planes(
            picture.pixels.to(device),
            quality,
            EFFORTS[effort],
            statistics,
            self.halvings,
            self.full_chroma,
            self.fraction,
        ):
            writer.counts = statistics[spec.kind]
            code_plane(writer, code.geometry, _DOMAINS_PER_RANGE, code)
            if code.contrasts.any():
                lattice, wide = code.geometry.lattice, code.geometry.wide
        parameters = Parameters(
            lattice,
            _DOMAINS_PER_RANGE,
            chroma_reduction_of(quality, self.full_chroma),
            self.halvings,
            wide,
        )
        return parameters.to_byte() + writer.finish()


def decode(payload: bytes, header: Header) -> tuple[Layer, ...]:
    """The collages of a payload: of luma, then of chroma if in colour, then of alpha.

    Raises:
        CollageFormatError: damaged.
    """
    parameters = Parameters.from_payload(payload)
    try:
        return tuple(
            CollageLayer(code.to_collage(spec.step), spec.reduction)
            for code, spec in _read_planes(payload[1:], header, parameters)
        )
    except (NotContractiveError, NotConvergedError) as error:
        raise CollageFormatError(f"the fractal stream is damaged: {error}") from error


def encode_planes(
    pixels: Float[Tensor, "c h w"],
    quality: int,
    effort: Effort,
    statistics: Mapping[str, Counts],
    halvings: int = 0,
    full_chroma: bool = False,
    fraction: float = 0.0,
) -> Iterator[tuple[PlaneCode, PlaneSpec]]:
    """The codes of the planes of a picture, one at a time, whose domains are as those of the first.

    statistics: what each kind of plane is priced with, read anew for every plane, so that the
    caller may let them adapt in between. halvings, full_chroma, fraction: as for `FractalEncoder`.
    """
    planes = to_planes(pixels) * 255
    specs = plane_specs(len(planes), quality, chroma_reduction_of(quality, full_chroma), halvings)
    first: PlaneGeometry | None = None
    for plane, spec in zip(planes, specs, strict=True):
        code = encode_plane(
            _reduce(plane, spec.reduction),
            spec.step,
            ERROR_PER_BIT * math.exp(-_SHIFT * fraction) * spec.step**2,
            statistics[spec.kind],
            effort if spec.kind == "luma" else effort.without_domains(),
        )
        if first is None:
            first = code.geometry
            effort = effort.limited(first.lattice, first.wide)
        geometry = replace(code.geometry, lattice=first.lattice, wide=first.wide)
        yield replace(code, geometry=geometry), spec


def _read_planes(
    stream: bytes, header: Header, parameters: Parameters
) -> list[tuple[PlaneCode, PlaneSpec]]:
    reader = SymbolReader(stream)
    statistics = {kind: prior_counts(kind) for kind in KINDS}
    planes = []
    for spec in parameters.planes(header.channels, header.quality):
        height, width = (-(-side // spec.reduction) for side in (header.height, header.width))
        geometry = PlaneGeometry(height, width, parameters.lattice, parameters.wide)
        reader.counts = statistics[spec.kind]
        planes.append((code_plane(reader, geometry, parameters.domains_per_range, None), spec))
    reader.finish()
    return planes


def _reduce(plane: Float[Tensor, "h w"], factor: int) -> Float[Tensor, "H W"]:
    """Average factor x factor pixels, the last ones of odd sides repeated."""
    return pool(pad_to_multiple(plane[None], factor), factor)[0]
