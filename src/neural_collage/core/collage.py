"""`Collage`: an image as the fixed point of an affine map, decoded at any scale.

The parameters and their checks are documented in `parameters.CollageParameters`.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

from jaxtyping import Float
from torch import Tensor

from neural_collage.core.affine import ScaledMap
from neural_collage.core.fixed_point import Gradient, Solver
from neural_collage.core.parameters import CollageParameters
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.core.scales import Region


@final
@dataclass(frozen=True, eq=False)
class Collage(CollageParameters):
    """An image as the parameters of a contractive map whose unique fixed point it is.

    Arguments and errors are those of `CollageParameters`.
    """

    def step(self, z: Float[Tensor, "c H W"], scale: int | Fraction = 1) -> Float[Tensor, "c H W"]:
        """Apply the map once to a canvas-sized image at some scale.

        z: (c, canvas_height * scale, canvas_width * scale).
        """
        return ScaledMap.of(self, Fraction(scale)).step(z)

    def decode(
        self,
        scale: float = 1,
        region: Region | None = None,
        *,
        certify: bool = True,
        solver: Solver | None = None,
        gradient: Gradient = "implicit",
    ) -> Float[Tensor, "c h w"]:
        """Decode the image, or a region of it, at any scale; see `pyramid`.

        scale: output pixels per pixel of the image. A scale is exact if blocks are whole pixels
            there and whole octaves lead from it down to about the image's size or less; any other
            scale is area-averaged from the next octave above it.
        region: (x, y, width, height) in pixels of the image at that scale; the cost depends on
            the size of the region, not of the image.
        certify: require a contraction bound below 1.
        solver, gradient: see `fixed_point.fixed_point`; used at the coarsest scale.

        Differentiable in weights, bias, patches and patch_weights. Raises NotContractiveError,
        NotConvergedError, or ScaleError for a scale or region that has no pixels.
        """
        decoder = PyramidDecoder(self, certify=certify, solver=solver, gradient=gradient)
        return decoder.decode(scale, region)
