"""A photo and a collage of it whose canvas is stretched to the shape of the photo.

Ranges are square on the canvas; stretched with it, the ranges and the copies of the whole photo
that they show have the aspect ratio of the photo.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.core.collage import Collage
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import (
    Region,
    Window,
    output_length,
    pixel_interval,
    render_cells,
    window_of,
)
from neural_collage.io.limits import check_decoded_size
from neural_collage.runtime import cached_property, without_autocast


@dataclass(frozen=True, eq=False)
class Fractal:
    """A collage that approximates a photo, blended with it: a scene for `zoom`.

    collage: of a canvas of any size and shape, stretched to that of the photo.
    photo: (3, height, width) in [0, 1].
    strength: weight of the collage in the result; the rest is the photo, resized.
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

    @without_autocast()
    def decode(self, scale: float = 1, region: Region | None = None) -> Float[Tensor, "3 h w"]:
        """Pixels in [0, 1] at any scale.

        region: (x, y, width, height) in pixels at that scale; only its window is computed.

        Raises:
            ScaleError: a scale or a region without pixels, or with too many.
        """
        down, across = (output_length(side, scale) for side in (self.height, self.width))
        window = window_of(region, down, across)
        check_decoded_size((window.width, window.height), (self.width, self.height))
        pixels = self._collage(window, down, across)
        if self.strength < 1:
            pixels = torch.lerp(self._photo(window, down, across), pixels, self.strength)
        return pixels.clamp(0, 1)

    def zoom_centre(self) -> tuple[float, float]:
        """The point about which a zoom repeats: a fixed point of the map from domain to range.

        As fractions (x, y) of width and height. Of the ranges that contain the fixed point of their
        map and use the identity isometry, the one with the best score: high contrast, medium
        brightness, near the middle. The middle of the picture if there is none.
        """
        collage = self.collage
        corners = collage.partition.blocks[:, None, :2].double()
        # p = corner + (p - domain) / pooling
        points = (corners - collage.domains / collage.pooling) / (1 - 1 / collage.pooling)
        fractions = points / torch.tensor([collage.height, collage.width])
        inside = (points >= corners) & (points <= corners + collage.partition.blocks[:, None, 2:])
        candidates = inside.all(-1) & (collage.isometries == 0)
        if not bool(candidates.any()):
            return 0.5, 0.5
        last = torch.tensor([self.height - 1, self.width - 1])
        pixels = (fractions.clamp(0, 1) * last).round().long()
        brightness = self.photo.mean(0)[pixels[..., 0], pixels[..., 1]]
        visibility = collage.weights.mean(0) * (1 - (2 * brightness - 1).abs())
        score = visibility - (fractions - 0.5).square().sum(-1)
        best = int(score.masked_fill(~candidates, -torch.inf).argmax())
        y, x = fractions.flatten(0, 1)[best].tolist()
        return x, y

    def _collage(self, window: Window, down: int, across: int) -> Tensor:
        """A window of the collage, which has down x across pixels in all."""
        height, width = self.collage.height, self.collage.width
        scale = self._exact_scale(max(down / height, across / width))
        rows = pixel_interval(window.top, window.height, down, int(height * scale))
        columns = pixel_interval(window.left, window.width, across, int(width * scale))
        return render_cells(
            lambda cells: self._decoder.window(scale, cells),
            (window.height, window.width),
            rows,
            columns,
            area_resample,
        )

    def _exact_scale(self, least: float) -> Fraction:
        """The smallest scale of at least `least` at which windows are exact and cheap to decode.

        A power of `pooling`, whose windows are decoded from those of coarser octaves, times a power
        of two. The latter is at most 2 if ranges have whole pixels there.
        """
        collage, octaves = self.collage, Fraction(1)
        while 2 * octaves < least:
            octaves *= collage.pooling
        factor = Fraction(2) ** math.ceil(math.log2(least / octaves) - 1e-9)
        while (
            not self._decoder.is_exact(factor)
            or (collage.height * factor).denominator > 1
            or (collage.width * factor).denominator > 1
        ):
            factor *= 2
        return factor * octaves

    def _photo(self, window: Window, down: int, across: int) -> Tensor:
        """A window of the photo, which has down x across pixels in all."""
        if down <= self.height:
            rows = pixel_interval(window.top, window.height, down, self.height)
            columns = pixel_interval(window.left, window.width, across, self.width)
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
