"""Pictures made of small copies of themselves.

Every tile is a range of a collage whose domains are the whole picture, or large parts of it (Poli
et al. 2022, arXiv 2204.07673, "fractal art"). From afar the tiles have the averages and, as far as
copies can, the details of the photo; from near each is the picture, made of tiles again.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.art.colours import luma, read_colours, resized
from neural_collage.art.fractal import Fractal
from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pool
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.errors import CollageError
from neural_collage.io.picture import ImageLike

DOMAINS = {1: 1, 9: 2, 49: 4}
"""How many domains there may be, and how many times smaller than the picture each is then."""
BOUND = 0.9
"""The largest contrast of a copy; below 1, so that there is a fixed point."""
_LARGEST_TILE = 64  # pixels of a tile at scale 1
_ROUNDS = 12
_CLOSE = 1 / 512  # half a level of 8 bits
_AT_ONCE = 1 << 24  # numbers in a product of tiles and domains


@dataclass(frozen=True)
class Tiling:
    """How a picture is made of copies.

    Raises CollageError, naming every problem.

    Attributes:
        tiles: Tiles across, and as many down; even, if the picture has parts as domains.
        domains: 1, the whole picture; 9 or 49, parts of half or a quarter of its sides.
        isometries: Whether copies may be turned and mirrored.
        adaptive: Whether tiles are larger where the picture is plain and smaller where it is not,
            as many in all; their copies show the whole picture, a half or a quarter of its sides.
        contrast: The least contrast of a copy over the picture's own, 0 to 0.9, where brightness
            leaves room for it. With 0 copies show only where they serve the picture.
        strength: The part of the fractal in what is shown, 0 (the photo) to 1.
    """

    tiles: int = 64
    domains: int = 1
    isometries: bool = False
    adaptive: bool = False
    contrast: float = 0.5
    strength: float = 1.0

    def __post_init__(self) -> None:
        problems = []
        if not 2 <= self.tiles <= 512:
            problems.append(f"tiles across must be 2 to 512, not {self.tiles}")
        if self.domains not in DOMAINS:
            problems.append(f"domains must be one of {', '.join(map(str, DOMAINS))}")
        elif self.parts > 1 and (self.tiles % self.parts or self.tiles <= self.parts):
            problems.append(f"tiles across must be a multiple of {self.parts} above it")
        if not 0 <= self.contrast <= BOUND:
            problems.append(f"contrast must be 0 to {BOUND}, not {self.contrast:g}")
        if not 0 <= self.strength <= 1:
            problems.append(f"strength must be 0 to 1, not {self.strength:g}")
        if problems:
            raise CollageError("; ".join(problems))

    @property
    def parts(self) -> int:
        """How many times the reduction of a domain is smaller than the number of tiles."""
        return DOMAINS[self.domains] * (2 if self.adaptive else 1)


def fractalize(
    image: ImageLike,
    tiling: Tiling = Tiling(),
    progress: Callable[[int, int], None] | None = None,
) -> Fractal:
    """A picture as a collage of small copies of itself.

    image: a path, Pillow image, array or tensor, as `picture.read_picture` takes them.
    progress: told how many rounds of fitting are done, and of how many at most.

    Contrasts and brightnesses are fitted, in closed form, to what the copies show at the fixed
    point: fitting and decoding alternate until they agree.

    Raises:
        ImageError: the picture cannot be read or used.
    """
    photo = read_colours(image)
    side = tile_size(photo, tiling.tiles) * tiling.tiles
    canvas = resized(photo, side, side)
    fit = _Fit(canvas, tiling)
    shown, links = canvas, None
    for number in range(_ROUNDS):
        collage, links = fit(shown, links)
        decoded = PyramidDecoder(collage).canvas(Fraction(1))
        change = float((decoded - shown).abs().max())
        shown = decoded
        if progress is not None:
            progress(number + 1, _ROUNDS)
        if change < _CLOSE:
            break
    return Fractal(collage, photo, tiling.strength)


def tile_size(photo: Float[Tensor, "3 h w"], tiles: int) -> int:
    """Pixels across a tile at scale 1: a power of two; the canvas then has the photo's detail."""
    size = 4
    while size * tiles < max(photo.shape[1:]) and size < _LARGEST_TILE:
        size *= 2
    return size


@dataclass(frozen=True, eq=False)
class _Links:
    """Which domain each range shows: its corner in pixels of the canvas, and how it is turned."""

    corners: Int64[Tensor, "r 2"]
    isometries: Int64[Tensor, " r"]


