"""Inpainting: what a collage says about pixels that nobody knows.

The codes of the ranges about a hole, domain, contrast and brightness, are fitted on known pixels;
the collage then has values for the others, too, and its fixed point fills the hole. From coarse to
fine, so that large holes are small ones first. Ranges overlap, and their values are averaged. Last,
ranges get the texture that fits what is known: cosines enter one after another, the largest first
(iterated thresholding, Guleryuz 2006).
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from neural_collage.art.denoising import plain
from neural_collage.core.blocks import cut_overlapping, pool
from neural_collage.core.interpolation import enlarge
from neural_collage.errors import CollageError

_SIZE = 8  # pixels across a range
_SHIFT = 4  # between overlapping ranges
_DOMAINS = 4096  # at most
_ROUNDS = 3  # of fitting and filling, at each resolution
_GUESS = 0.05  # what an unknown pixel, as filled before, weighs against a known one
_SMALLEST = 2 * _SIZE  # side of the coarsest resolution
_AT_ONCE = 1 << 23  # numbers in a product of ranges and domains
_BOUND = 0.9  # of contrasts
_THRESHOLDS = tuple(0.16 * 0.72**n for n in range(12))  # for textures, as of noise


def fill(
    pixels: Float[Tensor, "c h w"],
    unknown: Bool[Tensor, "_ _"],
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "c h w"]:
    """The picture with its unknown pixels filled; the others are as they were.

    progress: told how many resolutions are done, and of how many.

    Raises:
        CollageError: a mask of another size, or nothing is known.
    """
    if unknown.shape != pixels.shape[1:]:
        height, width = unknown.shape
        raise CollageError(
            f"the mask is {width}x{height} and the picture {pixels.shape[2]}x{pixels.shape[1]}: "
            "give a mask of the same size"
        )
    if bool(unknown.all()):
        raise CollageError("the mask covers the whole picture: leave something to go by")
    if not bool(unknown.any()):
        return pixels.clone()
    levels = _resolutions(pixels, ~unknown)
    filled: Tensor | None = None
    for number, (image, known) in enumerate(reversed(levels)):
        filled = _fill(image, known, _guess(image, known, filled))
        if progress is not None:
            progress(number + 1, len(levels) + len(_THRESHOLDS))
    assert filled is not None
    for number, threshold in enumerate(_THRESHOLDS):
        filled = torch.where(unknown, plain(filled, threshold), pixels)
        if progress is not None:
            progress(len(levels) + number + 1, len(levels) + len(_THRESHOLDS))
    return filled


def _resolutions(
    pixels: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"]
) -> list[tuple[Float[Tensor, "c _ _"], Bool[Tensor, "_ _"]]]:
    """The picture and what is known of it, halved until all is known or it is too small."""
    levels = [(torch.where(known, pixels, 0), known)]
    while not bool(known.all()) and min(known.shape) >= 2 * _SMALLEST:
        height, width = known.shape
        edges = (0, width % 2, 0, height % 2)
        weight = functional.pad(known[None, None].float(), edges)[0]
        total = pool(functional.pad(levels[-1][0][None], edges)[0] * weight, 2)
        share = pool(weight, 2)
        known = share[0] > 0
        levels.append((torch.where(known, total / share.clamp_min(0.25), 0), known))
    return levels


def _guess(
    image: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"], coarse: Tensor | None
) -> Float[Tensor, "c h w"]:
    """What is known, and elsewhere the picture at half the size, or the mean of what is known."""
    if coarse is None:
        mean = image.sum((1, 2)) / known.sum().clamp_min(1)
        return torch.where(known, image, mean[:, None, None])
    padded = functional.pad(coarse[None], (2, 2, 2, 2), mode="replicate")[0]
    height, width = known.shape
    return torch.where(known, image, enlarge(padded)[:, :height, :width])


def _fill(
    image: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"], filled: Float[Tensor, "c h w"]
) -> Float[Tensor, "c h w"]:
    height, width = known.shape
    if min(height, width) < 2 * _SIZE:
        return filled
    rows, columns = _starts(height), _starts(width)
    corners = torch.cartesian_prod(rows, columns)
    pixel = torch.arange(_SIZE)
    at = (corners[:, 0, None, None] + pixel[:, None]) * width + corners[:, 1, None, None] + pixel
    holed = ~known.flatten()[at].flatten(1).all(1)
    at = at[holed]
    if not len(at):
        return filled
    certain = torch.where(known.flatten()[at], 1.0, _GUESS).flatten(1)
    counted = torch.zeros(height * width).index_add_(0, at.flatten(), torch.ones(at.numel()))
    for _ in range(_ROUNDS):
        wanted = filled.flatten(1)[:, at].flatten(2)
        seen = _ranges(wanted, certain, _domains(filled, known))
        total = torch.zeros_like(filled).flatten(1).index_add_(1, at.flatten(), seen.flatten(1))
        average = (total / counted.clamp_min(1)).view_as(filled)
        filled = torch.where(known, image, average)
    return filled


def _starts(length: int) -> Tensor:
    """Corners of overlapping ranges along a side; the last range ends with the picture."""
    starts = torch.arange(0, length - _SIZE + 1, _SHIFT)
    corners: Tensor = torch.cat([starts, starts.new_tensor([length - _SIZE])]).unique()
    return corners


def _domains(filled: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"]) -> Float[Tensor, "c d n2"]:
    """Reduced blocks, evenly spread, of those that are known if there are any."""
    small, sure = pool(filled, 2), pool(known[None].float(), 2)[0]
    step = 1
    while (small.shape[1] // step) * (small.shape[2] // step) > _DOMAINS:
        step += 1
    blocks = torch.stack([cut_overlapping(plane, _SIZE, step) for plane in small]).flatten(2)
    whole = cut_overlapping(sure, _SIZE, step).flatten(1).amin(1) == 1
    return blocks[:, whole] if bool(whole.any()) else blocks


def _ranges(
    wanted: Float[Tensor, "c r n2"],
    certain: Float[Tensor, "r n2"],
    domains: Float[Tensor, "c d n2"],
) -> Float[Tensor, "c r n2"]:
    """Ranges as their best domain shows them, by weighted least squares in contrast and brightness.

    With weights m, range t and domain d, the error is <t, t> - <t, d>^2 / <d, d>, all three about
    the means under m; so the search is three matrix products.
    """
    grey = domains.mean(0)
    result = torch.empty_like(wanted)
    for part in torch.arange(len(certain)).split(max(1, _AT_ONCE // len(grey))):
        weight = certain[part] / certain[part].sum(1, keepdim=True)
        target = wanted[:, part].mean(0)
        target = target - (weight * target).sum(1, keepdim=True)
        mean = weight @ grey.mT
        energy = (weight @ grey.square().mT - mean.square()).clamp_min(0)
        product = (weight * target) @ grey.mT
        best = (product.square() / (energy + 1e-4)).argmax(1)
        shown = domains[:, best]
        centre = (shown * weight).sum(2, keepdim=True)
        level = (wanted[:, part] * weight).sum(2, keepdim=True)
        fit = (weight * (shown - centre) * (wanted[:, part] - level)).sum(2, keepdim=True)
        spread = (weight * (shown - centre).square()).sum(2, keepdim=True)
        contrast = (fit / (spread + 1e-4)).clamp(-_BOUND, _BOUND)
        result[:, part] = level + contrast * (shown - centre)
    return result
