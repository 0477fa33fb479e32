"""`Collage`: an image as the fixed point of an affine map, decoded at any scale.

The parameters, their meaning and their checks are those of `parameters.CollageParameters`.
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
    """An image as the parameters of a contractive map, whose only fixed point it is.

    Takes the arguments of `CollageParameters`, and raises as it does.
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
        """The image at any scale, or a window of it: the fixed point, by the exact pyramid.

        scale: output pixels per pixel of the image. Scales that keep blocks on whole pixels are
            exact, as far as they reduce to at most the image's size by whole octaves; any other
            scale is area-averaged from the next octave above it.
        region: (x, y, width, height) in pixels of the image at that scale; the cost follows the
            window.
        certify: refuse maps whose contraction bound is not below 1.
        solver, gradient: as of `fixed_point.fixed_point`, for the coarsest scale.

        Differentiable in weights, bias, patches and patch_weights. Raises NotContractiveError,
        NotConvergedError, or ScaleError for a scale or region that has no pixels.
        """
        decoder = PyramidDecoder(self, certify=certify, solver=solver, gradient=gradient)
        return decoder.decode(scale, region)
