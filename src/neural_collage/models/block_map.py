"""The affine map of a batch of collage operators, on blocks of any resolution.

A range is p x p pixels at scale p / range_size. All ranges of a batch are one matrix product of
their weights with the reduced domains, (ranges, sources) @ (sources, pixels), or a gather of the
few that they are linked to; domains are never repeated for the ranges that share them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pool, stitch
from neural_collage.core.resample import resize_patches
from neural_collage.models.operator_config import OperatorConfig


@dataclass(frozen=True, eq=False)
class BlockMap:
    """The parameters of a batch of maps, as they are applied.

    weights: (b, c or 1, r, s) of every source, or (b, c or 1, r, k) of the linked ones.
    bias: (b, c, r). patches: (b or 1, a, c, p, p), None if there are none.
    links: (b, r, k) numbers of sources, or None.
    grid: rows and columns of the ranges, all of the canvas or a rectangle of them.
    """

    config: OperatorConfig
    weights: Float[Tensor, "b cw r k"]
    bias: Float[Tensor, "b c r"]
    patches: Float[Tensor, "bp a c p p"] | None
    links: Int64[Tensor, "b r k"] | None
    grid: tuple[int, int]

    def window(self, top: int, left: int, rows: int, columns: int) -> "BlockMap":
        """The same map for a rectangle of the ranges; it still reads the whole canvas."""
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
        )

    def image(self, ranges: Float[Tensor, "b c r #s #s"], size: int) -> Float[Tensor, "b c H W"]:
        """The image that ranges of size x size pixels make."""
        rows, columns = self.grid
        ranges = ranges.expand(*ranges.shape[:3], size, size)
        stitched: Tensor = stitch(ranges, rows * size, columns * size)
        return stitched

    def offset(self, size: int) -> Float[Tensor, "b c r #s #s"]:
        """The constant part of each range, bias and patches, with size x size pixels."""
        bias = self.bias[..., None, None]
        if self.patches is None:
            return bias
        patches = resize_patches(self.patches, size).transpose(1, 2)
        return self._sum(patches, self.config.n_own, self.config.n_sources) + bias

    def linear(self, image: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c r s s"]:
        """What all domains give each range, read from the canvas at the same scale."""
        return self._linear(image, size, 1, self.config.reductions)

    def from_coarser(
        self, image: Float[Tensor, "b c h w"], size: int
    ) -> Float[Tensor, "b c r s s"]:
        """What the domains that are reduced give, read from the canvas one octave below."""
        reduced = [k for k in self.config.reductions if k > 1]
        return self._linear(image, size, self.config.octave, reduced)

    def from_same(self, image: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c r s s"]:
        """What the domains that are not reduced give."""
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
        """The weighted sums of the sources numbered start to stop; bs is b, or 1 for all."""
        if self.links is not None:
            return self._sum_linked(sources, start, stop)
        weights = self.weights[..., start:stop]
        maps, (_, channels, count, size, _) = weights.shape[1], sources.shape
        # channels that share a map are columns of one product
        columns = sources.reshape(-1, channels // maps, count, size**2).transpose(1, 2).flatten(2)
        if len(columns) == 1:
            summed = weights.flatten(0, 1) @ columns[0]
        elif len(sources) == len(weights):
            summed = weights.flatten(0, 1) @ columns
        else:
            summed = (weights @ columns).flatten(0, 1)
        by_map: Tensor = summed.unflatten(2, (-1, size, size)).transpose(1, 2)
        return by_map.reshape(len(weights), channels, -1, size, size)

    def _sum_linked(self, sources: Tensor, start: int, stop: int) -> Tensor:
        """`_sum` for few links: one gather for each."""
        assert self.links is not None
        batch, channels, count, size, _ = sources.shape
        flat = sources.transpose(1, 2).reshape(batch * count, channels, size, size)
        first = torch.arange(batch, device=flat.device)[:, None] * count
        total: Tensor | None = None
        for link, weight in zip(self.links.unbind(2), self.weights.unbind(3), strict=True):
            inside = (link >= start) & (link < stop)
            index = torch.where(inside, link - start, 0) + first
            read = flat.index_select(0, index.flatten()).unflatten(0, index.shape)
            own = torch.where(inside[:, None], weight, 0).transpose(1, 2)[..., None, None]
            total = own * read if total is None else torch.addcmul(total, own, read)
        assert total is not None
        return total.transpose(1, 2)

    def dense_weights(self) -> Float[Tensor, "b cw r s"]:
        """The weights of all sources, zero for those that are not linked."""
        if self.links is None:
            return self.weights
        links = self.links[:, None].expand_as(self.weights)
        weights = self.weights.new_zeros(*self.weights.shape[:3], self.config.n_sources)
        return weights.scatter_add(3, links, self.weights)


def source_spans(config: OperatorConfig) -> dict[int, tuple[int, int]]:
    """First and last (exclusive) number of the sources of each reduction."""
    height, width = config.canvas_size
    copies = len(config.isometry_codes)
    counts = [(height // d) * (width // d) * copies for d in config.domain_sizes]
    ends = pairwise(accumulate(counts, initial=0))
    return dict(zip(config.reductions, ends, strict=True))


def domain_blocks(
    config: OperatorConfig, image: Float[Tensor, "b c h w"], reduction: int, size: int
) -> Float[Tensor, "b c n s s"]:
    """All domains, reduced, in every isometry, as blocks of size x size pixels."""
    return in_every_isometry(config, reduced_domains(image, reduction, size))


def reduced_domains(
    image: Float[Tensor, "b c h w"], reduction: int, size: int
) -> Float[Tensor, "b c n s s"]:
    """All domains of a canvas, reduced to blocks of size x size pixels."""
    pooled = pool(image, reduction)
    height, width = (n - n % size for n in pooled.shape[-2:])
    blocks: Tensor = cut(pooled[..., :height, :width], size)
    return blocks


def in_every_isometry(
    config: OperatorConfig, blocks: Float[Tensor, "*b n s s"]
) -> Float[Tensor, "*b m s s"]:
    """The blocks under each isometry of the operator in turn: m is n times as many."""
    codes = config.isometry_codes
    if len(codes) == 1:
        return blocks
    return torch.stack([isometry.apply(blocks, g) for g in codes], -3).flatten(-4, -3)
