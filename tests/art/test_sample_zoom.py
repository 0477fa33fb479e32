import pytest
import torch
from torch.nn import functional

from neural_collage.art.samples import draw, pictures
from neural_collage.art.sample_zoom import zoom
from neural_collage.models.vdvae import Vdvae
from tests.models.generators import HIERARCHY, SIZE, collage_vae, trained


def test_a_zoom_begins_with_the_whole_sample_and_ends_at_the_scale() -> None:
    model = collage_vae()
    features = draw(model, 2)
    frames = list(zoom(model, features, 8, frames=5, size=2 * SIZE))
    assert [tuple(f.shape) for f in frames] == [(1, 24, 24)] * 5
    torch.testing.assert_close(frames[0], next(pictures(model, features, 2)))
    last = next(pictures(model, features, 8))
    windows = functional.unfold(last[None], 24).mT.view(-1, 1, 24, 24)
    assert float((windows - frames[-1]).abs().amax((1, 2, 3)).min()) < 1e-5


def test_what_cannot_be_zoomed_is_refused() -> None:
    model = collage_vae()
    features = draw(model, 1)
    with pytest.raises(ValueError, match="scale 2 must be above"):
        next(zoom(model, features, 2, size=2 * SIZE))
    with pytest.raises(ValueError, match="at least 2 frames"):
        next(zoom(model, features, 9, size=SIZE, frames=1))
    pixels = trained(Vdvae(SIZE, hierarchy=HIERARCHY))
    with pytest.raises(ValueError, match="scale 1 only"):
        list(zoom(pixels, draw(pixels, 1), 9, size=2 * SIZE))
