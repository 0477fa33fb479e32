"""`CollageImage`: a picture held as the collages of its file, decoded at any size."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from PIL import Image

from neural_collage.arguments import check_choice
from neural_collage.codec.base import Layer
from neural_collage.codec.colour import to_samples
from neural_collage.codec.container import Header, pack_file, unpack_file, unpack_start
from neural_collage.codec.graphics.composition import Composition
from neural_collage.codec.graphics.layer import GraphicsLayer
from neural_collage.codec.graphics.syntax import read_layer
from neural_collage.codec.ids import codec_name
from neural_collage.codec.registry import codec_entry
from neural_collage.core.arrays.averages import PixelArray, area_average, in_strips
from neural_collage.core.arrays.detail_links import DetailLinks
from neural_collage.core.arrays.domain_pool import DomainPool
from neural_collage.core.arrays.octaves import Octaves, is_octave
from neural_collage.core.scales import (
    Region,
    ScaleGrid,
    Window,
    output_length,
    output_window,
    render_at_scale,
)
from neural_collage.errors import CollageFormatError
from neural_collage.io.limits import check_decoded_size
from neural_collage.io.writing import to_pil
from neural_collage.models.enlargement.detail_network import shipped_detail
from neural_collage.runtime import cached_property

Detail = Literal["none", "links", "full"]
_MOST_KEPT = 1 << 19
"""Pixels of the largest picture that is kept at scale 1 for windows above it."""
_MOST_SEARCHED, _LEAST_OWNED = 1 << 20, 0.5
"""Pixels of the largest picture that is searched for detail links, and the share of it that its
graphics layer must own; other pictures have a domain pool, for textures that drawings lack."""


@dataclass(frozen=True)
class CollageImage:
    """A compressed picture: what a .clg file holds, ready to decode.

    missing: bytes that the payload of a partial file lacks at its end; what they would show is
    grey, or coarse.

    Made by `encode` or `load`; two are equal if their files are.
    """

    header: Header
    payload: bytes = field(repr=False)
    missing: int = 0
    _kept_octaves: dict[str, Octaves] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def from_bytes(
        cls,
        data: bytes | bytearray | memoryview,
        *,
        max_pixels: int | None = None,
        partial: bool = False,
    ) -> "CollageImage":
        """Read a file; raises CollageFormatError as `container.unpack_file` does.

        partial: accept one that breaks off within its payload. Only neural files whose payload is
        in segments can be decoded then, see `streams.neural`.
        """
        if partial:
            return cls(*unpack_start(data, max_pixels=max_pixels))
        return cls(*unpack_file(data, max_pixels=max_pixels))

    @classmethod
    def of_layers(
        cls,
        header: Header,
        payload: bytes,
        layers: tuple[Layer, ...],
        graphics: GraphicsLayer | None,
    ) -> "CollageImage":
        """A picture whose encoder knows what its file says.

        layers: the collages of its payload; none if they are to be read from it. graphics: the
        layer of the header.
        """
        image = cls(header, payload)
        # what the cached properties would read
        if layers:
            image.__dict__["layers"] = layers
        if header.graphics is not None:
            image.__dict__["_graphics"] = graphics, header.graphics[0]
        return image

    def to_bytes(self) -> bytes:
        """The complete file.

        Raises:
            CollageFormatError: a part of it is missing.
        """
        if self.missing:
            raise CollageFormatError(f"the file is truncated: {self.missing} bytes are missing")
        return pack_file(self.header, self.payload)

    @property
    def width(self) -> int:
        """Width in pixels at scale 1."""
        return self.header.width

    @property
    def height(self) -> int:
        """Height in pixels at scale 1."""
        return self.header.height

    @property
    def channels(self) -> int:
        """1 (grey) to 4 (RGB and alpha)."""
        return self.header.channels

    @property
    def quality(self) -> int:
        """The quality it was encoded with, 1..100."""
        return self.header.quality

    @property
    def codec(self) -> str:
        """Name of the codec."""
        return codec_name(self.header.codec)

    @cached_property
    def _graphics(self) -> tuple[GraphicsLayer | None, int]:
        """The layer over the picture, and the quality of what lies under it, 0 if nothing does."""
        header = self.header
        if header.graphics is None:
            return None, header.quality
        return read_layer(header.graphics, header.height, header.width, header.channels)

    @property
    def graphics(self) -> GraphicsLayer | None:
        """The layer of exact ranges over the picture, read on first use; None if it has none.

        Raises:
            CollageFormatError: it is damaged.
        """
        return self._graphics[0]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The collages, read from the payload on first use; none if the graphics layer owns all.

        Raises:
            CollageFormatError: the payload is damaged.
            CheckpointError: it needs weights that cannot be found.
        """
        entry = codec_entry(self.codec)
        if self.header.colour_space != entry.colour_space:
            raise CollageFormatError(
                f"the file is damaged: codec {self.codec} has no colour space "
                f"{self.header.colour_space.name}"
            )
        quality = self._graphics[1]
        if not quality:
            if self.payload:
                raise CollageFormatError("the file is damaged: a payload that nothing shows")
            return ()
        height, width = self._base_size
        header = replace(self.header, quality=quality, height=height, width=width)
        if not self.missing:
            return entry.find_decoder()(self.payload, header)
        if (decoder := entry.find_partial_decoder()) is None:
            raise CollageFormatError(
                f"the file is truncated, and codec {self.codec} has no coarse part to show"
            )
        return decoder(self.payload, header, self.missing)

    def decode(
        self,
        scale: float = 1,
        region: Region | None = None,
        *,
        pixelated: bool = False,
        detail: Detail = "full",
    ) -> PixelArray:
        """Pixels (c, h, w) in [0, 1], float32, colour as in the source, alpha last.

        scale: output pixels per pixel; any positive number.
        region: (x, y, width, height) in pixels of the picture at that scale.
        pixelated: above scale 1, repeat the pixels of scale 1, for pixel art.
        detail: what is added to average interpolation above scale 1, see `core.arrays.octaves`:
            "full", "links" (what the picture shows elsewhere, alone) or "none".

        Raises:
            ScaleError: scale or region leave no pixel, reach outside, or make more pixels than
                `limits.pixel_limit` says.
            ValueError: an unknown kind of detail.
            CollageFormatError: the file is damaged.
            CheckpointError: it needs weights that cannot be found.
        """
        window = output_window((self.height, self.width), scale, region)
        check_decoded_size((window.width, window.height), (self.width, self.height))
        check_choice("detail", detail, get_args(Detail))
        if scale <= 1:
            return self._decode(scale, region)
        if pixelated:
            return self._repeat_pixels(scale, window)
        if self.graphics is None and all(layer.continues for layer in self.layers):
            return self._decode_base(scale, region)
        return self._decode_above(scale, region, detail)

    def to_pil(
        self,
        scale: float = 1,
        region: Region | None = None,
        *,
        pixelated: bool = False,
        detail: Detail = "full",
    ) -> Image.Image:
        """The picture as 8 bits a channel, arguments as `decode`.

        Its `info` has "icc_profile", "exif" and "xmp", as far as they are in the file.
        """
        pixels = self.decode(scale, region, pixelated=pixelated, detail=detail)
        return to_pil(pixels, self.header.icc_profile, self.header.metadata)

    def _repeat_pixels(self, scale: float, window: Window) -> PixelArray:
        """The nearest pixels of scale 1 to a window at a higher scale."""
        sides = (window.top, window.height, self.height), (window.left, window.width, self.width)
        rows, columns = (
            (2 * np.arange(start, start + length) + 1) * side // (2 * output_length(side, scale))
            for start, length, side in sides
        )
        x, y = int(columns[0]), int(rows[0])
        pixels = self._decode(1, (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y))
        return pixels[:, (rows - y)[:, None], columns - x]

    def _decode_above(self, scale: float, region: Region | None, detail: Detail) -> PixelArray:
        """The picture above scale 1, by octaves of the picture at scale 1."""
        octaves = self._octaves(detail)

        def render(exact: Fraction, window: Window) -> PixelArray:
            octave = int(exact).bit_length() - 1
            return in_strips(lambda strip: np.clip(octaves.window(octave, strip), 0, 1), window)

        grid = ScaleGrid(Fraction(1), 2, is_octave)
        size = self.height, self.width
        return render_at_scale(size, scale, region, grid, render, area_average)

    def _octaves(self, detail: Detail) -> Octaves:
        """What renders the picture above scale 1; kept for the next window."""
        if detail not in self._kept_octaves:
            links = self._detail_links if detail != "none" else None
            term = shipped_detail().at(self._level) if detail == "full" else None
            size = self.height, self.width

            domains = self._domain_pool if detail != "none" else None
            self._kept_octaves[detail] = Octaves(self._window, size, term, links, domains)
        return self._kept_octaves[detail]

    @property
    def _level(self) -> float:
        """How good the picture is, for the prediction of detail."""
        return self._graphics[1] / 100 if self._graphics[1] else 1.0

    @property
    def _is_drawn(self) -> bool:
        layer = self.graphics
        return layer is not None and layer.owned_share() >= _LEAST_OWNED

    @cached_property
    def _detail_links(self) -> DetailLinks | None:
        """The self-similarity of a picture that a graphics layer owns, the only ones searched."""
        if not self._is_drawn or self.height * self.width > _MOST_SEARCHED:
            return None
        return DetailLinks.of(self._decode(1, None)[: 3 if self.channels >= 3 else 1])

    def _domain_pool(self) -> DomainPool | None:
        """The domains of a picture that is not drawn."""
        if self._is_drawn:
            return None
        return DomainPool.of(self._window, (self.height, self.width))

    def _window(self, window: Window) -> PixelArray:
        """What octaves read at scale 1: of small pictures the same, whatever was decoded before."""
        is_small = self.height * self.width <= _MOST_KEPT
        if not (is_small and any(layer.is_solved for layer in self.layers)):
            return self._decode(1, (window.left, window.top, window.width, window.height))
        rows = slice(window.top, window.top + window.height)
        return self._picture[:, rows, window.left : window.left + window.width]

    @cached_property
    def _picture(self) -> PixelArray:
        return self._decode(1, None)

    def _decode(self, scale: float, region: Region | None) -> PixelArray:
        """The picture up to scale 1, composed of its base and the layer over it."""
        composition = self._composition
        if composition is None:
            return self._decode_base(scale, region)

        grid = ScaleGrid(Fraction(1), 2, is_octave)
        size = self.height, self.width
        return render_at_scale(
            size, scale, region, grid, lambda _, window: composition.window(window), area_average
        )

    @property
    def _base_size(self) -> tuple[int, int]:
        """Height and width of what the payload holds."""
        if self.graphics is None:
            return self.height, self.width
        return self.graphics.base_window.height, self.graphics.base_window.width

    def _decode_base(self, scale: float, region: Region | None) -> PixelArray:
        """The pixels of the payload, without a layer over them."""
        layers = self.layers
        coarsest = max(layer.coarsest / layer.reduction for layer in layers)

        def is_exact(candidate: Fraction) -> bool:
            return all(layer.is_exact(candidate * layer.reduction) for layer in layers)

        def render_strip(exact: Fraction, window: Window) -> PixelArray:
            planes = [layer.window(exact * layer.reduction, window) for layer in layers]
            together = planes[0] if len(planes) == 1 else np.concatenate(planes)
            return to_samples(together, self.header)

        def render(exact: Fraction, window: Window) -> PixelArray:
            return in_strips(lambda strip: render_strip(exact, strip), window)

        coarse = min(layer.coarse / layer.reduction for layer in layers)
        grid = ScaleGrid(coarsest, layers[0].octave, is_exact, coarse)
        return render_at_scale(self._base_size, scale, region, grid, render, area_average)

    @cached_property
    def _composition(self) -> Composition | None:
        """What composes the picture, and keeps it at scale 1 for the next window."""
        if self.graphics is None:
            return None

        def base(window: Window) -> PixelArray:
            region = window.left, window.top, window.width, window.height
            return self._decode_base(1, region)

        return Composition(self.graphics, base if self.layers else None)
