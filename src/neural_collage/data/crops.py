"""The crops of an epoch and their order: a pure function of the seed and the epoch.

It does not depend on the number of processes or threads, so neither do the batches.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Int64
from numpy import ndarray


@dataclass(frozen=True)
class CropPlan:
    """Crops in order.

    image: number of the image.
    top, left: corner of the crop in the image, in pixels.
    isometry: code of `core.isometry` that is applied to the crop.
    noise: seed of random changes to the pixels (binarisation).
    """

    image: Int64[ndarray, " t"]
    top: Int64[ndarray, " t"]
    left: Int64[ndarray, " t"]
    isometry: Int64[ndarray, " t"]
    noise: Int64[ndarray, " t"]

    def __len__(self) -> int:
        return len(self.image)

    def take(self, index: Int64[ndarray, " s"] | slice) -> "CropPlan":
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
    with one crop of every image in it: the images of a batch are all different, and each image is
    used in consecutive batches only and is decoded once (echoing before augmentation: Choi et al.
    2019, arXiv 1907.05550). The images of the last group, fewer than `batch`, are repeated until a
    batch is full, so that they contribute up to `batch` crops more in total.

    sizes: heights and widths of the images, none smaller than the crop.
    isometries: codes of `core.isometry` below this are drawn: 1 is the identity alone, 2 adds the
        mirror image, 4 both flips, 8 rotations as well (square crops only).
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
    positions = sizes[image] - crop + 1
    corner = (rng.random((len(image), 2)) * positions).astype(np.int64)
    return CropPlan(
        image=image,
        top=corner[:, 0],
        left=corner[:, 1],
        isometry=rng.integers(isometries, size=len(image)),
        noise=rng.integers(2**63 - 1, size=len(image)),
    )


def centre_crops(sizes: Int64[ndarray, "n 2"], crop: tuple[int, int]) -> CropPlan:
    """The centre of each image."""
    corner = (sizes - crop) // 2
    return _fixed(np.arange(len(sizes)), corner[:, 0], corner[:, 1])


def tiles(sizes: Int64[ndarray, "n 2"], crop: tuple[int, int]) -> CropPlan:
    """Tiles that cover every image, in raster order.

    Where a side is not a multiple of the tile's, the last tile ends at the edge of the image and
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
