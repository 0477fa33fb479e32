"""Measures of distortion."""

from jaxtyping import Float
from torch import Tensor


def psnr_of(mse: Float[Tensor, "*shape"], peak: float = 1.0) -> Float[Tensor, "*shape"]:
    """Peak signal-to-noise ratio, 10 log10(peak^2 / mse), in dB; infinite where `mse` is 0.

    Callers that need a finite value clamp `mse`: 1e-10 peak^2 gives at most 100 dB.

    mse: mean squared errors, 0 or more.
    peak: largest possible value of a sample, in the units of the root of `mse`.
    """
    return 10 * (peak**2 / mse).log10()
