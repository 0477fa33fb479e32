from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from neural_collage.errors import CheckpointError
from neural_collage.models.autoencoding.autoencoder import CollageAutoencoder
from neural_collage.models.autoencoding.range_encoder import EncoderConfig
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.heads import range_averages

ENCODER = EncoderConfig(width=8, depth=1, kernel=3, stem=2)
OPERATOR = OperatorConfig(image_size=(13, 18), range_size=4, domain_sizes=(8,), n_patches=2)
BIAS_ONLY = OperatorConfig(image_size=(13, 18), range_size=4, domain_sizes=(), n_patches=3)


def _model(operator: OperatorConfig = OPERATOR, size: float = 0.1) -> CollageAutoencoder:
    """A model with random heads."""
    model = CollageAutoencoder(operator, ENCODER)
    for name, parameter in model.named_parameters():
        if ".heads." in name:
            nn.init.normal_(parameter, std=size)
    return model


def test_an_untrained_model_returns_the_averages_of_ranges() -> None:
    image = torch.rand(2, 3, 13, 18)
    blocks = range_averages(image, OPERATOR).repeat_interleave(4, -1).repeat_interleave(4, -2)
    torch.testing.assert_close(CollageAutoencoder(OPERATOR, ENCODER)(image), blocks[..., :13, :18])


@pytest.mark.parametrize("operator", [OPERATOR, BIAS_ONLY], ids=["generalised", "bias-only"])
def test_codes_decode_at_any_scale_and_region_and_average_down(operator: OperatorConfig) -> None:
    model, image = _model(operator), torch.rand(2, 3, 13, 18)
    codes, decoded = model.encode(image), model(image)
    assert len(codes) == 3
    torch.testing.assert_close(model.decode(codes), decoded)
    for scale in (2, 3):
        enlarged = model.decode(codes, scale)
        torch.testing.assert_close(functional.avg_pool2d(enlarged, scale), decoded)
    torch.testing.assert_close(
        model(image, scale=2, region=(5, 3, 20, 16)), model.decode(codes, 2)[..., 3:19, 5:25]
    )


def test_scales_with_fractional_shifts_are_averaged_from_finer_ones() -> None:
    model = _model(OperatorConfig(image_size=(16, 16), range_size=4, domain_sizes=(8,)))
    codes = model.encode(torch.rand(1, 3, 16, 16))
    quarter = model.decode(codes, 0.25)  # the shift of half a range is half a pixel
    torch.testing.assert_close(quarter, functional.avg_pool2d(model.decode(codes), 4))
    assert model.decode(codes, 1.3).shape == (1, 3, 21, 21)


def test_every_second_grid_is_shifted_by_half_a_range() -> None:
    first, second, third = (layer.shift for layer in _model()._layers())
    assert (first, second, third) == (0, 2, 0)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([1e-2, 1.0, 1e4]))
def test_every_code_contracts(seed: int, size: float) -> None:
    torch.manual_seed(seed)
    model = _model(size=size)
    codes = model.encode(torch.randn(1, 3, 13, 18) * size)
    for code, layer in zip(codes, model._layers(), strict=True):
        assert (layer.operator.contraction(code.weights) < 1).all()


@pytest.mark.parametrize("operator", [OPERATOR, BIAS_ONLY], ids=["generalised", "bias-only"])
def test_gradients_reach_every_parameter(operator: OperatorConfig) -> None:
    model = _model(operator)
    (model(torch.rand(2, 3, 13, 18)) - torch.rand(2, 3, 13, 18)).square().sum().backward()
    untouched = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert untouched == []


def test_a_saved_model_is_loaded_and_another_config_refused(tmp_path: Path) -> None:
    model, image = _model().eval(), torch.rand(1, 3, 13, 18)
    model.save_pretrained(tmp_path)
    assert torch.equal(CollageAutoencoder.from_pretrained(tmp_path)(image), model(image))
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"layers": 3', '"layers": 2'))
    with pytest.raises(CheckpointError, match="another config"):
        CollageAutoencoder.from_pretrained(tmp_path)


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="layers must be at least 1, not 0"):
        CollageAutoencoder(OPERATOR, ENCODER, layers=0)
    style = OperatorConfig(patches="style", n_patches=2)
    with pytest.raises(ValueError, match="not 'style'"):
        CollageAutoencoder(style, ENCODER)
    with pytest.raises(ValueError, match=r"must be \(3, 13, 18\), not \(3, 18, 13\)"):
        _model()(torch.rand(1, 3, 18, 13))
