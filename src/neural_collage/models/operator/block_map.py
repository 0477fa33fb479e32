"""The affine map of a batch of collage operators, on blocks of any resolution.

At scale s / range_size a range has s x s pixels. All ranges of a batch are one matrix product of
their weights and the reduced domains, (ranges, sources) @ (sources, pixels); with few links, a
gather of the linked domains. Domains are never copied for each range that shares them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pool, stitch
from neural_collage.core.interpolation import enlarged
from neural_collage.core.resample import resize_patches
from neural_collage.core.scales import Window
from neural_collage.models.operator.config import OperatorConfig


@dataclass(frozen=True, eq=False)
class BlockMap:
    """Effective parameters of a batch of maps, for all ranges of the canvas or a rectangle of them.

    weights: (b, c or 1, r, n) of all n sources, or (b, c or 1, r, k) of the linked ones.
    bias: (b, c, r). patches: (b or 1, a, c, p, p), each under every isometry, as `patch_sources`
        gives them; None if there are none.
    links: (b, r, k) numbers of sources, or None.
    grid: rows and columns of ranges.
    surroundings: for a rectangle, with enlarge="smooth": the offset of the whole canvas at scale
        1, and the rectangle's first row and column of ranges; interpolation reads beyond it.
    """

    config: OperatorConfig
    weights: Float[Tensor, "b cw r k"]
    bias: Float[Tensor, "b c r"]
    patches: Float[Tensor, "bp a c p p"] | None
    links: Int64[Tensor, "b r k"] | None
    grid: tuple[int, int]
    surroundings: tuple[Float[Tensor, "b c H W"], int, int] | None = None
    _weights_by_start: dict[int, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Split the weights by domain size and patches, keyed by the number of the first source.

        Done once: one `split` concatenates the gradients of its parts in one operation.
        """
        if self.links is not None:
            return
        starts = [*(start for start, _ in source_spans(self.config).values()), self.config.n_own]
        ends = [*starts[1:], self.config.n_sources]
        parts = self.weights.split([e - s for s, e in zip(starts, ends, strict=True)], -1)
        self._weights_by_start.update(zip(starts, parts, strict=True))

    def window(self, top: int, left: int, rows: int, columns: int) -> "BlockMap":
        """The map of a rectangle of ranges; its domains still cover the whole canvas."""
        if (rows, columns) == self.grid:
            return self
        index = torch.arange(self.bias.shape[-1], device=self.bias.device).view(self.grid)
        kept = index[top : top + rows, left : left + columns].flatten()
        return replace(
            self,
            weights=self.weights[:, :, kept],
            bias=self.bias[:, :, kept],
            links=None if self.links is None else self.links[:, kept],
            grid=(rows, columns),
            surroundings=(self._offset_canvas(), top, left) if self._is_smooth else None,
        )

    def first_channels(self, count: int | None) -> "BlockMap":
        """The map of the first channels: no channel of a fixed point depends on another.

        count: how many; None for all. Raises ValueError if there are fewer.
        """
        maps, channels = self.weights.shape[1], self.bias.shape[1]
        if count is None:
            return self
        if not 1 <= count <= channels:
            raise ValueError(f"channels must be 1 to {channels}, not {count}")
        return replace(
            self,
            weights=self.weights[:, :count] if maps > 1 else self.weights,
            bias=self.bias[:, :count],
            patches=None if self.patches is None else self.patches[:, :, :count],
        )

    def image(self, ranges: Float[Tensor, "b c r #s #s"], size: int) -> Float[Tensor, "b c H W"]:
        """The ranges of size x size pixels, assembled to an image."""
        rows, columns = self.grid
        ranges = ranges.expand(*ranges.shape[:3], size, size)
        stitched: Tensor = stitch(ranges, rows * size, columns * size)
        return stitched

    def offset(self, size: int) -> Float[Tensor, "b c r #s #s"]:
        """The constant part of each range, bias and weighted patches, with size x size pixels."""
        if self._is_smooth and size > self.config.range_size:
            return self._smooth_offset(size)
        bias = self.bias[..., None, None]
        if self.patches is None:
            return bias
        patches = resize_patches(self.patches, size).transpose(1, 2)
        return self._sum(patches, self.config.n_own, self.config.n_sources) + bias

    @property
    def _is_smooth(self) -> bool:
        return self.config.enlarge == "smooth"

    def _offset_canvas(self) -> Float[Tensor, "b c H W"]:
        """The offset of all ranges at scale 1."""
        size = self.config.range_size
        return self.image(self.offset(size), size)

    def _smooth_offset(self, size: int) -> Float[Tensor, "b c r s s"]:
        """The offset above scale 1, by average interpolation across the edges of ranges.

        Raises ValueError unless the scale is a power of 2.
        """
        octaves = int(math.log2(size / self.config.range_size))
        if self.config.range_size << octaves != size:
            raise ValueError(
                f"ranges of {self.config.range_size} pixels are enlarged smoothly by powers of 2, "
                f"not to {size}"
            )
        canvas, top, left = self.surroundings or (self._offset_canvas(), 0, 0)
        window = Window(top * size, left * size, self.grid[0] * size, self.grid[1] * size)
        blocks: Tensor = cut(enlarged(canvas, octaves, window), size)
        return blocks

    def linear(self, image: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c r s s"]:
        """Contribution of all domains to each range, read from the canvas at the same scale."""
        return self._linear(image, size, 1, self.config.reductions)

    def from_coarser(
        self, image: Float[Tensor, "b c h w"], size: int
    ) -> Float[Tensor, "b c r s s"]:
        """Contribution of the reduced domains, read from the canvas one octave coarser."""
        reduced = [k for k in self.config.reductions if k > 1]
        return self._linear(image, size, self.config.octave, reduced)

    def from_same(self, image: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c r s s"]:
        """Contribution of the domains that are not reduced."""
        return self._linear(image, size, 1, [1])

    def _linear(self, image: Tensor, size: int, octave: int, reductions: Sequence[int]) -> Tensor:
        spans = source_spans(self.config)
        parts = [
            self._sum(domain_blocks(self.config, image, k // octave, size), *spans[k])
            for k in reductions
        ]
        total: Tensor = sum(parts[1:], parts[0])
        return total

    def _sum(
        self, sources: Float[Tensor, "bs c n s s"], start: int, stop: int
    ) -> Float[Tensor, "b c r s s"]:
        """Weighted sum, for each range, of the sources numbered start to stop - 1; bs is b or 1."""
        if self.links is not None:
            return self._sum_linked(sources, start, stop)
        weights = self._weights_by_start[start]  # (b, cw, r, n)
        maps, (_, channels, count, size, _) = weights.shape[1], sources.shape
        # channels with the same weights, c' = c / cw of them, are columns of one product
        columns = sources.reshape(-1, channels // maps, count, size**2)  # (bs cw, c', n, s s)
        columns = columns.transpose(1, 2).flatten(2)  # (bs cw, n, c' s s)
        if len(columns) == 1:
            summed = weights.flatten(0, 1) @ columns[0]
        elif len(sources) == len(weights):
            summed = weights.flatten(0, 1) @ columns
        else:  # the same sources for the whole batch
            summed = (weights @ columns).flatten(0, 1)
        # (b cw, r, c' s s) to (b cw, c', r, s, s)
        by_map: Tensor = summed.unflatten(2, (-1, size, size)).transpose(1, 2)
        return by_map.reshape(len(weights), channels, -1, size, size)

    def _sum_linked(self, sources: Tensor, start: int, stop: int) -> Tensor:
        """`_sum` with links, one gather for each of the k links of a range."""
        assert self.links is not None
        batch, channels, count, size, _ = sources.shape
        flat = sources.transpose(1, 2).reshape(batch * count, channels, size, size)
        first = torch.arange(batch, device=flat.device)[:, None] * count  # row of each item
        total: Tensor | None = None
        for link, weight in zip(self.links.unbind(2), self.weights.unbind(3), strict=True):
            inside = (link >= start) & (link < stop)  # (b, r)
            index = torch.where(inside, link - start, 0) + first
            source = flat.index_select(0, index.flatten()).unflatten(0, index.shape)
            factor = torch.where(inside[:, None], weight, 0).transpose(1, 2)[..., None, None]
            total = factor * source if total is None else torch.addcmul(total, factor, source)
        assert total is not None
        return total.transpose(1, 2)  # from (b, r, c, s, s)

    def dense_weights(self) -> Float[Tensor, "b cw r s"]:
        """The weights of all sources, zero for those that are not linked."""
        if self.links is None:
            return self.weights
        links = self.links[:, None].expand_as(self.weights)
        weights = self.weights.new_zeros(*self.weights.shape[:3], self.config.n_sources)
        return weights.scatter_add(3, links, self.weights)


def source_spans(config: OperatorConfig) -> dict[int, tuple[int, int]]:
    """First and last (exclusive) source number of the domains of each reduction."""
    height, width = config.canvas_size
    copies = len(config.isometry_codes)
    counts = [(height // d) * (width // d) * copies for d in config.domain_sizes]
    ends = pairwise(accumulate(counts, initial=0))
    return dict(zip(config.reductions, ends, strict=True))


def domain_blocks(
    config: OperatorConfig, image: Float[Tensor, "b c h w"], reduction: int, size: int
) -> Float[Tensor, "b c n s s"]:
    """All domains reduced to size x size pixels, each under every isometry."""
    return in_every_isometry(config.isometry_codes, reduced_domains(image, reduction, size))


def reduced_domains(
    image: Float[Tensor, "b c h w"], reduction: int, size: int
) -> Float[Tensor, "b c n s s"]:
    """All domains of a canvas, reduced to size x size pixels, in raster order."""
    pooled = pool(image, reduction)
    height, width = (n - n % size for n in pooled.shape[-2:])
    blocks: Tensor = cut(pooled[..., :height, :width], size)
    return blocks


def patch_sources(
    config: OperatorConfig, patches: Float[Tensor, "bp n c p p"] | None
) -> Float[Tensor, "bp a c p p"] | None:
    """Each patch under every isometry of patches in turn; a = n * isometries.

    Isometries commute with `resize_patches`, so these are the sources at every scale.
    """
    if patches is None:
        return None
    turned: Tensor = in_every_isometry(config.patch_isometry_codes, patches.transpose(1, 2))
    return turned.transpose(1, 2)


def in_every_isometry(
    codes: Sequence[int], blocks: Float[Tensor, "*b n s s"]
) -> Float[Tensor, "*b m s s"]:
    """Each block under every isometry of these codes in turn; m = n * codes."""
    if len(codes) == 1:
        return blocks
    return torch.stack([isometry.apply(blocks, g) for g in codes], -3).flatten(-4, -3)
