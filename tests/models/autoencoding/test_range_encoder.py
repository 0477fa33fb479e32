import pytest
import torch

from neural_collage.core.scales import round_up
from neural_collage.models.autoencoding.range_encoder import EncoderConfig, RangeEncoder

SMALL = EncoderConfig(width=8, depth=1, kernel=3, stem=2)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (1, 1), (17, 30), (8, 31)])
def test_every_range_has_a_feature_vector_at_any_image_size(height: int, width: int) -> None:
    features = RangeEncoder(3, 8, SMALL)(torch.rand(2, 3, height, width))
    assert features.shape == (2, 8, round_up(height, 8) // 8, round_up(width, 8) // 8)


def test_all_parameters_are_used_and_every_range_depends_on_every_pixel() -> None:
    encoder = RangeEncoder(1, 4, SMALL)
    image = torch.rand(1, 1, 24, 24, requires_grad=True)
    features = encoder(image)
    (features[0, :, 0, 0] * torch.randn(8)).sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_a_stem_as_large_as_a_range_needs_no_merging() -> None:
    assert RangeEncoder(3, 4, EncoderConfig(width=8, stem=4))(torch.rand(1, 3, 8, 8)).shape[2:] == (
        2,
        2,
    )


def test_a_stem_that_does_not_divide_the_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"stem of 4 .* ranges of 6: take a divisor"):
        RangeEncoder(3, 6, EncoderConfig(stem=4))


def test_a_config_reports_all_problems() -> None:
    with pytest.raises(ValueError, match=r"width .* not 0; stem .* not 0; kernel .* not 4"):
        EncoderConfig(width=0, stem=0, kernel=4)
