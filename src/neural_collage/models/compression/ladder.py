"""Quality-dependent parameters: learned at a few rungs of quality, interpolated in between.

One model serves all rates, as with the gain units of Cui et al. 2021 (arXiv 2003.02012). The level
of a quality q in 1..100 is (q - 1) / 99, in [0, 1].
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.models.compression.integer_layers import LEVELS


def level_of(quality: float) -> float:
    """The level of a quality 1..100."""
    return (quality - 1) / LEVELS


class Ladder(nn.Module):
    """A tensor as a function of the level: linear between `rungs` equally spaced levels.

    start: its initial value, the same at all rungs, or with `at_each` one per rung (first
        dimension).
    """

    def __init__(self, rungs: int, start: Tensor, *, at_each: bool = False) -> None:
        super().__init__()
        value = start if at_each else start.expand(rungs, *start.shape)
        self.rungs = nn.Parameter(value.clone().contiguous())

    def forward(self, level: Float[Tensor, " b"]) -> Float[Tensor, "b *s"]:
        """The tensors at some levels in [0, 1]."""
        n = len(self.rungs) - 1
        position = level * n
        lower = position.floor().clamp(0, n - 1)
        # a weighted sum over rungs, whose gradient is cheaper than that of indexing
        rung = torch.arange(n + 1, device=level.device)
        distance = (position[:, None] - rung).abs()
        share = (1 - distance).clamp_min(0) * (
            (rung == lower[:, None]) | (rung == lower[:, None] + 1)
        )
        value: Tensor = (share @ self.rungs.flatten(1)).unflatten(1, self.rungs.shape[1:])
        return value
