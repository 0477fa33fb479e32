"""The encoder of one plane; whole pictures are in tests/codec/streams/test_fractal.py."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.codec.entropy import SymbolWriter
from neural_collage.core.collage import Collage
from neural_collage.errors import NotConvergedError
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.effort import EFFORTS, Effort
from neural_collage.fractal.encoder import encode_plane
from neural_collage.fractal.statistics import prior_counts
from neural_collage.fractal.syntax import code_plane
from tests.pictures import photo_crop, squared_error, texture

STEP = 30.0
ERROR_PER_BIT = 0.13 * STEP**2
CROPS = {"face": (100, 180), "rocket": (20, 370)}


def encode(image: Tensor, effort: Effort, step: float = STEP) -> PlaneCode:
    """image: (h, w) in [0, 1]."""
    return encode_plane(image * 255, step, 0.13 * step**2, prior_counts("luma"), effort)


def decode(code: PlaneCode, step: float = STEP) -> Tensor:
    return code.to_collage(step).decode()[0]


def n_bytes(code: PlaneCode) -> int:
    writer = SymbolWriter()
    writer.counts = prior_counts("luma")
    code_plane(writer, code.geometry, code.contrasts.shape[1], code)
    return len(writer.finish())


@cache
def costs(crop: str) -> list[float]:
    """Squared error + error_per_bit * bits of real bytes, at every effort."""
    image = photo_crop(96, *CROPS[crop])[1]
    codes = [encode(image, effort) for effort in EFFORTS]
    return [
        squared_error(decode(code), image) + ERROR_PER_BIT * 8 * n_bytes(code) for code in codes
    ]


@pytest.mark.parametrize("crop", CROPS)
def test_more_effort_does_not_cost_more(crop: str) -> None:
    """Up to 1 %, since decisions are made with estimated rates."""
    found = costs(crop)
    for low, high in pairwise(found):
        assert high <= low * 1.01
    assert found[-1] < found[0]


@pytest.mark.parametrize("effort", range(10))
def test_every_code_contracts_and_has_the_size_of_its_image(effort: int) -> None:
    image = texture(50, 67)[0]
    code = encode(image, EFFORTS[effort])
    collage = code.to_collage(STEP)
    assert collage.contraction() < 1
    assert (collage.height, collage.width) == (50, 67)
    assert code.contrasts.shape[1] == EFFORTS[effort].domains_per_range
    error = squared_error(decode(code), image) / image.numel()
    assert error < STEP**2 / 12  # less than rounding every pixel to the step


def test_fitting_to_the_decoded_image_does_not_increase_the_error() -> None:
    for crop in CROPS.values():
        image = photo_crop(96, *crop)[1]
        errors = [
            squared_error(decode(encode(image, replace(EFFORTS[5], refits=n))), image)
            for n in (0, 1, 2)
        ]
        assert errors[1] < errors[0] * 1.005
        assert errors[2] < errors[0] * 1.005


@pytest.mark.parametrize("effort", [0, 5, 9])
def test_a_constant_is_coded_by_its_means_only(effort: int) -> None:
    code = encode(torch.full((64, 96), 0.5), EFFORTS[effort])
    assert not any(split.any() for split in code.splits)
    assert not code.contrasts.any()
    assert not code.coefficients.any()
    assert float((decode(code) - 0.5).abs().max()) < STEP / 2 / 32 / 255 + 1e-6


@pytest.mark.parametrize("effort", [5, 9])
@pytest.mark.parametrize("kind", ["gradient", "noise", "checkerboard", "impulse"])
def test_synthetic_images_are_coded_to_within_a_bound(
    effort: int, kind: str, rng: np.random.Generator
) -> None:
    y, x = np.mgrid[:64, :64]
    image = torch.from_numpy(
        {
            "gradient": (y + 2 * x) / 190,
            "noise": rng.random((64, 64)),
            "checkerboard": (y + x) % 2 * 1.0,
            "impulse": (y == 20) * (x == 33) * 1.0,
        }[kind]
    ).float()
    code = encode(image, EFFORTS[effort], step=10.0)
    collage = code.to_collage(10.0)
    assert collage.contraction() < 1
    worst = float((collage.decode()[0] - image).abs().max())
    assert worst < {"gradient": 0.05, "impulse": 0.1}.get(kind, 0.25)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 40), (50, 1), (3, 900), (33, 31)], ids=lambda s: f"{s[0]}x{s[1]}"
)
@pytest.mark.parametrize("effort", [4, 9])
def test_any_size_is_coded(shape: tuple[int, int], effort: int) -> None:
    image = texture(*shape)[0]
    decoded = decode(encode(image, EFFORTS[effort], step=10.0), step=10.0)
    assert decoded.shape == shape
    assert squared_error(decoded, image) / image.numel() < 40


def test_encoding_does_not_modify_the_prior() -> None:
    prior = prior_counts("luma")
    encode_plane(texture(40, 40)[0] * 255, STEP, ERROR_PER_BIT, prior, EFFORTS[4])
    for table, counts in prior_counts("luma").items():
        np.testing.assert_array_equal(prior[table], counts)


def test_a_reduced_copy_is_coded_by_a_domain(rng: np.random.Generator) -> None:
    image = torch.from_numpy(rng.uniform(0.2, 0.8, (64, 64))).float()
    image[:16, :16] = image[32:64, 32:64].view(16, 2, 16, 2).mean((1, 3))
    matched, plain = (encode(image, EFFORTS[effort]) for effort in (4, 0))
    blocks = matched.partition().blocks.tolist()
    assert matched.contrasts[blocks.index([0, 0, 16])].any()
    assert n_bytes(matched) < n_bytes(plain)


def test_a_plane_whose_biases_do_not_converge_is_coded_without_domains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = texture(64, 64)[0] * 255
    arguments = (20.0, 52.0, prior_counts("luma"), EFFORTS[4])
    assert encode_plane(image, *arguments).contrasts.any()

    def never_converges(self: PlaneCode, step: float) -> Collage:
        raise NotConvergedError("no fixed point")

    monkeypatch.setattr(PlaneCode, "to_collage", never_converges)
    assert not encode_plane(image, *arguments).contrasts.any()
