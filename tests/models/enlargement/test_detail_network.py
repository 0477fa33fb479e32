"""The network in numpy: equal to the torch module, in tiles, and picky about its weights."""

import io
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.numpy import save

import neural_collage as nc
from neural_collage.core.arrays.averages import PixelArray, pool
from neural_collage.core.arrays.octaves import DetailTerm
from neural_collage.models.arrays_file import read_arrays
from neural_collage.models.enlargement import detail_network
from neural_collage.models.enlargement.detail_network import (
    BOUND,
    DetailNetwork,
    network_of,
    shipped_detail,
)
from neural_collage.models.enlargement.detail_predictor import DetailConfig, DetailPredictor
from tests.core.arrays.test_octaves import octaves_of, whole
from tests.pictures import photo_crop, texture

Tensors = dict[str, npt.NDArray[Any]]


def predictor(width: int = 5, depth: int = 2) -> DetailPredictor:
    """Of random weights that predict much detail."""
    torch.manual_seed(0)
    model = DetailPredictor(DetailConfig(width, depth))
    with torch.no_grad():
        model.last.weight.mul_(3)
        model.last.bias.normal_(0, 0.01)  # type: ignore[union-attr]
    return model.eval()


def tensors_of(model: DetailPredictor) -> Tensors:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def shipped() -> DetailPredictor:
    """The weights that come with the package, as a torch module."""
    path = resources.files("neural_collage") / "weights" / "detail.safetensors"
    tensors = read_arrays(path.read_bytes())
    depth = sum(name.startswith("middle") for name in tensors) // 2
    model = DetailPredictor(DetailConfig(len(tensors["first.bias"]), depth))
    model.load_state_dict(
        {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}
    )
    return model.eval()


MODELS: dict[str, tuple[Callable[[], DetailPredictor], Callable[[], DetailNetwork]]] = {
    "shipped": (shipped, shipped_detail),
    "random": (predictor, lambda: DetailNetwork(tensors_of(predictor()))),
    "one layer": (
        lambda: predictor(3, 1),
        lambda: DetailNetwork(tensors_of(predictor(3, 1))),
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (9, 14), (120, 101)])
def test_numpy_equals_torch(name: str, level: float, size: tuple[int, int]) -> None:
    model, network = MODELS[name][0](), MODELS[name][1]()
    picture = 1.2 * texture(*size, 3) - 0.1  # some of it beyond [0, 1]
    with torch.no_grad():
        (expected,) = model(picture[None], torch.tensor([level]))
    found = whole(octaves_of(picture.numpy(), network.at(level)), size, 1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5, rtol=0, strict=True)
    smooth = whole(octaves_of(picture.numpy()), size, 1)
    assert (np.abs(found - smooth).max() > 1e-3) == (size != (1, 1))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiles_do_not_show(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = shipped_detail()
    picture = np.pad(texture(70, 51, channels).numpy(), ((0, 0), *[(network.reach,) * 2] * 2))
    term = network.at(0.5)
    assert isinstance(term, DetailTerm)
    at_once = term.details(picture)
    assert at_once.shape == (channels, 140, 102)
    for side in (7, 32, 51):
        monkeypatch.setattr(detail_network, "_TILE", side)
        np.testing.assert_allclose(term.details(picture), at_once, atol=1e-6, rtol=0)


def test_detail_averages_to_zero_and_depends_on_the_level() -> None:
    network = shipped_detail()
    picture = photo_crop(40).numpy()
    low, high = (network.at(level).details(picture) for level in (0.1, 1.0))
    for detail in (low, high):
        np.testing.assert_allclose(pool(detail, 2), 0, atol=1e-7)
    assert np.abs(low - high).max() > 1e-3


def test_pixels_within_reach_matter_and_no_others() -> None:
    network = DetailNetwork(tensors_of(predictor(8, 3)))
    reach = network.reach
    assert reach == 5
    picture = texture(31, 31, 3).numpy()
    first = network.at(1.0).details(picture)
    picture[:, 15, 15] = 1 - picture[:, 15, 15]
    changed = np.abs(network.at(1.0).details(picture) - first).max(0) > 1e-6
    rows, columns = np.nonzero(changed)
    centre = 15 - reach
    assert rows.min() >= 2 * (centre - reach)
    assert rows.max() <= 2 * (centre + reach) + 1
    assert columns.min() >= 2 * (centre - reach)
    assert columns.max() <= 2 * (centre + reach) + 1
    assert len(rows) > 4


def test_amplitudes_are_bounded_by_the_contrast_around() -> None:
    network = DetailNetwork(tensors_of(predictor(8, 2)))
    picture = texture(40, 30, 3).numpy()
    picture[:, 20:] = 0.4
    amplitudes = network.amplitudes(picture, 1.0)
    assert amplitudes.shape == (3, 3, 40 - 8, 30 - 8)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (3, 3), axis=(1, 2))
    contrasts = np.ptp(windows, axis=(3, 4))[:, 3:-3, 3:-3]
    assert (np.abs(amplitudes) <= BOUND * contrasts[:, None] + 1e-7).all()
    assert not amplitudes[:, :, 21 - 4 :].any()
    assert (np.abs(amplitudes) > 0.99 * BOUND * contrasts[:, None])[:, :, :10].any()


