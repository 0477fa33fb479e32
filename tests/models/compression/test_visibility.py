"""What errors are worth: masking, and how a visual compressor chooses symbols with it."""

from dataclasses import replace

import pytest
import torch

from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import Compressor
from neural_collage.models.compression.decoder_model import RANGE
from neural_collage.models.compression.distortion.visibility import (
    FIRST_BUSY,
    FLOOR,
    TYPICAL,
    masking,
)
from neural_collage.training.tasks.visibility import measured_visibility
from tests.models.compression.codecs import SMALL, lively_compressor, orthonormal_blocks
from tests.pictures import photo_crop

VISUAL = replace(SMALL, visual=0.5)


def test_errors_are_worth_less_where_ranges_are_busier() -> None:
    """With orthonormal patches, activity is the mean square of what they paint."""
    patches = torch.zeros(12, 3, 2 * RANGE, 2 * RANGE)
    patches[:, :, 8:-8, 8:-8] = orthonormal_blocks(12)
    values, steps = torch.zeros(12, 1, 3), torch.full((12,), 0.5)
    values[FIRST_BUSY, 0, 1] = (TYPICAL * 3 * RANGE**2) ** 0.5 / 255 / 0.5
    values[FIRST_BUSY, 0, 2] = 10
    values[0] = 100  # smooth patches do not count
    worth = masking(values, steps, patches, 0.5)[0, 0]
    assert float(worth[0]) == pytest.approx(((TYPICAL + FLOOR) / FLOOR) ** 0.5, rel=1e-3)
    assert float(worth[1]) == pytest.approx(1, rel=1e-3)
    assert float(worth[2]) < 1
    assert bool((masking(values, steps, patches, 0.0) == 1).all())


def test_only_a_visual_compressor_weighs_what_is_seen() -> None:
    plain, visual = lively_compressor(), lively_compressor(VISUAL)
    values, levels = torch.randn(2, 16, 3, 4), torch.tensor([0.2, 0.7])
    assert bool((plain.worth(values, plain.steps(levels), levels) == 1).all())
    worth = visual.worth(values, visual.steps(levels), levels)
    assert worth.shape == (2, 16, 3, 4)
    assert plain.visibility is None
    assert visual.visibility is not None
    assert not any(p.requires_grad for p in visual.visibility.parameters())


def test_errors_that_are_worth_more_are_made_smaller() -> None:
    """RDOQ rounds to what is nearest if all errors are worth much."""
    compressor = lively_compressor(VISUAL)
    assert compressor.visibility is not None
    picture, level = photo_crop(96)[None], torch.tensor([0.3])
    with torch.no_grad():
        nearest = compressor(picture, level, "round")
        bits = []
        for worth in (-30.0, 60.0):
            compressor.visibility.rungs.fill_(worth)
            chosen = compressor(picture, level, "rdoq")
            bits.append(float(chosen.bits))
    assert torch.equal(chosen.image, nearest.image)
    assert bits[0] < bits[1]


def test_squared_errors_are_worth_their_squares() -> None:
    compressor = lively_compressor(SMALL)
    worth = measured_visibility(compressor, photo_crop(64)[None])
    torch.testing.assert_close(worth, torch.zeros_like(worth), atol=0.01, rtol=0)


def test_the_mean_is_seen_better_than_a_fine_pattern() -> None:
    """A patch of one grey level against a checkerboard of pixels of equal energy."""
    compressor = Compressor(replace(SMALL, groups=(2,), visual=1.0)).eval()
    y, x = torch.meshgrid(torch.arange(RANGE), torch.arange(RANGE), indexing="ij")
    flat, fine = torch.ones(3, RANGE, RANGE), (1 - 2.0 * ((x + y) % 2)).expand(3, -1, -1)
    length = (3 * RANGE**2) ** 0.5
    compressor.initialise(torch.stack([flat, fine]) / length, torch.ones(2))
    worth = measured_visibility(compressor, photo_crop(64)[None])
    assert worth.shape == (SMALL.rungs, 2)
    assert bool((worth[:, 0] > worth[:, 1]).all())


def test_it_is_part_of_the_finished_model() -> None:
    compressor = lively_compressor(VISUAL)
    assert compressor.visibility is not None
    compressor.visibility.rungs.normal_()
    model = CodecModel.finish(compressor)
    assert model.compressor.visibility is not None
    assert torch.equal(model.compressor.visibility.rungs, compressor.visibility.rungs)
    assert model.rdoq_weights(torch.randn(16, 2, 3), 50).shape == (16, 2, 3)
    assert model.worth(torch.randn(16, 2, 3), 50).shape == (16, 2, 3)


@pytest.mark.parametrize("share", [-0.1, 1.5, True, float("nan")])
def test_a_share_is_a_number_from_0_to_1(share: object) -> None:
    with pytest.raises(ValueError, match="visual must be a number from 0 to 1"):
        replace(SMALL, visual=share)  # type: ignore[arg-type]
