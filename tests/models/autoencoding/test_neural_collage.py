import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.errors import CheckpointError
from neural_collage.models.autoencoding.neural_collage import NeuralCollage
from neural_collage.models.autoencoding.range_encoder import EncoderConfig
from neural_collage.models.operator.config import OperatorConfig, PatchOrigin
from neural_collage.models.operator.heads import range_averages

ENCODER = EncoderConfig(width=8, depth=1, kernel=3, stem=2)
OPERATOR = OperatorConfig(image_size=(21, 34), range_size=4, domain_sizes=(8, 16), n_patches=3)


class Pooling(nn.Module):
    """A custom encoder."""

    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.features = nn.Conv2d(3, 5, 1)

    def forward(self, image: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(image, self.size, ceil_mode=True)
        features: Tensor = self.features(pooled)
        return features


def _model(operator: OperatorConfig = OPERATOR, encoder: nn.Module | None = None) -> NeuralCollage:
    """A model with random heads."""
    style = torch.rand(operator.channels, 16, 16) if operator.patches == "style" else None
    model = NeuralCollage(operator, encoder or ENCODER, style=style)
    for parameter in model.heads.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def test_an_untrained_model_returns_the_averages_of_ranges() -> None:
    image = torch.rand(2, 3, 21, 34)
    config = OPERATOR
    blocks = range_averages(image, config).repeat_interleave(4, -1).repeat_interleave(4, -2)
    torch.testing.assert_close(NeuralCollage(config, ENCODER)(image), blocks[..., :21, :34])


def test_a_code_decodes_at_any_scale_and_region_and_averages_down() -> None:
    model, image = _model(), torch.rand(2, 3, 21, 34)
    decoded, code = model(image, return_code=True)
    torch.testing.assert_close(model.decode(model.encode(image)), decoded)
    for scale in (2, 3, 4):
        enlarged = model.decode(code, scale=scale)
        torch.testing.assert_close(functional.avg_pool2d(enlarged, scale), decoded)
        torch.testing.assert_close(model(image, scale=scale), enlarged)
    assert model(image, scale=0.5).shape == (2, 3, 11, 17)
    window = model(image, scale=4, region=(30, 7, 50, 20))
    torch.testing.assert_close(window, model.decode(code, scale=4)[..., 7:27, 30:80])


def test_it_learns_an_image() -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 16), torch.linspace(0, 1, 16), indexing="ij")
    image = torch.stack([y, x, (9 * x * y).sin().abs()])[None]
    config = OperatorConfig((16, 16), range_size=4, n_patches=6, per_channel=True)
    model = NeuralCollage(config, ENCODER)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = (model(image) - image).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize("shape", [(1, 3, 21, 33), (1, 1, 21, 34)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be 34x21 with 3 channels"):
        _model()(torch.rand(shape))


def test_nan_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        _model()(torch.full((1, 3, 21, 34), torch.nan))


def test_half_precision_of_the_encoder_does_not_reach_the_averages() -> None:
    model, image = _model(), torch.rand(1, 3, 21, 34)
    nn.init.zeros_(model.heads.brightness.weight)
    nn.init.zeros_(model.heads.brightness.bias)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        decoded = model(image)
    found, expected = (range_averages(x, OPERATOR)[..., :5, :8] for x in (decoded, image))
    torch.testing.assert_close(found, expected)


def test_any_module_with_a_vector_per_range_can_be_the_encoder() -> None:
    model = _model(encoder=Pooling())
    assert model(torch.rand(1, 3, 21, 34)).shape == (1, 3, 21, 34)
    assert model.heads.brightness.in_features == 5
    assert model.encoder.training is False


@pytest.mark.parametrize(
    ("encoder", "got"),
    [(Pooling(8), r"\(1, 5, 3, 5\)"), (nn.Flatten(), r"\(1, 2142\)"), (nn.LSTM(34, 2), "tuple")],
)
def test_an_encoder_with_another_output_shape_is_refused(encoder: nn.Module, got: str) -> None:
    if isinstance(encoder, nn.LSTM):
        encoder = nn.Sequential(nn.Flatten(1, 2), encoder)
    with pytest.raises(ValueError, match=rf"features \(1, f, 6, 9\), .* not to {got}"):
        NeuralCollage(OPERATOR, encoder)


def test_a_fresh_process_loads_what_was_saved(tmp_path: Path) -> None:
    origins: tuple[PatchOrigin, ...] = ("learned", "given", "style")
    for origin in origins:
        operator = OperatorConfig(
            image_size=(12, 20), range_size=4, domain_sizes=(8,), patches=origin, n_patches=2
        )
        model, image = _model(operator), torch.rand(1, 3, 12, 20)
        model.save_pretrained(tmp_path / origin)
        saved = {file.name for file in (tmp_path / origin).iterdir()}
        assert saved == {"README.md", "config.json", "model.safetensors"}
        torch.save((image, model(image, scale=2).detach()), tmp_path / origin / "expected.pt")
    script = """
import sys, torch
from neural_collage.models.autoencoding.neural_collage import NeuralCollage
torch.set_num_threads(1)
for folder in sys.argv[1:]:
    model = NeuralCollage.from_pretrained(folder)
    image, expected = torch.load(folder + "/expected.pt")
    assert not model.training
    assert torch.equal(model(image, scale=2), expected)
"""
    folders = [str(tmp_path / origin) for origin in origins]
    subprocess.run([sys.executable, "-c", script, *folders], check=True)


def test_a_custom_encoder_must_be_passed_to_load(tmp_path: Path) -> None:
    model, image = _model(encoder=Pooling()), torch.rand(1, 3, 21, 34)
    model.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"encoder was a .*Pooling.* encoder=\.\.\."):
        NeuralCollage.from_pretrained(tmp_path)
    loaded = NeuralCollage.from_pretrained(tmp_path, encoder=Pooling())
    assert torch.equal(loaded(image), model(image))
