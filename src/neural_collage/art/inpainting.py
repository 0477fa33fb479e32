"""Inpainting: unknown pixels from a collage that is fitted to the known ones.

Domain, contrast and brightness of each range that overlaps a hole are fitted to its known pixels,
and predict the others; fitting and filling alternate. Large holes are first filled at a coarse
resolution, where they are small. Ranges overlap, and their predictions are averaged. Finally,
cosine coefficients above a decreasing threshold add detail (iterated thresholding, Guleryuz 2006).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from neural_collage.art.denoising import threshold_cosines
from neural_collage.art.progress import Progress
from neural_collage.core.blocks import cut_overlapping, pool
from neural_collage.core.interpolation import enlarge
from neural_collage.errors import CollageError

_SIZE = 8  # pixels across a range
_STEP = 4  # between overlapping ranges
_MAX_DOMAINS = 4096
_ROUNDS = 3  # of fitting and filling, at each resolution
_FILLED_WEIGHT = 0.05  # of a pixel that was filled before, in the fit; known pixels have 1
_MIN_SIDE = 2 * _SIZE  # of the coarsest resolution
_VALUES_AT_ONCE = 1 << 23  # in a product of ranges and domains
_BOUND = 0.9  # of contrasts
_NOISES = tuple(0.16 * 0.72**n for n in range(12))  # standard deviations, for the thresholds


def fill(
    pixels: Float[Tensor, "c h w"],
    unknown: Bool[Tensor, "_ _"],
    progress: Progress | None = None,
) -> Float[Tensor, "c h w"]:
    """The image with its unknown pixels filled; the others are unchanged.

    progress: a step is a resolution or a threshold.

    Raises:
        CollageError: a mask of another size, or no known pixel.
    """
    if unknown.shape != pixels.shape[1:]:
        height, width = unknown.shape
        raise CollageError(
            f"the mask is {width}x{height} and the picture {pixels.shape[2]}x{pixels.shape[1]}: "
            "give a mask of the same size"
        )
    if bool(unknown.all()):
        raise CollageError("the mask covers the whole picture: leave some of it uncovered")
    if not bool(unknown.any()):
        return pixels.clone()
    pyramid = _resolutions(pixels, ~unknown)
    filled: Tensor | None = None
    for number, (image, known) in enumerate(reversed(pyramid)):
        filled = _fill(image, known, _initial(image, known, filled))
        if progress is not None:
            progress(number + 1, len(pyramid) + len(_NOISES))
    assert filled is not None
    for number, noise in enumerate(_NOISES):
        filled = torch.where(unknown, threshold_cosines(filled, noise), pixels)
        if progress is not None:
            progress(len(pyramid) + number + 1, len(pyramid) + len(_NOISES))
    return filled


def _resolutions(
    pixels: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"]
) -> list[tuple[Float[Tensor, "c _ _"], Bool[Tensor, "_ _"]]]:
    """The image and its known pixels, halved until all are known or `_MIN_SIDE` is reached."""
    pyramid = [(torch.where(known, pixels, 0), known)]
    while not bool(known.all()) and min(known.shape) >= 2 * _MIN_SIDE:
        height, width = known.shape
        edges = (0, width % 2, 0, height % 2)
        weight = functional.pad(known[None, None].float(), edges)[0]
        total = pool(functional.pad(pyramid[-1][0][None], edges)[0] * weight, 2)
        share = pool(weight, 2)
        known = share[0] > 0
        pyramid.append((torch.where(known, total / share.clamp_min(0.25), 0), known))
    return pyramid


def _initial(
    image: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"], coarse: Tensor | None
) -> Float[Tensor, "c h w"]:
    """Known pixels; the others from the filled image at half the size, or the known mean."""
    if coarse is None:
        mean = image.sum((1, 2)) / known.sum().clamp_min(1)
        return torch.where(known, image, mean[:, None, None])
    padded = functional.pad(coarse[None], (2, 2, 2, 2), mode="replicate")[0]
    height, width = known.shape
    return torch.where(known, image, enlarge(padded)[:, :height, :width])


def _fill(
    image: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"], filled: Float[Tensor, "c h w"]
) -> Float[Tensor, "c h w"]:
    """The image after some rounds of fitting ranges to it and replacing its unknown pixels."""
    height, width = known.shape
    if min(height, width) < 2 * _SIZE:
        return filled
    rows, columns = _starts(height), _starts(width)
    corners = torch.cartesian_prod(rows, columns)
    pixel = torch.arange(_SIZE)
    at = (corners[:, 0, None, None] + pixel[:, None]) * width + corners[:, 1, None, None] + pixel
    overlaps_hole = ~known.flatten()[at].flatten(1).all(1)
    at = at[overlaps_hole]
    if not len(at):
        return filled
    known_weight, filled_weight = image.new_tensor([1.0, _FILLED_WEIGHT])
    weights = torch.where(known.flatten()[at], known_weight, filled_weight).flatten(1)
    counts = image.new_zeros(height * width).index_add_(0, at.flatten(), image.new_ones(at.numel()))
    for _ in range(_ROUNDS):
        ranges = filled.flatten(1)[:, at].flatten(2)
        fitted = _fit(ranges, weights, _domains(filled, known))
        total = torch.zeros_like(filled).flatten(1).index_add_(1, at.flatten(), fitted.flatten(1))
        average = (total / counts.clamp_min(1)).view_as(filled)
        filled = torch.where(known, image, average)
    return filled


def _starts(length: int) -> Tensor:
    """Starts of overlapping ranges along a side; the last one ends at the edge."""
    starts = torch.arange(0, length - _SIZE + 1, _STEP)
    with_last: Tensor = torch.cat([starts, starts.new_tensor([length - _SIZE])]).unique()
    return with_last


def _domains(filled: Float[Tensor, "c h w"], known: Bool[Tensor, "h w"]) -> Float[Tensor, "c d n2"]:
    """Evenly spaced reduced blocks: those without unknown pixels, or all if there are none."""
    small, known_share = pool(filled, 2), pool(known[None].float(), 2)[0]
    step = 1
    while (small.shape[1] // step) * (small.shape[2] // step) > _MAX_DOMAINS:
        step += 1
    blocks = torch.stack([cut_overlapping(plane, _SIZE, step) for plane in small]).flatten(2)
    is_known = cut_overlapping(known_share, _SIZE, step).flatten(1).amin(1) == 1
    return blocks[:, is_known] if bool(is_known.any()) else blocks


def _fit(
    ranges: Float[Tensor, "c r n2"],
    weights: Float[Tensor, "r n2"],
    domains: Float[Tensor, "c d n2"],
) -> Float[Tensor, "c r n2"]:
    """Approximations of ranges by their best domain, with weighted least squares.

    With inner products under the weights, and range t and domain d about their weighted means, the
    error is <t, t> - <t, d>^2 / <d, d>; so the search is three matrix products.
    """
    grey = domains.mean(0)
    result = torch.empty_like(ranges)
    for part in torch.arange(len(weights)).split(max(1, _VALUES_AT_ONCE // len(grey))):
        weight = weights[part] / weights[part].sum(1, keepdim=True)
        target = ranges[:, part].mean(0)
        target = target - (weight * target).sum(1, keepdim=True)
        mean = weight @ grey.mT
        energy = (weight @ grey.square().mT - mean.square()).clamp_min(0)
        product = (weight * target) @ grey.mT
        best = (product.square() / (energy + 1e-4)).argmax(1)
        matched = domains[:, best]
        centre = (matched * weight).sum(2, keepdim=True)
        brightness = (ranges[:, part] * weight).sum(2, keepdim=True)
        detail = matched - centre
        covariance = (weight * detail * (ranges[:, part] - brightness)).sum(2, keepdim=True)
        variance = (weight * detail.square()).sum(2, keepdim=True)
        contrast = (covariance / (variance + 1e-4)).clamp(-_BOUND, _BOUND)
        result[:, part] = brightness + contrast * detail
    return result
