"""Training the predictor of detail: halved pictures, exact or coded, back to their size."""

from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from lightning.pytorch import LightningDataModule
from torch import Tensor

from neural_collage.codec.weights import find_weights
from neural_collage.core.blocks import pool
from neural_collage.core.metrics import psnr_of
from neural_collage.errors import CheckpointError
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.enlargement.detail_predictor import DetailPredictor
from neural_collage.models.weights_file import load_state, read_tensors
from neural_collage.training.checkpoint_io import trained_model
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task

_LUMA = (0.299, 0.587, 0.114)
_SMOOTH = 1e-6  # squared error at which the loss becomes quadratic


@final
class DetailTask(Task):
    """The Charbonnier loss of pictures that are halved and enlarged again, one or two octaves.

    The errors of luma, of its differences between neighbours and of the colours are weighted 1, 0.3
    and 0.3. Logs "loss" and "psnr" in dB of RGB; validation adds "psnr_coded" and
    "psnr_two_octaves".

    Args:
        model: The network; crops are multiples of 128 pixels.
        optimiser: How it is optimised.
        coded: Share of the crops that are coded before they are enlarged, at random qualities.
        two_octaves: Share of the batches that are reduced and enlarged by 4.
        codec: Weights of the neural codec that they are coded with.
        start: Weights that the training goes on from, a checkpoint or a .safetensors file of
            `training.export.detail_weights`; null: none.

    Raises:
        ValueError: a share outside of 0 to 1.
    """

    model: DetailPredictor

    def __init__(
        self,
        model: DetailPredictor,
        optimiser: OptimiserConfig,
        coded: float = 0.5,
        two_octaves: float = 0.3,
        codec: str = "natural",
        start: str | None = None,
    ) -> None:
        super().__init__(model, optimiser)
        if not (0 <= coded <= 1 and 0 <= two_octaves <= 1):
            raise ValueError(f"shares must be 0 to 1, not {coded} and {two_octaves}")
        self.coded = coded
        self.two_octaves = two_octaves
        self.start = start
        # not a part of the model that is trained and saved
        self._codec = [find_weights(codec).build(CodecModel).compressor.requires_grad_(False)]

    def begin(self, data: LightningDataModule) -> None:
        """Load the weights that the training goes on from."""
        if self.start is not None:
            try:
                load_state(self.model, self._started(Path(self.start)))
            except ValueError as error:
                raise CheckpointError(f"{self.start}: {error}") from error

    def _started(self, path: Path) -> dict[str, Tensor]:
        if path.suffix != ".safetensors":
            return trained_model(path, DetailPredictor).state_dict()
        return {name: value.float() for name, value in read_tensors(path.read_bytes()).items()}

    def losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """The losses of some coded and some exact crops."""
        octaves = 2 if float(torch.rand(())) < self.two_octaves else 1
        small, level = pool(batch, 2**octaves), batch.new_ones(len(batch))
        chosen = torch.rand(len(batch)) < self.coded
        if octaves == 1 and bool(chosen.any()):
            level = torch.where(chosen.to(level.device), torch.rand_like(level), level)
            small = torch.where(
                chosen.to(small.device)[:, None, None, None], self._decoded(small, level), small
            )
        return self._losses(batch, small, level, octaves)

    def validation_losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """The losses of exact crops, and the PSNR of coded ones and of two octaves."""
        exact = batch.new_ones(len(batch))
        half = pool(batch, 2)
        result = self._losses(batch, half, exact, 1)
        coded = self._losses(batch, self._decoded(half, 0.75 * exact), 0.75 * exact, 1)
        twice = self._losses(batch, pool(batch, 4), exact, 2)
        return result | {"psnr_coded": coded["psnr"], "psnr_two_octaves": twice["psnr"]}

    def _decoded(self, images: Tensor, level: Float[Tensor, " b"]) -> Tensor:
        (compressor,) = self._codec
        with torch.no_grad():
            decoded: Tensor = compressor.to(images.device)(images, level, "rdoq").image
            return decoded.clamp(0, 1)

    def _losses(
        self, batch: Tensor, small: Tensor, level: Tensor, octaves: int
    ) -> dict[str, Tensor]:
        terms, image = [], small
        for octave in range(1, octaves + 1):
            image = self.model(image, level)
            terms.append(_loss(image, pool(batch, 2 ** (octaves - octave))))
        return {
            "loss": torch.stack(terms).mean(),
            "psnr": psnr_of((image.detach().clamp(0, 1) - batch).square().mean((1, 2, 3))).mean(),
        }


def _loss(image: Tensor, truth: Tensor) -> Tensor:
    error = image - truth
    luma = (error * error.new_tensor(_LUMA)[:, None, None]).sum(1)
    steps = [_size(luma.diff(dim=axis)) for axis in (1, 2)]
    return _size(luma) + 0.3 * (_size(error) + steps[0] + steps[1])


def _size(error: Tensor) -> Tensor:
    """The mean of Charbonnier's approximation of the absolute error."""
    return (error.square() + _SMOOTH).sqrt().mean()
