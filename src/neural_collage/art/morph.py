"""Morphing: the fixed point of an interpolation between the maps of two pictures.

A convex combination of contractive maps of one canvas contracts, too. Its fixed point moves from
one picture to the other with the weight, and ranges receive domains of both maps on the way.
"""

from collections.abc import Iterator
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.colours import read_colours, resized
from neural_collage.codec.api import encode
from neural_collage.codec.colour import to_samples
from neural_collage.codec.image import CollageImage
from neural_collage.core.affine import ScaledMap
from neural_collage.core.fixed_point import Picard, solve
from neural_collage.errors import CollageError
from neural_collage.io.picture import ImageLike
from neural_collage.runtime import without_autocast

_SOLVER = Picard(tolerance=1 / 1024, max_steps=60)


def fractal_pair(
    first: ImageLike, last: ImageLike, quality: int = 75
) -> tuple[CollageImage, CollageImage]:
    """Two pictures encoded as fractal collages, both of the size of the first.

    Raises:
        ImageError: a picture cannot be read or used.
    """
    start = read_colours(first)
    end = resized(read_colours(last), *start.shape[1:])
    one, two = (encode(p, codec="fractal", quality=quality, graphics=False) for p in (start, end))
    return one, two


@without_autocast()
def morph(
    first: CollageImage | ImageLike, last: CollageImage | ImageLike, share: float
) -> Float[Tensor, "c h w"]:
    """The fixed point of (1 - share) times the first map plus `share` times the last, 0 to 1.

    first, last: two collages, or two pictures, which `fractal_pair` encodes.

    Raises:
        ImageError: a picture cannot be read or used.
        CollageError: a share out of range, or pictures of different sizes, channels or codecs.
    """
    if not 0 <= share <= 1:
        raise CollageError(f"share must be 0 to 1, not {share:g}")
    if not isinstance(first, CollageImage) or not isinstance(last, CollageImage):
        first, last = fractal_pair(_pixels(first), _pixels(last))
    kinds = [(c.width, c.height, c.channels, c.codec) for c in (first, last)]
    if kinds[0] != kinds[1]:
        raise CollageError(f"only collages of one size and codec can be morphed, not {kinds}")
    if first.graphics is not None or last.graphics is not None:
        raise CollageError("graphics layers cannot be morphed: encode the pictures without them")
    planes = []
    for one, two in zip(first.layers, last.layers, strict=True):
        maps = [ScaledMap.of(x.collage, Fraction(x.reduction)) for x in (one, two)]

        def interpolated(z: Tensor, maps: list[ScaledMap] = maps) -> Tensor:
            return torch.lerp(maps[0].step(z), maps[1].step(z), share)

        start = torch.lerp(maps[0].offset, maps[1].offset, share)
        canvas, _ = solve(interpolated, start, _SOLVER)
        planes.append(canvas[:, : first.height, : first.width])
    return torch.from_numpy(to_samples(torch.cat(planes).numpy(), first.header))


def _pixels(image: CollageImage | ImageLike) -> ImageLike:
    return image.decode() if isinstance(image, CollageImage) else image


def morph_frames(
    first: CollageImage, last: CollageImage, frames: int
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames from one picture to the other; raises as `morph` does, and for fewer than 2 frames."""
    if frames < 2:
        raise CollageError(f"a morph has at least 2 frames, not {frames}")
    return (morph(first, last, n / (frames - 1)) for n in range(frames))
