"""Convergence of a collage: the iterates of its map from any start, and cross-fades of them.

The map contracts, so all starts converge to the same fixed point (Banach; Jacquin 1992).
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.codec.colour import to_samples
from neural_collage.codec.container import ColourSpace
from neural_collage.codec.image import CollageImage
from neural_collage.codec.planes import to_planes, to_triples
from neural_collage.core.affine import ScaledMap
from neural_collage.errors import CollageError
from neural_collage.runtime import without_autocast

MAX_PIXELS = 1 << 24
"""Limit on the pixels of an image, since all of its iterates are kept in memory."""


@without_autocast()
def iterates(
    image: CollageImage, start: Float[Tensor, "c h w"], steps: int
) -> list[Float[Tensor, "c h w"]]:
    """The start and the results of 1 to `steps` steps of the image's map, in [0, 1].

    start: any image of the same size and channels.

    Raises:
        CollageError: a start of another shape, no steps, or an image above `MAX_PIXELS`.
        CollageFormatError: the file of the image is damaged.
    """
    shape = (image.channels, image.height, image.width)
    if tuple(start.shape) != shape:
        raise CollageError(f"the start has shape {tuple(start.shape)}, the image {shape}")
    if image.graphics is not None:
        raise CollageError("a graphics layer has no iterates: encode the picture without one")
    if steps < 1:
        raise CollageError(f"steps must be at least 1, not {steps}")
    if image.width * image.height > MAX_PIXELS:
        raise CollageError(
            f"{image.width} x {image.height} pixels are above the limit of {MAX_PIXELS} for "
            "iterates: take a smaller image"
        )
    if image.header.colour_space == ColourSpace.RGB:
        planes = torch.cat(to_triples(start))
    else:
        planes = to_planes(start)
    maps, states, first = [], [], 0
    for layer in image.layers:
        collage = layer.collage
        mapping = ScaledMap.of(collage, Fraction(layer.reduction))
        layer_planes = planes[first : first + collage.channels]
        bottom, right = (
            n - side for n, side in zip(mapping.offset.shape[1:], shape[1:], strict=True)
        )
        padded = functional.pad(layer_planes[None], (0, right, 0, bottom), mode="replicate")
        maps.append(mapping)
        states.append(padded[0])
        first += collage.channels
    results = []
    for step in range(steps + 1):
        if step:
            states = [mapping.step(state) for mapping, state in zip(maps, states, strict=True)]
        cropped = [state[:, : image.height, : image.width] for state in states]
        samples = to_samples(torch.cat(cropped).numpy(), image.header)
        results.append(torch.from_numpy(samples))
    return results


def crossfade_frames(
    pictures: Sequence[Float[Tensor, "c h w"]], frames: int
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames that show the pictures one after another, each cross-faded into the next.

    frames: from one picture to the next, half of them for the cross-fade.

    Raises:
        CollageError: fewer than two pictures, or no frames.
    """
    if len(pictures) < 2 or frames < 1:
        raise CollageError("a movie needs at least 2 pictures and 1 frame for each")
    fading = max(1, frames // 2)
    yield from (pictures[0] for _ in range(frames))
    for before, after in pairwise(pictures):
        yield from (torch.lerp(before, after, (n + 1) / fading) for n in range(fading))
        yield from (after for _ in range(frames - fading))
    yield from (pictures[-1] for _ in range(frames))
