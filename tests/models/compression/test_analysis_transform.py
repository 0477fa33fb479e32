"""The analysis transform of a part of a picture is that of the whole, on any number of threads."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neural_collage.models.compression import analysis_transform
from neural_collage.models.compression.analysis_transform import (
    NO_MARGINS,
    AnalysisTransform,
    Margins,
    Pointwise,
)
from neural_collage.models.compression.decoder_model import RANGE
from tests.models.compression.codecs import SMALL, lively_compressor
from tests.threads import threads

LEVEL = torch.tensor([0.4])
ROWS, COLUMNS = 24, 15


def transform(depths: tuple[int, int], *, lapped: bool) -> AnalysisTransform:
    return lively_compressor(replace(SMALL, depths=depths, lapped=lapped)).analysis.double()


def picture(seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, ROWS * RANGE, COLUMNS * RANGE, generator=rng).double() - 0.5


def latents(analysis: AnalysisTransform, pixels: Tensor, margins: Margins = NO_MARGINS) -> Tensor:
    steps = torch.linspace(0.5, 2, sum(SMALL.groups)).double()[None]
    result: Tensor = analysis(pixels, steps, LEVEL.double(), margins)
    return result


@pytest.mark.parametrize("lapped", [False, True])
@pytest.mark.parametrize("depths", [(0, 0), (1, 1), (2, 2), (3, 0), (2, 4)], ids=str)
@pytest.mark.parametrize("gradients", [False, True])
def test_margins_within_reach_give_the_latents_of_the_whole(
    depths: tuple[int, int], lapped: bool, gradients: bool
) -> None:
    analysis, pixels = transform(depths, lapped=lapped), picture()
    reach = analysis.reach
    with torch.set_grad_enabled(gradients):
        whole = latents(analysis, pixels)
        assert whole.shape[2:] == (ROWS, COLUMNS)
        for top, left, rows, columns in ((0, 0, 20, 6), (8, 6, 3, 4), (2, 9, 22, 6), (7, 1, 2, 2)):
            bottom, right = top + rows, left + columns
            margins = Margins(
                min(reach, top),
                min(reach, ROWS - bottom),
                min(reach, left),
                min(reach, COLUMNS - right),
            )
            part = pixels[
                ...,
                (top - margins.top) * RANGE : (bottom + margins.bottom) * RANGE,
                (left - margins.left) * RANGE : (right + margins.right) * RANGE,
            ]
            found = latents(analysis, part, margins)
            torch.testing.assert_close(found, whole[..., top:bottom, left:right])


@pytest.mark.parametrize("depths", [(0, 0), (1, 1), (3, 2), (2, 4)], ids=str)
def test_latents_depend_on_nothing_beyond_their_reach(depths: tuple[int, int]) -> None:
    analysis, pixels = transform(depths, lapped=True), picture()
    with torch.no_grad():
        before = latents(analysis, pixels)
        pixels[..., : 3 * RANGE, :] += 0.3
        after = latents(analysis, pixels)
    changed = (before != after).any(3).any(1)[0]
    assert changed[: 3 + analysis.reach].any()
    assert not changed[3 + analysis.reach :].any()
    assert changed[2 + analysis.reach]  # none of the reach is in vain


@pytest.mark.parametrize("band", [1, 5, 100])
def test_bands_change_nothing(band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    analysis, pixels = transform((2, 2), lapped=True), picture()
    expected = latents(analysis, pixels).detach()
    monkeypatch.setattr(analysis_transform, "_BAND", band)
    with torch.no_grad():
        torch.testing.assert_close(latents(analysis, pixels), expected)


@pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch has one way to convolve here"
)
def test_convolutions_of_single_cells_do_not_depend_on_threads() -> None:
    convolution = Pointwise(192, 128)
    cells = torch.randn(1, 192, 30, 31, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.conv2d(
        cells.double(),
        convolution.weight.double(),
        convolution.bias.double(),  # type: ignore[union-attr]
    )
    found = []
    for count in (1, 2):
        with threads(count), torch.no_grad():
            found.append(convolution(cells))
    assert torch.equal(*found)
    torch.testing.assert_close(found[0].double(), expected, atol=1e-5, rtol=1e-5)
