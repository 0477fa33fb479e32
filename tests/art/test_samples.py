"""Samples of generative models: seeds, scales, grids and weights."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from neural_collage.art.samples import draw, grid, load_generator, pictures
from neural_collage.core.blocks import pool
from neural_collage.errors import CheckpointError, CollageError
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.training.export.generator_weights import generator_to_bytes
from tests.models.generation.generators import SIZE, collage_vae, every_kind


def test_samples_depend_on_the_seed_only() -> None:
    model = collage_vae()
    first, again, other = (draw(model, 2, 1.0, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("scale", [1, 2.5, 8])
def test_samples_are_pictures_of_the_requested_size(scale: float) -> None:
    model = collage_vae()
    shown = list(pictures(model, draw(model, 3), scale))
    side = round(scale * SIZE)
    assert [tuple(p.shape) for p in shown] == [(1, side, side)] * 3
    assert all(0 <= float(p.min()) <= float(p.max()) <= 1 for p in shown)


def test_sharp_edges_keep_their_place_and_are_steeper_than_soft_ones() -> None:
    model = collage_vae()
    features = draw(model, 4)
    soft = torch.stack(list(pictures(model, features, 8, soft=True)))
    sharp = torch.stack(list(pictures(model, features, 8)))
    assert torch.equal(soft > 0.5, sharp > 0.5)
    assert float((sharp - 0.5).abs().mean()) > 1.5 * float((soft - 0.5).abs().mean())
    plain = torch.stack(list(pictures(model, features, 1)))
    torch.testing.assert_close(pool(soft.logit(), 8), plain.logit(), atol=1e-3, rtol=1e-3)


def test_pictures_do_not_depend_on_the_batch_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = collage_vae()
    features = draw(model, 3)
    together = list(pictures(model, features, 2))
    monkeypatch.setattr("neural_collage.art.samples._VALUES_AT_ONCE", 1)
    for one, other in zip(pictures(model, features, 2), together, strict=True):
        torch.testing.assert_close(one, other)


def test_a_grid_is_filled_row_by_row() -> None:
    samples = [torch.full((1, 3, 5), level / 10) for level in range(5)]
    image = grid(iter(samples), 5, (3, 5), columns=2, gap=1)
    assert image.size == (1 + 2 * 6, 1 + 3 * 4)
    levels = [image.getpixel((3 + 6 * (n % 2), 2 + 4 * (n // 2))) for n in range(5)]
    assert levels == [round(25.5 * n + 0.01) for n in range(5)]
    assert image.getpixel((0, 0)) == image.getpixel((9, 10)) == 255


def test_a_grid_above_the_limit_is_refused_before_a_sample_is_taken(
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
def test_weights_round_trip_in_half_precision(kind: str, tmp_path: Path) -> None:
    model = every_kind()[kind]
    path = tmp_path / "mine.safetensors"
    path.write_bytes(generator_to_bytes(model))
    loaded = load_generator(str(path))
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    count = sum(p.numel() for p in model.parameters())
    assert path.stat().st_size < 2 * count + 30_000
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value.half().float())
    shown: list[Tensor] = [next(pictures(m, draw(m, 1, 0.0))) for m in (model, loaded)]
    torch.testing.assert_close(*shown, atol=0.02, rtol=0)


def test_weights_of_other_models_are_refused(tmp_path: Path) -> None:
    from neural_collage.codec.weights import shipped_weights

    path = tmp_path / "codec.safetensors"
    path.write_bytes(shipped_weights("natural").data)
    with pytest.raises(CheckpointError, match="are not of a generative model: give mnist"):
        load_generator(str(path))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="not of a generative model"):
        load_generator(str(path))
    with pytest.raises(CheckpointError, match="no weights 'unheard-of': give mnist"):
        load_generator("unheard-of")


def test_samples_of_the_shipped_model_look_like_digits() -> None:
    """Each has some white, a black margin, and few grey levels between."""
    model = load_generator("mnist")
    assert isinstance(model, HierarchicalVae)
    shown = torch.stack(list(pictures(model, draw(model, 16, 0.8), 4)))
    assert shown.shape == (16, 1, 112, 112)
    white = (shown > 0.5).float().mean((1, 2, 3))
    assert float(white.min()) > 0.02
    assert float(white.max()) < 0.4
    assert float(shown[..., :6].max()) < 0.5
    assert float(((shown > 0.1) & (shown < 0.9)).float().mean()) < 0.1
