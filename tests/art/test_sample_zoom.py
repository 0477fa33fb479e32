"""Zooms into samples of generative models."""

import pytest
import torch

from neural_collage.art.sample_zoom import Sample, edge
from neural_collage.art.samples import draw, pictures
from neural_collage.art.zoom import zoom
from neural_collage.models.generation.vdvae import Vdvae
from tests.models.generation.generators import HIERARCHY, SIZE, collage_vae, trained


def test_a_zoom_starts_with_the_whole_sample_and_ends_at_the_full_scale() -> None:
    model = collage_vae()
    features = draw(model, 2)
    sample = Sample(model, features)
    frames = list(zoom(sample, centre=edge(sample), factor=4, frames=5, size=(2 * SIZE, 2 * SIZE)))
    assert [tuple(f.shape) for f in frames] == [(1, 24, 24)] * 5
    torch.testing.assert_close(frames[0], next(pictures(model, features, 2)))
    large = next(pictures(model, features, 8))
    assert frames[-1].min() >= large.min()
    assert frames[-1].max() <= large.max()


def test_the_edge_is_in_an_area_of_high_contrast() -> None:
    sample = Sample(collage_vae(), draw(collage_vae(), 1))
    x, y = edge(sample)
    pixels = Sample(sample.model, sample.features, soft=True).decode()[0]
    row, column = int(y * SIZE), int(x * SIZE)
    near = pixels[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    assert float(near.max() - near.min()) > float(pixels.std())


def test_a_pixel_model_refuses_other_scales() -> None:
    model = trained(Vdvae(SIZE, hierarchy=HIERARCHY))
    with pytest.raises(ValueError, match="scale 1 only"):
        Sample(model, draw(model, 1)).decode(9)
