"""Cache of decoded images, within a memory budget."""

from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int64, UInt8
from numpy import ndarray
from torch import Tensor

from neural_collage.data.images import Images
from neural_collage.data.pixels import binarise
from neural_collage.errors import DataError, ImageError


class MemoryBudget:
    """Bytes of memory that several stores share."""

    def __init__(self, n_bytes: int) -> None:
        self.free = n_bytes
        self._lock = Lock()

    def claim(self, n_bytes: int) -> bool:
        """Reserve bytes if as many are free; returns whether they were."""
        with self._lock:
            fits = n_bytes <= self.free
            self.free -= n_bytes if fits else 0
            return fits


class ImageStore:
    """The images that are at least as large as the crops, kept decoded within a memory budget.

    Thread-safe: threads share the decoded images. Two threads that need an image at the same time
    may both decode it, and then both return the one that is kept.

    Attributes:
        sizes: heights and widths, (n, 2).
        classes: the number of the class of each image, or None if the images have none.

    Args:
        images: all images.
        crop: height and width of the crops, in pixels.
        skip_small: leave out smaller images instead of raising.
        budget: memory for decoded images.
        binary_seed: replace each image by one fixed black-and-white sample (`pixels.binarise`).

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
        self._lock = Lock()  # of _kept
        found = images.classes
        self.classes: Int64[Tensor, " n"] | None = None
        if found is not None:
            self.classes = torch.from_numpy(found[fits])
        self._noise = None
        if binary_seed is not None:
            self._noise = np.random.default_rng(binary_seed).integers(2**63 - 1, size=len(images))

    @property
    def channels(self) -> int:
        return self._images.channels

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> UInt8[ndarray, "c h w"]:
        """One image; read-only for callers, who share it.

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
        with self._lock:  # another thread may have kept the image since the look-up above
            if index not in self._kept and self._budget.claim(pixels.nbytes):
                self._kept[index] = pixels
            return self._kept.get(index, pixels)


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
