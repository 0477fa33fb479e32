"""Autoencoding: a model learns to reconstruct a picture, or to remove noise added to it.

Denoising autoencoding: Vincent et al. 2008; with collages: Poli et al. 2022, arXiv 2204.07673.
"""

from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neural_collage.core.blocks import pool
from neural_collage.core.metrics import psnr_of
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task

ENLARGEMENT = 4
"""Scale of the largest reconstruction shown."""


@runtime_checkable
class Scalable(Protocol):
    """A model with reconstructions at any scale, such as a collage autoencoder."""

    def encode(self, image: Tensor) -> Any: ...

    def decode(self, code: Any, scale: float = 1) -> Tensor: ...


@final
class AutoencodingTask(Task):
    """Autoencoding with the mean squared error as the loss, denoising if there is noise.

    With `reduction` k the input is the picture averaged over blocks of k x k pixels. A `Scalable`
    model decodes at scale k and is compared with the picture at full size; any other model is
    compared with the averages. The first error contains the second, because block averages and the
    deviations from them are orthogonal.

    Logs "loss"; "psnr" in dB, of reconstructions at the size of the input, at 8 bits, averaged over
    pictures; and for a `Scalable` model with reduction "psnr_enlarged", the same at full size.

    Args:
        model: Maps pictures (b, c, h, w) to pictures of that shape; a `Scalable` one also to
            larger ones.
        optimiser: Optimiser and learning rate.
        noise: Standard deviation of the normal noise added to the input; 0 for none.
        reduction: Factor by which the input is smaller than the pictures of the data.

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
        noisy = self._with_noise(original)
        if self.reduction == 1 or not isinstance(self.model, Scalable):
            reconstruction = self.model(noisy)
            loss = (reconstruction - original).square().mean()
            return {"loss": loss, "psnr": mean_psnr(reconstruction.detach(), original)}
        enlarged = self.model(noisy, scale=self.reduction)
        detached = enlarged.detach()
        return {
            "loss": (enlarged - batch).square().mean(),
            "psnr": mean_psnr(pool(detached, self.reduction), original),
            "psnr_enlarged": mean_psnr(detached, batch),
        }

    def pictures(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Float[Tensor, "n c h w"]]:
        """The input, the reconstruction and, of a `Scalable` model, the reconstruction enlarged."""
        noisy = self._with_noise(pool(batch, self.reduction))
        pictures = {"original": batch, "input": noisy}
        if isinstance(self.model, Scalable):
            code = self.model.encode(noisy)
            pictures["reconstruction"] = self.model.decode(code)
            pictures[f"reconstruction-{ENLARGEMENT}x"] = self.model.decode(code, scale=ENLARGEMENT)
        else:
            pictures["reconstruction"] = self.model(noisy)
        return {name: picture.clamp(0, 1) for name, picture in pictures.items()}

    def _with_noise(self, batch: Tensor) -> Tensor:
        # from torch's default generator, which `StepSeeds` seeds for every batch
        return batch + self.noise * torch.randn_like(batch) if self.noise else batch


def mean_psnr(test: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"]) -> Tensor:
    """PSNR in dB of each picture, rounded to 8 bits, averaged over pictures; at most 99 dB."""
    rounded = (255 * test.float().clamp(0, 1)).round() / 255
    errors = (rounded - reference.float()).square().mean((1, 2, 3))
    return psnr_of(errors.clamp_min(10**-9.9)).mean()
