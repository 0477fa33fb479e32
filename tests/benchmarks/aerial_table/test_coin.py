"""COIN: its files, its networks and its fits."""

import numpy as np
import pytest
import torch

from benchmarks.aerial_table import coin
from benchmarks.aerial_table.coin import Network
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop

SMALL = Network(2, 8)
PHOTO = np.asarray(to_pil(photo_crop(32)))


def test_published_networks_have_the_published_rates_on_kodak() -> None:
    rates = [8 * network.file_bytes / (768 * 512) for network in coin.PUBLISHED]
    assert rates == pytest.approx([0.0734, 0.159, 0.304, 0.61, 1.21], rel=0.01)


def test_a_file_holds_the_weights_that_the_decoder_uses() -> None:
    layers = coin.initial(SMALL, seed=3)
    data = coin.to_bytes(layers)
    assert len(data) == SMALL.file_bytes == 2 * (2 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3)
    rounded = [(weight.half().float(), bias.half().float()) for weight, bias in layers]
    expected = coin.colours(rounded, coin.positions(9, 7).flatten(1)).view(3, 9, 7)
    levels = expected.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
    decoded = coin.decode(data, SMALL, 9, 7)
    assert decoded.shape == (9, 7, 3)
    assert np.array_equal(decoded, levels.numpy())


def test_a_file_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"COIN 2 x 8 has files of 246 bytes, not 10"):
        coin.decode(bytes(10), SMALL, 4, 4)


def test_positions_are_those_of_rows_and_columns() -> None:
    y, x = coin.positions(3, 5)
    assert y[:, 0].tolist() == y[:, 4].tolist() == [-1, 0, 1]
    assert x[0].tolist() == x[2].tolist() == [-1, 0, 1, 2, 3]


def test_one_step_on_all_pixels_is_the_step_of_adam_on_the_mean_squared_error() -> None:
    """Pixels are summed in parts; the first step of Adam is the sign of the gradient."""
    layers = [(w.requires_grad_(), b.requires_grad_()) for w, b in coin.initial(SMALL)]
    wanted = torch.from_numpy(PHOTO.copy()).permute(2, 0, 1).flatten(1) / 255
    shown = coin.colours(layers, coin.positions(32, 32).flatten(1))
    (shown - wanted).square().mean().backward()
    stepped = []
    for layer in layers:
        for each in layer:
            assert each.grad is not None
            stepped.append(each.detach() - coin.LEARNING_RATE * each.grad.sign())
    data = coin.fit(PHOTO, SMALL, 1).data
    got = torch.from_numpy(np.frombuffer(data, "<f2").astype(np.float32))
    torch.testing.assert_close(got, torch.cat([e.flatten() for e in stepped]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("stride", [1, 4])
def test_fits_approach_the_picture(stride: int) -> None:
    fit = coin.fit(PHOTO, Network(3, 16), 300, stride, marks=(1, 100))
    assert [steps for steps, _ in fit.curve] == [1, 100, 300]
    first, middle, last = (psnr for _, psnr in fit.curve)
    assert first + 3 < middle < last
    assert fit.seconds > 0
    assert fit.data == coin.fit(PHOTO, Network(3, 16), 300, stride).data


def test_every_pixel_is_taken_once_in_turn() -> None:
    offsets = coin.lattice_offsets(3)
    for _ in range(2):
        assert {next(offsets) for _ in range(9)} == {(y, x) for y in range(3) for x in range(3)}
