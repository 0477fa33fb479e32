"""Which crops an epoch consists of, in which order: a pure function of the seed and the epoch.

Nothing here depends on the number of processes or threads, so neither does what a network sees.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Int64
from numpy import ndarray


@dataclass(frozen=True)
class CropPlan:
    """Crops in order: of which image, where, turned how.

    image: number of the image.
    top, left: corner of the window in it, in pixels.
    isometry: code of `core.isometry` that the window goes through.
    noise: seed of whatever is random in the pixels.
    """

    image: Int64[ndarray, " t"]
    top: Int64[ndarray, " t"]
    left: Int64[ndarray, " t"]
    isometry: Int64[ndarray, " t"]
    noise: Int64[ndarray, " t"]

    def __len__(self) -> int:
        return len(self.image)

    def take(self, index: Int64[ndarray, " s"]) -> "CropPlan":
        """Some of the crops."""
        return CropPlan(*(getattr(self, field.name)[index] for field in fields(self)))


def random_crops(
    sizes: Int64[ndarray, "n 2"],
    crop: tuple[int, int],
    *,
    per_image: int,
    batch: int,
    isometries: int,
    seed: int,
    epoch: int,
) -> CropPlan:
    """The crops of one epoch of training: `per_image` of each image, in full batches.

    Images are shuffled and taken in groups of `batch`. A group lasts for `per_image` batches, each
    with one crop of every image in it: a batch has as many images as it can, and yet each image
    is needed during one stretch only and need not be decoded again (echoing before augmentation:
    Choi et al. 2019, arXiv 1907.05550). The images of the last group, fewer than `batch`, go round
    until a batch is full, so that some of them give up to `batch` crops more.

    sizes: heights and widths of the images, none smaller than the crop.
    isometries: crops go through the codes of `core.isometry` below this: 1 leaves them, 2 mirrors
        them, 4 flips them both ways, 8 rotates them as well (only if they are square).
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(sizes))
    n_full = len(order) // batch * batch
    rest = order[n_full:]
    image = np.concatenate(
        [
            order[:n_full].reshape(-1, 1, batch).repeat(per_image, axis=1).reshape(-1),
            np.resize(rest, -(-len(rest) * per_image // batch) * batch),
        ]
    )
    room = sizes[image] - crop + 1
    corner = (rng.random((len(image), 2)) * room).astype(np.int64)
    return CropPlan(
        image=image,
        top=corner[:, 0],
        left=corner[:, 1],
        isometry=rng.integers(isometries, size=len(image)),
        noise=rng.integers(2**63 - 1, size=len(image)),
    )


def centre_crops(sizes: Int64[ndarray, "n 2"], crop: tuple[int, int]) -> CropPlan:
    """The middle of each image."""
    corner = (sizes - crop) // 2
    return _fixed(np.arange(len(sizes)), corner[:, 0], corner[:, 1])


def tiles(sizes: Int64[ndarray, "n 2"], crop: tuple[int, int]) -> CropPlan:
    """Every image cut into tiles that cover all of its pixels, in raster order.

    Where a side is no multiple of the tile's, the last tile is moved back to end at the edge and
    overlaps the one before.
    """
    corners = [
        (image, top, left)
        for image, (height, width) in enumerate(sizes.tolist())
        for top in _starts(height, crop[0])
        for left in _starts(width, crop[1])
    ]
    image, top, left = np.array(corners, np.int64).reshape(-1, 3).T
    return _fixed(image, top, left)


def _starts(length: int, tile: int) -> list[int]:
    return [min(start, length - tile) for start in range(0, length, tile)]


def _fixed(
    image: Int64[ndarray, " t"], top: Int64[ndarray, " t"], left: Int64[ndarray, " t"]
) -> CropPlan:
    zero = np.zeros_like(image)
    return CropPlan(image, top, left, isometry=zero, noise=image)
