"""Partitioned iterated function systems as published: equal ranges, exhaustive search, iteration.

Every range is fitted by reduced domains with a contrast and a brightness (Jacquin 1992; Fisher
1995), or by a convex mixture of several such fits (Poli et al. 2022, arXiv 2204.07673). The search
is on the original picture, which bounds the error of the fixed point z* of the map f by that of a
single step from the picture x: max |x - z*| <= max |x - f(x)| / (1 - bound) (Barnsley's collage
theorem). `encoder` is the search that makes small files; this one has all settings of the papers.

    >>> collage = pifs(image, range_size=8, domain_size=16, step=4)
    >>> decoded = collage.decode(scale=4)
    >>> pictures = iterate(collage, steps=10, noise={0: 1.0})
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from neural_collage.arguments import check, is_number, whole_problems, wholes_problems
from neural_collage.core import isometry
from neural_collage.core.affine import ScaledMap
from neural_collage.core.blocks import cut, pad_to_multiple, pool
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.fractal.matching import ALL, PRODUCTS, turned_ranges


class Sources(NamedTuple):
    """The best k sources of each of r ranges, the best one first.

    corners: (r, k, 2) top left corners (y, x) of the domains, in pixels of the image.
    isometries: (r, k) their codes.
    gains: (r, k) by how much each one alone lowers the squared error of the range's mean.
    """

    corners: Int64[Tensor, "r k 2"]
    isometries: Int64[Tensor, "r k"]
    gains: Float[Tensor, "r k"]


@torch.no_grad()
def pifs(
    image: Float[Tensor, "c h w"],
    range_size: int,
    domain_size: int,
    *,
    step: int | None = None,
    sources: int = 1,
    isometries: Sequence[int] = ALL,
    bound: float = 0.9,
) -> Collage:
    """The collage of an image, each range of which is fitted by its best domains.

    image: any size and number of channels; the last row and column are repeated to whole ranges.
    range_size: side of the ranges in pixels.
    domain_size: side of the domains, a multiple of at least 2 of `range_size`: the reduction.
    step: pixels from one domain to the next; None: `domain_size`, domains that tile the image.
    sources: domains of a range. Each is fitted alone; their fits are averaged with the weights
        softmax(-residual), of root summed squared residuals of pixel values.
    isometries: codes under which every domain is tried; (0,) turns and flips nothing.
    bound: greatest magnitude of a contrast. Below 1 the map contracts; without that `decode` needs
        certify=False.

    All channels of a range have the same domains, of the least summed squared error, and contrasts
    and biases of their own. Among all candidates that error is the least that is possible within
    the bound.

    Raises:
        ValueError: settings that are out of range or do not fit each other or the image.
    """
    reduction = _check(image, range_size, domain_size, step, sources, isometries, bound)
    canvas = pad_to_multiple(image, range_size)
    ranges = cut(canvas, range_size)
    found = search(
        canvas, ranges, reduction, step or domain_size, isometries, sources=sources, bound=bound
    )
    means = ranges.mean((-2, -1))
    domains = blocks_of(canvas, found.corners, found.isometries, range_size, reduction)
    centres = domains.mean((-2, -1))
    centred = domains - centres[..., None, None]
    parts = (ranges - means[..., None, None])[:, :, None]
    energy = centred.square().sum((-2, -1))
    contrasts = (parts * centred).sum((-2, -1)) / energy.clamp_min(torch.finfo(energy.dtype).tiny)
    contrasts = torch.where(energy > 0, contrasts, 0).clamp(-bound, bound)
    errors = (parts - contrasts[..., None, None] * centred).square().sum((0, -2, -1)).sqrt()
    weights = contrasts * (-errors).softmax(-1)
    return Collage(
        Partition.uniform(image.shape[1], image.shape[2], range_size),
        found.corners,
        found.isometries,
        weights,
        means - (weights * centres).sum(-1),
        pooling=reduction,
    )


def search(
    canvas: Float[Tensor, "c H W"],
    ranges: Float[Tensor, "c r n n"],
    reduction: int,
    step: int,
    isometries: Sequence[int] = ALL,
    *,
    sources: int = 1,
    bound: float = float("inf"),
) -> Sources:
    """The best sources of each range among all domains at every `step` pixels of a canvas.

    Inner products of zero-mean ranges and domains are one matrix product; see `matching`.

    Raises ValueError if the canvas has no domains, or fewer than `sources`.
    """
    size = ranges.shape[-1]
    blocks, corners = _reduced_domains(canvas, size, reduction, step)
    count = len(isometries) * len(corners)
    if count < sources:
        raise ValueError(
            f"{sources} sources of a range, but only {count} domains of {size * reduction} pixels "
            f"at every {step} pixels, counted with their isometries: take a smaller step"
        )
    centred = (blocks - blocks.mean(-1, keepdim=True)).mT  # (c, n n, d)
    norms = centred.norm(dim=1)
    units = centred / norms.clamp_min(torch.finfo(norms.dtype).tiny)[:, None]
    turned = turned_ranges(ranges, isometries)
    at_once = max(1, PRODUCTS // count)
    chosen, gains = [], []
    for part in turned.split(at_once, 2):
        gain = _gains(part, units, norms, bound)  # (g, r, d)
        values, indices = _largest(gain, sources)
        chosen.append(indices)
        gains.append(values)
    index = torch.cat(chosen)
    codes = torch.tensor(list(isometries), device=index.device)
    return Sources(corners[index % len(corners)], codes[index // len(corners)], torch.cat(gains))


def _gains(
    turned: Float[Tensor, "c g r n2"],
    units: Float[Tensor, "c n2 d"],
    norms: Float[Tensor, "c d"],
    bound: float,
) -> Float[Tensor, "g r d"]:
    """By how much each domain lowers the squared error of each range, with contrasts in bounds."""
    total = turned.new_zeros(*turned.shape[1:3], units.shape[-1])
    for ranges, domains, norm in zip(turned, units, norms, strict=True):
        product = (ranges @ domains).abs_()
        used = torch.minimum(product, bound * norm)
        total.addcmul_(used, product.mul_(2).sub_(used))
    return total


def _largest(
    gain: Float[Tensor, "g r d"], count: int
) -> tuple[Float[Tensor, "r k"], Int64[Tensor, "r k"]]:
    """The largest values of each range, and their indices among all isometries of all domains."""
    if count > 1:
        values, indices = gain.transpose(0, 1).flatten(1).topk(count)
        return values, indices
    by_isometry = gain.max(2)  # several times as fast
    best = by_isometry.values.max(0)
    domain = by_isometry.indices.gather(0, best.indices[None])[0]
    return best.values[:, None], (best.indices * gain.shape[2] + domain)[:, None]


def _reduced_domains(
    canvas: Float[Tensor, "c H W"], size: int, reduction: int, step: int
) -> tuple[Float[Tensor, "c d n2"], Int64[Tensor, "d 2"]]:
    """All domains, reduced to `size` pixels, and their corners."""
    down, across = (max(0, side - size * reduction) // step + 1 for side in canvas.shape[1:])
    if min(canvas.shape[1:]) < size * reduction:
        down = 0
    grid = [torch.arange(count, device=canvas.device) * step for count in (down, across)]
    corners = torch.cartesian_prod(*grid).view(-1, 2)
    codes = corners.new_zeros(len(corners), 1)
    blocks = blocks_of(canvas, corners[:, None], codes, size, reduction)
    return blocks[:, :, 0].flatten(-2), corners


def blocks_of(
    canvas: Float[Tensor, "c H W"],
    corners: Int64[Tensor, "r k 2"],
    isometries: Int64[Tensor, "r k"],
    size: int,
    reduction: int,
) -> Float[Tensor, "c r k n n"]:
    """Domains with corners at any pixel, reduced to `size` x `size` pixels, after isometries."""
    cells = functional.avg_pool2d(canvas[:, None], reduction, stride=1)[:, 0]
    pixel = torch.arange(size, device=canvas.device)
    row, column = isometry.source_index(isometries[..., None, None], size, pixel[:, None], pixel)
    y, x = corners[..., 0, None, None], corners[..., 1, None, None]
    return cells[:, y + reduction * row, x + reduction * column]


@torch.no_grad()
def iterate(
    collage: Collage,
    steps: int,
    start: Float[Tensor, "c h w"] | None = None,
    *,
    noise: Mapping[int, float | Tensor] | None = None,
    seed: int = 0,
    scale: int = 1,
) -> list[Float[Tensor, "c h w"]]:
    """The start and the results of 1 to `steps` steps of the map of a collage, not clipped.

    start: any image of the collage's size at that scale; None: zeros.
    noise: what is added before the steps of these numbers, from 0: an image, or the width a of
        uniform noise in [0, a). The start is returned as it is.
    scale: whole; pixels of the iterates per pixel of the image.

    If the map contracts, noise of any but the last steps is forgotten: all starts and schedules
    converge to the collage's `decode`.

    Raises:
        ValueError: no steps, a scale that is not whole, noise of other steps, or images of another
            shape.
    """
    schedule = noise or {}
    problems = [*whole_problems("steps", steps), *whole_problems("scale", scale)]
    check(problems)
    shape = (collage.channels, collage.height * scale, collage.width * scale)
    given = {"start": start, **{f"the noise of step {n}": v for n, v in schedule.items()}}
    problems += [f"there is no step {n!r} of {steps}" for n in schedule if n not in range(steps)]
    problems += [
        f"{name} must have the shape {shape}, not {tuple(value.shape)}"
        for name, value in given.items()
        if isinstance(value, Tensor) and value.shape != shape
    ]
    check(problems)
    finer = _exact_multiple(collage, scale)
    mapping = ScaledMap.of(collage, Fraction(scale * finer))
    canvas_size = [side // finer for side in mapping.offset.shape[1:]]
    generator = torch.Generator().manual_seed(seed)
    z = collage.bias.new_zeros(shape) if start is None else start.to(collage.bias)
    z = _extended(z, *canvas_size)
    results = [z]
    for number in range(steps):
        if (added := schedule.get(number)) is not None:
            if not isinstance(added, Tensor):
                added = added * torch.rand(shape, generator=generator, dtype=z.dtype)
            z = z + _extended(added.to(z), *canvas_size)
        # averages of the finer iterates are the iterates themselves; see `core.pyramid`
        repeated = z.repeat_interleave(finer, 1).repeat_interleave(finer, 2)
        z = pool(mapping.step(repeated), finer)
        results.append(z)
    return [canvas[:, : shape[1], : shape[2]] for canvas in results]


def _exact_multiple(collage: Collage, scale: int) -> int:
    """The least multiple of a scale at which pixels of domains are pixels of the pooled image."""
    finer = 1
    while (scale * finer * collage.lattice).denominator != 1:
        finer += 1
    return finer


def _extended(z: Float[Tensor, "c h w"], height: int, width: int) -> Float[Tensor, "c H W"]:
    """An image with its last row and column repeated to a larger size."""
    bottom, right = height - z.shape[1], width - z.shape[2]
    return functional.pad(z[None], (0, right, 0, bottom), mode="replicate")[0]


def _check(
    image: Tensor,
    range_size: int,
    domain_size: int,
    step: int | None,
    sources: int,
    isometries: Sequence[int],
    bound: float,
) -> int:
    """The reduction; raises ValueError with all problems of the arguments of `pifs`."""
    problems = [
        *whole_problems("range_size", range_size),
        *whole_problems("domain_size", domain_size),
        *([] if step is None else whole_problems("step", step)),
        *whole_problems("sources", sources),
        *wholes_problems("isometries", isometries, 0),
    ]
    check(problems)
    if domain_size % range_size or domain_size < 2 * range_size:
        problems.append(
            f"domain_size must be a multiple of at least 2 of range_size {range_size}, not "
            f"{domain_size}"
        )
    if not isometries or len(set(isometries)) < len(isometries) or max(isometries) not in ALL:
        problems.append(f"isometries must be different codes of 0..7, not {tuple(isometries)}")
    if not (is_number(bound) and bound > 0):
        problems.append(f"bound must be a number above 0, not {bound!r}")
    if image.ndim != 3 or not image.is_floating_point() or not image.numel():
        problems.append(f"the image must be (c, h, w) of floats, not {tuple(image.shape)}")
    elif not problems and min(pad_to_multiple(image, range_size).shape[1:]) < domain_size:
        _, height, width = image.shape
        problems.append(f"a domain of {domain_size} does not fit in {width}x{height} pixels")
    check(problems)
    return domain_size // range_size
