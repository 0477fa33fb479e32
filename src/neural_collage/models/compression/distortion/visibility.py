"""What squared errors are worth to the eye, relative to their size: by patch, and by range.

Errors are seen less where a range is busy itself (masking; Watson 1993, "DCTune"), and less in
chroma and at high frequencies. The encoder weighs with it in RDOQ; decoding does not depend on it.
"""

from jaxtyping import Float
from torch import Tensor

FIRST_BUSY = 8
"""Patches from which on coefficients count as detail: those before are the smoothest."""
SEEN, MASKING = 0.3, 0.2
"""Exponents of what was measured of patches, and of `masking`, in a visual compressor.

They are small because steps follow both where the model is adaptive: larger ones then cost PSNR and
gain nothing (the card of the weights `natural` has the figures).
"""
TYPICAL, FLOOR = 100.0, 10.0
"""Mean squares of detail, in squared 8-bit levels: where masking is 1, and what is always added."""


def masking(
    values: Float[Tensor, "*b a rows columns"],
    steps: Float[Tensor, "*b a"],
    patches: Float[Tensor, "a 3 m m"],
    exponent: float,
) -> Float[Tensor, "*b 1 rows columns"]:
    """The worth of errors in each range, 1 in one of typical activity, more in flatter ones.

    values: latents in `steps`. exponent: 0 for no masking; 1 makes errors relative to the detail.
    """
    energies = (steps.square() * patches.square().sum((1, 2, 3)))[..., FIRST_BUSY:, None, None]
    side = patches.shape[-1] // 2
    detail = (values[..., FIRST_BUSY:, :, :].square() * energies).sum(-3, keepdim=True)
    activity = detail * 255**2 / (3 * side**2)
    relative: Tensor = ((activity + FLOOR) / (TYPICAL + FLOOR)).pow(-exponent)
    return relative
