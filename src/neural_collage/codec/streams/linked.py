"""Links as part of collages: the fixed point of a texture and links, and the search for links."""

from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.codec.streams.links import DENOMINATOR, OFFSETS, Links, domains_fit
from neural_collage.core import isometry
from neural_collage.core.arrays.lapped import Texture
from neural_collage.core.blocks import cut, pool
from neural_collage.core.collage import Collage
from neural_collage.core.isometry import N_ISOMETRIES
from neural_collage.core.lapped import LappedTexture
from neural_collage.core.partition import Partition
from neural_collage.core.scales import Window
from neural_collage.fractal.brightness import calibrate
from neural_collage.fractal.geometry import POOLING

_ROWS_AT_ONCE = 4
_ADDRESS_BITS = float(np.log2(len(OFFSETS) * N_ISOMETRIES))
_CONTRAST_BITS = 6.0  # estimated, of the contrast of a linked range
_MIN_DOMAIN_ENERGY = 1e-4  # smallest mean square of a domain that is used


def linked_collage(
    arrays: Texture, links: Links, height: int, width: int, centre: float
) -> Collage:
    """The collage of a texture, added to the grey level `centre`, and of links.

    Raises:
        NotConvergedError: the links have no fixed point that iteration finds.
    """
    texture = LappedTexture.of(arrays)
    size = texture.range_size
    partition = Partition.uniform(height, width, size)
    n, channels = len(partition), texture.channels
    bias = torch.full((channels, n), centre, dtype=torch.float32)
    sources = 1 if links else 0
    corner = _corners(partition, links) if links else partition.blocks[:, :2]
    contrast = torch.from_numpy(links.contrast).view(1, -1, 1)[..., :sources].float()
    collage = Collage(
        partition,
        domains=corner[:, None].expand(-1, sources, -1),
        isometries=torch.from_numpy(links.isometry).view(-1, 1)[:, :sources],
        weights=contrast / DENOMINATOR,
        bias=bias,
        texture=texture,
    )
    if not links:
        return collage
    # links have no effect on the means of ranges
    means = texture.canvas(Fraction(1, size)).flatten(1) + centre
    return calibrate(collage, means)


def find_links(
    planes: Float[Tensor, "c H W"], arrays: Texture, centre: float, bits_per_error: float
) -> Links:
    """The links whose reduction of the squared error outweighs their bits.

    planes: the picture on the whole canvas. bits_per_error: lambda, in bits per squared error
        summed over samples in [0, 1].
    """
    texture = LappedTexture.of(arrays)
    size = texture.range_size
    height, width = planes.shape[1:]
    rows, columns = height // size, width // size
    if not domains_fit(rows, columns):
        return Links.none(rows, columns)
    found = [
        _links_of_rows(planes, texture, centre, bits_per_error, top, min(_ROWS_AT_ONCE, rows - top))
        for top in range(0, rows, _ROWS_AT_ONCE)
    ]
    return Links(*(torch.cat(parts).numpy() for parts in zip(*found, strict=True)))


def _links_of_rows(
    planes: Tensor,
    texture: LappedTexture,
    centre: float,
    bits_per_error: float,
    top: int,
    rows: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Contrasts, domains and isometries of the links of some rows of ranges."""
    size = texture.range_size
    height, width = planes.shape[1:]
    columns = width // size
    start, stop = max(0, (top - 2) * size), min(height, (top + rows + 2) * size)
    surroundings = texture.window(Fraction(1), Window(start, 0, stop - start, width)) + centre
    inside = slice(top * size - start, (top + rows) * size - start)
    residual = planes[:, top * size : (top + rows) * size] - surroundings[:, inside]
    errors = cut(residual, size).transpose(0, 1)  # (ranges, c, size, size)
    turned = torch.stack([isometry.apply(errors, isometry.inverse(g)) for g in range(N_ISOMETRIES)])
    half = pool(surroundings, POOLING)
    grid = torch.cartesian_prod(torch.arange(top, top + rows), torch.arange(columns)) * size
    gains, contrasts = [], []
    for offset in OFFSETS:
        corner = _clamped_corner(grid, offset, height, width, size)
        blocks = _blocks(half, (corner - grid.new_tensor([start, 0])) // POOLING, size)
        product = torch.einsum("grcyx,rcyx->gr", turned, blocks)
        energy = blocks.square().sum((1, 2, 3)).clamp_min(_MIN_DOMAIN_ENERGY * blocks[0].numel())
        contrast = (product / energy * DENOMINATOR).round().clamp(1 - DENOMINATOR, DENOMINATOR - 1)
        weight = contrast / DENOMINATOR
        gains.append(2 * weight * product - weight.square() * energy)
        contrasts.append(contrast)
    gain, choice = torch.stack(gains).flatten(0, 1).max(0)
    contrast = torch.stack(contrasts).flatten(0, 1).gather(0, choice[None])[0].long()
    is_linked = (gain * bits_per_error > _ADDRESS_BITS + _CONTRAST_BITS) & (contrast != 0)
    chosen = (contrast, choice // N_ISOMETRIES, choice % N_ISOMETRIES)
    return tuple(torch.where(is_linked, c, 0).view(rows, columns) for c in chosen)  # type: ignore[return-value]


def _blocks(
    half: Float[Tensor, "c h w"], corners: Int64[Tensor, "r 2"], size: int
) -> Float[Tensor, "r c n n"]:
    """Zero-mean blocks of the pooled image at some corners."""
    pixel = torch.arange(size)
    rows, columns = (corners[:, axis, None] + pixel for axis in (0, 1))
    blocks = half[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)
    return blocks - blocks.mean((2, 3), keepdim=True)


def _corners(partition: Partition, links: Links) -> Int64[Tensor, "r 2"]:
    """The domain's corner of each range, in pixels of the canvas."""
    corner = partition.blocks[:, :2]
    size = int(partition.blocks[0, 2])
    offset = corner.new_tensor(OFFSETS)[torch.from_numpy(links.domain).flatten()]
    return _clamped_corner(corner, offset, partition.canvas_height, partition.canvas_width, size)


def _clamped_corner(
    corner: Tensor, offset: Tensor | tuple[int, int], height: int, width: int, size: int
) -> Int64[Tensor, "r 2"]:
    """Corners of domains, moved so that they lie inside the canvas."""
    last = corner.new_tensor([height, width]) - POOLING * size
    moved = corner + (offset if isinstance(offset, Tensor) else corner.new_tensor(offset))
    return torch.minimum(moved.clamp_min(0), last)
