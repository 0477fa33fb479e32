"""Bottleneck residual blocks of the very deep VDVAE (Child 2021, arXiv 2011.10650)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Bottleneck(nn.Module):
    """Features (b, i, h, w) to (b, o, h, w) by convolutions 1x1, twice `kernel`, 1x1.

    A SiLU precedes each. Child uses GELUs, which on a CPU cost as much as the convolutions.

    inputs, outputs: i and o, numbers of channels. width: channels between the 1x1 convolutions.
    kernel: side of the middle convolutions, odd.
    gain: factor on the initial weights of the last convolution.
    """

    def __init__(
        self, inputs: int, width: int, outputs: int, kernel: int = 3, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, width, 1)
        self.first = nn.Conv2d(width, width, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(width, width, kernel, padding=kernel // 2)
        self.leave = nn.Conv2d(width, outputs, 1)
        with torch.no_grad():
            self.leave.weight.mul_(gain)
            self.leave.bias.mul_(gain)  # type: ignore[union-attr]

    def forward(self, features: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        hidden = self.enter(functional.silu(features))
        hidden = self.first(functional.silu(hidden))
        hidden = self.second(functional.silu(hidden))
        output: Tensor = self.leave(functional.silu(hidden))
        return output


class Residual(nn.Module):
    """A residual block: the identity plus a bottleneck."""

    def __init__(self, features: int, width: int, kernel: int = 3, gain: float = 1.0) -> None:
        super().__init__()
        self.branch = Bottleneck(features, width, features, kernel, gain)

    def forward(self, features: Float[Tensor, "b f h w"]) -> Float[Tensor, "b f h w"]:
        output: Tensor = features + self.branch(features)
        return output


def kernel_at(resolution: int) -> int:
    """Kernel size at a resolution: 3, but 1 on 1x1 and 2x2 positions, which are mostly padding."""
    return 3 if resolution > 2 else 1
