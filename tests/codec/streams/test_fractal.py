"""Whole pictures through the fractal codec: fidelity, bytes, and what damage does to them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import neural_collage as nc
from neural_collage.codec.base import Layer
from neural_collage.codec.container import Header
from neural_collage.codec.entropy import SymbolReader, SymbolWriter
from neural_collage.codec.image import Detail
from neural_collage.codec.streams.fractal import (
    ERROR_PER_BIT,
    FractalEncoder,
    Parameters,
    decode,
    encode_planes,
)
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.blocks import pool
from neural_collage.core.pyramid import PyramidDecoder
from neural_collage.errors import CollageFormatError
from neural_collage.fractal.effort import EFFORTS
from neural_collage.fractal.geometry import PlaneGeometry, quantiser_step
from neural_collage.fractal.statistics import KINDS, Counter, prior_counts
from neural_collage.fractal.syntax import code_plane
from neural_collage.io.modes import Mode
from neural_collage.io.picture import Picture
from tests.codec import make_golden
from tests.codec.streams.damage import check_truncations, forged
from tests.codec.streams.neural import LUMA, MODES
from tests.conformance.drawings import carpet, triangle
from tests.fractal.test_syntax_and_statistics import assert_equal
from tests.pictures import photo_crop, psnr, squared_error, texture

SHAPES: list[tuple[Mode, tuple[int, int]]] = [
    ("RGBA", (1, 1)),
    ("RGB", (1, 37)),
    ("LA", (41, 1)),
    ("L", (33, 65)),
    ("LA", (50, 31)),
    ("RGB", (31, 33)),
    ("RGBA", (34, 63)),
]


@pytest.mark.parametrize(("mode", "size"), SHAPES, ids=str)
def test_every_mode_and_size_comes_back(mode: Mode, size: tuple[int, int]) -> None:
    picture = texture(*size, MODES[mode])
    for effort, quality in ((0, 60), (5, 90)):
        collage = nc.encode(
            picture, quality=quality, effort=effort, codec="fractal", graphics=False
        )
        assert collage.header.mode == mode
        assert (collage.height, collage.width) == size
        decoded = nc.decompress(collage.to_bytes())
        assert decoded.shape == picture.shape
        if mode in ("L", "LA"):
            assert psnr(decoded, picture) > 27
        else:  # independent colour planes are what chroma at half size cannot keep
            assert mode == "RGB" or psnr(decoded[3:], picture[3:]) > 27
            luma = ((np.asarray(p)[:3] * LUMA).sum(0) for p in (decoded, picture))
            assert psnr(*luma) > 25


@pytest.mark.parametrize("size", [(3, 5000), (5000, 3)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_long_and_thin_pictures_come_back(size: tuple[int, int]) -> None:
    picture = texture(*size, 1).expand(3, *size)
    decoded = nc.decompress(
        nc.compress(picture, quality=70, codec="fractal", graphics=False, effort=4)
    )
    assert decoded.shape == picture.shape
    assert psnr(decoded, picture) > 27


def layers_of(picture: Tensor, mode: Mode, quality: int) -> tuple[Layer, ...]:
    """What the encoder's payload decodes to."""
    payload = FractalEncoder().encode(
        Picture(picture, mode), quality=quality, effort=3, device="cpu"
    )
    height, width = picture.shape[1:]
    return decode(payload, Header(codec=1, width=width, height=height, mode=mode, quality=quality))


def test_alpha_is_coded_by_itself() -> None:
    picture = torch.cat([texture(64, 64, 1).expand(3, 64, 64), torch.ones(1, 64, 64)])
    picture[3, 20:44, 8:40] = 0
    *colours, alpha = layers_of(picture, "RGBA", 60)
    without = layers_of(picture[:3], "RGB", 60)
    for layer, other in zip(colours, without, strict=True):
        assert torch.equal(layer.collage.decode(), other.collage.decode())
    assert psnr(alpha.collage.decode(), picture[3:]) > 35


