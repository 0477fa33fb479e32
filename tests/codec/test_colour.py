import numpy as np
import pytest
import torch

from neural_collage.codec.colour import to_samples
from neural_collage.codec.container import ColourSpace, Header
from neural_collage.codec.planes import to_planes, to_triples
from neural_collage.io.modes import Mode

MODES: list[tuple[Mode, int]] = [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)]


def header(mode: Mode, colour_space: ColourSpace = ColourSpace.YCBCR) -> Header:
    return Header(codec=1, width=7, height=5, mode=mode, quality=50, colour_space=colour_space)


@pytest.mark.parametrize(("mode", "channels"), MODES)
def test_planes_and_samples_are_inverse(mode: Mode, channels: int) -> None:
    samples = torch.rand(channels, 5, 7)
    planes = to_planes(samples)
    assert planes.shape == samples.shape
    returned = to_samples(planes.numpy(), header(mode))
    assert returned.dtype == np.float32
    np.testing.assert_allclose(returned, samples, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("mode", "channels"), MODES)
def test_triples_and_samples_are_inverse(mode: Mode, channels: int) -> None:
    samples = torch.rand(channels, 5, 7)
    triples = to_triples(samples)
    assert [len(triple) for triple in triples] == [3] * (1 + (channels in (2, 4)))
    returned = to_samples(torch.cat(triples).numpy(), header(mode, ColourSpace.RGB))
    assert returned.dtype == np.float32
    np.testing.assert_allclose(returned, samples, atol=1e-6, rtol=0)


def test_grey_has_no_chroma_and_its_own_luma() -> None:
    grey = torch.rand(1, 5, 7)
    luma, cb, cr, alpha = to_planes(torch.cat([grey.expand(3, 5, 7), 1 - grey]))
    torch.testing.assert_close(luma, grey[0])
    assert float(torch.stack([cb, cr]).abs().max()) < 1e-6
    assert torch.equal(alpha, 1 - grey[0])


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((1, 0, 0), (0.299, -0.168736, 0.5)),  # as in the JFIF specification
        ((0, 1, 0), (0.587, -0.331264, -0.418688)),
        ((0, 0, 1), (0.114, 0.5, -0.081312)),
        ((1, 1, 1), (1, 0, 0)),
    ],
)
def test_the_primaries_are_those_of_jfif(rgb: tuple[float, ...], ycbcr: tuple[float, ...]) -> None:
    planes = to_planes(torch.tensor(rgb, dtype=torch.float32).view(3, 1, 1)).flatten()
    assert planes.tolist() == pytest.approx(ycbcr, abs=1e-5)


@pytest.mark.parametrize(("mode", "channels"), MODES)
def test_samples_are_clipped(mode: Mode, channels: int) -> None:
    planes = 3 * torch.randn(channels, 5, 7).numpy()
    samples = to_samples(planes, header(mode))
    assert (float(samples.min()), float(samples.max())) == (0, 1)
