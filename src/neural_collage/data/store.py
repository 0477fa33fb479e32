"""Decoded images in memory, as many as a budget allows."""

from threading import Lock

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8
from numpy import ndarray

from neural_collage.data.images import Images
from neural_collage.data.pixels import binarise
from neural_collage.errors import DataError, ImageError


class MemoryBudget:
    """Bytes that several stores share."""

    def __init__(self, n_bytes: int) -> None:
        self.free = n_bytes
        self._lock = Lock()

    def claim(self, n_bytes: int) -> bool:
        """Take so many bytes if they are left."""
        with self._lock:
            fits = n_bytes <= self.free
            self.free -= n_bytes if fits else 0
            return fits


class ImageStore:
    """The images that are at least as large as the crops, decoded once while there is memory.

    Safe to use from several threads, which share what is decoded.

    Args:
        images: all images.
        crop: height and width that are to be cut from each.
        skip_small: leave out smaller images rather than refuse them.
        budget: memory for decoded images.
        binary_seed: turn each image into one fixed black-and-white sample (`levels.binarise`).

    Raises:
        ImageError: an image is missing, is not an image, or is smaller than the crop.
        DataError: no image is large enough.
    """

    def __init__(
        self,
        images: Images,
        crop: tuple[int, int],
        *,
        skip_small: bool,
        budget: MemoryBudget,
        binary_seed: int | None = None,
    ) -> None:
        sizes = images.sizes()
        fits = np.all(sizes >= crop, axis=1)
        if not fits.all() and not skip_small:
            raise ImageError(_too_small(images, sizes, fits, crop))
        if not fits.any():
            raise DataError(
                f"{images.origin}: none of its {len(images)} images is as large as the crop of "
                f"{crop[0]}x{crop[1]}: choose a smaller crop, or enlarge images with `resize`"
            )
        self.sizes = sizes[fits]
        self._numbers = np.flatnonzero(fits)
        self._images = images
        self._budget = budget
        self._kept: dict[int, UInt8[ndarray, "c h w"]] = {}
        self._noise = None
        if binary_seed is not None:
            self._noise = np.random.default_rng(binary_seed).integers(2**63 - 1, size=len(images))

    @property
    def channels(self) -> int:
        return self._images.channels

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> UInt8[ndarray, "c h w"]:
        """One image, not to be written to.

        Raises:
            ImageError: it is damaged.
        """
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        number = int(self._numbers[index])
        pixels = self._images[number]
        if pixels.shape[1:] != tuple(self.sizes[index]):
            raise ImageError(
                f"{self._images.name(number)}: {pixels.shape[1]}x{pixels.shape[2]} pixels, but "
                f"{self.sizes[index][0]}x{self.sizes[index][1]} by its header: save it anew"
            )
        if self._noise is not None:
            pixels = binarise(pixels[None], self._noise[number : number + 1])[0]
        if self._budget.claim(pixels.nbytes):
            self._kept[index] = pixels
        return pixels


def _too_small(
    images: Images,
    sizes: npt.NDArray[np.int64],
    fits: npt.NDArray[np.bool_],
    crop: tuple[int, int],
) -> str:
    first = int(np.argmin(fits))
    height, width = sizes[first]
    others = int((~fits).sum()) - 1
    return (
        f"{images.name(first)}: {height}x{width} pixels, smaller than the crop of "
        f"{crop[0]}x{crop[1]}{f' (and {others} more images)' if others else ''}: choose a smaller "
        "crop, enlarge images with `resize`, or leave them out with `undersized: skip`"
    )