def without(name: str) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        del tensors[name]

    return change


def with_value(name: str, value: float) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name].flat[0] = value

    return change


def with_shape(name: str, *shape: int) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name] = np.zeros(shape, np.float32)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("first.weight"), "missing tensors first.weight"),
        (without("last.bias"), "missing tensors last.bias"),
        (without("middle.1.bias"), "missing tensors middle.1.bias"),
        (with_value("last.weight", np.nan), "last.weight"),
        (with_value("middle.0.bias", np.inf), "middle.0.bias"),
        (with_shape("middle.0.weight", 5, 5, 5, 5), "no 3 x 3 convolution"),
        (with_shape("middle.0.weight", 5, 45), "no 3 x 3 convolution"),
        (with_shape("middle.0.weight", 5, 4, 3, 3), "do not follow one another"),
        (with_shape("middle.0.bias", 4), "bias"),
        (with_shape("first.weight", 5, 3, 3, 3), "do not predict detail"),
        (with_shape("last.weight", 8, 5, 3, 3), "bias"),
    ],
)
def test_other_weights_are_refused(change: Callable[[Tensors], None], message: str) -> None:
    tensors = {name: value.copy() for name, value in tensors_of(predictor()).items()}
    network_of(save(tensors))
    change(tensors)
    with pytest.raises(ValueError, match=message):
        network_of(save(tensors))


def test_damaged_files_are_refused() -> None:
    data = save(tensors_of(predictor()))
    for damaged in (b"", data[:100], data[:-1], data + b"x"):
        with pytest.raises(ValueError, match="damaged"):
            network_of(damaged)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # as if it were not installed
import numpy as np
import neural_collage as nc
from neural_collage.codec.image import CollageImage
image = CollageImage.from_bytes(sys.stdin.buffer.read())
for detail in ("none", "links", "full"):
    np.save(sys.stdout.buffer, image.decode(2, detail=detail))
"""


def test_detail_needs_no_torch() -> None:
    image = nc.encode(photo_crop(40), quality=60, graphics=False, codec="neural")
    command = [sys.executable, "-c", WITHOUT_TORCH]
    finished = subprocess.run(command, input=image.to_bytes(), capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr.decode()
    stream = io.BytesIO(finished.stdout)
    decoded: list[PixelArray] = [np.load(stream) for _ in range(3)]
    for detail, pixels in zip(("none", "links", "full"), decoded, strict=True):
        assert np.array_equal(pixels, image.decode(2, detail=detail))  # type: ignore[arg-type]
    assert np.array_equal(decoded[0], decoded[1])
    assert np.abs(decoded[2] - decoded[0]).max() > 1e-3
