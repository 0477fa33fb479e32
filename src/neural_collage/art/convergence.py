"""How a collage becomes its picture: the iterates of its map, from anything at all.

The map contracts, so every start ends in the same fixed point (Banach; Jacquin 1992). Seen one step
at a time, the picture draws itself: details come from domains that were details before.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neural_collage.codec.colour import to_planes, to_samples, to_triples
from neural_collage.codec.container import ColourSpace
from neural_collage.codec.image import CollageImage
from neural_collage.core.affine import ScaledMap
from neural_collage.errors import CollageError

LARGEST = 1 << 24
"""Pixels of a picture whose iterates are shown at most; each is kept whole."""


def iterates(
    image: CollageImage, start: Float[Tensor, "c h w"], steps: int
) -> list[Float[Tensor, "c h w"]]:
    """The picture after 0, 1, 2 ... steps of its map, in [0, 1].

    start: any picture of its size, with its channels.

    Raises:
        CollageError: a start of another size, no steps, or a picture above `LARGEST` pixels.
        CollageFormatError: the file of the picture is damaged.
    """
    shape = (image.channels, image.height, image.width)
    if tuple(start.shape) != shape:
        raise CollageError(f"a start of {tuple(start.shape)} for a picture of {shape}")
    if steps < 1:
        raise CollageError(f"steps must be at least 1, not {steps}")
    if image.width * image.height > LARGEST:
        raise CollageError(f"iterates of more than {LARGEST} pixels are not shown: take a part")
    if image.header.colour_space == ColourSpace.RGB:
        planes = torch.cat(to_triples(start))
    else:
        planes = to_planes(start)
    maps, states, first = [], [], 0
    for layer in image.layers:
        collage = layer.collage
        mapping = ScaledMap.of(collage, Fraction(layer.reduction))
        own = planes[first : first + collage.channels]
        bottom, right = (
            n - side for n, side in zip(mapping.offset.shape[1:], shape[1:], strict=True)
        )
        maps.append(mapping)
        states.append(functional.pad(own[None], (0, right, 0, bottom), mode="replicate")[0])
        first += collage.channels
    shown = []
    for step in range(steps + 1):
        if step:
            states = [mapping.step(state) for mapping, state in zip(maps, states, strict=True)]
        cut = [state[:, : image.height, : image.width] for state in states]
        shown.append(to_samples(torch.cat(cut), image.header))
    return shown


def film(
    pictures: Sequence[Float[Tensor, "c h w"]], frames: int
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames that fade from each picture to the next and rest there, `frames` from one to another.

    Raises CollageError for less than two pictures or one frame.
    """
    if len(pictures) < 2 or frames < 1:
        raise CollageError("a film fades between pictures: give at least 2, and 1 frame for each")
    fading = max(1, frames // 2)
    yield from (pictures[0] for _ in range(frames))
    for before, after in pairwise(pictures):
        yield from (torch.lerp(before, after, (n + 1) / fading) for n in range(fading))
        yield from (after for _ in range(frames - fading))
    yield from (pictures[-1] for _ in range(frames))
