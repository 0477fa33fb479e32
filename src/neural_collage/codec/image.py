"""`CollageImage`: a picture held as the collages of its file, decoded at any size."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from neural_collage.codec.base import Layer
from neural_collage.codec.colour import to_samples
from neural_collage.codec.container import Header, pack_file, unpack_file
from neural_collage.codec.ids import codec_name
from neural_collage.codec.registry import codec_entry
from neural_collage.core.blocks import Window
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.scales import Region, ScaleGrid, output_window, render_at_scale
from neural_collage.errors import CollageFormatError, NotConvergedError
from neural_collage.io.limits import check_decoded_size
from neural_collage.io.writing import to_pil
from neural_collage.runtime import without_autocast

_PIXELS_AT_ONCE = 1 << 25
"""Larger pictures are decoded in strips, so that beside them little memory is needed."""
_STRIP_PIXELS = 1 << 21


@dataclass(frozen=True)
class CollageImage:
    """A compressed picture: what a .clg file holds, ready to decode.

    Made by `encode` or `load`; two are equal if their files are.
    """

    header: Header
    payload: bytes = field(repr=False)
    _decoders: dict[str, tuple[PyramidDecoder, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, *, max_pixels: int | None = None
    ) -> "CollageImage":
        """Read a complete file; raises CollageFormatError as `container.unpack_file` does."""
        return cls(*unpack_file(data, max_pixels=max_pixels))

    def to_bytes(self) -> bytes:
        """The complete file."""
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
    def layers(self) -> tuple[Layer, ...]:
        """The collages, read from the payload on first use.

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
        with without_autocast():
            return entry.find_decoder()(self.payload, self.header)

    def decode(
        self, scale: float = 1, region: Region | None = None, device: str = "cpu"
    ) -> Float[Tensor, "c h w"]:
        """Pixels in [0, 1], colour as in the source, alpha last.

        scale: output pixels per pixel; any positive number.
        region: (x, y, width, height) in pixels of the picture at that scale.

        Raises:
            ScaleError: scale or region leave no pixel, reach outside, or make more pixels than
                `limits.pixel_limit` says.
            CollageFormatError: the file is damaged.
            CheckpointError: it needs weights that cannot be found.
        """
        window = output_window((self.height, self.width), scale, region)
        check_decoded_size((window.width, window.height), (self.width, self.height))
        with without_autocast(device):
            return self._decode(scale, region, device)

    def to_pil(self, scale: float = 1, region: Region | None = None) -> Image.Image:
        """The picture as 8 bits a channel, with its ICC profile."""
        return to_pil(self.decode(scale, region), self.header.icc_profile)

    def _decode(self, scale: float, region: Region | None, device: str) -> Float[Tensor, "c h w"]:
        decoders = self._decoders_on(device)
        layers = self.layers
        coarsest = max(1 / (layer.collage.lattice * layer.reduction) for layer in layers)

        def is_exact(candidate: Fraction) -> bool:
            return all(
                decoder.is_exact(candidate * layer.reduction)
                for decoder, layer in zip(decoders, layers, strict=True)
            )

        def render_strip(exact: Fraction, window: Window) -> Tensor:
            planes = [
                decoder.window(exact * layer.reduction, window)
                for decoder, layer in zip(decoders, layers, strict=True)
            ]
            return to_samples(torch.cat(planes), self.header)

        def render(exact: Fraction, window: Window) -> Tensor:
            if window.height * window.width <= _PIXELS_AT_ONCE:
                return render_strip(exact, window)
            pixels = torch.empty(
                self.channels, window.height, window.width, dtype=torch.float32, device=device
            )
            rows = max(1, _STRIP_PIXELS // window.width)
            for top in range(0, window.height, rows):
                strip = Window(
                    window.top + top, window.left, min(rows, window.height - top), window.width
                )
                pixels[:, top : top + rows] = render_strip(exact, strip)
            return pixels

        try:
            return render_at_scale(
                (self.height, self.width),
                scale,
                region,
                ScaleGrid(coarsest, layers[0].collage.pooling, is_exact),
                render,
            )
        except NotConvergedError as error:
            raise CollageFormatError(f"the file is damaged: {error}") from error

    def _decoders_on(self, device: str) -> tuple[PyramidDecoder, ...]:
        """One decoder a layer; they keep the coarse solution for the next window."""
        if device not in self._decoders:
            self._decoders[device] = tuple(
                PyramidDecoder(layer.collage.to(device)) for layer in self.layers
            )
        return self._decoders[device]
