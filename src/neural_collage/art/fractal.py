"""A photo and a collage that stands for it, drawn on a canvas that is stretched to its shape.

The ranges of a collage are square. Drawn on a square canvas and stretched, they get the shape of
the photo, and so do the copies of the whole photo that they show.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.blocks import Window
from neural_collage.core.collage import Collage
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import Region, output_length, render_cells, window_of
from neural_collage.io.limits import check_output_size


@dataclass(frozen=True, eq=False)
class Fractal:
    """A photo, and a collage that looks like it from afar: a scene for `zoom`.

    collage: of a canvas of any size and shape; it is stretched over the photo.
    photo: (3, height, width) in [0, 1].
    strength: the part of the collage in what is shown; the rest is the photo, enlarged.
    """

    collage: Collage
    photo: Float[Tensor, "3 h w"]
    strength: float = 1.0

    @property
    def width(self) -> int:
        """Width in pixels at scale 1."""
        return self.photo.shape[2]

    @property
    def height(self) -> int:
        """Height in pixels at scale 1."""
        return self.photo.shape[1]

    def decode(self, scale: float = 1, region: Region | None = None) -> Float[Tensor, "3 h w"]:
        """Pixels in [0, 1] at any scale.

        region: (x, y, width, height) in pixels at that scale; the cost follows the window.

        Raises ScaleError for a scale or a region without pixels, or with too many.
        """
        down, across = (output_length(side, scale) for side in (self.height, self.width))
        window = window_of(region, down, across)
        if window.width * window.height > self.width * self.height:
            check_output_size(window.width, window.height, "choose a smaller scale or a region")
        shown = self._collage(window, down, across)
        if self.strength < 1:
            shown = torch.lerp(self._photo(window, down, across), shown, self.strength)
        return shown.clamp(0, 1)

    def nest(self) -> tuple[float, float]:
        """Where a copy lies in a copy in a copy: the fixed point of a range, near the middle.

        Parts (x, y) of width and height. Among copies that are not turned, one that is easy to see
        is preferred: of much contrast, neither dark nor light. The middle, if there is none.
        """
        collage = self.collage
        corners = collage.partition.blocks[:, None, :2].double()
        points = (corners - collage.domains / collage.pooling) / (1 - 1 / collage.pooling)
        parts = points / torch.tensor([collage.height, collage.width])
        inside = (points >= corners) & (points <= corners + collage.partition.blocks[:, None, 2:])
        upright = inside.all(-1) & (collage.isometries == 0)
        if not bool(upright.any()):
            return 0.5, 0.5
        at = (parts.clamp(0, 1) * torch.tensor([self.height - 1, self.width - 1])).round().long()
        light = self.photo.mean(0)[at[..., 0], at[..., 1]]
        seen = collage.weights.mean(0) * (1 - (2 * light - 1).abs())
        worth = seen - (parts - 0.5).square().sum(-1)
        best = int(worth.masked_fill(~upright, -torch.inf).argmax())
        y, x = parts.flatten(0, 1)[best].tolist()
        return x, y

    def _collage(self, window: Window, down: int, across: int) -> Tensor:
        """A window of the collage stretched to down x across pixels."""
        height, width = self.collage.height, self.collage.width
        octave = self._octave(max(down / height, across / width))
        rows = _span(window.top, window.height, int(height * octave), down)
        columns = _span(window.left, window.width, int(width * octave), across)
        return render_cells(
            lambda inside: self._decoder.window(octave, inside),
            (window.height, window.width),
            rows,
            columns,
        )

    def _octave(self, enlarged: float) -> Fraction:
        """The least exact scale of the collage that is at least so large and cheap to look into.

        That is a power of two, of at most 2 if ranges have whole pixels there, times the reduction
        of domains as many times as it takes: by those, what a window shows is read off coarser
        canvases, down to a small one.
        """
        collage, deeper = self.collage, Fraction(1)
        while 2 * deeper < enlarged:
            deeper *= collage.pooling
        octave = Fraction(2) ** math.ceil(math.log2(enlarged / deeper) - 1e-9)
        while (
            not self._decoder.is_exact(octave)
            or (collage.height * octave).denominator > 1
            or (collage.width * octave).denominator > 1
        ):
            octave *= 2
        return octave * deeper

    def _photo(self, window: Window, down: int, across: int) -> Tensor:
        """A window of the photo resized to down x across pixels."""
        if down <= self.height:
            rows = _span(window.top, window.height, self.height, down)
            columns = _span(window.left, window.width, self.width, across)
            return area_resample(self.photo, window.height, window.width, rows, columns)
        y = (torch.arange(window.height, dtype=torch.float64) + window.top + 0.5) / down
        x = (torch.arange(window.width, dtype=torch.float64) + window.left + 0.5) / across
        y, x = (2 * y - 1).float(), (2 * x - 1).float()
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
        enlarged: Tensor = functional.grid_sample(
            self.photo[None], grid, mode="bicubic", padding_mode="border", align_corners=False
        )
        return enlarged[0]

    @cached_property
    def _decoder(self) -> PyramidDecoder:
        return PyramidDecoder(self.collage)


def _span(start: int, length: int, pixels: int, shown: int) -> tuple[Fraction, Fraction]:
    """A span of `shown` pixels in units of others, of which there are `pixels`."""
    return Fraction(start * pixels, shown), Fraction((start + length) * pixels, shown)
