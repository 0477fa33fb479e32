"""The affine map of a batch of collage operators, on blocks of any resolution.

A range is p x p pixels at scale p / range_size. All ranges of a batch are one matrix product of
their weights with the reduced domains, (ranges, sources) @ (sources, pixels), or a gather of the
few that they are linked to; domains are never repeated for the ranges that share them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from neural_collage.core import isometry
from neural_collage.core.blocks import Window, cut, pool, stitch
from neural_collage.core.interpolation import enlarged_window
from neural_collage.core.resample import resize_patches
from neural_collage.models.operator.config import OperatorConfig


@dataclass(frozen=True, eq=False)
class BlockMap:
    """The parameters of a batch of maps, as they are applied.

    weights: (b, c or 1, r, s) of every source, or (b, c or 1, r, k) of the linked ones.
    bias: (b, c, r). patches: (b or 1, a, c, p, p), None if there are none.
    links: (b, r, k) numbers of sources, or None.
    grid: rows and columns of the ranges, all of the canvas or a rectangle of them.
    around: of a rectangle, the constant part of the whole canvas at scale 1, and the row and the
        column that the rectangle begins with; needed where ranges are enlarged together.
    """

    config: OperatorConfig
    weights: Float[Tensor, "b cw r k"]
    bias: Float[Tensor, "b c r"]
    patches: Float[Tensor, "bp a c p p"] | None
    links: Int64[Tensor, "b r k"] | None
    grid: tuple[int, int]
    around: tuple[Float[Tensor, "b c H W"], int, int] | None = None
    _weights_from: dict[int, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Part the weights of the domains of each size and of the patches, by their first source.

        At once, so that the gradients of the parts are joined at once.
        """
        if self.links is not None:
            return
        starts = [*(start for start, _ in source_spans(self.config).values()), self.config.n_own]
        ends = [*starts[1:], self.config.n_sources]
        parts = self.weights.split([e - s for s, e in zip(starts, ends, strict=True)], -1)
        self._weights_from.update(zip(starts, parts, strict=True))

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
            around=(self._constant_canvas(), top, left) if self._smooth else None,
        )

    def image(self, ranges: Float[Tensor, "b c r #s #s"], size: int) -> Float[Tensor, "b c H W"]:
        """The image that ranges of size x size pixels make."""
        rows, columns = self.grid
        ranges = ranges.expand(*ranges.shape[:3], size, size)
        stitched: Tensor = stitch(ranges, rows * size, columns * size)
        return stitched

    def offset(self, size: int) -> Float[Tensor, "b c r #s #s"]:
        """The constant part of each range, bias and patches, with size x size pixels."""
        if self._smooth and size > self.config.range_size:
            return self._smooth_offset(size)
        bias = self.bias[..., None, None]
        if self.patches is None:
            return bias
        patches = resize_patches(self.patches, size).transpose(1, 2)
        return self._sum(patches, self.config.n_own, self.config.n_sources) + bias

    @property
    def _smooth(self) -> bool:
        return self.config.enlarge == "smooth"

    def _constant_canvas(self) -> Float[Tensor, "b c H W"]:
        """The constant parts of all ranges at scale 1."""
        size = self.config.range_size
        return self.image(self.offset(size), size)

    def _smooth_offset(self, size: int) -> Float[Tensor, "b c r s s"]:
        """The constant part above scale 1, by average interpolation across the edges of ranges.

        Raises ValueError unless the scale is a power of 2.
        """
        octaves = int(math.log2(size / self.config.range_size))
        if self.config.range_size << octaves != size:
            raise ValueError(
                f"ranges of {self.config.range_size} pixels are enlarged smoothly by powers of 2, "
                f"not to {size}"
            )
        canvas, top, left = self.around or (self._constant_canvas(), 0, 0)
        window = Window(top * size, left * size, self.grid[0] * size, self.grid[1] * size)
        image = _enlarged(canvas.flatten(0, 1), octaves, window)
        blocks: Tensor = cut(image.unflatten(0, canvas.shape[:2]), size)
        return blocks

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
        weights = self._weights_from[start]
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


def _enlarged(image: Float[Tensor, "n h w"], octaves: int, window: Window) -> Tensor:
    """A window of the average interpolation of images to 2**octaves times the resolution."""
    if not octaves:
        bottom, right = window.top + window.height, window.left + window.width
        return image[:, window.top : bottom, window.left : right]
    height, width = (n << octaves - 1 for n in image.shape[-2:])
    return enlarged_window(
        lambda inside: _enlarged(image, octaves - 1, inside), (height, width), window
    )


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
