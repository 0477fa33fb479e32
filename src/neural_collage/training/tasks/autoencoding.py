"""Autoencoding: a model learns to give back a picture, or what it was before noise was added.

Denoising autoencoding: Vincent et al. 2008; with collages: Poli et al. 2022, arXiv 2204.07673.
"""

from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.core.blocks import pool
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task

ENLARGEMENT = 4
"""Scale of the largest reconstruction shown."""


@runtime_checkable
class Scalable(Protocol):
    """A model whose reconstructions exist at any scale, as those of collages do."""

    def encode(self, image: Tensor) -> Any: ...

    def decode(self, code: Any, scale: float = 1) -> Tensor: ...


@final
class AutoencodingTask(Task):
    """Autoencoding with the mean squared error as the loss, denoising if there is noise.

    With `reduction` k the model sees pictures averaged over k x k pixels. A model of collages
    decodes them at scale k, for which it is compared with the whole pictures; any other model is
    compared with what it saw. The first error contains the second: averages and what deviates from
    them are orthogonal.

    Logs "loss"; "psnr" in dB, of reconstructions at the size that was seen, at 8 bits, averaged
    over pictures; and "psnr_enlarged", the same for the whole pictures, where there is one.

    Args:
        model: Maps pictures (b, c, h, w) to pictures of that shape; a `Scalable` one also to
            larger ones.
        optimiser: How it is optimised.
        noise: Standard deviation of the normal noise added to what the model sees; 0 for none.
        reduction: How many times smaller than the data the pictures are that the model sees.

    Raises:
        ValueError: negative noise, or a reduction below 1.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: OptimiserConfig,
        noise: float = 0.0,
        reduction: int = 1,
    ) -> None:
        super().__init__(model, optimiser)
        if not noise >= 0 or reduction < 1:
            raise ValueError(
                f"noise must be 0 or more, not {noise}; reduction 1 or more, not {reduction}"
            )
        self.noise = noise
        self.reduction = reduction

    def losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        original = pool(batch, self.reduction)
        seen = self._disturbed(original)
        if self.reduction == 1 or not isinstance(self.model, Scalable):
            reconstruction = self.model(seen)
            loss = (reconstruction - original).square().mean()
            return {"loss": loss, "psnr": mean_psnr(reconstruction.detach(), original)}
        enlarged = self.model(seen, scale=self.reduction)
        shown = enlarged.detach()
        return {
            "loss": (enlarged - batch).square().mean(),
            "psnr": mean_psnr(pool(shown, self.reduction), original),
            "psnr_enlarged": mean_psnr(shown, batch),
        }

    def pictures(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Float[Tensor, "n c h w"]]:
        """The input, the reconstruction and, of a model that can, the reconstruction enlarged."""
        seen = self._disturbed(pool(batch, self.reduction))
        pictures = {"original": batch, "input": seen}
        if isinstance(self.model, Scalable):
            code = self.model.encode(seen)
            pictures["reconstruction"] = self.model.decode(code)
            pictures[f"reconstruction-{ENLARGEMENT}x"] = self.model.decode(code, scale=ENLARGEMENT)
        else:
            pictures["reconstruction"] = self.model(seen)
        return {name: picture.clamp(0, 1) for name, picture in pictures.items()}

    def _disturbed(self, batch: Tensor) -> Tensor:
        # from torch's own generator, which the training seeds anew for every batch
        return batch + self.noise * torch.randn_like(batch) if self.noise else batch


def mean_psnr(test: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"]) -> Tensor:
    """PSNR in dB of each picture, rounded to 8 bits, averaged over pictures; at most 99 dB."""
    shown = (255 * test.float().clamp(0, 1)).round() / 255
    errors = (shown - reference.float()).square().mean((1, 2, 3))
    return -10 * errors.clamp_min(10**-9.9).log10().mean()
