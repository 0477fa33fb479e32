"""Restoration of pictures by collages: inpainting, denoising and enlarging."""

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art import denoising, inpainting
from neural_collage.art.colours import luma, read_colours
from neural_collage.art.progress import Progress
from neural_collage.codec import api
from neural_collage.io.picture import ImageLike
from neural_collage.io.reading import read_picture
from neural_collage.runtime import without_autocast


@without_autocast()
def inpaint(
    image: ImageLike, mask: ImageLike, progress: Progress | None = None
) -> Float[Tensor, "c h w"]:
    """The picture with its masked pixels filled, see `art.inpainting`.

    image, mask: paths, Pillow images, arrays or tensors, as `io.reading.read_picture` takes them.
        The mask is a picture of the same size; pixels with a luma above 0.5 are filled.

    Raises:
        ImageError: a picture cannot be read or used.
        CollageError: a mask of another size, or one that covers the whole picture.
    """
    return inpainting.fill(read_picture(image).pixels, luma(read_colours(mask)) > 0.5, progress)


@without_autocast()
def denoise(
    image: ImageLike, noise: float | None = None, progress: Progress | None = None
) -> Float[Tensor, "c h w"]:
    """The picture without white noise, see `art.denoising`.

    noise: standard deviation of the noise for pixels in [0, 1]; estimated if not given.

    Raises:
        ImageError: the picture cannot be read or used.
        CollageError: a noise outside 0 to 1.
    """
    return denoising.clean(read_picture(image).pixels, noise, progress)


def enlarge(
    image: ImageLike, scale: float = 2, *, codec: str = "neural", quality: int = 95
) -> Float[Tensor, "c h w"]:
    """The picture at another scale: its collage, decoded at that scale.

    scale: any above 0. codec, quality: see `codec.api.encode`.

    Raises:
        ImageError: the picture cannot be read or used.
        ScaleError: a scale without pixels, or with more than Pillow's limit.
    """
    return torch.from_numpy(api.encode(image, codec=codec, quality=quality).decode(scale))
