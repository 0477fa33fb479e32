"""A collage's map at one scale, applied as a gather, a multiply and an add per pixel.

The source of the image at scale s is the image at scale s / pooling: ranges read it pixel by pixel,
without pooling. `ScaledMap.step` first pools an image at scale s, and is the map whose fixed point
is the image at that scale. Where the means of the ranges are known, it sets them.
"""

from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import pool
from neural_collage.core.parameters import CollageParameters
from neural_collage.core.partition import Group, Partition
from neural_collage.core.resample import resize_patches


def whole(value: Fraction) -> int:
    """Convert an integral fraction to int; raises ValueError if it is not integral."""
    if value.denominator != 1:
        raise ValueError(f"{value} is not a whole number of pixels")
    return value.numerator


@dataclass(frozen=True, eq=False)
class RangeMeans:
    """The ranges on the pixels of one scale, whose means can be measured and set.

    index: (H, W) range of each pixel. pixels: (r,) of each range.
    """

    index: Int64[Tensor, "H W"]
    pixels: Int64[Tensor, " r"]

    @classmethod
    def of(cls, partition: Partition, scale: Fraction) -> "RangeMeans":
        """The ranges at a scale at which they are whole pixels."""
        repeat = whole(int(partition.blocks[-1, 2]) * scale)
        index = partition.index_map.repeat_interleave(repeat, 0).repeat_interleave(repeat, 1)
        return cls(index, index.flatten().bincount(minlength=len(partition)))

    def measure(self, image: Float[Tensor, "c H W"]) -> Float[Tensor, "c r"]:
        """The means of the ranges of an image."""
        sums = image.new_zeros(len(image), len(self.pixels))
        return sums.index_add(1, self.index.flatten(), image.flatten(1)) / self.pixels

    def set(
        self, image: Float[Tensor, "c H W"], means: Float[Tensor, "c r"]
    ) -> Float[Tensor, "c H W"]:
        """The image with a constant added to each range, so that it has the given mean."""
        return image + (means - self.measure(image))[:, self.index]


