"""Fractals and styles by a network: a neural collage that is fitted to a single picture.

As in Poli et al. 2022 (arXiv 2204.07673, "fractal art"), an encoder predicts the parameters of a
collage operator from the picture, and is trained until the fixed point approximates the picture.
The sources are the whole picture, reduced, or the picture's own domains and the patches of a style.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from neural_collage.art.colours import luma, read_colours, resized
from neural_collage.art.fractal import Fractal
from neural_collage.art.fractalize import most_correlated
from neural_collage.core import isometry
from neural_collage.core.blocks import cut, pool
from neural_collage.core.collage import Collage
from neural_collage.core.metrics import psnr_of
from neural_collage.errors import CollageError
from neural_collage.io.picture import ImageLike
from neural_collage.models.autoencoding.neural_collage import NeuralCollage
from neural_collage.models.autoencoding.range_encoder import EncoderConfig, RangeEncoder
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.operator import CollageOperator
from neural_collage.runtime import without_autocast

RANGE = 8
"""Pixels across a range."""
_ENCODER = EncoderConfig(width=64, depth=2)
_CONTRAST_PENALTY = 0.1  # weight of squared contrasts below the least one; the squared error has 1
_WARM_UP = 20  # steps
_KEPT = 4  # sources of a range
_MAX_ROUNDS = 40  # of correcting the averages


class FitProgress(NamedTuple):
    """The state of a fit.

    step: steps done. steps: steps in all. psnr: of the fixed point against the photo, in dB.
    """

    step: int
    steps: int
    psnr: float


@without_autocast()
def learn_fractal(
    image: ImageLike,
    tiles: int = 32,
    contrast: float = 0.4,
    steps: int = 200,
    seed: int = 0,
    progress: Callable[[FitProgress], None] | None = None,
    isometries: bool = False,
) -> Fractal:
    """A picture as a collage of copies of itself that a network predicts.

    tiles: across, 2 to 64. contrast: lower contrasts of copies are penalised, 0 to 0.8.
    steps: of gradient descent. isometries: whether copies may be rotated and mirrored; each tile
        has the isometry under which the picture correlates most with it.

    The same arguments give the same picture on the same machine.

    Raises:
        ImageError: the picture cannot be read or used.
        CollageError: an argument is out of its range.
    """
    if not 2 <= tiles <= 64 or not 0 <= contrast <= 0.8:
        raise CollageError(
            f"tiles must be 2 to 64 and contrast 0 to 0.8, not {tiles} and {contrast:g}"
        )
    photo = read_colours(image)
    side = tiles * RANGE
    operator = OperatorConfig(
        image_size=(side, side),
        range_size=RANGE,
        domain_sizes=(side,),
        per_channel=True,
    )
    canvas = resized(photo, side, side)
    links = _best_isometries(canvas) if isometries else None
    return Fractal(_fit(canvas, operator, None, contrast, steps, seed, progress, links), photo)


@without_autocast()
def learn_style(
    content: ImageLike,
    style: ImageLike,
    ranges: int = 32,
    patches: int = 96,
    steps: int = 200,
    seed: int = 0,
    progress: Callable[[FitProgress], None] | None = None,
    isometries: bool = False,
) -> Fractal:
    """A picture as a collage of its own domains and of patches of another one.

    ranges: across, 2 to 64. patches: number cut from the style, 1 to 1024.
    isometries: whether patches may be rotated and mirrored.

    Raises:
        ImageError: a picture cannot be read or used.
        CollageError: an argument is out of its range.
    """
    if not 2 <= ranges <= 64 or not 1 <= patches <= 1024:
        raise CollageError(
            f"ranges must be 2 to 64 and patches 1 to 1024, not {ranges} and {patches}"
        )
    photo, style_pixels = read_colours(content), read_colours(style)
    across = math.ceil(math.sqrt(patches))
    source = resized(style_pixels, across * RANGE, across * RANGE)
    side = ranges * RANGE
    operator = OperatorConfig(
        image_size=(side, side),
        range_size=RANGE,
        domain_sizes=(2 * RANGE,),
        patches="style",
        n_patches=patches,
        patch_isometries="all" if isometries else "identity",
    )
    canvas = resized(photo, side, side)
    fitted = _fit(canvas, operator, source, 0, steps, seed, progress)
    return Fractal(prune(fitted, _KEPT), photo)


def _fit(
    canvas: Float[Tensor, "3 n n"],
    operator: OperatorConfig,
    style: Float[Tensor, "3 m m"] | None,
    contrast: float,
    steps: int,
    seed: int,
    progress: Callable[[FitProgress], None] | None,
    links: Int64[Tensor, "r 1"] | None = None,
) -> Collage:
    """Train a network on the canvas; the collage that it predicts.

    links: the isometry of the only domain in each range; None: the identity. Averages of ranges,
        by which biases are predicted, do not depend on it.

    Raises:
        CollageError: a number of steps out of range.
    """
    if not 1 <= steps <= 100_000:
        raise CollageError(f"steps must be 1 to 100000, not {steps}")
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        encoder = RangeEncoder(3, RANGE, _ENCODER, dtype=torch.float32)
        model = NeuralCollage(operator, encoder, style=style)
    decoder = model.operator
    if links is not None:
        decoder = CollageOperator(replace(operator, isometries="all"))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1, (step + 1) / _WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2,
    )
    image = canvas[None]
    for step in range(steps):
        code = model.encode(image)._replace(links=links)
        error = functional.mse_loss(code.decode(decoder), image)
        shortfall = functional.relu(contrast - code.weights[..., : operator.n_own])
        loss = error + _CONTRAST_PENALTY * shortfall.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress is not None:
            psnr = float(psnr_of(error.detach().double().clamp_min(1e-10)))
            progress(FitProgress(step + 1, steps, psnr))
    with torch.no_grad():
        code = model.encode(image)
        (collage,) = decoder.collages(code.weights, code.bias, code.patches, links=links)
        return collage


def _best_isometries(canvas: Float[Tensor, "3 n n"]) -> Int64[Tensor, "r 1"]:
    """The isometry of the reduced canvas with the largest correlation in luma with each range."""
    reduced = isometry.all_isometries(pool(canvas, canvas.shape[1] // RANGE))  # (8, 3, 8, 8)
    ranges = cut(canvas, RANGE).movedim(0, 1)
    return most_correlated(luma(ranges), luma(reduced))[:, None]


def prune(collage: Collage, kept: int) -> Collage:
    """The collage with the `kept` domains of each range that have the largest contrasts.

    Decoding a window takes time and memory in proportion to the domains of its ranges. The bias is
    corrected so that the averages of ranges stay.
    """
    if collage.domains_per_range <= kept:
        return collage
    strongest = collage.weights.abs().amax(0).topk(kept, 1).indices
    averages = pool(collage.decode(), int(collage.partition.blocks[0, 2])).flatten(1)
    pruned = replace(
        collage,
        domains=collage.domains.gather(1, strongest[..., None].expand(-1, -1, 2)),
        isometries=collage.isometries.gather(1, strongest),
        weights=collage.weights.gather(2, strongest.expand(len(collage.weights), -1, -1)),
    )
    for _ in range(_MAX_ROUNDS):
        current = pool(pruned.decode(), int(collage.partition.blocks[0, 2])).flatten(1)
        if float((averages - current).abs().max()) < 1 / 1024:
            break
        pruned = replace(pruned, bias=pruned.bias + averages - current)
    return pruned
