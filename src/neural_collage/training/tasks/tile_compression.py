"""Training of the tile compressor of Poli et al. 2022: squared error and an L2 penalty.

arXiv 2204.07673. The penalty on the parameters of a tile keeps them small, for a low rate.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.models.poli2022 import TileCode, TileCompressor, estimated_bits
from neural_collage.training.tasks.autoencoding import mean_psnr
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task

ENLARGEMENT = 4
"""Scale of the largest reconstruction shown."""


@final
class TileCompressionTask(Task):
    """The squared error of a tile, summed over its samples, plus a penalty on its parameters.

    Logs "loss", its parts "error" and "penalty", "psnr" in dB (8 bits, averaged over tiles) and,
    in validation and test, "estimated_bpp": bits per pixel by the formula of the published script
    (see `models.poli2022.estimated_bits`). `benchmarks.aerial` measures the sizes of real files.

    Args:
        model: The compressor; crops have the size of its tiles.
        optimiser: Optimiser and learning rate.
        penalty: Weight of the sum of the squares of a tile's parameters.

    Raises:
        ValueError: the penalty is negative.
    """

    model: TileCompressor

    def __init__(
        self, model: TileCompressor, optimiser: OptimiserConfig, penalty: float = 0.1
    ) -> None:
        super().__init__(model, optimiser)
        if not penalty >= 0:
            raise ValueError(f"penalty must be 0 or more, not {penalty}")
        self.penalty = penalty

    def losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        return self._losses(batch)[0]

    def validation_losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        losses, code = self._losses(batch)
        bits = estimated_bits(self.model.symbols(code))
        pixels = len(batch) * self.model.config.tile**2
        return losses | {"estimated_bpp": torch.tensor(bits / pixels, device=batch.device)}

    def pictures(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Float[Tensor, "n c h w"]]:
        """Tiles, their reconstructions, and these enlarged."""
        code = self.model.encode(batch)
        return {
            "input": batch,
            "reconstruction": self.model.decode(code).clamp(0, 1),
            f"reconstruction-{ENLARGEMENT}x": self.model.decode(code, ENLARGEMENT).clamp(0, 1),
        }

    def _losses(self, batch: Float[Tensor, "b c h w"]) -> tuple[dict[str, Tensor], TileCode]:
        reconstruction, code = self.model(batch)
        error = (reconstruction - batch).square().sum((1, 2, 3)).mean()
        penalty = self.penalty * code.parameters().square().sum((1, 2, 3)).mean()
        losses = {
            "loss": error + penalty,
            "error": error.detach(),
            "penalty": penalty.detach(),
            "psnr": mean_psnr(reconstruction.detach(), batch),
        }
        return losses, code
