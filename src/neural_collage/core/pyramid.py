"""Exact decoding by resolution: a small fixed point, then one application of the map per octave.

With `pooling` k, averaging the fixed point at scale s over k x k pixels gives the fixed point at
scale s / k (Baharav, Malah & Karnin 1993). So the image at scale s is the map applied once, without
pooling, to the image at scale s / k; only the coarsest scale at which every block is a whole number
of pixels has to be solved by iteration. The same step continues above scale 1.
"""

from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.affine import ScaledMap, offset_at
from neural_collage.core.blocks import pool
from neural_collage.core.fixed_point import Gradient, Picard, Solver, SolverResult, fixed_point
from neural_collage.core.parameters import CollageParameters
from neural_collage.core.region import (
    BlockRead,
    block_reads,
    offset_at_pixels,
    offset_in_window,
    pixel_map,
)
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import ScaleGrid, Window, render_at_scale

_CACHED_PIXELS = 1 << 22  # of canvases, which later windows may use again

# Cost of one pixel of a window relative to one of a canvas, which is a single gather: by the index
# arithmetic of `region` for each pixel, or for whole rectangles of large blocks.
_PIXEL_COST_RATIO, _BLOCK_COST_RATIO = 8, 1.5


class PyramidDecoder:
    """Decodes one collage; caches the solved coarsest image between calls.

    report: outcome of the latest solve.

    Raises NotContractiveError unless the contraction bound is below 1 or `certify` is false.
    """

    def __init__(
        self,
        collage: CollageParameters,
        *,
        certify: bool = True,
        solver: Solver | None = None,
        gradient: Gradient = "implicit",
    ) -> None:
        if certify:
            collage.require_contractive()
        self.collage = collage
        self._solver = solver or Picard()
        self._gradient = gradient
        self._solved: dict[Fraction, Tensor] = {}
        self._canvases: dict[Fraction, Tensor] = {}
        self.report: SolverResult | None = None

    def decode(
        self, scale: float = 1, region: tuple[int, int, int, int] | None = None
    ) -> Float[Tensor, "c h w"]:
        """The image, or the region (x, y, width, height) of it, at any scale > 0.

        See `Collage.decode`.
        """
        return render_at_scale(
            (self.collage.height, self.collage.width),
            scale,
            region,
            ScaleGrid(1 / self.collage.lattice, self.collage.pooling, self.is_exact),
            self.window,
            area_resample,
        )

    def window(self, scale: Fraction, window: Window) -> Float[Tensor, "c h w"]:
        """A window of the canvas at an exact scale."""
        pixels = window.height * window.width
        by_block = None
        if not self._canvas_is_cheaper(scale, pixels, _BLOCK_COST_RATIO):
            by_block = block_reads(self.collage, scale, window)
        if by_block is None and self._canvas_is_cheaper(scale, pixels, _PIXEL_COST_RATIO):
            canvas = self.canvas(scale)
            return canvas[
                :,
                window.top : window.top + window.height,
                window.left : window.left + window.width,
            ]
        offset = offset_in_window(self.collage, scale, window)
        if by_block is not None:
            return self._add_blocks(offset, scale, by_block)
        pixel = torch.arange(pixels, device=offset.device)
        rows, columns = window.top + pixel // window.width, window.left + pixel % window.width
        values = self._add_sources(offset.flatten(1), scale, rows, columns)
        return values.view(-1, window.height, window.width)

    def canvas(
        self, scale: Fraction, offset: Float[Tensor, "c H W"] | None = None
    ) -> Float[Tensor, "c H W"]:
        """The whole canvas at an exact scale, a multiple of 1 / lattice.

        offset: `offset_at` that scale if already computed.
        """
        if scale in self._solved:
            return self._solved[scale]
        if offset is None:
            if scale in self._canvases:
                return self._canvases[scale]
            canvas = self.canvas(scale, offset_at(self.collage, scale))
            self._cache(scale, canvas)
            return canvas
        if not self.collage.domains_per_range:
            return offset
        source = self._source(scale, offset)
        if source is not None:
            return ScaledMap.of(self.collage, scale, offset).apply(source)
        # the cached solution must not depend on which scale was requested first
        mapping = ScaledMap.of(self.collage, scale)
        self._solved[scale], self.report = fixed_point(
            mapping.step, mapping.offset, self._solver, self._gradient
        )
        return self._solved[scale]

    def _cache(self, scale: Fraction, canvas: Float[Tensor, "c H W"]) -> None:
        """Cache a canvas, dropping the oldest ones beyond `_CACHED_PIXELS`."""
        self._canvases[scale] = canvas
        pixels = 0
        for cached_scale, cached in reversed(list(self._canvases.items())):
            pixels += cached[0].numel()
            if pixels > _CACHED_PIXELS:
                del self._canvases[cached_scale]

    def _source(self, scale: Fraction, offset: Tensor | None = None) -> Tensor | None:
        """The canvas at scale / pooling, pooled from the coarsest exact scale; None without one.

        The offset at a coarser scale is the average of the one at `scale`.
        """
        pooling = self.collage.pooling
        for factor in _divisors(pooling):
            finer = scale * factor / pooling
            if self.is_exact(finer):
                coarser = None if offset is None else pool(offset, pooling // factor)
                return pool(self.canvas(finer, coarser), factor)
        return None

    def _pixels(self, scale: Fraction, rows: Tensor, columns: Tensor) -> Tensor:
        """Values (c, n) of single pixels of the canvas at an exact scale."""
        if not len(rows):
            return self.collage.bias.new_empty(self.collage.channels, 0)
        if self._canvas_is_cheaper(scale, len(rows), _PIXEL_COST_RATIO):
            return _read(self.canvas(scale), rows, columns)
        offset = offset_at_pixels(self.collage, scale, rows, columns)
        return self._add_sources(offset, scale, rows, columns)

    def _add_sources(
        self, offset: Float[Tensor, "c n"], scale: Fraction, rows: Tensor, columns: Tensor
    ) -> Float[Tensor, "c n"]:
        """The values of pixels, given the constant part of the map there."""
        source_scale = scale / self.collage.pooling
        mapped = pixel_map(self.collage, scale, rows, columns)
        reads = mapped.reads
        rows, columns = mapped.rows[reads], mapped.columns[reads]  # of all sources together
        if self.is_exact(source_scale):
            values = self._pixels(source_scale, rows, columns)
        else:
            source = self._source(scale)
            assert source is not None  # solved scales, which have no source, are read from a canvas
            values = _read(source, rows, columns)
        reader = reads.nonzero()[:, 1]
        return offset.index_add(1, reader, mapped.weight[:, reads] * values)

    def _add_blocks(
        self, offset: Float[Tensor, "c h w"], scale: Fraction, reads: list[BlockRead]
    ) -> Float[Tensor, "c h w"]:
        """The values of a window, given the constant part of the map there and its reads."""
        source_scale = scale / self.collage.pooling
        canvas = None if self.is_exact(source_scale) else self._source(scale)
        result = offset.clone()
        for rows, columns, source, code, weight in reads:
            top, left, height, width = source
            if canvas is None:
                read = self.window(source_scale, source)
            else:
                read = canvas[:, top : top + height, left : left + width]
            part = weight[:, None, None] * isometry.apply(read, code)
            result[:, rows, columns] = result[:, rows, columns] + part
        return result

    def _canvas_is_cheaper(self, scale: Fraction, pixels: int, cost_ratio: float) -> bool:
        """Whether computing the whole canvas costs less than computing single pixels of it.

        pixels: how many are needed. cost_ratio: cost of one of them relative to a canvas pixel.
        """
        if scale in self._canvases or all(
            not self.is_exact(scale * factor / self.collage.pooling)
            for factor in _divisors(self.collage.pooling)
        ):
            return True
        partition = self.collage.partition
        area = partition.canvas_height * partition.canvas_width * scale**2
        return area <= cost_ratio * pixels

    def is_exact(self, scale: Fraction) -> bool:
        """Whether blocks and domain corners are whole pixels and the texture is defined there."""
        texture = self.collage.texture
        whole_pixels = (scale * self.collage.lattice).denominator == 1
        return whole_pixels and (texture is None or texture.is_exact(scale))


def _read(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels (c, n) of an image (c, h, w)."""
    return image.flatten(1).index_select(1, rows * image.shape[-1] + columns)


def _divisors(n: int) -> list[int]:
    """The divisors of n below n, in rising order."""
    return [d for d in range(1, n) if n % d == 0]
