"""Denoising: the collage of a noisy picture as an estimate of the clean one.

A domain is reduced 2:1 and so has half the noise of the range that it resembles (Ghazel, Freeman &
Vrscay 2003). A range is estimated as the average of domains times contrasts, if that pays, plus the
cosines of what is left that are larger than noise would be (Donoho & Johnstone 1994): a description
that is short, as in `encoder`, but for the price of a bit. Every pixel is in ranges of several
shifted grids, whose estimates are averaged.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from neural_collage.core.blocks import cut, cut_overlapping, pool, round_up, stitch
from neural_collage.core.cosines import orthonormal_cosines
from neural_collage.errors import CollageError

_SIZE = 8  # pixels across a range
_STEP = 4  # between domains, in pixels of the reduced picture
_SHIFT = 2  # between grids
_NEAREST = 8  # domains that an estimate averages
_AT_ONCE = 1 << 24  # numbers in a product of ranges and domains
_THRESHOLD = 2.7  # standard deviations of noise that a cosine must exceed
_PRICE = 2 * _THRESHOLD**2  # of domains: as of two cosines
_OPPONENT = (
    torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / torch.tensor([3, 2, 6]).sqrt()[:, None]
)
_MAD = 0.6745  # median of |x| of a standard normal distribution


def clean(
    pixels: Float[Tensor, "c h w"],
    noise: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "c h w"]:
    """The picture without noise, in [0, 1].

    noise: its standard deviation, of white noise, in units of the
        pixels, 0 to 1; None estimates it (see `estimate_noise`). 0 changes nothing.
    progress: told how many grids are done, and of how many.

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


def plain(pixels: Float[Tensor, "c h w"], noise: float) -> Float[Tensor, "c h w"]:
    """The picture without cosines of ranges that are no larger than noise; no domains."""
    return _over_grids(pixels, lambda ranges: _without_domains(ranges, noise))


def _over_grids(
    pixels: Float[Tensor, "c h w"],
    estimate: Callable[[Tensor], Tensor],
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "c h w"]:
    """The average of what shifted grids of ranges (c, r, n, n) are estimated to be, in [0, 1]."""
    height, width = pixels.shape[1:]
    total = torch.zeros_like(pixels)
    shifts = [(y, x) for y in range(0, _SIZE, _SHIFT) for x in range(0, _SIZE, _SHIFT)]
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

    Donoho & Johnstone 1994, with the Haar wavelet. Texture is taken for noise, too.
    """
    if min(pixels.shape[1:]) < 2:
        return 0.0
    even = pixels[:, : pixels.shape[1] // 2 * 2, : pixels.shape[2] // 2 * 2]
    a, b = even[:, ::2, ::2] + even[:, 1::2, 1::2], even[:, ::2, 1::2] + even[:, 1::2, ::2]
    return min(1.0, float(((a - b) / 2).abs().median()) / _MAD)


def _domains(
    pixels: Float[Tensor, "c h w"],
) -> tuple[Float[Tensor, "c d n n"], Float[Tensor, "d n2"]]:
    """Blocks of the reduced picture without their means, and those of their average at length 1."""
    small = pool(pixels, 2)
    height, width = (max(0, _SIZE - side) for side in small.shape[1:])
    small = functional.pad(small[None], (0, width, 0, height), mode="replicate")[0]
    blocks = torch.stack([cut_overlapping(plane, _SIZE, _STEP) for plane in small])
    blocks = blocks - blocks.mean((2, 3), keepdim=True)
    grey = blocks.mean(0).flatten(1)
    return blocks, grey / grey.norm(dim=1, keepdim=True).clamp_min(1e-4)


def _estimate(
    ranges: Float[Tensor, "c r n n"],
    domains: Float[Tensor, "c d n n"],
    unit: Float[Tensor, "d n2"],
    noise: float,
) -> Float[Tensor, "c r n n"]:
    mean = ranges.mean((2, 3), keepdim=True)
    detail = ranges - mean
    collage = _from_domains(detail, domains, unit, noise)
    without, cost = _thresholded(detail, noise)
    rest, cost_of_rest = _thresholded(detail - collage, noise)
    pays = cost_of_rest + _PRICE * noise**2 < cost
    return mean + torch.where(pays[:, None, None], collage + rest, without)


def _without_domains(ranges: Float[Tensor, "c r n n"], noise: float) -> Float[Tensor, "c r n n"]:
    mean = ranges.mean((2, 3), keepdim=True)
    return mean + _thresholded(ranges - mean, noise)[0]


def _thresholded(
    detail: Float[Tensor, "c r n n"], noise: float
) -> tuple[Float[Tensor, "c r n n"], Float[Tensor, " r"]]:
    """The cosines above noise, and what each range costs: error, and a price for each cosine."""
    cosines, colours = (
        orthonormal_cosines(_SIZE).to(detail),
        _OPPONENT if len(detail) == 3 else None,
    )
    waves = cosines @ detail @ cosines.mT
    if colours is not None:
        waves = torch.einsum("kc,crij->krij", colours, waves)
    price = (_THRESHOLD * noise) ** 2
    cost = waves.square().clamp_max(price).sum((0, 2, 3))
    waves = torch.where(waves.square() > price, waves, 0)
    if colours is not None:
        waves = torch.einsum("kc,krij->crij", colours, waves)
    return cosines.mT @ waves @ cosines, cost


def _from_domains(
    detail: Float[Tensor, "c r n n"],
    domains: Float[Tensor, "c d n n"],
    unit: Float[Tensor, "d n2"],
    noise: float,
) -> Float[Tensor, "c r n n"]:
    """The average of the domains most like each range, times their contrasts by least squares."""
    likeness, nearest = _most_alike(detail.mean(0).flatten(1), unit)
    shown = domains[:, nearest]
    energy = shown.square().sum((3, 4)).clamp_min(1e-9)
    contrast = (shown * detail[:, :, None]).sum((3, 4)) / energy
    # the noise of a domain, a quarter of the range's, weakens its contrast
    trust = (1 - _SIZE**2 * noise**2 / 4 / energy).clamp_min(0)
    share = likeness.square() / likeness.square().sum(1, keepdim=True).clamp_min(1e-9)
    collage: Tensor = (shown * (share * contrast * trust)[..., None, None]).sum(2)
    return collage


def _most_alike(
    ranges: Float[Tensor, "r n2"], unit: Float[Tensor, "d n2"]
) -> tuple[Float[Tensor, "r k"], Int64[Tensor, "r k"]]:
    """The domains with the largest inner products, and those."""
    count = min(_NEAREST, len(unit))
    parts = ranges.split(max(1, _AT_ONCE // len(unit)))
    found = [(part @ unit.mT).topk(count, 1) for part in parts]
    return torch.cat([f.values for f in found]).clamp_min(0), torch.cat([f.indices for f in found])