@dataclass(frozen=True, eq=False)
class ScaledMap:
    """A collage's map on the pixels of one scale; constructed by `ScaledMap.of`.

    Pixels are viewed as (rows, m, columns, m): a grid of cells of m x m pixels, the size of the
    smallest block.

    index: (k, H * W) position in the flattened source that each pixel reads.
    weight: (c or 1, k, rows, 1, columns, 1) contrast of each cell.
    offset: (c, H, W) constant part, see `offset_at`.
    source_height, source_width: size of the image at scale / pooling.
    ranges, means: if the means of the ranges are known.
    """

    index: Int32[Tensor, "k n"] | Int64[Tensor, "k n"]
    weight: Float[Tensor, "cw k rows 1 columns 1"]
    offset: Float[Tensor, "c H W"]
    source_height: int
    source_width: int
    pooling: int
    ranges: RangeMeans | None = None
    means: Float[Tensor, "c r"] | None = None

    @classmethod
    def of(
        cls,
        collage: CollageParameters,
        scale: Fraction,
        offset: Float[Tensor, "c H W"] | None = None,
    ) -> "ScaledMap":
        """The map of a collage at one scale.

        scale: a multiple of 1 / collage.lattice. offset: `offset_at` that scale if already
        computed.

        Raises ValueError at any other scale.
        """
        whole(scale * collage.lattice)
        if offset is None:
            offset = offset_at(collage, scale)
        height, width = offset.shape[1:]
        cells = collage.partition.index_map
        weight = torch.where(collage.domains_fit[:, None], collage.weights, 0)
        return cls(
            _source_index(collage, scale, height, width),
            weight[:, cells].permute(0, 3, 1, 2)[..., None, :, None],
            offset,
            height // collage.pooling,
            width // collage.pooling,
            collage.pooling,
            None if collage.means is None else RangeMeans.of(collage.partition, scale),
            collage.means,
        )

    def apply(self, source: Float[Tensor, "c h w"]) -> Float[Tensor, "c H W"]:
        """The image at this scale from the image at scale / pooling.

        Raises ValueError if the source has another shape.
        """
        expected = (len(self.offset), self.source_height, self.source_width)
        if source.shape != expected:
            raise ValueError(f"expected a source of shape {expected}, not {tuple(source.shape)}")
        if not source.numel():  # smaller than any domain: all weights are 0
            return self.offset
        rows, columns = self.weight.shape[2], self.weight.shape[4]
        height, width = self.offset.shape[1:]
        cell_shape = (-1, rows, height // rows, columns, width // columns)
        flat, result = source.flatten(1), self.offset.view(cell_shape)
        for index, weight in zip(self.index, self.weight.unbind(1), strict=True):
            # multiply and add round separately, not fused, for equal pixels on every machine
            result = result + weight * flat.index_select(1, index).view(cell_shape)
        return result.view(self.offset.shape)

    def step(self, z: Float[Tensor, "c H W"]) -> Float[Tensor, "c H W"]:
        """Apply the map to an image at this scale: pool it, `apply`, set the means if known."""
        image = self.apply(pool(z, self.pooling))
        if self.ranges is None or self.means is None:
            return image
        # sums of many pixels: in single precision they would be a thousandth of a grey level off
        return self.ranges.set(image.double(), self.means).to(image.dtype)


def _source_index(
    collage: CollageParameters, scale: Fraction, height: int, width: int
) -> Int32[Tensor, "k n"] | Int64[Tensor, "k n"]:
    """Position that each pixel reads: on every range affine in the pixel's row and column."""
    partition = collage.partition
    corner_row, corner_column, size = scaled(partition.blocks, scale).unbind(1)
    domain = scaled(collage.domains, scale / collage.pooling)
    pitch = width // collage.pooling
    start, per_row, per_column = isometry.source_strides(collage.isometries, size[:, None], pitch)
    start = start + domain[..., 0] * pitch + domain[..., 1]
    start = start - per_row * corner_row[:, None] - per_column * corner_column[:, None]
    dtype = torch.int32 if height * width < 1 << 31 else torch.int64
    terms = torch.where(collage.domains_fit[:, None], torch.stack([start, per_row, per_column]), 0)
    start, per_row, per_column = terms.to(dtype)[:, partition.index_map].movedim(-1, 1)
    rows, columns = partition.index_map.shape
    row = torch.arange(height, dtype=dtype, device=start.device).view(rows, -1, 1)
    column = torch.arange(width, dtype=dtype, device=start.device).view(columns, -1)
    by_row = torch.addcmul(start[:, :, None], per_row[:, :, None], row)
    return torch.addcmul(by_row[..., None], per_column[:, :, None, :, None], column).flatten(1)


def scaled(lengths: Int64[Tensor, "*n"], scale: Fraction) -> Int64[Tensor, "*n"]:
    """Lengths in pixels at another scale, at which they must be whole numbers."""
    return lengths * scale.numerator // scale.denominator


def offset_at(collage: CollageParameters, scale: Fraction) -> Float[Tensor, "c H W"]:
    """The constant part of the map on the canvas at an exact scale: bias, patches, texture."""
    offset = _range_offset(collage, scale)
    if collage.texture is None:
        return offset
    return offset + collage.texture.canvas(scale).to(offset.dtype)


def _range_offset(collage: CollageParameters, scale: Fraction) -> Float[Tensor, "c H W"]:
    """Bias and patches on the canvas at an exact scale."""
    partition = collage.partition
    height = whole(partition.canvas_height * scale)
    width = whole(partition.canvas_width * scale)
    rows, columns = partition.index_map.shape
    bias = collage.bias[:, partition.index_map][:, :, None, :, None]
    bias = bias.expand(-1, -1, height // rows, -1, width // columns)
    if collage.patches is None or collage.patch_weights is None:
        return bias.reshape(-1, height, width)
    patched = collage.bias.new_zeros(collage.channels, height, width)
    for group in partition.groups:
        _write_patches(patched, collage, group, whole(group.size * scale))
    return (patched.view(bias.shape) + bias).view(patched.shape)


def _write_patches(
    canvas: Float[Tensor, "c H W"], collage: CollageParameters, group: Group, size: int
) -> None:
    """Write the summed patches of the ranges of one group, at size x size pixels each."""
    assert collage.patches is not None
    assert collage.patch_weights is not None
    patched = collage.uses_patches[group.ranges].nonzero()[:, 0]
    # The summation order of matrix products depends on threads and machine. In double precision
    # the differences vanish when the result is rounded to single precision.
    weights = collage.patch_weights[:, group.ranges][:, patched].double()
    p = collage.patches.shape[-1]
    patches = collage.patches.double().transpose(0, 1).flatten(2)
    summed: Tensor = (weights @ patches).unflatten(-1, (p, p))
    blocks = resize_patches(summed, size).to(canvas.dtype).transpose(0, 1)
    height, width = canvas.shape[1:]
    grid = canvas.view(-1, height // size, size, width // size, size).permute(1, 3, 0, 2, 4)
    rows, columns = group.grid_rows[patched], group.grid_columns[patched]
    grid[rows, columns] = blocks.expand(-1, len(canvas), -1, -1)