class _Fit:
    """Fits the contrasts and brightnesses of a tiling to what its domains look like."""

    def __init__(self, canvas: Float[Tensor, "3 n n"], tiling: Tiling) -> None:
        self.canvas, self.tiling = canvas, tiling
        self.pooling = tiling.tiles // tiling.parts
        self.partition = _partition(canvas, tiling)
        self.wanted = [cut(canvas, group.size) for group in self.partition.groups]

    def __call__(
        self, shown: Float[Tensor, "3 n n"], links: _Links | None
    ) -> tuple[Collage, _Links]:
        """The collage whose domains look as `shown`; links are chosen unless they are given."""
        small = pool(shown, self.pooling)
        if links is None:
            links = self._choose(small)
        weights, bias = [], []
        for group, blocks in zip(self.partition.groups, self.wanted, strict=True):
            wanted = blocks[
                :, group.grid_rows * _across(self.canvas, group.size) + group.grid_columns
            ]
            domains = _read(
                small,
                links.corners[group.ranges] // self.pooling,
                links.isometries[group.ranges],
                group.size,
            )
            contrast = fit_contrast(wanted, domains, self.tiling.contrast)
            weights.append(contrast)
            bias.append(wanted.mean((2, 3)) - contrast * domains.mean((2, 3)))
        collage = Collage(
            self.partition,
            links.corners[:, None],
            links.isometries[:, None],
            torch.cat(weights, 1)[..., None],
            torch.cat(bias, 1),
            pooling=self.pooling,
        )
        return collage, links

    def _choose(self, small: Float[Tensor, "3 m m"]) -> _Links:
        """The domain of each range that is most like it in luma."""
        codes = torch.arange(isometry.N_ISOMETRIES if self.tiling.isometries else 1)
        corners, isometries = [], []
        for group, blocks in zip(self.partition.groups, self.wanted, strict=True):
            at = group.grid_rows * _across(self.canvas, group.size) + group.grid_columns
            places = torch.arange(0, small.shape[1] - group.size + 1, max(1, group.size // 2))
            where = torch.cartesian_prod(places, places)
            turned = torch.cat(
                [_read(small, where, code.expand(len(where)), group.size) for code in codes], 1
            )
            best = most_alike(luma(blocks[:, at].movedim(0, 1)), luma(turned.movedim(0, 1)))
            corners.append(where[best % len(where)] * self.pooling)
            isometries.append(codes[best // len(where)])
        return _Links(torch.cat(corners), torch.cat(isometries))


def fit_contrast(
    wanted: Float[Tensor, "c r n n"], domains: Float[Tensor, "c r n n"], least: float
) -> Float[Tensor, "c r"]:
    """The contrasts with which domains come closest to ranges, by least squares, within limits.

    At least `least` and at most `BOUND`; but never so much that a copy becomes black or white where
    the picture is not.
    """
    centre, mean = domains.mean((2, 3), keepdim=True), wanted.mean((2, 3))
    energy = (domains - centre).square().sum((2, 3))
    product = ((domains - centre) * wanted).sum((2, 3))
    best = product / energy.clamp_min(1e-9)
    low = (centre[..., 0, 0] - domains.amin((2, 3))).clamp_min(1e-6)
    high = (domains.amax((2, 3)) - centre[..., 0, 0]).clamp_min(1e-6)
    room = torch.minimum(mean / low, (1 - mean) / high)
    return best.clamp(least, BOUND).minimum(room.clamp(0, BOUND))


def most_alike(
    wanted: Float[Tensor, "r n n"], candidates: Float[Tensor, "q n n"]
) -> Int64[Tensor, " r"]:
    """The candidate that each block correlates with most; negatives do not count."""
    flat = candidates.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    unit = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-6)
    if len(unit) == 1:
        return torch.zeros(len(wanted), dtype=torch.int64)
    parts = wanted.flatten(1).split(max(1, _AT_ONCE // len(unit)))
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
    """Which blocks to split so that `count` are left: again and again the one that varies most."""
    spread = []
    for size in sizes[:-1]:
        blocks = cut(canvas, size)
        across = canvas.shape[1] // size
        varies = (blocks - blocks.mean((2, 3), keepdim=True)).square().sum((0, 2, 3))
        spread.append(varies.view(across, across).tolist())
    splits = [torch.zeros(len(grid), len(grid), dtype=torch.bool) for grid in spread]
    heap = [
        (-value, 0, row, column)
        for row, values in enumerate(spread[0])
        for column, value in enumerate(values)
    ]
    heapq.heapify(heap)
    left = len(heap)
    while heap and left + 3 <= count:
        _, level, row, column = heapq.heappop(heap)
        splits[level][row, column] = True
        left += 3
        if level + 1 < len(spread):
            for y in (2 * row, 2 * row + 1):
                for x in (2 * column, 2 * column + 1):
                    heapq.heappush(heap, (-spread[level + 1][y][x], level + 1, y, x))
    return splits


def _across(canvas: Float[Tensor, "3 n n"], size: int) -> int:
    return canvas.shape[2] // size


def _read(
    small: Float[Tensor, "3 m m"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "3 r n n"]:
    """Blocks of the reduced picture, turned."""
    pixel = torch.arange(size)
    row, column = isometry.source_index(codes[:, None, None], size, pixel[:, None], pixel)
    return small[:, corners[:, 0, None, None] + row, corners[:, 1, None, None] + column]
