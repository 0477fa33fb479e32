import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.blocks import pool
from neural_collage.models.autoencoding.autoencoder import CollageAutoencoder
from neural_collage.models.autoencoding.mlp import MlpAutoencoder, equal_width
from neural_collage.models.autoencoding.neural_collage import NeuralCollage
from neural_collage.training.run.experiment import parse, training_experiment
from neural_collage.training.tasks.autoencoding import AutoencodingTask, Scalable, mean_psnr
from neural_collage.training.tasks.optimiser import OptimiserConfig
from tests.root import ROOT

CONFIGS = ROOT / "configs/autoencoding"
NAMES = ("collage", "bias_only", "mlp")


class Blur(nn.Module):
    """A model without parameters that stores its input."""

    def forward(self, image: Tensor) -> Tensor:
        self.input = image
        return functional.avg_pool2d(image, 3, 1, 1)


class Enlarging(Blur):
    """A scalable model that enlarges by repeating pixels."""

    def forward(self, image: Tensor, scale: int = 1) -> Tensor:
        return self.decode(super().forward(image), scale)

    def encode(self, image: Tensor) -> Tensor:
        return super().forward(image)

    def decode(self, code: Tensor, scale: float = 1) -> Tensor:
        return code.repeat_interleave(int(scale), -1).repeat_interleave(int(scale), -2)


def _task(model: nn.Module, **options: float) -> AutoencodingTask:
    return AutoencodingTask(model, OptimiserConfig(), **options)  # type: ignore[arg-type]


def test_the_loss_is_the_mean_squared_error_to_the_clean_picture() -> None:
    model, batch = Blur(), torch.rand(4, 3, 8, 8)
    losses = _task(model, noise=0.1).losses(batch)
    torch.testing.assert_close(losses["loss"], (model(model.input) - batch).square().mean())
    assert float((model.input - batch).std()) == pytest.approx(0.1, rel=0.2)
    assert losses.keys() == {"loss", "psnr"}


def test_without_noise_the_input_is_the_picture() -> None:
    model, batch = Blur(), torch.rand(2, 3, 8, 8)
    _task(model).losses(batch)
    assert torch.equal(model.input, batch)


def test_noise_depends_on_the_seed_of_torch() -> None:
    model, batch = Blur(), torch.rand(2, 3, 8, 8)
    inputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        _task(model, noise=0.5).losses(batch)
        inputs.append(model.input)
    assert torch.equal(inputs[0], inputs[1])
    assert not torch.equal(inputs[0], inputs[2])


def test_with_reduction_scalable_models_reconstruct_at_full_size() -> None:
    batch = torch.rand(2, 3, 8, 8)
    plain, enlarging = Blur(), Enlarging()
    small = _task(plain, reduction=2).losses(batch)
    large = _task(enlarging, reduction=2).losses(batch)
    assert torch.equal(plain.input, pool(batch, 2))
    assert torch.equal(enlarging.input, pool(batch, 2))
    assert small["psnr"] == large["psnr"]
    detail = (batch - functional.interpolate(pool(batch, 2), scale_factor=2)).square().mean()
    torch.testing.assert_close(large["loss"], small["loss"] + detail)
    assert large["psnr_enlarged"] < large["psnr"]


def test_grids_show_enlargements_of_scalable_models() -> None:
    batch = torch.rand(2, 3, 8, 8)
    plain = _task(Blur(), noise=2.0).pictures(batch)
    assert set(plain) == {"original", "input", "reconstruction"}
    enlarged = _task(Enlarging(), noise=2.0, reduction=2).pictures(batch)
    shapes = {name: tuple(picture.shape[2:]) for name, picture in enlarged.items()}
    assert shapes == {
        "original": (8, 8),
        "input": (4, 4),
        "reconstruction": (4, 4),
        "reconstruction-4x": (16, 16),
    }
    assert all(p.min() >= 0 and p.max() <= 1 for p in [*plain.values(), *enlarged.values()])


def test_collages_are_scalable_and_perceptrons_are_not() -> None:
    assert issubclass(CollageAutoencoder, Scalable)
    assert issubclass(NeuralCollage, Scalable)
    assert not issubclass(MlpAutoencoder, Scalable)


@pytest.mark.parametrize("options", [{"noise": -0.1}, {"noise": float("nan")}, {"reduction": 0}])
def test_invalid_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="noise must be 0 or more"):
        _task(Blur(), **options)


def test_psnr_is_computed_at_eight_bits() -> None:
    grey = torch.full((2, 3, 4, 4), 100 / 255)
    assert float(mean_psnr(grey + 0.4 / 255, grey)) == pytest.approx(99)
    assert float(mean_psnr(grey + 1 / 255, grey)) == pytest.approx(48.13, abs=0.01)
    assert float(mean_psnr(grey * 9, torch.ones_like(grey))) == pytest.approx(99)


def test_the_three_models_have_as_many_parameters() -> None:
    sizes = {}
    for name in NAMES:
        arguments = [f"--config={CONFIGS / name}.yaml", "--trainer.fast_dev_run=true"]
        model = training_experiment(arguments).task.model
        sizes[name] = sum(p.numel() for p in model.parameters())
    assert all(size == pytest.approx(sizes["collage"], rel=0.02) for size in sizes.values()), sizes
    assert equal_width(sizes["collage"], (32, 32)) == 29  # as in mlp.yaml


def test_the_three_configs_differ_in_the_model_and_the_learning_rate_alone() -> None:
    settings = []
    for name in NAMES:
        config = parse([f"--config={CONFIGS / name}.yaml"])[1].clone()
        del config["config"], config["model.init_args.model"]
        del config["model.init_args.optimiser.learning_rate"]
        config.trainer.default_root_dir = None
        settings.append(config)
    assert settings[0] == settings[1] == settings[2]
