"""Layers that are collages of tensors: solved, decoded and kept by `core.pyramid`."""

from fractions import Fraction

from neural_collage.codec.base import Layer
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.collage import Collage
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.scales import Window
from neural_collage.errors import CollageFormatError, NotConvergedError
from neural_collage.runtime import without_autocast


class CollageLayer(Layer):
    """A layer that is one collage; see `Layer`."""

    def __init__(self, collage: Collage, reduction: int = 1) -> None:
        self.reduction = reduction
        self.coarsest = 1 / collage.lattice
        self.octave = collage.pooling
        self._collage = collage
        self._decoder = PyramidDecoder(collage)

    @property
    def collage(self) -> Collage:
        return self._collage

    def is_exact(self, scale: Fraction) -> bool:
        return self._decoder.is_exact(scale)

    def window(self, scale: Fraction, window: Window) -> PixelArray:
        with without_autocast():
            try:
                pixels = self._decoder.window(scale, window)
            except NotConvergedError as error:
                raise CollageFormatError(f"the file is damaged: {error}") from error
        array: PixelArray = pixels.detach().cpu().numpy()
        return array
