"""Morphs: fixed points of interpolated maps."""

import itertools

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.art.morph import fractal_pair, morph_frames
from tests.pictures import photo_crop, texture

PAIR = fractal_pair(photo_crop(48), texture(60, 30, 3))


def test_shares_0_and_1_give_the_two_pictures() -> None:
    for collage, share in zip(PAIR, (0, 1), strict=True):
        np.testing.assert_allclose(nc.morph(*PAIR, share), collage.decode(), atol=2 / 255, rtol=0)


def test_frames_change_evenly_and_differ_from_a_cross_fade() -> None:
    photos = fractal_pair(photo_crop(96), photo_crop(80, 60, 140))  # with domains
    assert all(bool(collage.layers[0].collage.weights.any()) for collage in photos)
    frames = list(morph_frames(*photos, 9))
    ends = frames[0], frames[-1]
    changes = [float((a - b).abs().mean()) for a, b in itertools.pairwise(frames)]
    assert max(changes) < 2 * min(changes)
    faded = torch.lerp(*ends, 0.5)
    assert 1e-3 < float((frames[4] - faded).abs().mean()) < float((ends[0] - faded).abs().mean())


def test_pictures_are_encoded_at_the_size_of_the_first() -> None:
    between = nc.morph(photo_crop(48), texture(60, 30, 3), 0.5)
    assert between.shape == (3, 48, 48)
    torch.testing.assert_close(between, nc.morph(*PAIR, 0.5))


def test_invalid_shares_and_pairs_are_refused() -> None:
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(nc.CollageError, match="share must be 0 to 1"):
            nc.morph(*PAIR, share)
    other = nc.encode(photo_crop(16), codec="fractal", graphics=False)
    with pytest.raises(nc.CollageError, match="of one size and codec"):
        nc.morph(PAIR[0], other, 0.5)
    with pytest.raises(nc.CollageError, match="at least 2 frames"):
        morph_frames(*PAIR, 1)
