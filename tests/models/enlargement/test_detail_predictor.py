"""The predictor of detail as a torch module."""

import pytest
import torch
from torch.nn import functional

from neural_collage.core.blocks import pool
from neural_collage.models.enlargement.detail_predictor import DetailConfig, DetailPredictor
from tests.models.enlargement.test_detail_network import predictor
from tests.pictures import photo_crop, texture

LEVELS = torch.tensor([0.3, 1.0])


def batch() -> torch.Tensor:
    return torch.stack([photo_crop(24), texture(24, 24, 3)])


@pytest.mark.parametrize("octaves", [1, 2, 3])
def test_averages_are_the_pictures(octaves: int) -> None:
    images = batch()
    enlarged = images
    with torch.no_grad():
        for _ in range(octaves):
            enlarged = predictor()(enlarged, LEVELS)
    assert enlarged.shape == (2, 3, 24 << octaves, 24 << octaves)
    torch.testing.assert_close(pool(enlarged, 2**octaves), images, atol=1e-6, rtol=0)


def test_pictures_of_a_batch_do_not_depend_on_one_another() -> None:
    model, images = predictor(), batch()
    both = model(images, LEVELS)
    for index in range(2):
        part = slice(index, index + 1)
        torch.testing.assert_close(model(images[part], LEVELS[part]), both[part])
    other = model(images, LEVELS.flip(0))
    assert float((other - both).detach().abs().amax((1, 2, 3)).min()) > 1e-4


def test_gradients_reach_all_weights_and_the_pictures() -> None:
    model, images = DetailPredictor(DetailConfig(6, 2)), batch().requires_grad_()
    truth = functional.interpolate(batch(), scale_factor=2)
    (model(images, LEVELS) - truth).square().sum().backward()
    assert all(bool(value.grad.any()) for value in model.parameters() if value.grad is not None)
    assert all(value.grad is not None for value in model.parameters())
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())


def test_a_new_model_begins_near_interpolation() -> None:
    torch.manual_seed(0)
    model, images = DetailPredictor(), batch()
    with torch.no_grad():
        fresh = model(images, LEVELS)
        model.last.weight.zero_()
        smooth = model(images, LEVELS)
    assert 0 < float((fresh - smooth).abs().mean()) < 0.02


@pytest.mark.parametrize("values", [{"width": 0}, {"depth": -1}])
def test_sizes_that_are_none_are_refused(values: dict[str, int]) -> None:
    (name,) = values
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        DetailConfig(**values)


def test_the_number_of_parameters_is_that_of_the_card() -> None:
    assert sum(value.numel() for value in DetailPredictor().parameters()) == 62_489
