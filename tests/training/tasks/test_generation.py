from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from PIL import Image
from torch import Tensor

from neural_collage.core.blocks import pool
from neural_collage.core.interpolation import enlarged
from neural_collage.data.loader import Labelled
from neural_collage.errors import CheckpointError, ConfigError
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.training.export.generator_weights import generator_to_bytes
from neural_collage.training.run.experiment import evaluation_experiment, training_experiment
from neural_collage.training.tasks.generation import (
    GenerationTask,
    rate_weights,
    roughness,
)
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.models.generation.generators import (
    HIERARCHY,
    SIZE,
    collage_vae,
    letters_vae,
    trained,
)
from tests.root import ROOT
from tests.training.finished import save_checkpoint
from tests.training.toy import Loader
from tests.training.toy_runs import lightning_noise

pytestmark = [lightning_noise, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")]
CONFIGS = ROOT / "configs/generation"


def _task(model: HierarchicalVae | None = None, **options: Any) -> GenerationTask:
    return GenerationTask(model or collage_vae(), OptimiserConfig(), **options)


def _batch(count: int = 4) -> Tensor:
    return torch.rand(count, 1, SIZE, SIZE).round()


def test_the_loss_is_the_bound_per_dimension_and_its_parts_add_up() -> None:
    with torch.no_grad():
        losses = _task().validation_losses(_batch())
    assert losses["loss"] * SIZE**2 == pytest.approx(float(losses["nats"]), rel=1e-5)
    assert float(losses["nats"]) == pytest.approx(
        float(losses["distortion"] + losses["rate"]), rel=1e-5
    )
    assert float(losses["rate"]) == pytest.approx(
        float(losses["rate_1x1"] + losses["rate_3x3"]), rel=1e-5
    )
    assert losses["bits_per_dim"] == pytest.approx(
        float(losses["nats"]) / (SIZE**2 * np.log(2)), rel=1e-5
    )


def test_rate_weights_rise_to_one_and_those_of_early_stages_start_lower() -> None:
    weights = [rate_weights([2, 3], progress).tolist() for progress in (0, 0.5, 1)]
    assert weights == [[0, 1, 0, 0.5, 1], [0.5, 1, 0.5, 0.75, 1], [1, 1, 1, 1, 1]]


def test_rate_weights_apply_to_training_and_not_to_validation() -> None:
    task = _task(rate_warmup_steps=100)
    with torch.no_grad():
        losses, later = task.losses(_batch()), task.validation_losses(_batch())
    assert float(losses["loss"]) * SIZE**2 == pytest.approx(
        float(losses["distortion"] + losses["rate_3x3"]), rel=1e-4
    )
    assert float(later["loss"]) * SIZE**2 == pytest.approx(float(later["nats"]), rel=1e-4)


def test_smooth_enlargement_keeps_block_averages_and_slopes() -> None:
    rough = torch.randn(2, 3, 6, 7)
    torch.testing.assert_close(pool(enlarged(rough, 2), 4), rough, atol=1e-5, rtol=1e-4)
    slope = torch.arange(16.0).expand(1, 1, 16, 16)
    larger = enlarged(slope, 1)[..., 8:-8]
    expected = torch.arange(8, 24) / 2 - 0.25
    torch.testing.assert_close(larger[0, 0, 5], expected)


def test_roughness_is_zero_without_domains_and_positive_with_them() -> None:
    model = collage_vae()
    with torch.no_grad():
        features = model.sample(5).features
        assert bool((roughness(model, features) > 0).all())
        torch.nn.init.zeros_(model.heads.query.weight)  # type: ignore[union-attr]
        torch.nn.init.zeros_(model.heads.query.bias)  # type: ignore[union-attr]
        torch.testing.assert_close(roughness(model, features), torch.zeros(5), atol=1e-4, rtol=0)


def test_training_with_smoothness_reduces_the_roughness() -> None:
    task = _task(smoothness=100.0, smoothed=1.0)
    optimiser, batch = torch.optim.Adam(task.parameters(), 1e-2), _batch(8)
    values = []
    for _ in range(20):
        losses = task.losses(batch)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        values.append(float(losses["roughness"]))
    assert values[-1] < 0.3 * values[0]


def test_larger_pictures_are_averaged_for_the_bound_and_compared_at_each_octave() -> None:
    task, large = _task(letters_vae(), fine_weight=2.0, smoothed=1.0), torch.rand(3, 1, 48, 48)
    batch = Labelled(large, torch.tensor([0, 2, 1]))
    torch.manual_seed(0)
    with torch.no_grad():
        losses = task.losses(batch)
    torch.manual_seed(0)
    with torch.no_grad():
        features = task.vae.infer(pool(large, 4), batch.classes).features
        expected = [
            -task.vae.likelihood.log_prob(
                task.vae.likelihood.steepened(task.vae.render(features, s), s), pool(large, 4 // s)
            ).mean()
            / s**2
            for s in (2, 4)
        ]
    assert float(losses["fine"]) == pytest.approx(float(sum(expected) / 2), rel=1e-4)
    assert float(losses["loss"]) * SIZE**2 == pytest.approx(
        float(losses["nats"] + 2 * losses["fine"]), rel=1e-4
    )


def test_training_on_larger_pictures_teaches_the_links() -> None:
    task = _task(letters_vae(), fine_weight=1.0, smoothed=1.0)
    assert isinstance(task.vae, CollageVae)
    edges = (torch.arange(48) >= 26).float().expand(8, 1, 48, -1)
    batch = Labelled(edges, torch.zeros(8, dtype=torch.int64))
    optimiser = torch.optim.Adam(task.parameters(), 3e-3)
    fine = []
    for _ in range(30):
        losses = task.losses(batch)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        fine.append(float(losses["fine"]))
    assert fine[-1] < 0.5 * fine[0]


def test_pictures_are_shown_at_the_scales_that_a_model_has() -> None:
    with torch.no_grad():
        shown = _task().eval().pictures(_batch())
        plain = _task(trained(Vdvae(SIZE, hierarchy=HIERARCHY))).eval().pictures(_batch())
    assert shown["samples-1.0-10x"].shape == (4, 1, 10 * SIZE, 10 * SIZE)
    assert plain.keys() == {"original", "reconstruction", "samples-1.0", "samples-0.7"}
    assert all(p.min() >= 0 and p.max() <= 1 for p in shown.values())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rate_warmup_steps": -1}, "must not be negative"),
        ({"smoothed": 0.0}, "smoothed must be above 0"),
        ({"model": Vdvae(SIZE, hierarchy=HIERARCHY), "smoothness": 1.0}, "a Vdvae has one scale"),
        ({"model": Vdvae(SIZE, hierarchy=HIERARCHY), "fine_weight": 1.0}, "a Vdvae has one scale"),
        ({"fine_weight": -1.0}, "fine_weight must not be negative"),
    ],
)
def test_invalid_settings_are_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        _task(**options)


