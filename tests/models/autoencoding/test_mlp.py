import pytest
import torch

from neural_collage.models.autoencoding.mlp import MlpAutoencoder, equal_width


def test_an_untrained_model_returns_grey() -> None:
    model = MlpAutoencoder((5, 7), hidden=(4, 2, 4))
    assert torch.equal(model(torch.rand(2, 3, 5, 7)), torch.full((2, 3, 5, 7), 0.5))


def test_training_fits_an_image() -> None:
    model, image = MlpAutoencoder((4, 4), 1, (8,)), torch.rand(1, 1, 4, 4)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        loss = (model(image) - image).square().mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 1e-4


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(3, 4, 4\), not \(3, 4, 5\)"):
        MlpAutoencoder((4, 4))(torch.rand(1, 3, 4, 5))


@pytest.mark.parametrize("hidden", [(), (0,), (4, -1)])
def test_invalid_hidden_layers_are_refused(hidden: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one hidden layer or more"):
        MlpAutoencoder((4, 4), hidden=hidden)


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize("parameters", [20_000, 123_456, 1_000_000])
def test_equal_width_is_the_greatest_within_the_number_of_parameters(
    parameters: int, hidden_layers: int
) -> None:
    def count(width: int) -> int:
        model = MlpAutoencoder((16, 16), 3, (width,) * hidden_layers)
        return sum(p.numel() for p in model.parameters())

    width = equal_width(parameters, (16, 16), 3, hidden_layers)
    assert count(width) <= parameters < count(width + 1)