def test_rate_and_psnr_rise_with_quality() -> None:
    image = photo_crop(96)
    sizes, fidelities = [], []
    for quality in (1, 30, 60, 80, 100):
        data = nc.compress(image, quality=quality, codec="fractal", graphics=False, effort=4)
        sizes.append(len(data))
        fidelities.append(psnr(nc.decompress(data), image))
    assert sizes == sorted(set(sizes))
    assert fidelities == sorted(fidelities)
    assert fidelities[-1] - fidelities[0] > 12
    assert sizes[-1] > 10 * sizes[0]


@pytest.mark.parametrize("effort", [1, 5, 9])
def test_every_plane_contracts(effort: int) -> None:
    layers = nc.encode(
        photo_crop(64), quality=60, codec="fractal", graphics=False, effort=effort
    ).layers
    assert len(layers) == 3
    assert all(layer.collage.contraction() < 1 for layer in layers)


def test_chroma_keeps_its_size_from_quality_70() -> None:
    picture = texture(33, 50, 3)
    for quality, reduction, size in ((69, 2, (17, 25)), (70, 1, (33, 50))):
        _, *chroma = nc.encode(
            picture, quality=quality, codec="fractal", graphics=False, effort=0
        ).layers
        for layer in chroma:
            assert layer.reduction == reduction
            assert (layer.collage.height, layer.collage.width) == size


@pytest.mark.parametrize("halvings", [0, 2])
@pytest.mark.parametrize("effort", [0, 5, 9])
def test_the_decoder_reads_the_codes_that_the_encoder_chose(effort: int, halvings: int) -> None:
    """Their domains are on one lattice, that of the file."""
    picture = texture(96, 130, 4)
    payload = FractalEncoder(halvings).encode(
        Picture(picture, "RGBA"), quality=55, effort=effort, device="cpu"
    )
    parameters = Parameters.from_payload(payload)
    assert parameters.halvings == halvings
    written, read = ({kind: prior_counts(kind) for kind in KINDS} for _ in range(2))
    reader = SymbolReader(payload[1:])
    for code, spec in encode_planes(picture, 55, EFFORTS[effort], written, halvings):
        code_plane(Counter(written[spec.kind]), code.geometry, parameters.domains_per_range, code)
        reader.counts = read[spec.kind]
        geometry = replace(code.geometry, lattice=parameters.lattice)
        decoded = code_plane(reader, geometry, parameters.domains_per_range, None)
        assert not code.contrasts.any() or code.geometry.lattice == parameters.lattice
        assert_equal(decoded, replace(code, geometry=geometry))


@pytest.mark.parametrize("lattice", [4, 8, 16])
@pytest.mark.parametrize("domains_per_range", [1, 2, 3])
@pytest.mark.parametrize("chroma_reduction", [1, 2])
@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_parameters_are_one_byte(
    lattice: int, domains_per_range: int, chroma_reduction: int, halvings: int
) -> None:
    parameters = Parameters(lattice, domains_per_range, chroma_reduction, halvings)
    assert len(parameters.to_byte()) == 1
    assert Parameters.from_payload(parameters.to_byte() + b"rest") == parameters


def test_unknown_parameters_are_refused() -> None:
    header = Header(codec=1, width=12, height=8, mode="L", quality=50)
    known = {
        Parameters(lattice, n, chroma, halvings, wide).to_byte()[0]
        for wide in (False, True)
        for lattice in (4, 8, 12, 16)
        for n in (1, 2, 3)
        for chroma in (1, 2)
        for halvings in range(4)
    }
    assert len(known) == 192
    for byte in range(256):
        if byte in known:
            continue
        with pytest.raises(nc.CollageFormatError, match=f"unknown parameters {byte:#04x}"):
            decode(bytes([byte]) + b"stream", header)
    with pytest.raises(nc.CollageFormatError, match="the fractal stream is empty"):
        decode(b"", header)