class OfOneClass:
    """A loader of a batch of pictures of the class 0."""

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Labelled]:
        yield Labelled(self._images, torch.zeros(len(self._images), dtype=torch.int64))


class Noise(LightningDataModule):
    """Random pictures of a given shape, in place of the data of a config.

    Args:
        shape: channels, height and width.
        labelled: whether each picture has a class, 0.
    """

    def __init__(self, shape: tuple[int, int, int], labelled: bool) -> None:
        super().__init__()
        self.shape, self.labelled = shape, labelled

    def train_dataloader(self) -> Any:
        images = torch.rand(1, *self.shape)
        return OfOneClass(images) if self.labelled else Loader(images, 1, (0, 1))

    val_dataloader = train_dataloader


SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "ffhq128": (3, 128, 128)}
SHAPES["letters"] = (1, 128, 128)
SHAPES |= {"ffhq256": (3, 256, 256)}
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def _shape(name: str) -> tuple[int, int, int]:
    return SHAPES[name.split("_")[0]]


TRIAL = ["--trainer.fast_dev_run", "true", "--trainer.precision", "32-true"]
LARGE = [name for name in NAMES if name.endswith("_paper") or name.startswith("ffhq")]


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(LARGE)))
def test_a_config_takes_a_step_on_pictures_of_its_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data.yaml"
    labelled = str(name.startswith("letters")).lower()
    data.write_text(
        f"data: {{class_path: {__name__}.Noise, init_args: "
        f"{{shape: {list(_shape(name))}, labelled: {labelled}}}}}\n"
    )
    experiment = training_experiment(
        ["--config", f"{CONFIGS / name}.yaml", "--config", str(data), *TRIAL]
    )
    before = [p.clone() for p in experiment.task.model.parameters()]
    experiment.fit()
    after = list(experiment.task.model.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", LARGE)
def test_a_config_too_large_for_a_test_describes_a_model(name: str) -> None:
    with torch.device("meta"):
        experiment = training_experiment(["--config", f"{CONFIGS / name}.yaml", *TRIAL])
    model = experiment.task.model
    assert isinstance(model, HierarchicalVae)
    assert model.picture_shape == _shape(name)
    assert sum(p.numel() for p in model.parameters()) > (5e6 if name.endswith("_paper") else 1e5)


TOY = """
model:
  class_path: neural_collage.training.tasks.generation.GenerationTask
  init_args:
    model:
      class_path: neural_collage.models.generation.vdvae.Vdvae
      init_args:
        image_size: 8
        hierarchy:
          width: 8
          bottom_up: [{resolution: 4, bottleneck: 4}, {resolution: 1, bottleneck: 4}]
          top_down: [{resolution: 1, latents: 2, bottleneck: 4}, {resolution: 4, bottleneck: 4}]
    optimiser: {learning_rate: 0.01}
data:
  class_path: neural_collage.training.data_modules.ImageData
  init_args:
    {train: digits, val: digits, test: digits, crop: 8, batch_size: 4, channels: 1,
    binarise: dynamic, augment: none, num_workers: 0}
trainer: {max_steps: 3, accelerator: cpu}
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments of a small training, in a folder which becomes the current one."""
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    for number in range(8):
        levels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(levels).save(f"digits/{number}.png")
    Path("toy.yaml").write_text(TOY)
    return ["--config", "toy.yaml"]


def test_the_importance_weighted_bound_is_below_the_evidence_bound(
    toy: list[str],
) -> None:
    training_experiment(toy).fit()
    option = ["--model.init_args.importance_samples", "20"]
    metrics = evaluation_experiment([*toy, *option], "last").evaluate()
    assert metrics["test/importance_nats"] < metrics["test/nats"]
    assert "val/importance_nats" not in metrics
    assert metrics["test/rate"] == pytest.approx(
        metrics["test/rate_1x1"] + metrics["test/rate_4x4"], rel=1e-5
    )
    assert "test/importance_nats" not in evaluation_experiment(toy, "last").evaluate()


def test_stages_that_do_not_fit_the_picture_size_are_refused(toy: list[str]) -> None:
    with pytest.raises(ConfigError, match="take images of 8x8, not 10x10"):
        training_experiment([*toy, "--model.init_args.model.init_args.image_size", "10"])


@pytest.mark.parametrize("kind", ["checkpoint", "weights"])
def test_a_training_goes_on_from_weights(kind: str, tmp_path: Path) -> None:
    earlier = trained(collage_vae())
    if kind == "checkpoint":
        path = save_checkpoint(tmp_path / "last.ckpt", earlier)
    else:
        path = tmp_path / "digits.safetensors"
        path.write_bytes(generator_to_bytes(earlier))
    task = _task(start=str(path))
    first = next(iter(earlier.state_dict()))
    assert not torch.equal(task.model.state_dict()[first], earlier.state_dict()[first])
    task.begin(LightningDataModule())
    for name, value in earlier.state_dict().items():
        found = task.model.state_dict()[name]
        torch.testing.assert_close(found, value, atol=1e-3, rtol=1e-3)


def test_a_training_does_not_go_on_from_weights_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "pixels.safetensors"
    path.write_bytes(generator_to_bytes(trained(Vdvae(SIZE, hierarchy=HIERARCHY))))
    with pytest.raises(CheckpointError, match="give weights of a CollageVae"):
        _task(start=str(path)).begin(LightningDataModule())
    checkpoint = save_checkpoint(tmp_path / "last.ckpt", Vdvae(SIZE, hierarchy=HIERARCHY))
    with pytest.raises(CheckpointError, match="weights of another network than this CollageVae"):
        _task(start=str(checkpoint)).begin(LightningDataModule())
