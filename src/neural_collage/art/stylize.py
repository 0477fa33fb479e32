"""Style transfer: a photo as a collage of the patches of another picture.

The constant part of the collage is a lapped texture (see `core.lapped`) of patches that are cut
from the style; they overlap and blend. The coefficients of each range are found by matching pursuit
(Mallat & Zhang 1993). Domains of the photo can be added, which give detail at scales above 1.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from neural_collage.art.colours import luma, read_colours, resized
from neural_collage.art.fractal import Fractal
from neural_collage.art.fractalize import most_correlated
from neural_collage.art.progress import Progress
from neural_collage.core import isometry
from neural_collage.core.blocks import cut, cut_overlapping, pad_to_multiple, pool, stitch
from neural_collage.core.collage import Collage
from neural_collage.core.lapped import LappedTexture, synthesise
from neural_collage.core.partition import Partition
from neural_collage.errors import CollageError
from neural_collage.io.picture import ImageLike
from neural_collage.runtime import without_autocast

Colours = Literal["content", "style"]
_CANDIDATES, _DICTIONARY_SIZE = 1024, 384  # patches of the style that are compared, and kept
_NOISE = 0.004  # standard deviation, invisible
_MAX_STYLE_SIDE = 768  # pixels; in a larger picture, patches would show little of its strokes


@dataclass(frozen=True)
class Style:
    """Options of `stylize`.

    Attributes:
        size: Pixels across a range: 4, 8, 16 or 32. A patch is twice as wide.
        sources: The most patches of a range, 1 to 8.
        strength: The least coefficient of the first patch of a range, 0 to 1; 1 is its contrast in
            the style. With 0 coefficients minimise the squared error.
        own: Factor of the contrasts of the photo's own domains, 0 (none) to 0.9.
        colours: Whether the colours are those of the content or of the style.

    Raises:
        CollageError: values out of range; the message lists all of them.
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