@pytest.mark.parametrize(("halvings", "decibels"), [(0, 34), (1, 40), (2, 46), (3, 51)])
def test_halved_steps_go_beyond_quality_100(halvings: int, decibels: int) -> None:
    """By about 6 dB each, until 8-bit samples are the limit: here of noise, in 8 bits."""
    noise = torch.randint(256, (3, 96, 80), generator=torch.Generator().manual_seed(0)) / 255
    payload = FractalEncoder(halvings).encode(
        Picture(noise, "RGB"), quality=100, effort=5, device="cpu"
    )
    decoded = forged(payload, Header(codec=1, width=80, height=96, mode="RGB", quality=100))
    assert isinstance(decoded, np.ndarray)
    assert decibels <= psnr((255 * decoded).round() / 255, noise) < decibels + 2


@pytest.mark.parametrize("full_chroma", [False, True])
def test_chroma_keeps_its_size_if_it_should(full_chroma: bool) -> None:
    """At quality 30 red and blue stripes of one pixel are otherwise lost."""
    stripes = (torch.arange(48) % 2).expand(3, 40, -1).clone().float()
    stripes[1], stripes[2] = 0.3, 1 - stripes[0]
    payload = FractalEncoder(full_chroma=full_chroma).encode(
        Picture(stripes, "RGB"), quality=30, effort=0, device="cpu"
    )
    assert Parameters.from_payload(payload).chroma_reduction == 2 - full_chroma
    decoded = forged(payload, Header(codec=1, width=48, height=40, mode="RGB", quality=30))
    assert not isinstance(decoded, str)
    assert (psnr(torch.from_numpy(decoded), stripes) > 20) == full_chroma


@pytest.mark.parametrize("halvings", [-1, 4])
def test_other_numbers_of_halvings_are_refused(halvings: int) -> None:
    with pytest.raises(ValueError, match="halvings must be 0 to 3"):
        FractalEncoder(halvings)


@pytest.mark.parametrize(("mode", "size"), [("L", (20, 16)), ("LA", (6, 5))])
def test_every_truncation_is_refused_or_decodes(mode: Mode, size: tuple[int, int]) -> None:
    collage = nc.encode(
        texture(*size, MODES[mode]), quality=40, codec="fractal", graphics=False, effort=9
    )
    check_truncations(collage, "the fractal stream is empty")


def test_random_payloads_are_refused_or_decode(rng: np.random.Generator) -> None:
    results: list[PixelArray | str] = []
    for _ in range(40):
        width, height = (int(n) for n in rng.integers(1, 33, 2))
        header = Header(
            codec=1,
            width=width,
            height=height,
            mode=rng.choice(list(MODES)),
            quality=int(rng.integers(1, 101)),
        )
        parameters = Parameters(
            int(rng.choice([4, 8, 16])), int(rng.integers(1, 4)), int(rng.integers(1, 3))
        )
        payload = parameters.to_byte() + rng.bytes(int(rng.integers(0, 24)))
        results.append(forged(payload, header))
    decoded = [result for result in results if isinstance(result, np.ndarray)]
    assert 0 < len(decoded) < 40
    reasons = {result.split(":")[0] for result in results if isinstance(result, str)}
    assert reasons <= {"the fractal stream is damaged", "the entropy-coded data is damaged"}


@pytest.mark.parametrize("extra", [bytes(range(1, 9)), bytes(range(1, 40))], ids=len)
def test_bytes_after_the_last_symbol_are_refused(extra: bytes) -> None:
    collage = nc.encode(photo_crop(48), codec="fractal", graphics=False, quality=50)
    with pytest.raises(CollageFormatError, match="it is too long"):
        decode(collage.payload + extra, collage.header)


