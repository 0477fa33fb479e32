from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from neural_collage.art.samples import draw, grid, load_generator, pictures
from neural_collage.core.blocks import pool
from neural_collage.errors import CheckpointError, CollageError
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.training.export.generator_weights import weights_file
from tests.models.generation.generators import SIZE, collage_vae, every_kind


def test_samples_follow_the_seed_alone() -> None:
    model = collage_vae()
    first, again, other = (draw(model, 2, 1.0, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("scale", [1, 2.5, 8])
def test_samples_are_pictures_of_the_size_that_was_asked_for(scale: float) -> None:
    model = collage_vae()
    shown = list(pictures(model, draw(model, 3), scale))
    side = round(scale * SIZE)
    assert [tuple(p.shape) for p in shown] == [(1, side, side)] * 3
    assert all(0 <= float(p.min()) <= float(p.max()) <= 1 for p in shown)


def test_edges_are_as_steep_in_pixels_at_every_scale_and_where_they_were() -> None:
    model = collage_vae()
    features = draw(model, 4)
    soft = torch.stack(list(pictures(model, features, 8, soft=True)))
    sharp = torch.stack(list(pictures(model, features, 8)))
    assert torch.equal(soft > 0.5, sharp > 0.5)
    assert float((sharp - 0.5).abs().mean()) > 1.5 * float((soft - 0.5).abs().mean())
    plain = torch.stack(list(pictures(model, features, 1)))
    torch.testing.assert_close(pool(soft.logit(), 8), plain.logit(), atol=1e-3, rtol=1e-3)


def test_pictures_do_not_depend_on_how_many_are_rendered_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = collage_vae()
    features = draw(model, 3)
    together = list(pictures(model, features, 2))
    monkeypatch.setattr("neural_collage.art.samples._VALUES_AT_ONCE", 1)
    for one, other in zip(pictures(model, features, 2), together, strict=True):
        torch.testing.assert_close(one, other)


def test_a_grid_shows_pictures_row_by_row() -> None:
    samples = [torch.full((1, 3, 5), level / 10) for level in range(5)]
    image = grid(iter(samples), 5, (3, 5), columns=2, gap=1)
    assert image.size == (1 + 2 * 6, 1 + 3 * 4)
    levels = [image.getpixel((3 + 6 * (n % 2), 2 + 4 * (n // 2))) for n in range(5)]
    assert levels == [round(25.5 * n + 0.01) for n in range(5)]
    assert image.getpixel((0, 0)) == image.getpixel((9, 10)) == 255


def test_a_grid_too_large_to_open_is_refused_before_anything_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    samples = iter(torch.zeros(100, 1, 20, 20))
    with pytest.raises(
        CollageError, match="222 x 222 pixels are above the limit of 2000: take fewer"
    ):
        grid(samples, 100, (20, 20))
    assert len(list(samples)) == 100
    with pytest.raises(ValueError, match="at least one picture"):
        grid(samples, 1, (20, 20))


@pytest.mark.parametrize("kind", ["vdvae", "collage of a mixture", "latent patches"])
def test_weights_are_written_and_read_in_half_precision(kind: str, tmp_path: Path) -> None:
    model = every_kind()[kind]
    path = tmp_path / "mine.safetensors"
    path.write_bytes(weights_file(model))
    loaded = load_generator(str(path))
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    count = sum(p.numel() for p in model.parameters())
    assert path.stat().st_size < 2 * count + 30_000
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value.half().float())
    shown: list[Tensor] = [next(pictures(m, draw(m, 1, 0.0))) for m in (model, loaded)]
    torch.testing.assert_close(*shown, atol=0.02, rtol=0)


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    from neural_collage.codec.weights import shipped_weights

    path = tmp_path / "codec.safetensors"
    path.write_bytes(shipped_weights("natural").data)
    with pytest.raises(CheckpointError, match="are of no generative model: give mnist"):
        load_generator(str(path))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="of no generative model"):
        load_generator(str(path))
    with pytest.raises(CheckpointError, match="no weights 'unheard-of': give mnist"):
        load_generator("unheard-of")


def test_the_shipped_model_draws_digits() -> None:
    """Each sample has ink, on a black margin, in grey levels that are nearly all black or white."""
    model = load_generator("mnist")
    assert isinstance(model, HierarchicalVae)
    shown = torch.stack(list(pictures(model, draw(model, 16, 0.8), 4)))
    assert shown.shape == (16, 1, 112, 112)
    ink = (shown > 0.5).float().mean((1, 2, 3))
    assert float(ink.min()) > 0.02
    assert float(ink.max()) < 0.4
    assert float(shown[..., :6].max()) < 0.5
    assert float(((shown > 0.1) & (shown < 0.9)).float().mean()) < 0.1
