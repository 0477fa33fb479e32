"""Pictures made of small copies of themselves.

Every tile is a range of a collage whose domains are the whole picture, or large parts of it (Poli
et al. 2022, arXiv 2204.07673, "fractal art"). The mean of each tile is that of the photo; enlarged,
each tile is the picture, made of tiles again.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.arguments import is_whole
from neural_collage.art.colours import luma, read_colours, resized
from neural_collage.art.fractal import Fractal
from neural_collage.art.progress import Progress
from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pool
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.errors import CollageError
from neural_collage.io.picture import ImageLike
from neural_collage.runtime import without_autocast

DOMAINS = {1: 1, 9: 2, 49: 4}
"""Number of domains, and the ratio of the sides of the picture to those of a domain."""
BOUND = 0.9
"""The largest contrast of a copy; below 1, so that the map contracts."""
_LARGEST_TILE = 64  # pixels of a tile at scale 1
_MAX_ROUNDS = 12
_TOLERANCE = 1 / 512  # about half a grey level of 8 bits
_VALUES_AT_ONCE = 1 << 24  # in a product of tiles and domains


@dataclass(frozen=True)
class Tiling:
    """Options of `fractalize`.

    Attributes:
        tiles: Tiles across and down, 2 to 512; a multiple of `parts`.
        domains: 1, the whole picture; 9 or 49, parts of half or a quarter of its sides.
        isometries: Whether copies may be rotated and mirrored.
        adaptive: Whether tiles are larger in plain areas and smaller in detailed ones, the same
            number in all; they show the whole picture, a half or a quarter of its sides.
        contrast: The least contrast of a copy, 0 to 0.9, where the brightness of the tile permits
            it. With 0 contrasts minimise the squared error.
        strength: Weight of the fractal in the result, 0 (the photo) to 1.

    Raises:
        CollageError: values out of range; the message lists all of them.
    """

    tiles: int = 64
    domains: int = 1
    isometries: bool = False
    adaptive: bool = False
    contrast: float = 0.5
    strength: float = 1.0

    def __post_init__(self) -> None:
        problems = []
        if not (is_whole(self.tiles) and 2 <= self.tiles <= 512):
            problems.append(f"tiles across must be a whole number, 2 to 512, not {self.tiles!r}")
        if self.domains not in DOMAINS:
            problems.append(f"domains must be one of {', '.join(map(str, DOMAINS))}")
        elif (
            not problems
            and self.parts > 1
            and (self.tiles % self.parts or self.tiles <= self.parts)
        ):
            problems.append(f"tiles across must be a multiple of {self.parts} above it")
        if not 0 <= self.contrast <= BOUND:
            problems.append(f"contrast must be 0 to {BOUND}, not {self.contrast:g}")
        if not 0 <= self.strength <= 1:
            problems.append(f"strength must be 0 to 1, not {self.strength:g}")
        if problems:
            raise CollageError("; ".join(problems))

    @property
    def parts(self) -> int:
        """Ratio of the number of tiles across to the reduction of domains."""
        return DOMAINS[self.domains] * (2 if self.adaptive else 1)


@without_autocast()
def fractalize(
    image: ImageLike,
    tiling: Tiling = Tiling(),
    progress: Progress | None = None,
) -> Fractal:
    """A picture as a collage of small copies of itself.

    image: a path, Pillow image, array or tensor, as `io.reading.read_picture` takes them.
    progress: a step is a round of fitting; fewer are done if the fit converges.

    Domains show the fixed point, not the photo. So contrasts and brightnesses are fitted to the
    decoded picture by least squares; fitting and decoding alternate until they converge.

    Raises:
        ImageError: the picture cannot be read or used.
    """
    photo = read_colours(image)
    side = tile_size(photo, tiling.tiles) * tiling.tiles
    canvas = resized(photo, side, side)
    fit = _Fit(canvas, tiling)
    decoded, matches = canvas, None
    for number in range(_MAX_ROUNDS):
        previous = decoded
        collage, matches = fit(previous, matches)
        decoded = PyramidDecoder(collage).canvas(Fraction(1))
        if progress is not None:
            progress(number + 1, _MAX_ROUNDS)
        if float((decoded - previous).abs().max()) < _TOLERANCE:
            break
    return Fractal(collage, photo, tiling.strength)


def tile_size(photo: Float[Tensor, "3 h w"], tiles: int) -> int:
    """Pixels across a tile at scale 1: a power of two, for a canvas as fine as the photo."""
    size = 4
    while size * tiles < max(photo.shape[1:]) and size < _LARGEST_TILE:
        size *= 2
    return size


@dataclass(frozen=True, eq=False)
class _Matches:
    """The domain of each range: its corner in pixels of the canvas, and the isometry."""

    corners: Int64[Tensor, "r 2"]
    isometries: Int64[Tensor, " r"]


class _Fit:
    """Fits the collage of a tiling to a canvas, given the pixels that its domains show."""

    def __init__(self, canvas: Float[Tensor, "3 n n"], tiling: Tiling) -> None:
        self.canvas, self.tiling = canvas, tiling
        self.pooling = tiling.tiles // tiling.parts
        self.partition = _partition(canvas, tiling)
        self.ranges = [cut(canvas, group.size) for group in self.partition.groups]

    def __call__(
        self, decoded: Float[Tensor, "3 n n"], matches: _Matches | None
    ) -> tuple[Collage, _Matches]:
        """The collage with domains from `decoded`; they are searched unless `matches` are given."""
        small = pool(decoded, self.pooling)
        if matches is None:
            matches = self._search(small)
        weights, bias = [], []
        for group, blocks in zip(self.partition.groups, self.ranges, strict=True):
            ranges = blocks[
                :, group.grid_rows * _columns(self.canvas, group.size) + group.grid_columns
            ]
            domains = isometry.blocks_at(
                small,
                matches.corners[group.ranges] // self.pooling,
                matches.isometries[group.ranges],
                group.size,
            )
            contrast = bounded_contrasts(ranges, domains, self.tiling.contrast)
            weights.append(contrast)
            bias.append(ranges.mean((2, 3)) - contrast * domains.mean((2, 3)))
        collage = Collage(
            self.partition,
            matches.corners[:, None],
            matches.isometries[:, None],
            torch.cat(weights, 1)[..., None],
            torch.cat(bias, 1),
            pooling=self.pooling,
        )
        return collage, matches

    def _search(self, small: Float[Tensor, "3 m m"]) -> _Matches:
        """The domain of each range with the largest correlation in luma."""
        codes = torch.arange(isometry.N_ISOMETRIES if self.tiling.isometries else 1)
        corners, isometries = [], []
        for group, blocks in zip(self.partition.groups, self.ranges, strict=True):
            at = group.grid_rows * _columns(self.canvas, group.size) + group.grid_columns
            starts = torch.arange(0, small.shape[1] - group.size + 1, max(1, group.size // 2))
            places = torch.cartesian_prod(starts, starts)
            domains = torch.cat(
                [
                    isometry.blocks_at(small, places, code.expand(len(places)), group.size)
                    for code in codes
                ],
                1,
            )
            best = most_correlated(luma(blocks[:, at].movedim(0, 1)), luma(domains.movedim(0, 1)))
            corners.append(places[best % len(places)] * self.pooling)
            isometries.append(codes[best // len(places)])
        return _Matches(torch.cat(corners), torch.cat(isometries))


def bounded_contrasts(
    ranges: Float[Tensor, "c r n n"], domains: Float[Tensor, "c r n n"], least: float
) -> Float[Tensor, "c r"]:
    """Least-squares contrasts of domains for ranges, between `least` and `BOUND`.

    Never so high that pixels of a copy leave [0, 1], even if that is below `least`.
    """
    centre, mean = domains.mean((2, 3), keepdim=True), ranges.mean((2, 3))
    energy = (domains - centre).square().sum((2, 3))
    product = ((domains - centre) * ranges).sum((2, 3))
    best = product / energy.clamp_min(1e-9)
    low = (centre[..., 0, 0] - domains.amin((2, 3))).clamp_min(1e-6)
    high = (domains.amax((2, 3)) - centre[..., 0, 0]).clamp_min(1e-6)
    room = torch.minimum(mean / low, (1 - mean) / high)
    return best.clamp(least, BOUND).minimum(room.clamp(0, BOUND))


def most_correlated(
    blocks: Float[Tensor, "r n n"], candidates: Float[Tensor, "q n n"]
) -> Int64[Tensor, " r"]:
    """The number of the candidate with the largest (signed) correlation with each block."""
    flat = candidates.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    unit = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-6)
    if len(unit) == 1:
        return torch.zeros(len(blocks), dtype=torch.int64)
    parts = blocks.flatten(1).split(max(1, _VALUES_AT_ONCE // len(unit)))
    return torch.cat([(part @ unit.mT).argmax(1) for part in parts])


def _partition(canvas: Float[Tensor, "3 n n"], tiling: Tiling) -> Partition:
    side = canvas.shape[1]
    size = side // tiling.tiles
    if not tiling.adaptive:
        return Partition.uniform(side, side, size)
    sizes = (2 * size, size, size // 2)
    return Partition.quadtree(side, side, sizes, _splits(canvas, sizes, tiling.tiles**2))


def _splits(
    canvas: Float[Tensor, "3 n n"], sizes: Sequence[int], count: int
) -> list[Bool[Tensor, "_ _"]]:
    """Splits by depth that give `count` blocks: greedily, the largest energy first."""
    energies = []  # about the mean
    for size in sizes[:-1]:
        blocks = cut(canvas, size)
        energy = (blocks - blocks.mean((2, 3), keepdim=True)).square().sum((0, 2, 3))
        energies.append(energy.view(canvas.shape[1] // size, -1).tolist())
    splits = [torch.zeros(len(grid), len(grid), dtype=torch.bool) for grid in energies]
    heap = [
        (-value, 0, row, column)
        for row, values in enumerate(energies[0])
        for column, value in enumerate(values)
    ]
    heapq.heapify(heap)
    n_blocks = len(heap)
    while heap and n_blocks + 3 <= count:
        _, depth, row, column = heapq.heappop(heap)
        splits[depth][row, column] = True
        n_blocks += 3
        if depth + 1 < len(energies):
            for y in (2 * row, 2 * row + 1):
                for x in (2 * column, 2 * column + 1):
                    heapq.heappush(heap, (-energies[depth + 1][y][x], depth + 1, y, x))
    return splits


def _columns(canvas: Float[Tensor, "3 n n"], size: int) -> int:
    """Blocks in a row of the canvas."""
    return canvas.shape[2] // size