def test_altered_payloads_are_refused_or_decode(rng: np.random.Generator) -> None:
    collage = nc.encode(texture(50, 60, 1), quality=50, codec="fractal", graphics=False, effort=9)
    whole, changed = collage.decode(), 0
    for _ in range(30):
        payload = bytearray(collage.payload)
        payload[int(rng.integers(len(payload)))] ^= int(rng.integers(1, 256))
        result = forged(bytes(payload), collage.header)
        changed += isinstance(result, str) or not np.array_equal(result, whole)
    assert changed > 20


def test_a_stream_whose_domains_do_not_contract_is_refused() -> None:
    """Each contrast of a forged range is within its bound, not so their sum."""
    code = make_golden.plane_code()
    forgery = replace(code, contrasts=4 * code.contrasts.all(1, keepdims=True).repeat(2, 1))
    with pytest.raises(nc.NotContractiveError, match="sum to 1 in magnitude"):
        forgery.to_collage(20.0)
    writer = SymbolWriter()
    writer.counts = prior_counts("luma")
    code_plane(writer, forgery.geometry, 2, forgery)
    header = Header(codec=1, width=70, height=90, mode="L", quality=50)
    reason = forged(Parameters(4, 2, 2).to_byte() + writer.finish(), header)
    assert isinstance(reason, str)
    assert reason.startswith("the fractal stream is damaged: the weights of a range sum to 1 ")


def test_the_bytes_of_a_plane_never_change() -> None:
    assert make_golden.planes() == make_golden.PLANES.read_bytes()


def test_the_golden_plane_is_read_as_it_was_written() -> None:
    code = make_golden.plane_code()
    reader = SymbolReader(make_golden.PLANES.read_bytes())
    for kind in KINDS:
        reader.counts = prior_counts(kind)
        geometry = PlaneGeometry(90, 70, 4)
        assert_equal(code_plane(reader, geometry, make_golden.N_SOURCES, None), code)
    assert code.contrasts.any(0).all()
    assert np.abs(code.coefficients).max() > 1000


@pytest.mark.parametrize(("scale", "detail"), make_golden.DECODED)
def test_the_golden_file_decodes_as_it_always_did(scale: float, detail: Detail) -> None:
    """To within one 8-bit level: decoding adds floats, whose last bit is the machine's."""
    collage = nc.load(make_golden.COLLAGE)
    assert any(layer.collage.domains_per_range for layer in collage.layers)
    with Image.open(make_golden.DECODED[scale, detail]) as image:
        golden = np.asarray(image, int)
    difference = np.abs(np.asarray(collage.to_pil(scale, detail=detail), int) - golden)
    assert difference.max() <= 1
    assert difference.mean() < 0.001


def test_error_per_bit_matches_the_slope_of_the_quantiser() -> None:
    """A finer step is worth its bits at about the rate that bits are priced at."""
    image = photo_crop(128)[:1]
    costs = []
    for quality in (20, 40, 60):
        data = nc.compress(image, quality=quality, codec="fractal", graphics=False, effort=2)
        price = ERROR_PER_BIT * quantiser_step(40) ** 2
        costs.append(squared_error(nc.decompress(data), image) + price * 8 * len(data))
    assert costs[1] < min(costs[0], costs[2])


@pytest.mark.parametrize("drawing", [triangle, carpet])
def test_self_similar_pictures_average_down_from_any_scale(
    drawing: Callable[[], Image.Image],
) -> None:
    """With contrasts beyond 1, and domains reduced by 3; before values are clipped."""
    (layer,) = nc.encode(drawing(), codec="fractal", graphics=False, quality=60).layers
    assert layer.collage.means is not None
    decoder = PyramidDecoder(layer.collage)
    whole = decoder.decode()
    for factor in (2, 3, 4):
        torch.testing.assert_close(pool(decoder.decode(factor), factor), whole, atol=1e-4, rtol=0)
    part = decoder.decode(3, (90, 60, 40, 50))
    torch.testing.assert_close(part, decoder.decode(3)[:, 60:110, 90:130], atol=1e-5, rtol=0)
