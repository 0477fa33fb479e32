"""The neural compressor: what it starts as, what steps are worth, and its config."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neural_collage.models.compression.compressor import (
    DEFAULT_CONFIG,
    HIGHEST_LAMBDA,
    LOWEST_LAMBDA,
    Compressor,
    CompressorConfig,
    base_step,
    lambda_at,
)
from neural_collage.models.compression.decoder_model import CENTRE, RANGE
from neural_collage.models.compression.initial_patches import cosine_blocks
from tests.models.compression.codecs import SMALL, lively_compressor, orthonormal_blocks
from tests.pictures import photo_crop

LEVELS = torch.linspace(0, 1, 11)


def test_a_config_names_all_that_is_wrong() -> None:
    wrong = {"groups": (4, 0), "widths": (8, 0), "state": 0, "side": -1, "rungs": 1}
    with pytest.raises(ValueError, match=r"groups must.*; widths must.*state.*side.*rungs") as e:
        CompressorConfig(**wrong, depths=(1, -1))  # type: ignore[arg-type]
    assert "(4, 0)" in str(e.value)
    assert "depths must be 2 whole numbers of at least 0, not (1, -1)" in str(e.value)
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"^{name} must be .*whole"):
            replace(SMALL, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="groups must not be empty"):
        replace(SMALL, groups=())
    assert CompressorConfig(groups=(1,), depths=(0, 0), rungs=2).n_patches == 1


def test_the_default_has_as_many_patches_as_its_groups_say() -> None:
    assert DEFAULT_CONFIG.n_patches == 320


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_it_starts_as_the_projection_on_orthonormal_blocks(level: float) -> None:
    """Pictures made of them come back, but for half a quantiser step in every direction."""
    compressor = Compressor(SMALL).eval()
    blocks = orthonormal_blocks(16)
    compressor.initialise(blocks, torch.full((16,), 0.5))
    coefficients = 3 * torch.randn(2, 16, 2, 3)
    images = torch.einsum("narq,acyx->ncryqx", coefficients, blocks).reshape(2, 3, 32, 48)
    with torch.no_grad():
        decoded = compressor(images + CENTRE, torch.full((2,), level)).image
        step = float(base_step(torch.tensor(level)))
    error = (decoded - images - CENTRE).unflatten(2, (2, RANGE)).unflatten(-1, (3, RANGE))
    lengths = error.square().sum((1, 3, 5)).sqrt()
    assert 0.2 * step < float(lengths.max()) <= math.sqrt(16) * step / 2 + 1e-4


def test_a_lapped_initialisation_reconstructs_as_well_as_orthonormal_blocks() -> None:
    """With a complete basis, at the edges of the picture too."""
    config = replace(SMALL, groups=(768,), lapped=True)
    plain, lapped = Compressor(replace(config, lapped=False)).eval(), Compressor(config).eval()
    images, level = photo_crop(64)[None, :, :48, :32], torch.full((1,), 0.9)
    blocks, _ = cosine_blocks(images, RANGE, 768, CENTRE)
    errors = []
    for compressor in (plain, lapped):
        compressor.initialise(blocks, torch.ones(768))
        with torch.no_grad():
            errors.append(float((compressor(images, level).image - images).square().mean()))
    assert errors[1] < 1.1 * errors[0] < 0.01


def test_components_orthogonal_to_the_patches_are_discarded() -> None:
    compressor = Compressor(SMALL).eval()
    basis = orthonormal_blocks(17)
    compressor.initialise(basis[:16], torch.ones(16))
    with torch.no_grad():
        image = compressor(2 * basis[16:] + CENTRE, torch.ones(1)).image
    assert float((image - CENTRE).abs().max()) < 0.01


def test_initial_scales_have_the_standard_deviations_given() -> None:
    """Of logistic distributions with these standard deviations, in steps."""
    compressor = Compressor(SMALL)
    spread = torch.linspace(0.05, 3, 16)
    compressor.initialise(orthonormal_blocks(16), spread)
    level = torch.linspace(0, 1, SMALL.rungs)
    scales = compressor.entropy.log_scale(level).exp().detach() * base_step(level)[:, None]
    deviations = scales * math.pi / math.sqrt(3)
    inside = (scales / base_step(level)[:, None] > 0.051) & (
        scales / base_step(level)[:, None] < 59
    )
    expected = spread.expand(SMALL.rungs, -1)
    torch.testing.assert_close(deviations[inside], expected[inside], atol=1e-5, rtol=1e-3)
    assert float(inside.double().mean()) > 0.6


def test_lambda_rises_geometrically_with_quality() -> None:
    value = lambda_at(torch.linspace(0, 1, 11, dtype=torch.float64))
    assert float(value[0]) == pytest.approx(LOWEST_LAMBDA)
    assert float(value[-1]) == pytest.approx(HIGHEST_LAMBDA)
    ratios = value[1:] / value[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(10))


def test_the_slope_of_rate_and_distortion_at_the_base_step_is_lambda() -> None:
    """The error of a coefficient, step^2 / 12, falls to a quarter with every bit."""
    level = LEVELS.double()
    error = base_step(level) ** 2 / 12
    change_per_bit = 2 * math.log(2) * error
    bits_per_error = lambda_at(level) * 255**2 / 3  # of samples in 0..1, summed; 3 a pixel
    torch.testing.assert_close(change_per_bit * bits_per_error, torch.ones_like(level))


def test_steps_follow_the_base_and_their_shape() -> None:
    compressor = Compressor(SMALL)
    torch.testing.assert_close(
        compressor.steps(LEVELS).detach(), base_step(LEVELS)[:, None].expand(-1, 16)
    )
    with torch.no_grad():
        compressor.step_shape.rungs[:, 2] = math.log(3)
    relative = compressor.steps(LEVELS).detach() / base_step(LEVELS)[:, None]
    expected = torch.ones(11, 16)
    expected[:, 2] = 3
    torch.testing.assert_close(relative, expected)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 2), (3, 5)])
def test_any_number_of_ranges(rows: int, columns: int) -> None:
    """Odd ones, too, which the hyperprior pads."""
    images = torch.rand(2, 3, 16 * rows, 16 * columns)
    with torch.no_grad():
        image, bits, side_bits = lively_compressor()(images, torch.tensor([0.2, 0.9]))
    assert image.shape == images.shape
    assert bits.shape == side_bits.shape == (2,)
    assert bool((bits > 0).all())
    assert bool(image.isfinite().all())


def test_rate_rises_and_distortion_falls_with_quality() -> None:
    compressor = Compressor(SMALL).eval()
    picture = photo_crop(64)
    compressor.initialise(orthonormal_blocks(16), torch.ones(16))
    with torch.no_grad():
        image, bits, _ = compressor(picture.expand(3, -1, -1, -1), torch.tensor([0.0, 0.5, 1.0]))
    errors = (image - picture).square().mean((1, 2, 3))
    assert bool((bits.diff() > 0).all())
    assert bool((errors.diff() < 0).all())


def test_the_gradient_reaches_all_parameters() -> None:
    compressor = lively_compressor().train()
    images = torch.rand(3, 3, 48, 32)
    image, bits, side_bits = compressor(images, torch.tensor([0.0, 0.5, 1.0]), "noise")
    ((image - images).square().sum() + bits.sum() + side_bits.sum()).backward()
    for name, parameter in compressor.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name


def test_it_is_saved_with_its_config(tmp_path: Path) -> None:
    compressor = lively_compressor()
    compressor.save_pretrained(tmp_path)
    loaded = Compressor.from_pretrained(tmp_path)
    assert loaded.config == SMALL
    images, level = torch.rand(1, 3, 32, 32), torch.tensor([0.4])
    with torch.no_grad():
        assert torch.equal(loaded(images, level).image, compressor(images, level).image)
