"""Training the neural compressor: rate plus lambda times distortion, at all qualities at once."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from lightning.pytorch import LightningDataModule
from torch import Tensor

from neural_collage.codec.weights import find_weights
from neural_collage.core.metrics import psnr_of
from neural_collage.errors import CheckpointError, ConfigError
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import Compressor, lambda_at
from neural_collage.models.compression.decoder_model import CENTRE, RANGE
from neural_collage.models.compression.distortion.mixture import distortion
from neural_collage.models.compression.distortion.structural_error import structural_error
from neural_collage.models.compression.distortion.visual_error import score_of, visual_error
from neural_collage.models.compression.initial_patches import (
    centred_windows,
    cosine_blocks,
    principal_blocks,
)
from neural_collage.models.compression.prefilter import prefiltered
from neural_collage.models.compression.quantisers import Quantisation
from neural_collage.training.checkpoint_io import trained_model
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task
from neural_collage.training.tasks.visibility import measured_visibility

VALIDATION_LEVELS = (0.2, 0.4, 0.6, 0.8)
"""Levels of quality that validation measures; the loss is their mean."""
_BALANCE = 0.4
"""Losses are divided by this power of lambda, which balances the gradients of all rates."""
_MEDIAN_LAMBDA = 0.01
_BATCHES = 96  # of crops that initialise the patches
_SEEN_CROPS = 6


@final
class CompressionTask(Task):
    """The loss bpp + lambda * distortion at random qualities: of the MSE, or visual in part.

    Training starts with the quantiser "noise" and may end with "relaxed-rdoq"; validation and test
    use "rdoq", as the encoder of files does (see `models.compression.quantisers`).

    Logs "loss", "bpp" (estimated, of which "side_bpp" is side information), "psnr" in dB;
    validation and test also log "score", of SSIMULACRA 2, "ms_ssim" in dB, and all measures at each
    of `VALIDATION_LEVELS`. The `visibility` of a compressor whose distortion is not of squared
    errors alone is measured at the start.

    Args:
        model: The compressor; crops are multiples of 32 pixels.
        optimiser: How it is optimised.
        start: Initial patches: "cosine" (the cosines of luma and chroma with the most energy in
            training crops) or "principal" (components of their blocks); or all weights of a
            finished compressor: a checkpoint, a .safetensors file, or one of the package.
        overlap: Whether patches may extend beyond their ranges.
        rdoq_from: The step from which on training uses "relaxed-rdoq"; null: never.

    Raises:
        ValueError: `rdoq_from` is negative, or lapped=True with overlap=False.
    """

    model: Compressor

    def __init__(
        self,
        model: Compressor,
        optimiser: OptimiserConfig,
        start: str = "cosine",
        overlap: bool = True,
        rdoq_from: int | None = None,
    ) -> None:
        super().__init__(model, optimiser)
        self.start = start
        self.rdoq_from = rdoq_from
        self.overlap = overlap
        if rdoq_from is not None and rdoq_from < 0:
            raise ValueError(f"rdoq_from must be 0 or more, not {rdoq_from}")
        if model.config.lapped and not overlap:
            raise ValueError("a lapped model has overlapping patches: set overlap to true")
        if not overlap:
            self.model.patches.register_hook(_within_ranges)

    def begin(self, data: LightningDataModule) -> None:
        """Initialise the patches, or all weights, as `start` says."""
        loader = data.train_dataloader()
        if self.start not in ("principal", "cosine"):
            self._start_from(self.start, loader)
            return
        crops = torch.cat([batch for batch, _ in zip(loader, range(_BATCHES), strict=False)])
        if self.model.config.lapped:
            crops = prefiltered(crops - CENTRE, RANGE) + CENTRE
        count = self.model.config.n_patches
        if count > 3 * RANGE**2:
            raise ConfigError(f"{count} patches are more than a block has samples, {3 * RANGE**2}")
        if self.start == "principal":
            self.model.initialise(*principal_blocks(crops, RANGE, count, CENTRE))
        else:
            self.model.initialise(*cosine_blocks(crops, RANGE, count, CENTRE))

    def _start_from(self, start: str, loader: Iterable[Tensor]) -> None:
        """Load the weights of a finished compressor, and measure what a visual one sees."""
        if start.endswith(".ckpt"):
            started = trained_model(Path(start), Compressor)
        else:
            started = find_weights(start).build(CodecModel).compressor
        own = self.model.config
        if replace(started.config, **own.shares._asdict(), adaptive=own.adaptive) != own:
            raise CheckpointError(f"{start}: weights of a compressor of another config")
        self.model.load_state_dict(started.state_dict(), strict=False)
        if not self.overlap:
            self.model.patches.detach().copy_(_within_ranges(self.model.patches.detach()))
        if (visibility := self.model.visibility) is not None:
            crops = next(iter(loader))[:_SEEN_CROPS]
            visibility.rungs.copy_(measured_visibility(self.model.eval(), crops))
            self.model.train()

    def losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """The losses at random levels of quality."""
        # stratified: one level from each of equal intervals, for less variance between batches
        number = torch.arange(len(batch), device=batch.device)
        levels = (number + torch.rand(len(batch), device=batch.device)) / len(batch)
        late = self.rdoq_from is not None and self.global_step >= self.rdoq_from
        losses, _ = self._losses(batch, levels, "relaxed-rdoq" if late else "noise")
        return losses

    def validation_losses(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """The means over `VALIDATION_LEVELS`, and rate and measures at each."""
        results: dict[str, Tensor] = {}
        by_level = []
        for level in VALIDATION_LEVELS:
            level_of_all = batch.new_full((len(batch),), level)
            losses, image = self._losses(batch, level_of_all, "rdoq")
            losses["score"] = score_of(visual_error(image, batch)).mean()
            losses["ms_ssim"] = psnr_of(structural_error(image, batch).clamp_min(1e-6)).mean()
            by_level.append(losses)
            results |= {
                f"{name}_{level}": losses[name] for name in ("bpp", "psnr", "score", "ms_ssim")
            }
        means = {name: torch.stack([x[name] for x in by_level]).mean() for name in by_level[0]}
        return means | results

    def pictures(self, batch: Float[Tensor, "b c h w"]) -> dict[str, Float[Tensor, "n c h w"]]:
        """Crops, and their decodes at a low, a middle and a high quality."""
        low, *_, high = VALIDATION_LEVELS
        decoded = {
            f"level-{level}": self.model(batch, batch.new_full((len(batch),), level), "rdoq").image
            for level in (low, (low + high) / 2, high)
        }
        return {"input": batch, **{name: image.clamp(0, 1) for name, image in decoded.items()}}

    def _losses(
        self, batch: Tensor, level: Float[Tensor, " b"], quantisation: Quantisation
    ) -> tuple[dict[str, Tensor], Float[Tensor, "b c h w"]]:
        """The losses at given levels, and the decoded pictures."""
        image, bits, side_bits = self.model(batch, level, quantisation)
        pixels = batch.shape[-2] * batch.shape[-1]
        lmbda = lambda_at(level)
        error = distortion(image, batch, self.model.config.shares)
        bpp = (bits + side_bits) / pixels
        balance = (lmbda / _MEDIAN_LAMBDA) ** -_BALANCE
        squared = distortion(image.detach(), batch).clamp_min(1e-3)
        losses = {
            "loss": (balance * (bpp + lmbda * error)).mean(),
            "bpp": bpp.mean().detach(),
            "side_bpp": side_bits.mean().detach() / pixels,
            "psnr": psnr_of(squared, peak=255).mean(),
        }
        return losses, image.detach()


def _within_ranges(patches: Float[Tensor, "a 3 m m"]) -> Float[Tensor, "a 3 m m"]:
    """Patches, or their gradients, set to zero outside the range at their centre."""
    edge = RANGE // 2
    return centred_windows(patches[..., edge:-edge, edge:-edge])
