import pytest
import torch
from torch import Tensor

from neural_collage.codec.graphics.filling import fill_hidden
from tests.pictures import texture

SIZES = [(1, 1), (1, 50), (31, 33), (64, 64), (65, 100)]


def some_hidden(height: int, width: int, share: float = 0.5, side: int = 8) -> Tensor:
    """Blocks of a random half of the picture."""
    rows, columns = -(-height // side), -(-width // side)
    hidden = torch.rand(rows, columns) < share
    return hidden.repeat_interleave(side, 0).repeat_interleave(side, 1)[:height, :width]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_what_is_seen_stays_and_the_rest_lies_within_its_range(
    size: tuple[int, int], share: float
) -> None:
    pixels, hidden = texture(*size, 3), some_hidden(*size, share)
    filled = fill_hidden(pixels, hidden)
    assert filled.shape == pixels.shape
    assert torch.equal(filled[:, ~hidden], pixels[:, ~hidden])
    seen = pixels[:, ~hidden] if not hidden.all() else torch.full((3, 1), 0.5)
    for plane, values in zip(filled, seen, strict=True):
        assert values.min() - 1e-6 <= plane.min()
        assert plane.max() <= values.max() + 1e-6


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_is_hidden_has_no_influence(size: tuple[int, int]) -> None:
    pixels, hidden = texture(*size, 3), some_hidden(*size, 0.6)
    other = torch.where(hidden, torch.rand_like(pixels), pixels)
    assert torch.equal(fill_hidden(pixels, hidden), fill_hidden(other, hidden))


def test_one_colour_fills_everything() -> None:
    colour = torch.tensor([0.2, 0.9, 0.4]).view(3, 1, 1)
    hidden = some_hidden(70, 90, 0.7, 5)
    pixels = torch.where(hidden, torch.rand(3, 70, 90), colour)
    expected = colour.expand(3, 70, 90)
    torch.testing.assert_close(fill_hidden(pixels, hidden), expected, atol=1e-6, rtol=0)


def test_a_picture_of_which_nothing_is_hidden_or_seen() -> None:
    pixels = texture(20, 30, 2)
    nothing = torch.zeros(20, 30, dtype=torch.bool)
    assert torch.equal(fill_hidden(pixels, nothing), pixels)
    assert torch.equal(fill_hidden(pixels, ~nothing), torch.full_like(pixels, 0.5))


def test_far_from_all_that_is_seen_there_is_one_colour() -> None:
    pixels, hidden = texture(128, 128, 1), torch.ones(128, 128, dtype=torch.bool)
    hidden[:20, :20] = False
    filled = fill_hidden(pixels, hidden)
    far = filled[:, 64:, 64:]
    torch.testing.assert_close(far, pixels[:, :20, :20].mean().expand_as(far))


def test_a_filled_picture_is_smoother_than_what_it_hides() -> None:
    pixels, hidden = torch.rand(3, 96, 96), some_hidden(96, 96)
    pixels = 0.2 * pixels + 0.8 * (hidden * 1.0)

    def variation(image: Tensor) -> float:
        return float(image.diff(dim=1).abs().sum() + image.diff(dim=2).abs().sum())

    assert variation(fill_hidden(pixels, hidden)) < 0.7 * variation(pixels)