@without_autocast()
def stylize(
    content: ImageLike,
    style: ImageLike,
    how: Style = Style(),
    progress: Progress | None = None,
) -> Fractal:
    """The content, approximated by patches of the style: a picture at any scale.

    content, style: paths, Pillow images, arrays or tensors, as `io.reading.read_picture` takes
        them.
    progress: a step is the fit of own domains, of the dictionary, or of a source.

    Raises:
        ImageError: a picture cannot be read or used.
        CollageError: the style is smaller than a patch.
    """
    photo, style_pixels = read_colours(content), read_colours(style)
    longer = max(style_pixels.shape[1:])
    if longer > _MAX_STYLE_SIDE:
        height, width = (
            max(1, side * _MAX_STYLE_SIDE // longer) for side in style_pixels.shape[1:]
        )
        style_pixels = resized(style_pixels, height, width)
    if min(style_pixels.shape[1:]) < 2 * how.size:
        raise CollageError(
            f"a style of {style_pixels.shape[2]}x{style_pixels.shape[1]} pixels is below the "
            f"{2 * how.size}x{2 * how.size} of a patch: take a larger style, or smaller ranges"
        )
    if how.colours == "style":
        photo = transfer_colours(photo, style_pixels)
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
    # three constant patches, red, green and blue, have the averages of ranges as coefficients
    plain = torch.eye(3, dtype=torch.float32)[:, :, None, None] * window
    averages = pool(canvas - own, how.size)
    residual = canvas - own - synthesise(averages[None], plain)[0]
    patches = _dictionary(style_pixels, residual, how)
    done(2)
    brightness = pool(luma(canvas)[None], how.size).flatten().clamp(0, 1)
    coefficients = []
    for number in range(how.sources):
        least = how.strength if number == 0 else 0.0
        coefficients.append(_pursuit_step(residual, brightness, patches, how, least))
        residual = residual - synthesise(coefficients[-1][None], patches * window)[0]
        done(number + 3)
    texture = LappedTexture(
        torch.cat([averages, torch.stack(coefficients).sum(0)]),
        torch.cat([plain, patches * window]),
    )
    collage = Collage(
        partition,
        corners[:, None],
        codes[:, None],
        weights[None, :, None],
        -_domain_means(canvas, weights, corners, codes, how.size),
        texture=texture,
    )
    return Fractal(collage, photo)


def transfer_colours(
    pixels: Float[Tensor, "3 h w"], style: Float[Tensor, "3 _ _"]
) -> Float[Tensor, "3 h w"]:
    """The pixels, mapped to the mean and the covariance of the style's colours.

    The linear Monge-Kantorovich map (Pitie & Kokaram 2007), which moves colours the least.
    """
    source, target = pixels.flatten(1).double(), style.flatten(1).double()
    ridge = 1e-6 * torch.eye(3, dtype=torch.float32)
    source_cov, target_cov = (torch.cov(x) + ridge for x in (source, target))
    root = _root(source_cov)
    inverse = torch.linalg.inv(root)
    matrix = inverse @ _root(root @ target_cov @ root) @ inverse
    mapped = matrix @ (source - source.mean(1, keepdim=True)) + target.mean(1, keepdim=True)
    result: Tensor = mapped.view_as(pixels).clamp(0, 1).to(pixels.dtype)
    return result


def _root(matrix: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
    """The positive semidefinite square root."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors @ values.clamp_min(0).sqrt().diag() @ vectors.mT
    return root


def _window(size: int) -> Float[Tensor, "m m"]:
    """Squared sines, which sum to 1 over overlapping patches."""
    position = (torch.arange(2 * size, dtype=torch.float32) + 0.5) / (2 * size)
    profile = torch.sin(math.pi * position).square()
    return profile[:, None] * profile


def _dictionary(
    style_pixels: Float[Tensor, "3 h w"], residual: Float[Tensor, "3 H W"], how: Style
) -> Float[Tensor, "a 3 m m"]:
    """The zero-mean patches of the style that most ranges correlate with best."""
    m = 2 * how.size
    if how.colours == "content":
        style_pixels = luma(style_pixels).expand(3, -1, -1)
    step = max(2, how.size // 2)
    patches = torch.stack([cut_overlapping(plane, m, step) for plane in style_pixels], 1)
    patches = patches - patches.mean((2, 3), keepdim=True)
    by_energy = luma(patches).square().mean((1, 2)).argsort(descending=True)
    detailed = by_energy[: max(_CANDIDATES, len(by_energy) // 2)]
    generator = torch.Generator().manual_seed(0)
    sample = torch.randperm(len(detailed), generator=generator)[:_CANDIDATES]
    candidates = isometry.all_isometries(patches[detailed[sample]]).flatten(0, 1)
    window = _window(how.size)
    best = most_correlated(_surroundings(residual, how.size) * window, luma(candidates) * window)
    counts = torch.bincount(best, minlength=len(candidates))
    kept = counts.argsort(descending=True, stable=True)[:_DICTIONARY_SIZE]
    return candidates[kept[counts[kept] > 0]].contiguous()


def _pursuit_step(
    residual: Float[Tensor, "3 h w"],
    brightness: Float[Tensor, " r"],
    patches: Float[Tensor, "a 3 m m"],
    how: Style,
    least: float,
) -> Float[Tensor, "a rows columns"]:
    """One step of matching pursuit: the coefficient of the best patch of each range.

    At least `least`, unless that would take the patch out of [0, 1] at the brightness of the range.
    """
    window = _window(how.size)
    target = _surroundings(residual, how.size) * window
    windowed = luma(patches) * window
    # noise chooses the patches of plain areas at random: equal ones would make a regular pattern
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(target.shape, generator=generator, dtype=target.dtype)
    best = most_correlated(target + _NOISE * noise * window, windowed)
    chosen = windowed[best].flatten(1)
    fitted = (target.flatten(1) * chosen).sum(1) / chosen.square().sum(1).clamp_min(1e-6)
    room = torch.minimum(brightness, 1 - brightness) / chosen.abs().amax(1).clamp_min(1e-6)
    limited = torch.maximum(fitted, room.clamp(0, least)).clamp(0, 1)
    coefficients = limited.new_zeros(len(patches), len(best))
    coefficients[best, torch.arange(len(best))] = limited
    return coefficients.view(len(patches), residual.shape[1] // how.size, -1)


def _surroundings(image: Float[Tensor, "3 h w"], size: int) -> Float[Tensor, "r m m"]:
    """Luma of the squares twice as wide as the ranges, centred on them."""
    padded = functional.pad(luma(image)[None, None], (size // 2,) * 4, mode="replicate")[0, 0]
    return cut_overlapping(padded, 2 * size, size)


def _own_domains(
    canvas: Float[Tensor, "3 h w"], how: Style
) -> tuple[Float[Tensor, " r"], Int64[Tensor, "r 2"], Int64[Tensor, " r"], Float[Tensor, "3 h w"]]:
    """Contrasts, corners and isometries of the best domain of each range, and their details."""
    ranges = luma(cut(canvas, how.size).movedim(0, 1))
    corners = torch.zeros(len(ranges), 2, dtype=torch.int64)
    codes = torch.zeros(len(ranges), dtype=torch.int64)
    height, width = canvas.shape[1:]
    if not how.own or min(height, width) < 2 * how.size:
        return canvas.new_zeros(len(ranges)), corners, codes, torch.zeros_like(canvas)
    half = pool(canvas, 2)
    rows, columns = (torch.arange(0, n - how.size + 1, how.size // 2) for n in half.shape[1:])
    domains = cut_overlapping(luma(half), how.size, how.size // 2)
    candidates = isometry.all_isometries(domains).flatten(0, 1)
    best = most_correlated(ranges, candidates)
    chosen = candidates[best] - candidates[best].mean((1, 2), keepdim=True)
    fitted = (chosen * ranges).sum((1, 2)) / chosen.square().sum((1, 2)).clamp_min(1e-6)
    weights = fitted.clamp(0, 1) * how.own
    corners = torch.cartesian_prod(rows, columns)[best % len(domains)] * 2
    codes = best // len(domains)
    details = _domain_details(canvas, weights, corners, codes, how.size)
    return weights, corners, codes, details


def _domain_details(
    canvas: Float[Tensor, "3 h w"],
    weights: Float[Tensor, " r"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "3 h w"]:
    """Domains without their means, times their contrasts, in the place of the ranges."""
    blocks = isometry.blocks_at(pool(canvas, 2), corners // 2, codes, size)
    blocks = (blocks - blocks.mean((2, 3), keepdim=True)) * weights[:, None, None]
    return stitch(blocks, *canvas.shape[1:])


def _domain_means(
    canvas: Float[Tensor, "3 h w"],
    weights: Float[Tensor, " r"],
    corners: Int64[Tensor, "r 2"],
    codes: Int64[Tensor, " r"],
    size: int,
) -> Float[Tensor, "3 r"]:
    """Means of domains times their contrasts, which the bias has to compensate."""
    if not bool(weights.any()):
        return canvas.new_zeros(len(canvas), len(weights))
    return isometry.blocks_at(pool(canvas, 2), corners // 2, codes, size).mean((2, 3)) * weights
