"""Training of hierarchical VAEs by their evidence lower bound.

VDVAE: Child 2021, arXiv 2011.10650; collages: Poli et al. 2022, arXiv 2204.07673.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from lightning.pytorch import LightningDataModule
from torch import Tensor

from neural_collage.core.blocks import pool
from neural_collage.core.interpolation import enlarged
from neural_collage.data.loader import Labelled
from neural_collage.models.generation.hierarchical_vae import Features, HierarchicalVae
from neural_collage.models.generation.likelihoods import bits_per_dimension
from neural_collage.training.checkpoint_io import load_weights
from neural_collage.training.finished import load_finished, names_weights
from neural_collage.training.tasks.optimiser import OptimiserConfig
from neural_collage.training.tasks.task import Task

SHOWN_SCALE = 10
"""Scale of the largest samples shown."""
_OCTAVES = 2  # above scale 1, at which enlargements are compared with smooth ones


@final
class GenerationTask(Task):
    """Minimises the negative evidence lower bound of a generative model, per dimension.

    Logs, as means over pictures, in nats: "nats", the upper bound on -log p, which is the sum of
    "distortion" and "rate", and "rate_STAGE", the terms of the rate; "bits_per_dim", the bound in
    bits per pixel and channel; in tests "importance_nats", the bound of `importance_samples`
    samples.

    The data determine only averages over pixels, not the enlarged pictures of a model that has any
    scale. `smoothness` is the weight of a penalty, "roughness": the divergence in nats, at scale 4,
    from the smooth enlargement with the same averages (average interpolation, Donoho 1993).

    Where the pictures of the data are 2, 4, 8, ... times as large as those of the model, the model
    gets their averages, and `fine_weight` is the weight of "fine": the code length in nats of the
    pictures of each scale above 1 up to that of the data, given the enlarged parameters, per area
    of a pixel of scale 1, averaged over the scales. It is no part of the bound.

    Args:
        model: A VDVAE or a collage VAE.
        optimiser: Optimiser and learning rate.
        rate_warmup_steps: Steps over which the weights of the rates rise linearly to 1: from 0 for
            the first stage of a path, from more for later ones, from 1 for the last. Latents of
            the first stages thus have the smallest weight at first, which keeps them in use.
        smoothness: Weight of the roughness, relative to nats; 0 leaves enlargements unconstrained.
        smoothed: Fraction of the pictures of a batch that are enlarged in training.
        fine_weight: Weight of the code length of larger pictures, relative to nats.
        importance_samples: Samples of the importance-weighted bound in tests; 0: none.
        start: Weights that the training goes on from: a checkpoint, or weights of a model with the
            same settings as `training.finished.load_finished` takes them; null: none.

    Raises:
        ValueError: settings out of range, or smoothness or fine_weight for a model of one scale.
    """

    def __init__(
        self,
        model: HierarchicalVae,
        optimiser: OptimiserConfig,
        rate_warmup_steps: int = 0,
        smoothness: float = 0.0,
        smoothed: float = 0.125,
        importance_samples: int = 0,
        fine_weight: float = 0.0,
        start: str | None = None,
    ) -> None:
        super().__init__(model, optimiser)
        problems = []
        if rate_warmup_steps < 0 or importance_samples < 0:
            problems.append("rate_warmup_steps and importance_samples must not be negative")
        if not 0 < smoothed <= 1:
            problems.append(f"smoothed must be above 0 and at most 1, not {smoothed}")
        for name, weight in (("smoothness", smoothness), ("fine_weight", fine_weight)):
            if not weight >= 0:
                problems.append(f"{name} must not be negative")
            if weight and not model.scalable:
                problems.append(
                    f"a {type(model).__name__} has one scale: {name} must be 0, not {weight}"
                )
        if problems:
            raise ValueError("; ".join(problems))
        self._stages = [len(path.each_stage) for path in model.paths]
        self.rate_warmup_steps = rate_warmup_steps
        self.smoothness = smoothness
        self.smoothed = smoothed
        self.importance_samples = importance_samples
        self.fine_weight = fine_weight
        self.start = start

    def begin(self, data: LightningDataModule) -> None:
        """Load the weights that the training goes on from."""
        if self.start is None:
            return
        if names_weights(self.start):
            load_finished(self.vae, self.start)
        else:
            load_weights(Path(self.start), self.vae)

    @property
    def vae(self) -> HierarchicalVae:
        """The model under its precise type."""
        assert isinstance(self.model, HierarchicalVae)
        return self.model

    def losses(self, batch: Float[Tensor, "b c h w"] | Labelled) -> dict[str, Tensor]:
        """The losses with the rates weighted as the warm-up says."""
        steps = self.rate_warmup_steps
        progress = min(1.0, self.global_step / steps) if steps else 1.0
        return self._losses(batch, progress, self.smoothed)

    def validation_losses(self, batch: Float[Tensor, "b c h w"] | Labelled) -> dict[str, Tensor]:
        """The losses as after the warm-up."""
        return self._losses(batch, 1.0, 1.0 if self.fine_weight else self.smoothed)

    def _losses(
        self, batch: Tensor | Labelled, warmed_up: float, share: float
    ) -> dict[str, Tensor]:
        """warmed_up: progress of the warm-up of rates, 0 to 1. share: as `smoothed`."""
        images, classes = _parts(batch)
        octaves = self._octaves(images)
        inference = self.vae.infer(octaves[0], classes)
        bound = self.vae.bound(octaves[0], inference)
        distortion, rates = bound.distortion.mean(), bound.rates.mean(0)
        rate = rates.sum()
        nats = distortion + rate
        weights = rate_weights(self._stages, warmed_up)
        objective = distortion + (rates * weights.to(rates)).sum()
        metrics: dict[str, Tensor] = {
            "nats": nats,
            "bits_per_dim": bits_per_dimension(nats, self.vae.dimensions),
            "distortion": distortion,
            "rate": rate,
        }
        metrics |= {f"rate_{name}": r for name, r in zip(self.vae.stages, rates, strict=True)}
        count = max(1, round(share * len(images)))
        some = tuple(f[:count] for f in inference.features)
        if self.smoothness:
            metrics["roughness"] = roughness(self.vae, some).mean()
            objective = objective + self.smoothness * metrics["roughness"]
        if self.fine_weight and octaves[1:]:
            metrics["fine"] = fine_nats(self.vae, some, [each[:count] for each in octaves]).mean()
            objective = objective + self.fine_weight * metrics["fine"]
        metrics = {name: value.detach() for name, value in metrics.items()}
        return {"loss": objective / self.vae.dimensions, **metrics}

    def test_step(self, batch: Float[Tensor, "b c h w"] | Labelled, batch_idx: int) -> None:
        super().test_step(batch, batch_idx)
        if self.importance_samples:
            images, classes = _parts(batch)
            image = self._octaves(images)[0]
            nats = self.vae.importance_bound(image, self.importance_samples, classes).mean()
            name = "test/importance_nats"
            self.log(name, nats, on_epoch=True, sync_dist=True, batch_size=len(batch))

    def pictures(
        self, batch: Float[Tensor, "b c h w"] | Labelled
    ) -> dict[str, Float[Tensor, "n c h w"]]:
        """Reconstructions, samples at two temperatures and, of scalable models, enlarged ones.

        Samples are of the classes of the batch, if it has classes.
        """
        likelihood = self.vae.likelihood
        images, classes = _parts(batch)
        octaves = self._octaves(images)
        features = self.vae.infer(octaves[0], classes).features
        shown = {"original": images}
        for scale in (2**octave for octave in range(len(octaves))):
            if scale == 1 or self.vae.scalable:
                name = "reconstruction" + (f"-{scale}x" if scale > 1 else "")
                shown[name] = likelihood.picture(self.vae.render(features, scale), scale)
        for temperature in (1.0, 0.7):
            features = self.vae.sample(len(images), temperature, classes=classes).features
            shown[f"samples-{temperature}"] = likelihood.mean(self.vae.render(features))
            if self.vae.scalable:
                few = tuple(f[:16] for f in features)
                larger = self.vae.render(few, SHOWN_SCALE)
                name = f"samples-{temperature}-{SHOWN_SCALE}x"
                shown[name] = likelihood.picture(larger, SHOWN_SCALE)
        return {name: picture.float().clamp(0, 1) for name, picture in shown.items()}

    def _octaves(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b c _ _"]]:
        """Images of the model's size and each octave above, up to that of the data.

        Raises ValueError for a size that is no power of two times that of the model.
        """
        octaves, size = [images], self.vae.picture_shape[-1]
        while octaves[0].shape[-1] > size and octaves[0].shape[-1] % 2 == 0:
            octaves.insert(0, pool(octaves[0], 2))
        return octaves  # the model checks the size of the first


def fine_nats(
    model: HierarchicalVae, features: Features, octaves: Sequence[Float[Tensor, "b c _ _"]]
) -> Float[Tensor, " b"]:
    """Code length of pictures at 2, 4, ... times the size, given the parameters at that scale.

    In nats per area of a pixel of scale 1, averaged over scales. octaves: from scale 1 up.
    """
    lengths = []
    for octave, image in enumerate(octaves[1:], 1):
        scale = 2**octave
        parameters = model.likelihood.steepened(model.render(features, scale), scale)
        lengths.append(-model.likelihood.log_prob(parameters, image) / scale**2)
    return torch.stack(lengths).mean(0)


def _parts(batch: Tensor | Labelled) -> tuple[Tensor, Tensor | None]:
    return (batch.images, batch.classes) if isinstance(batch, Labelled) else (batch, None)


def rate_weights(stages: Sequence[int], progress: float) -> Float[Tensor, " s"]:
    """Weights of the rates of all stages, path by path, at some progress (0 to 1) of the warm-up.

    stages: number of stages of each path. The first of a path starts at 0, the last one at 1.
    """
    initial = torch.cat([torch.linspace(0, 1, n) if n > 1 else torch.ones(1) for n in stages])
    return initial + (1 - initial) * progress


def roughness(model: HierarchicalVae, features: Features) -> Float[Tensor, " b"]:
    """Divergence of enlarged pictures from the smooth ones of the same averages, in nats.

    As `Likelihood.divergence`, weighted by the area of the samples in pixels. The smooth parameters
    are detached.
    """
    scale, planes = 2**_OCTAVES, model.picture_shape[0]
    with torch.no_grad():
        smooth = enlarged(model.render(features, planes=planes), _OCTAVES)
    actual = model.render(features, scale, planes=planes)
    excess: Tensor = model.likelihood.divergence(actual, smooth) / scale**2
    return excess
