"""Denoising: the collage of a noisy image as an estimate of the clean one.

A domain is averaged 2:1, so its noise has half the standard deviation of that of the range it
matches (Ghazel, Freeman & Vrscay 2003). A range is estimated as the average of its best domains
times their contrasts, if that lowers the cost, plus the cosine coefficients of the residual above
a threshold (hard thresholding, Donoho & Johnstone 1994). The cost is the squared error plus a fixed
price for each coefficient kept and for the domains. Every pixel is in ranges of several shifted
grids, whose estimates are averaged (Coifman & Donoho 1995).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from neural_collage.art.progress import Progress
from neural_collage.core.blocks import cut, cut_overlapping, pool, stitch
from neural_collage.core.cosines import opponent_colours, orthonormal_cosines
from neural_collage.core.scales import round_up
from neural_collage.errors import CollageError

_SIZE = 8  # pixels across a range
_DOMAIN_STEP = 4  # pixels of the reduced image
_GRID_STEP = 2  # pixels
_N_DOMAINS = 8  # averaged in an estimate
_VALUES_AT_ONCE = 1 << 24  # in a product of ranges and domains
_THRESHOLD = 2.7  # of a cosine coefficient, in standard deviations of the noise
_DOMAIN_COST = 2 * _THRESHOLD**2  # in variances of the noise: that of two coefficients
_MAD = 0.6745  # median of |x| of a standard normal distribution


def clean(
    pixels: Float[Tensor, "c h w"],
    noise: float | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "c h w"]:
    """The image without white noise, in [0, 1].

    noise: standard deviation of the noise in units of the pixels, 0 to 1; None estimates it (see
        `estimate_noise`), 0 changes nothing.
    progress: a step is a grid.

    Raises:
        CollageError: a noise out of range.
    """
    if noise is None:
        noise = estimate_noise(pixels)
    if not 0 <= noise <= 1:
        raise CollageError(f"noise is a standard deviation from 0 to 1, not {noise:g}")
    height, width = pixels.shape[1:]
    if noise == 0 or min(height, width) < 2:
        return pixels.clone()
    domains, unit = _domains(pixels)
    return _over_grids(pixels, lambda ranges: _estimate(ranges, domains, unit, noise), progress)


def threshold_cosines(pixels: Float[Tensor, "c h w"], noise: float) -> Float[Tensor, "c h w"]:
    """The image without the cosine coefficients below the threshold for a noise; no domains."""
    return _over_grids(pixels, lambda ranges: _without_domains(ranges, noise))


def _over_grids(
    pixels: Float[Tensor, "c h w"],
    estimate: Callable[[Tensor], Tensor],
    progress: Progress | None = None,
) -> Float[Tensor, "c h w"]:
    """The average of the estimates of ranges (c, r, n, n) on shifted grids, in [0, 1]."""
    height, width = pixels.shape[1:]
    total = torch.zeros_like(pixels)
    shifts = [(y, x) for y in range(0, _SIZE, _GRID_STEP) for x in range(0, _SIZE, _GRID_STEP)]
    for number, (y, x) in enumerate(shifts):
        bottom, right = (
            round_up(side + shift, _SIZE) - side - shift
            for side, shift in ((height, y), (width, x))
        )
        canvas = functional.pad(pixels[None], (x, right, y, bottom), mode="replicate")[0]
        cleaned = stitch(estimate(cut(canvas, _SIZE)), *canvas.shape[1:])
        total += cleaned[:, y : y + height, x : x + width]
        if progress is not None:
            progress(number + 1, len(shifts))
    return (total / len(shifts)).clamp(0, 1)


def estimate_noise(pixels: Float[Tensor, "c h w"]) -> float:
    """The standard deviation of white noise, from the median of the finest diagonal differences.

    Donoho & Johnstone 1994, with the Haar wavelet. Fine detail of the image raises the estimate.
    """
    if min(pixels.shape[1:]) < 2:
        return 0.0
    even = pixels[:, : pixels.shape[1] // 2 * 2, : pixels.shape[2] // 2 * 2]
    a, b = even[:, ::2, ::2] + even[:, 1::2, 1::2], even[:, ::2, 1::2] + even[:, 1::2, ::2]
    return min(1.0, float(((a - b) / 2).abs().median()) / _MAD)


def _domains(
    pixels: Float[Tensor, "c h w"],
) -> tuple[Float[Tensor, "c d n n"], Float[Tensor, "d n2"]]:
    """Zero-mean domains, and their averages over the channels at unit length."""
    small = pool(pixels, 2)
    height, width = (max(0, _SIZE - side) for side in small.shape[1:])
    small = functional.pad(small[None], (0, width, 0, height), mode="replicate")[0]
    blocks = torch.stack([cut_overlapping(plane, _SIZE, _DOMAIN_STEP) for plane in small])
    blocks = blocks - blocks.mean((2, 3), keepdim=True)
    grey = blocks.mean(0).flatten(1)
    return blocks, grey / grey.norm(dim=1, keepdim=True).clamp_min(1e-4)


def _estimate(
    ranges: Float[Tensor, "c r n n"],
    domains: Float[Tensor, "c d n n"],
    unit: Float[Tensor, "d n2"],
    noise: float,
) -> Float[Tensor, "c r n n"]:
    """Each range with or without domains, whichever costs less."""
    mean = ranges.mean((2, 3), keepdim=True)
    detail = ranges - mean
    collage = _from_domains(detail, domains, unit, noise)
    without, cost = _thresholded(detail, noise)
    residual, residual_cost = _thresholded(detail - collage, noise)
    is_cheaper = residual_cost + _DOMAIN_COST * noise**2 < cost
    return mean + torch.where(is_cheaper[:, None, None], collage + residual, without)


def _without_domains(ranges: Float[Tensor, "c r n n"], noise: float) -> Float[Tensor, "c r n n"]:
    mean = ranges.mean((2, 3), keepdim=True)
    return mean + _thresholded(ranges - mean, noise)[0]


def _thresholded(
    detail: Float[Tensor, "c r n n"], noise: float
) -> tuple[Float[Tensor, "c r n n"], Float[Tensor, " r"]]:
    """Ranges from their coefficients above the threshold, and the cost of each.

    The cost is the energy of the dropped coefficients, and the squared threshold for each one kept.
    """
    cosines = orthonormal_cosines(_SIZE).to(detail)
    colours = opponent_colours().to(detail) if len(detail) == 3 else None
    coefficients = cosines @ detail @ cosines.mT
    if colours is not None:
        coefficients = torch.einsum("kc,crij->krij", colours, coefficients)
    price = (_THRESHOLD * noise) ** 2
    cost = coefficients.square().clamp_max(price).sum((0, 2, 3))
    coefficients = torch.where(coefficients.square() > price, coefficients, 0)
    if colours is not None:
        coefficients = torch.einsum("kc,krij->crij", colours, coefficients)
    return cosines.mT @ coefficients @ cosines, cost


def _from_domains(
    detail: Float[Tensor, "c r n n"],
    domains: Float[Tensor, "c d n n"],
    unit: Float[Tensor, "d n2"],
    noise: float,
) -> Float[Tensor, "c r n n"]:
    """The average of the best domains of each range, times their least-squares contrasts."""
    product, best = _best_domains(detail.mean(0).flatten(1), unit)
    matched = domains[:, best]
    energy = matched.square().sum((3, 4)).clamp_min(1e-9)
    contrast = (matched * detail[:, :, None]).sum((3, 4)) / energy
    # shrunk, because the noise of the domain is part of its energy
    shrinkage = (1 - _SIZE**2 * noise**2 / 4 / energy).clamp_min(0)
    share = product.square() / product.square().sum(1, keepdim=True).clamp_min(1e-9)
    collage: Tensor = (matched * (share * contrast * shrinkage)[..., None, None]).sum(2)
    return collage


def _best_domains(
    ranges: Float[Tensor, "r n2"], unit: Float[Tensor, "d n2"]
) -> tuple[Float[Tensor, "r k"], Int64[Tensor, "r k"]]:
    """The largest inner products of each range with domains, and the numbers of the domains."""
    count = min(_N_DOMAINS, len(unit))
    parts = ranges.split(max(1, _VALUES_AT_ONCE // len(unit)))
    top = [(part @ unit.mT).topk(count, 1) for part in parts]
    return torch.cat([t.values for t in top]).clamp_min(0), torch.cat([t.indices for t in top])
