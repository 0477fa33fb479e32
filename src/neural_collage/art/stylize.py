"""A photo painted with the patches of another picture.

The constant part of the collage is a lapped texture (see `core.lapped`) of patches that are cut
from the style; they overlap and fade into each other. Which patches a range takes, and how much of
them, is a sparse fit in closed form (matching pursuit, Mallat & Zhang 1993). Domains of the picture
itself may take part, so that strokes go on below the pixels of the photo.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from neural_collage.art.colours import luma, read_colours, resized
from neural_collage.art.fractal import Fractal
from neural_collage.art.fractalize import most_alike
from neural_collage.core import isometry
from neural_collage.core.blocks import cut, cut_overlapping, pad_to_multiple, pool, stitch
from neural_collage.core.collage import Collage
from neural_collage.core.lapped import LappedTexture, synthesise
from neural_collage.core.partition import Partition
from neural_collage.errors import CollageError
from neural_collage.io.picture import ImageLike

Colours = Literal["content", "style"]
_TRIED, _KEPT = 1024, 384  # patches of the style that are looked at, and that are painted with
_UNSEEN = 0.004  # contrast that no eye sees
_LARGEST_STYLE = 768  # pixels of the longer side of a style: strokes shall be of a size to see


@dataclass(frozen=True)
class Style:
    """How a photo is painted.

    Raises CollageError, naming every problem.

    Attributes:
        size: Pixels of the photo across a range; a patch is twice as wide. 4, 8, 16 or 32.
        sources: Patches that a range takes at most.
        strength: How much of its patches a range shows at least, 0 to 1, over their contrast in
            the style. With 0 they show only where they are like the photo.
        own: What the picture's own domains are weighed with, 0 (none) to 0.9.
        colours: Whose colours.
    """

    size: int = 8
    sources: int = 2
    strength: float = 0.5
    own: float = 0.0
    colours: Colours = "content"

    def __post_init__(self) -> None:
        problems = []
        if self.size not in (4, 8, 16, 32):
            problems.append(f"size must be 4, 8, 16 or 32 pixels, not {self.size}")
        if not 1 <= self.sources <= 8:
            problems.append(f"sources must be 1 to 8, not {self.sources}")
        if not 0 <= self.strength <= 1:
            problems.append(f"strength must be 0 to 1, not {self.strength:g}")
        if not 0 <= self.own <= 0.9:
            problems.append(f"own must be 0 to 0.9, not {self.own:g}")
        if self.colours not in ("content", "style"):
            problems.append(f'colours must be "content" or "style", not {self.colours!r}')
        if problems:
            raise CollageError("; ".join(problems))


def stylize(
    content: ImageLike,
    style: ImageLike,
    how: Style = Style(),
    progress: Callable[[int, int], None] | None = None,
) -> Fractal:
    """The content, rebuilt from patches of the style: a picture at any scale.

    content, style: paths, Pillow images, arrays or tensors, as `picture.read_picture` takes them.
    progress: told how many steps of the fit are done, and of how many.

    Raises:
        ImageError: a picture cannot be read or used.
        CollageError: the style is smaller than a patch.
    """
    photo, painted = read_colours(content), read_colours(style)
    longer = max(painted.shape[1:])
    if longer > _LARGEST_STYLE:
        height, width = (max(1, side * _LARGEST_STYLE // longer) for side in painted.shape[1:])
        painted = resized(painted, height, width)
    if min(painted.shape[1:]) < 2 * how.size:
        raise CollageError(
            f"a style of {painted.shape[2]}x{painted.shape[1]} pixels holds no patch of "
            f"{2 * how.size}: take a larger one, or smaller ranges"
        )
    if how.colours == "style":
        photo = recoloured(photo, painted)
    steps = how.sources + 2

    def done(number: int) -> None:
        if progress is not None:
            progress(number, steps)

    canvas = pad_to_multiple(photo, how.size)
    height, width = photo.shape[1:]
    partition = Partition.uniform(height, width, how.size)
    weights, corners, codes, own = _own_domains(canvas, how)
    done(1)
    window = _window(how.size)
    # three patches of plain colour carry the averages of the ranges, and fade into each other
    plain = torch.eye(3)[:, :, None, None] * window
    averages = pool(canvas - own, how.size)
    left = canvas - own - synthesise(averages[None], plain)[0]
    patches = _dictionary(painted, left, how)
    done(2)
    light = pool(luma(canvas)[None], how.size).flatten().clamp(0, 1)
    amounts = []
    for number in range(how.sources):
        amounts.append(
            _pursue(left, light, patches, how, least=how.strength if number == 0 else 0.0)
        )
        left = left - synthesise(amounts[-1][None], patches * window)[0]
        done(number + 3)
    texture = LappedTexture(
        torch.cat([averages, torch.stack(amounts).sum(0)]), torch.cat([plain, patches * window])
    )
    collage = Collage(
        partition,
        corners[:, None],
        codes[:, None],
        weights[None, :, None],
        -_received(canvas, weights, corners, codes, how.size),
        texture=texture,
    )
    return Fractal(collage, photo)


def recoloured(
    pixels: Float[Tensor, "3 h w"], style: Float[Tensor, "3 _ _"]
) -> Float[Tensor, "3 h w"]:
    """With the mean and the covariance of the style's colours, by the least motion of colours.

    The linear Monge-Kantorovich map (Pitie & Kokaram 2007).
    """
    given, wanted = pixels.flatten(1).double(), style.flatten(1).double()
    spread, target = (torch.cov(x) + 1e-6 * torch.eye(3) for x in (given, wanted))
    root = _root(spread)
    inverse = torch.linalg.inv(root)
    matrix = inverse @ _root(root @ target @ root) @ inverse
    moved = matrix @ (given - given.mean(1, keepdim=True)) + wanted.mean(1, keepdim=True)
    coloured: Tensor = moved.view_as(pixels).clamp(0, 1).to(pixels.dtype)
    return coloured


def _root(matrix: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors @ values.clamp_min(0).sqrt().diag() @ vectors.mT
    return root


def _window(size: int) -> Float[Tensor, "m m"]:
    """A weight for each pixel of a patch; those of overlapping patches sum to 1."""
    position = (torch.arange(2 * size) + 0.5) / (2 * size)
    profile = torch.sin(math.pi * position).square()
    return profile[:, None] * profile


def _dictionary(
    painted: Float[Tensor, "3 h w"], left: Float[Tensor, "3 H W"], how: Style
) -> Float[Tensor, "a 3 m m"]:
    """The patches of the style that the photo asks for most, without their means."""
    m = 2 * how.size
    if how.colours == "content":
        painted = luma(painted).expand(3, -1, -1)
    across = torch.stack([cut_overlapping(plane, m, max(2, how.size // 2)) for plane in painted], 1)
    across = across - across.mean((2, 3), keepdim=True)
    lively = luma(across).square().mean((1, 2)).argsort(descending=True)
    pool_of = lively[: max(_TRIED, len(lively) // 2)]
    generator = torch.Generator().manual_seed(0)
    tried = across[pool_of[torch.randperm(len(pool_of), generator=generator)[:_TRIED]]]
    turned = isometry.all_isometries(tried).flatten(0, 1)
    window = _window(how.size)
    best = most_alike(_around(left, how.size) * window, luma(turned) * window)
    counts = torch.bincount(best, minlength=len(turned))
    used = counts.argsort(descending=True, stable=True)[:_KEPT]
    return turned[used[counts[used] > 0]].contiguous()


def _pursue(
    left: Float[Tensor, "3 h w"],
    light: Float[Tensor, " r"],
    patches: Float[Tensor, "a 3 m m"],
    how: Style,
    least: float,
) -> Float[Tensor, "a rows columns"]:
    """How much of its best patch each range takes, for what is left to paint.

    At least `least`, if the light of the range leaves room for it.
    """
    window = _window(how.size)
    around = _around(left, how.size) * window
    strokes = luma(patches) * window
    # where there is nothing to be like, chance decides: equal strokes would make a pattern
    chance = torch.randn(around.shape, generator=torch.Generator().manual_seed(0))
    best = most_alike(around + _UNSEEN * chance * window, strokes)
    chosen = strokes[best].flatten(1)
    fitted = (around.flatten(1) * chosen).sum(1) / chosen.square().sum(1).clamp_min(1e-6)
    room = torch.minimum(light, 1 - light) / chosen.abs().amax(1).clamp_min(1e-6)
    amount = torch.maximum(fitted, room.clamp(0, least)).clamp(0, 1)
    taken = torch.zeros(len(patches), len(best))
    taken[best, torch.arange(len(best))] = amount
    return taken.view(len(patches), left.shape[1] // how.size, -1)


def _around(image: Float[Tensor, "3 h w"], size: int) -> Float[Tensor, "r m m"]:
    """The luma of the square twice the size of each range about it."""
    padded = functional.pad(luma(image)[None, None], (size // 2,) * 4, mode="replicate")[0, 0]
    return cut_overlapping(padded, 2 * size, size)


def _own_domains(
    canvas: Float[Tensor, "3 h w"], how: Style
) -> tuple[Float[Tensor, " r"], Int64[Tensor, "r 2"], Int64[Tensor, " r"], Float[Tensor, "3 h w"]]:
    """The domain most like each range: contrast, corner, isometry, and what they show together."""
    ranges = luma(cut(canvas, how.size).movedim(0, 1))
    corners, codes = torch.zeros(len(ranges), 2, dtype=torch.int64), torch.zeros(len(ranges)).long()
    height, width = canvas.shape[1:]
    if not how.own or min(height, width) < 2 * how.size:
        return torch.zeros(len(ranges)), corners, codes, torch.zeros_like(canvas)
    half = pool(canvas, 2)
    rows, columns = (torch.arange(0, n - how.size + 1, how.size // 2) for n in half.shape[1:])
    domains = cut_overlapping(luma(half), how.size, how.size // 2)
    turned = isometry.all_isometries(domains).flatten(0, 1)
    best = most_alike(ranges, turned)
    chosen = turned[best] - turned[best].mean((1, 2), keepdim=True)
    fitted = (chosen * ranges).sum((1, 2)) / chosen.square().sum((1, 2)).clamp_min(1e-6)
    weights = fitted.clamp(0, 1) * how.own
    corners = torch.cartesian_prod(rows, columns)[best % len(domains)] * 2
    codes = best // len(domains)
    shown = _shown(canvas, weights, corners, codes, how.size)
    return weights, corners, codes, shown


def _shown(
    canvas: Float[Tensor, "3 h w"],
    weights: Float[Tensor, " r"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "3 h w"]:
    """The details that domains bring, without their means."""
    blocks = _read(canvas, corners, codes, size)
    blocks = (blocks - blocks.mean((2, 3), keepdim=True)) * weights[:, None, None]
    return stitch(blocks, *canvas.shape[1:])


def _received(
    canvas: Float[Tensor, "3 h w"],
    weights: Float[Tensor, " r"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "3 r"]:
    """The means that domains bring."""
    if not bool(weights.any()):
        return torch.zeros(len(canvas), len(weights))
    return _read(canvas, corners, codes, size).mean((2, 3)) * weights


def _read(
    canvas: Float[Tensor, "3 h w"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    n: int,
) -> Float[Tensor, "3 r n n"]:
    pixel = torch.arange(n)
    row, column = isometry.source_index(codes[:, None, None], n, pixel[:, None], pixel)
    corner = corners // 2
    return pool(canvas, 2)[:, corner[:, 0, None, None] + row, corner[:, 1, None, None] + column]
