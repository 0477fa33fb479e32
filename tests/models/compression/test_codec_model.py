"""A finished compressor: tables, whole numbers, and files."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.arrays.lapped import Texture
from neural_collage.core.lapped import synthesise
from neural_collage.core.scales import Window
from neural_collage.errors import CheckpointError
from neural_collage.models.compression.codec_model import (
    LARGEST_SYMBOL,
    TABLE_SUM,
    CodecModel,
    logistic_counts,
)
from neural_collage.models.compression.decoder_model import (
    AMPLITUDE_BITS,
    CENTRE,
    PATCH_BITS,
    STEP_BITS,
)
from neural_collage.models.compression.integer_entropy import (
    N_SCALES,
    UNIT,
    Pass,
    logarithm_table,
    scale_of,
)
from neural_collage.models.compression.integer_layers import IntArray
from neural_collage.models.compression.ladder import level_of
from neural_collage.models.compression.quantisers import distortion_multipliers
from tests.models.compression.codecs import SMALL, lively_compressor, orthonormal_blocks
from tests.pictures import photo_crop

QUALITIES = (1, 37, 100)


@pytest.fixture
def model() -> CodecModel:
    return CodecModel.finish(lively_compressor())


class Rounding:
    """Chooses the nearest symbols for some coefficients."""

    def __init__(self, values: Tensor, side: Tensor) -> None:
        self.values = values.numpy()
        self._side = side.numpy()

    def side(self, scales: IntArray) -> IntArray:
        return np.where(scales > 0, np.rint(self._side).astype(np.int64), 0)

    def coefficients(self, part: Pass, means: IntArray, scales: IntArray) -> IntArray:
        deviation = self.values[part.channels][:, part.sites] - means / UNIT
        return np.where(scales > 0, np.rint(deviation).astype(np.int64), 0)


def quantised(model: CodecModel, picture: Tensor, quality: int) -> IntArray:
    with torch.no_grad():
        values = model.latents(picture[None], quality)
        source = Rounding(values[0], model.side_latents(values)[0])
    return model.decoder.entropy.run(source, quality, *values.shape[-2:])


def texture(model: CodecModel, coefficients: IntArray, quality: int) -> PixelArray:
    """The picture of some latents, but for the grey level that it is added to."""
    decoder = model.decoder
    canvas = Texture(decoder.amplitudes(coefficients, quality), decoder.bank, decoder.unit)
    return canvas.window(Fraction(1), Window(0, 0, *canvas.size(Fraction(1))))


def test_a_finished_model_has_the_weights_and_steps_of_the_compressor() -> None:
    compressor = lively_compressor()
    model = CodecModel.finish(compressor)
    assert not model.training
    assert model.config == SMALL
    for name, value in compressor.state_dict().items():
        assert torch.equal(model.compressor.state_dict()[name], value), name
    np.testing.assert_array_equal(model.logarithms, logarithm_table())
    for quality in QUALITIES:
        steps = compressor.steps(torch.tensor([level_of(quality)]))[0].detach()
        torch.testing.assert_close(
            model.steps[quality - 1] * 2.0**-STEP_BITS, steps, atol=2.0**-STEP_BITS, rtol=1e-5
        )
    assert int(model.steps.min()) >= 1


def test_it_does_not_share_the_weights() -> None:
    compressor = lively_compressor()
    model = CodecModel.finish(compressor)
    before = model.compressor.patches.clone()
    with torch.no_grad():
        compressor.patches.add_(1)
    assert torch.equal(model.compressor.patches, before)


def test_tables_are_distributions() -> None:
    counts = logistic_counts().long()
    assert counts.shape == (N_SCALES, 2 * LARGEST_SYMBOL + 2)
    assert int(counts.min()) >= 0
    assert int(counts[:, -1].min()) >= 1  # everything can be escaped
    sums = counts.sum(1)
    assert bool(((sums - TABLE_SUM).abs() <= LARGEST_SYMBOL).all())
    numbers = counts[:, :-1]
    assert torch.equal(numbers, numbers.flip(1))
    assert bool((numbers[:, LARGEST_SYMBOL:].diff(dim=1) <= 0).all())


@pytest.mark.parametrize("index", [10, 30, 45])
def test_tables_are_spread_as_their_scales(index: int) -> None:
    """The variance of a logistic distribution is (pi s)^2 / 3, and rounding adds 1/12."""
    counts = logistic_counts()[index, :-1].double()
    numbers = torch.arange(-LARGEST_SYMBOL, LARGEST_SYMBOL + 1, dtype=torch.float64)
    variance = float((numbers.square() * counts).sum() / counts.sum())
    expected = (math.pi * scale_of(index)) ** 2 / 3 + 1 / 12
    if scale_of(index) > 0.5:
        assert variance == pytest.approx(expected, rel=0.01)
    else:
        assert variance < expected  # nearly all is 0


def test_the_patches_are_whole_numbers(model: CodecModel) -> None:
    patches = model.decoder.bank.patches
    assert patches.dtype == np.int16
    np.testing.assert_allclose(
        patches * 2.0**-PATCH_BITS, model.compressor.patches.detach(), atol=2.0**-16, rtol=0
    )


def test_patches_beyond_16_bits_are_clamped() -> None:
    compressor = lively_compressor()
    with torch.no_grad():
        compressor.patches[0] = 2
        compressor.patches[1] = -2
    patches = CodecModel.finish(compressor).decoder.bank.patches
    assert (int(patches[0].min()), int(patches[1].max())) == (2**15 - 1, -(2**15))


@pytest.mark.parametrize("quality", QUALITIES)
def test_amplitudes_are_rounded_to_nearest_exactly(
    model: CodecModel, quality: int, rng: np.random.Generator
) -> None:
    given = rng.integers(-500, 500, (16, 3, 5))
    given[0, 0] = 0, 1, -1, 1 << 40, -(1 << 40)
    amplitudes = model.decoder.amplitudes(given.copy(), quality)
    assert amplitudes.dtype == np.int16
    for step, numbers, rounded in zip(
        model.steps[quality - 1].tolist(), given, amplitudes, strict=True
    ):
        for number, got in zip(numbers.ravel().tolist(), rounded.ravel().tolist(), strict=True):
            exact = Fraction(number * step, UNIT << STEP_BITS) * 2**AMPLITUDE_BITS
            nearest = math.floor(exact + Fraction(1, 2))
            assert got == min(max(nearest, -(2**15)), 2**15 - 1)


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_texture_is_that_of_the_float_model(model: CodecModel, quality: int) -> None:
    """Within what rounding patches, steps and amplitudes may add up to."""
    coefficients = quantised(model, photo_crop(64)[:, :48], quality)
    level = torch.tensor([level_of(quality)])
    patches = model.compressor.patches.detach()
    steps = model.compressor.steps(level)[0].detach()
    wanted = torch.from_numpy(coefficients) / UNIT * steps[:, None, None]
    image = synthesise(wanted[None], patches)[0]
    unit = torch.full_like(wanted, 2.0**-AMPLITUDE_BITS)
    of_amplitudes = synthesise(0.6 * unit[None], patches.abs())[0]
    of_patches = synthesise(wanted.abs()[None], torch.full_like(patches, 2.0**-16))[0]
    assert float(image.abs().max()) > 0.1
    decoded = torch.from_numpy(texture(model, coefficients, quality))
    assert bool(((decoded - image).abs() <= of_amplitudes + of_patches + 1e-5).all())


@pytest.mark.parametrize("quality", QUALITIES)
def test_whole_numbers_are_as_near_the_values_as_the_float_model(
    model: CodecModel, quality: int
) -> None:
    """Half a step; which symbol is the nearest may differ where two are equally near."""
    picture, level = photo_crop(64), torch.tensor([level_of(quality)])
    with torch.no_grad():
        values = model.latents(picture[None], quality)
        float_image = model.compressor(picture[None], level).image[0]
    coefficients = quantised(model, picture, quality)
    error = torch.from_numpy(coefficients) / UNIT - values[0]
    assert float(error.abs().max()) <= 0.5 + 1 / UNIT
    image = torch.from_numpy(texture(model, coefficients, quality)) + CENTRE
    errors = [float((decoded - picture).square().mean()) for decoded in (image, float_image)]
    assert errors[0] == pytest.approx(errors[1], rel=0.02)


def test_values_are_in_steps(model: CodecModel) -> None:
    picture = photo_crop(32)[None]
    for quality in QUALITIES:
        level = torch.tensor([level_of(quality)])
        steps = model.compressor.steps(level)
        with torch.no_grad():
            expected = model.compressor.analysis(picture - CENTRE, steps, level)
            got = model.latents(picture, quality)
        torch.testing.assert_close(got, expected, atol=1e-2, rtol=1e-3)


def test_rdoq_weights_do_not_depend_on_the_quality() -> None:
    """For orthonormal patches, by the choice of steps; patches twice as large give four times."""
    compressor = lively_compressor()
    compressor.initialise(orthonormal_blocks(16), torch.ones(16))
    with torch.no_grad():
        compressor.step_shape.rungs.zero_()
        compressor.patches[3].mul_(2)
    model = CodecModel.finish(compressor)
    expected = torch.full((16,), 6 / math.log(2))
    expected[3] *= 4
    for quality in QUALITIES:
        weights = model.rdoq_weights(torch.randn(16, 2, 3), quality)[:, 0, 0]
        multipliers = distortion_multipliers(SMALL.groups)
        torch.testing.assert_close(weights, expected * multipliers, atol=0, rtol=0.01)


def test_it_is_saved_with_its_tables(model: CodecModel, tmp_path: Path) -> None:
    model.counts[:, LARGEST_SYMBOL] += 5
    model.save_pretrained(tmp_path)
    loaded = CodecModel.from_pretrained(tmp_path)
    assert loaded.config == SMALL
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    picture = photo_crop(48)
    for quality in QUALITIES:
        np.testing.assert_array_equal(
            quantised(loaded, picture, quality), quantised(model, picture, quality)
        )


def test_files_of_another_model_are_refused(model: CodecModel, tmp_path: Path) -> None:
    model.compressor.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: .*missing tensors counts"):
        CodecModel.from_pretrained(tmp_path)
