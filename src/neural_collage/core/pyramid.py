"""Exact decoding by resolution: a small fixed point, then one application of the map per octave.

With `pooling` k, averaging the fixed point at scale s over k x k pixels gives the fixed point at
scale s / k (Baharav, Malah & Karnin 1993). So the image at any scale is one application, without
pooling, of the map to the image at scale s / k; only the coarsest scale on which every block is a
whole number of pixels has to be solved by iteration. The same step continues above scale 1.
"""

from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.affine import ScaledMap, offset_at
from neural_collage.core.blocks import Window, pool
from neural_collage.core.fixed_point import Gradient, Picard, Solver, SolverResult, fixed_point
from neural_collage.core.parameters import CollageParameters
from neural_collage.core.region import (
    BlockRead,
    block_reads,
    offset_at_pixels,
    offset_in_window,
    pixel_map,
)
from neural_collage.core.scales import ScaleGrid, render_at_scale

_KEPT_PIXELS = 1 << 22  # of canvases that later windows may need again

# A canvas pixel costs a gather; a single pixel of a window costs the arithmetic of `region`, one of
# a large block next to nothing more.
_CANVAS_BARGAIN, _BLOCK_BARGAIN = 8, 1.5


class PyramidDecoder:
    """Decodes one collage, keeping the solved coarse image for the next call.

    Raises NotContractiveError when made for a collage without a contraction certificate, unless
    `certify` is false.
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
        self._seen: dict[Fraction, Tensor] = {}
        self.report: SolverResult | None = None  # of the latest solve

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
        )

    def window(self, scale: Fraction, window: Window) -> Float[Tensor, "c h w"]:
        """A window of the canvas at an exact scale."""
        pixels = window.height * window.width
        by_block = None
        if not self._canvas_pays(scale, pixels, _BLOCK_BARGAIN):
            by_block = block_reads(self.collage, scale, window)
        if by_block is None and self._canvas_pays(scale, pixels, _CANVAS_BARGAIN):
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

        offset: `offset_at` that scale, if it is known.
        """
        if scale in self._solved:
            return self._solved[scale]
        if offset is None:
            if scale in self._seen:
                return self._seen[scale]
            canvas = self.canvas(scale, offset_at(self.collage, scale))
            self._keep(scale, canvas)
            return canvas
        if not self.collage.n_sources:
            return offset
        source = self._source(scale, offset)
        if source is not None:
            return ScaledMap.of(self.collage, scale, offset).apply(source)
        # what is kept for other scales must not depend on the scale that was asked for first
        mapping = ScaledMap.of(self.collage, scale)
        self._solved[scale], self.report = fixed_point(
            mapping.step, mapping.offset, self._solver, self._gradient
        )
        return self._solved[scale]

    def _keep(self, scale: Fraction, canvas: Float[Tensor, "c H W"]) -> None:
        """Keep a canvas for further windows, and earlier ones as far as memory allows."""
        self._seen[scale] = canvas
        pixels = 0
        for seen, kept in reversed(list(self._seen.items())):
            pixels += kept[0].numel()
            if pixels > _KEPT_PIXELS:
                del self._seen[seen]

    def _source(self, scale: Fraction, offset: Tensor | None = None) -> Tensor | None:
        """The canvas at scale / pooling, from the coarsest scale that has it; None if none has.

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
        if self._canvas_pays(scale, len(rows), _CANVAS_BARGAIN):
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
        rows, columns = mapped.rows[reads], mapped.columns[reads]  # of all sources at once
        if self.is_exact(source_scale):
            values = self._pixels(source_scale, rows, columns)
        else:
            source = self._source(scale)
            assert source is not None  # a scale without source is solved: canvas pays
            values = _read(source, rows, columns)
        reader = reads.nonzero()[:, 1]
        return offset.index_add(1, reader, mapped.weight[:, reads] * values)

    def _add_blocks(
        self, offset: Float[Tensor, "c h w"], scale: Fraction, reads: list[BlockRead]
    ) -> Float[Tensor, "c h w"]:
        """The values of a window, given the constant part of the map there and what it reads."""
        source_scale = scale / self.collage.pooling
        whole = None if self.is_exact(source_scale) else self._source(scale)
        result = offset.clone()
        for rows, columns, source, code, weight in reads:
            top, left, height, width = source
            if whole is None:
                read = self.window(source_scale, source)
            else:
                read = whole[:, top : top + height, left : left + width]
            part = weight[:, None, None] * isometry.apply(read, code)
            result[:, rows, columns] = result[:, rows, columns] + part
        return result

    def _canvas_pays(self, scale: Fraction, pixels: int, bargain: float) -> bool:
        """Whether to take the whole canvas at a scale for so many pixels of it.

        bargain: what one of them costs by itself, in pixels of a canvas.
        """
        if scale in self._seen or all(
            not self.is_exact(scale * factor / self.collage.pooling)
            for factor in _divisors(self.collage.pooling)
        ):
            return True
        partition = self.collage.partition
        area = partition.canvas_height * partition.canvas_width * scale**2
        return area <= bargain * pixels

    def is_exact(self, scale: Fraction) -> bool:
        """Whether all blocks and domain corners are whole pixels at a scale."""
        texture = self.collage.texture
        whole_pixels = (scale * self.collage.lattice).denominator == 1
        return whole_pixels and (texture is None or texture.is_exact(scale))


def _read(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels (c, n) of an image (c, h, w)."""
    return image.flatten(1).index_select(1, rows * image.shape[-1] + columns)


def _divisors(n: int) -> list[int]:
    """The divisors of n below n, in rising order."""
    return [d for d in range(1, n) if n % d == 0]
