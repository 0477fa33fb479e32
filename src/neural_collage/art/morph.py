"""Between two pictures: the fixed points of maps that are mixed, not of pictures that are faded.

A mixture of two contractive maps of one canvas contracts as they do; its fixed point goes from one
picture to the other as the share does, and on the way the domains of both feed the ranges of both.
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

_SOLVER = Picard(tolerance=1 / 1024, max_steps=60)


def fractal_pair(
    first: ImageLike, last: ImageLike, quality: int = 75
) -> tuple[CollageImage, CollageImage]:
    """Two pictures as fractal collages of the size of the first.

    Raises:
        ImageError: a picture cannot be read or used.
    """
    pixels = read_colours(first)
    other = resized(read_colours(last), *pixels.shape[1:])
    one, two = (encode(p, codec="fractal", quality=quality) for p in (pixels, other))
    return one, two


def morph(
    first: CollageImage | ImageLike, last: CollageImage | ImageLike, share: float
) -> Float[Tensor, "c h w"]:
    """The picture of the map that is `share` (0 to 1) of the last one's and the rest the first's.

    first, last: two collages, or two pictures, of which `fractal_pair` makes collages.

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
        raise CollageError(f"collages of one size and codec can be mixed, not {kinds}")
    planes = []
    for one, two in zip(first.layers, last.layers, strict=True):
        maps = [ScaledMap.of(x.collage, Fraction(x.reduction)) for x in (one, two)]

        def mixed(z: Tensor, maps: list[ScaledMap] = maps) -> Tensor:
            return torch.lerp(maps[0].step(z), maps[1].step(z), share)

        start = torch.lerp(maps[0].offset, maps[1].offset, share)
        canvas, _ = solve(mixed, start, _SOLVER)
        planes.append(canvas[:, : first.height, : first.width])
    return to_samples(torch.cat(planes), first.header)


def _pixels(image: CollageImage | ImageLike) -> ImageLike:
    return image.decode() if isinstance(image, CollageImage) else image


def morphing(
    first: CollageImage, last: CollageImage, frames: int
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames from one picture to the other; raises as `morph` does, and for less than 2 frames."""
    if frames < 2:
        raise CollageError(f"a morph has at least 2 frames, not {frames}")
    return (morph(first, last, n / (frames - 1)) for n in range(frames))
