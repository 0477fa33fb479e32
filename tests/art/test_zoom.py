from io import BytesIO

import pytest
import torch
from PIL import Image
from torch.nn import functional

from neural_collage.art.samples import draw, pictures
from neural_collage.art.zoom import animation, zoom
from neural_collage.core.errors import OutputError
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


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
def test_an_animation_goes_there_and_back(suffix: str) -> None:
    frames = [torch.full((1, 8, 8), level / 3) for level in range(4)]
    image = Image.open(BytesIO(animation(frames, suffix, seconds=2)))
    assert getattr(image, "n_frames", 1) == 6
    levels = []
    for number in range(6):
        image.seek(number)
        levels.append(image.convert("L").getpixel((4, 4)))
    assert levels == pytest.approx([0, 85, 170, 255, 170, 85], abs=3)


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
    with pytest.raises(OutputError, match=r"\.gif, \.webp, \.apng files, not \.mp4"):
        animation([torch.zeros(1, 4, 4)] * 2, ".mp4")
