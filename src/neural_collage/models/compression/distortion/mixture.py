"""The distortion that a compressor is trained for: squared, visual and structural errors, mixed."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from neural_collage.models.compression.distortion.structural_error import structural_error
from neural_collage.models.compression.distortion.visual_error import visual_error

VISUAL_UNIT, STRUCTURAL_UNIT = 8.0, 1700.0
"""The MSE in squared 8-bit levels that is worth a visual or a structural error of 1.

On photographs the MSE changes by 6 to 9 where the visual error changes by 1, and by 1500 to 1900
where the structural one does, at all qualities: so the rate of a quality hardly depends on the
mixture.
"""


class Shares(NamedTuple):
    """Shares 0..1 of the visual and of the structural error; the squared error has the rest."""

    visual: float = 0.0
    structural: float = 0.0

    @property
    def squared(self) -> float:
        """The share of the squared error."""
        return 1 - self.visual - self.structural


SQUARED = Shares()


def distortion(
    test: Float[Tensor, "b 3 h w"], reference: Float[Tensor, "b 3 h w"], shares: Shares = SQUARED
) -> Float[Tensor, " b"]:
    """Shares of the MSE in squared 8-bit levels and of other errors in the same unit."""
    total = shares.squared * (test - reference).square().mean((1, 2, 3)) * 255**2
    if shares.visual:
        total = total + shares.visual * VISUAL_UNIT * visual_error(test, reference)
    if shares.structural:
        total = total + shares.structural * STRUCTURAL_UNIT * structural_error(test, reference)
    return total
