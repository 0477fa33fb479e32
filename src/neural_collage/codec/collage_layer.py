"""Layers that are collages of tensors: solved, decoded and kept by `core.pyramid`."""

from dataclasses import replace
from fractions import Fraction

import torch
from torch.nn import functional

from neural_collage.codec.base import Layer
from neural_collage.core.affine import ScaledMap
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.scales import Window
from neural_collage.errors import CollageFormatError, NotConvergedError
from neural_collage.runtime import cached_property, without_autocast

_ATTRACTOR = 0.25
"""Of the squared error of interpolation, what copies of domains may have at scale 1."""


class CollageLayer(Layer):
    """A layer that is one collage; see `Layer`."""

    is_solved = True

    def __init__(self, collage: Collage, reduction: int = 1) -> None:
        self.reduction = reduction
        self.coarsest = 1 / collage.lattice
        self.octave = collage.pooling
        self._collage = collage
        self._decoder = PyramidDecoder(collage)

    @property
    def collage(self) -> Collage:
        return self._collage

    @cached_property
    def continues(self) -> bool:  # type: ignore[override]
        """Whether it is flat, or domains alone make it from the octave below scale 1."""
        collage = self._collage
        if collage.patch_weights is None:
            return False
        if not collage.domains_per_range:
            flat = not collage.patch_weights.any() and (collage.bias == collage.bias[..., :1]).all()
            return bool(flat)
        with without_autocast(), torch.no_grad():
            canvas = self._decoder.canvas(Fraction(1))
            coarse = pool(canvas, collage.pooling)
            bare = replace(collage, patch_weights=torch.zeros_like(collage.patch_weights))
            copied = ScaledMap.of(bare, Fraction(1)).apply(coarse)
            smooth = functional.interpolate(coarse[None], canvas.shape[1:], mode="bilinear")[0]
        errors = [(made - canvas).square().mean().item() for made in (copied, smooth)]
        return errors[0] < _ATTRACTOR * errors[1]

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
