"""The distortion: errors of several kinds in one unit."""

import pytest
import torch

from neural_collage.models.compression.distortion.mixture import (
    SQUARED,
    STRUCTURAL_UNIT,
    VISUAL_UNIT,
    Shares,
    distortion,
)
from neural_collage.models.compression.distortion.structural_error import structural_error
from neural_collage.models.compression.distortion.visual_error import visual_error
from tests.models.compression.distortion.jpeg import as_jpeg
from tests.pictures import photo_crop


@pytest.mark.parametrize(
    "shares", [SQUARED, Shares(visual=0.25), Shares(0.25, 0.5), Shares(structural=1.0)]
)
def test_it_is_the_weighted_sum(shares: Shares) -> None:
    picture = photo_crop(64)[None]
    test = as_jpeg(picture[0], 30)[None]
    errors = torch.stack(
        [
            ((test - picture) * 255).square().mean(),
            VISUAL_UNIT * visual_error(test, picture)[0],
            STRUCTURAL_UNIT * structural_error(test, picture)[0],
        ]
    )
    weights = torch.tensor([1 - sum(shares), *shares])
    torch.testing.assert_close(distortion(test, picture, shares)[0], weights @ errors)


def test_the_units_are_worth_about_the_same() -> None:
    """On a photograph, between two qualities of a codec, within a factor of two."""
    picture = photo_crop(192)[None]
    kinds = (SQUARED, Shares(visual=1.0), Shares(structural=1.0))
    low, high = (as_jpeg(picture[0], quality)[None] for quality in (30, 75))
    squared, *others = (
        float(distortion(low, picture, shares) - distortion(high, picture, shares))
        for shares in kinds
    )
    for other in others:
        assert squared / 2 < other < squared * 2
