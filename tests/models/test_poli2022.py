from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neural_collage.models.operator.operator import CollageOperator
from neural_collage.models.poli2022 import (
    TileCode,
    TileCompressor,
    TileCompressorConfig,
    estimated_bits,
)
from tests.pictures import photo_crop

SMALL = TileCompressorConfig(range_size=4, n_patches=3, embedding=4, depth=1)


def varied_compressor(config: TileCompressorConfig = SMALL) -> TileCompressor:
    """A compressor with a wide spread of parameters."""
    compressor = TileCompressor(config)
    with torch.no_grad():
        compressor.encoder.head.mul_(20)
    return compressor


def test_the_defaults_are_the_papers() -> None:
    compressor = TileCompressor()
    config = compressor.config
    assert (config.tile, config.range_size, config.n_patches, config.levels) == (40, 20, 10, 100)
    assert config.operator.weights_shape == (3, 4, 11)
    image, code = compressor(torch.rand(2, 3, 40, 40))
    assert image.shape == (2, 3, 40, 40)
    assert code.parameters().shape == (2, 3, 4, 12)


def test_a_config_reports_all_problems() -> None:
    with pytest.raises(ValueError, match=r"range_size must be at least 1.*decimals.*bound must"):
        TileCompressorConfig(range_size=0, decimals=0, bound=1.0)


def test_tiles_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="tiles must be 8 pixels a side, not 40"):
        TileCompressor(SMALL)(torch.rand(1, 3, 40, 40))


def test_parameters_are_bounded_and_contract_for_any_network_output() -> None:
    compressor = varied_compressor()
    code = compressor.encode(100 * torch.randn(5, 3, 8, 8))
    symbols = compressor.symbols(code)
    assert int(symbols[..., 0].abs().max()) == 90
    assert int(symbols.abs().max()) == 100
    assert float(compressor.operator.contraction(code.weights.detach()).max()) <= 0.9 + 1e-6


def test_decoding_rounds_parameters_to_two_decimals() -> None:
    compressor = varied_compressor()
    code = compressor.encode(torch.rand(5, 3, 8, 8))
    parameters = compressor.symbols(code) / 100
    rounded = TileCode(parameters[..., :-1].contiguous(), parameters[..., -1].contiguous())
    exact = CollageOperator(replace(SMALL.operator, step=None))
    exact.load_state_dict(compressor.operator.state_dict())
    assert float((parameters - code.parameters()).abs().detach().max()) > 0.004
    torch.testing.assert_close(compressor.decode(code), exact(*rounded), atol=1e-6, rtol=0)
    assert torch.equal(compressor.symbols(rounded), compressor.symbols(code))


def test_the_gradient_goes_straight_through_the_rounding() -> None:
    compressor = varied_compressor()
    exact = CollageOperator(replace(SMALL.operator, step=None))
    exact.load_state_dict(compressor.operator.state_dict())
    code = compressor.encode(torch.rand(2, 3, 8, 8))
    given = [part.detach().requires_grad_() for part in code]
    rounded = [(part.detach() / 0.01).round().mul(0.01).requires_grad_() for part in code]
    target = torch.rand(2, 3, 8, 8)
    gradients = [
        torch.autograd.grad((operator(*parts) - target).square().sum(), parts)
        for operator, parts in ((compressor.operator, given), (exact, rounded))
    ]
    for through, at_the_rounded in zip(*gradients, strict=True):
        assert float(through.abs().max()) > 0.1
        torch.testing.assert_close(through, at_the_rounded, atol=1e-3, rtol=1e-3)


def test_training_fits_an_image() -> None:
    compressor = TileCompressor(SMALL)
    tiles = photo_crop(32).unfold(1, 8, 8).unfold(2, 8, 8).flatten(1, 2).transpose(0, 1)
    optimiser = torch.optim.Adam(compressor.parameters(), 3e-3)
    errors = []
    for _ in range(60):
        error = (compressor(tiles)[0] - tiles).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert errors[-1] < errors[0] / 20


def test_a_larger_tile_averages_to_the_tile() -> None:
    compressor = varied_compressor()
    code = compressor.encode(torch.rand(2, 3, 8, 8))
    larger = torch.nn.functional.avg_pool2d(compressor.decode(code, 2), 2)
    torch.testing.assert_close(larger, compressor.decode(code), atol=1e-5, rtol=0)


def test_tables_are_saved_with_the_weights(tmp_path: Path) -> None:
    compressor = varied_compressor()
    compressor.counts.copy_(torch.arange(compressor.counts.numel()).view_as(compressor.counts))
    compressor.save_pretrained(tmp_path)
    loaded = TileCompressor.from_pretrained(tmp_path)
    assert torch.equal(loaded.counts, compressor.counts)
    assert loaded.config == SMALL
    tiles = torch.rand(2, 3, 8, 8)
    assert torch.equal(
        loaded.symbols(loaded.encode(tiles)), compressor.symbols(compressor.encode(tiles))
    )


def test_the_estimated_rate_follows_the_published_formula() -> None:
    symbols = torch.zeros(8, 3, 4, 12, dtype=torch.int64)
    assert estimated_bits(symbols) == 3 + 28  # log2(8) for the tiles
    symbols[0, 0, 0, 3], symbols[5, 2, 3, 11] = -16, 17  # ceil(log2) + 2: 6 and 7 bits
    assert estimated_bits(symbols) == 6 * 8 * 12 * 11 + 7 * 8 * 12 + 3 + 28
    symbols[0, 0, 0, 3] = 1
    assert estimated_bits(symbols) == 2 * 8 * 12 * 11 + 7 * 8 * 12 + 3 + 28
