"""One application of a collage's map at one scale, as a gather, a multiply and an add per pixel.

With the image at scale s / pooling as the source, a range at scale s reads whole pixels of it: no
pooling is left to do. `step` pools the image at scale s first, and is the map whose fixed point is
the image at that scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Group
from neural_collage.core.resample import resize_patches


def whole(value: Fraction) -> int:
    """A fraction that is a whole number, as an int; ValueError otherwise."""
    if value.denominator != 1:
        raise ValueError(f"{value} is not a whole number of pixels")
    return value.numerator


@dataclass(frozen=True, eq=False)
class ScaledMap:
    """A collage's map on the pixels of one scale; make it with `ScaledMap.of`.

    index: (k, H * W) where in the flattened source each pixel reads.
    weight: (c or 1, k, H, W) contrast per pixel.
    offset: (c, H, W) bias and auxiliary patches.
    """

    index: Int32[Tensor, "k n"]
    weight: Float[Tensor, "cw k H W"]
    offset: Float[Tensor, "c H W"]
    source_height: int
    source_width: int
    pooling: int

    @classmethod
    def of(cls, collage: Collage, scale: Fraction) -> "ScaledMap":
        """The map at a scale that is a multiple of 1 / collage.lattice (else ValueError)."""
        whole(scale * collage.lattice)
        canvas = collage.partition
        height, width = whole(canvas.canvas_height * scale), whole(canvas.canvas_width * scale)
        source_height, source_width = height // collage.pooling, width // collage.pooling
        source_scale = scale / collage.pooling
        parts = [
            _group_parts(collage, group, whole(group.size * scale), source_scale, source_width)
            for group in canvas.groups
        ]
        index, weight, offset = (
            _assemble(blocks, canvas.groups, height, width) for blocks in zip(*parts, strict=True)
        )
        weight = weight.view(len(collage.weights), collage.n_sources, height, width)
        return cls(index.flatten(1), weight, offset, source_height, source_width, collage.pooling)

    def apply(self, source: Float[Tensor, "c h w"]) -> Float[Tensor, "c H W"]:
        """The image at this scale from the image at scale / pooling.

        Raises ValueError if the source is not of the size that the map reads.
        """
        expected = (len(self.offset), self.source_height, self.source_width)
        if source.shape != expected:
            raise ValueError(f"the map reads an image of {expected}, not {tuple(source.shape)}")
        flat, result = source.flatten(1), self.offset
        if not source.numel():  # smaller than a domain: nothing has weight
            return result
        for index, weight in zip(self.index, self.weight.unbind(1), strict=True):
            result = torch.addcmul(result, weight, flat.index_select(1, index).view_as(self.offset))
        return result

    def step(self, z: Float[Tensor, "c H W"]) -> Float[Tensor, "c H W"]:
        """The map itself: pool the image at this scale, then `apply`."""
        return self.apply(pool(z, self.pooling))


def _group_parts(
    collage: Collage, group: Group, size: int, source_scale: Fraction, source_width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Index (k, r, n, n), weight (cw * k, r, n, n) and offset (c, r, n, n) of one group."""
    ranges = group.ranges
    start, per_row, per_column = isometry.source_strides(
        collage.isometries[ranges], size, source_width
    )
    corner = collage.domains[ranges] * source_scale.numerator // source_scale.denominator
    start = start + corner[..., 0] * source_width + corner[..., 1]
    pixel = torch.arange(size, dtype=torch.int32, device=start.device)
    start, per_row, per_column = (
        t.to(torch.int32).T[..., None, None] for t in (start, per_row, per_column)
    )
    index = start + per_row * pixel[:, None] + per_column * pixel
    weight = collage.weights[:, ranges].transpose(1, 2).flatten(0, 1)
    if not bool(collage.has_room[group.ranges.start]):  # then all weight is zero, for good
        index.zero_()
        weight = weight.detach()
    return (
        index,
        weight[..., None, None].expand(-1, -1, size, size),
        offset_of(collage, group, size),
    )


def offset_of(collage: Collage, group: Group, size: int) -> Float[Tensor, "c r n n"]:
    """Bias and auxiliary patches of the ranges of one group, at size x size pixels a range."""
    bias = collage.bias[:, group.ranges, None, None]
    if collage.patches is None or collage.patch_weights is None:
        return bias.expand(-1, -1, size, size)
    patches = resize_patches(collage.patches, size).transpose(0, 1).flatten(2)
    summed = collage.patch_weights[:, group.ranges] @ patches
    return bias + summed.view(*summed.shape[:2], size, size)


def _assemble(
    parts: Sequence[Tensor], groups: Sequence[Group], height: int, width: int
) -> Float[Tensor, "m H W"] | Int32[Tensor, "m H W"]:
    """Put the blocks (m, r, n, n) of all groups in their places on the canvas."""
    lead = parts[0].shape[0]
    canvas = parts[0].new_empty(lead, height, width)
    for blocks, group in zip(parts, groups, strict=True):
        n = blocks.shape[-1]
        grid = canvas.view(lead, height // n, n, width // n, n).permute(1, 3, 0, 2, 4)
        grid[group.grid_rows, group.grid_columns] = blocks.transpose(0, 1)
    return canvas
