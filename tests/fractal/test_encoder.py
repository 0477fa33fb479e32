"""The encoder of one plane; whole pictures are in tests/codec/streams/test_fractal.py."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from neural_collage.codec.entropy import SymbolWriter
from neural_collage.core.collage import Collage
from neural_collage.errors import NotConvergedError
from neural_collage.fractal.code import PlaneCode
from neural_collage.fractal.effort import EFFORTS, Effort, Round
from neural_collage.fractal.encoder import encode_plane
from neural_collage.fractal.geometry import TRIPLE_LATTICE
from neural_collage.fractal.statistics import Counter, prior_counts
from neural_collage.fractal.syntax import code_plane
from tests.pictures import photo_crop, squared_error, texture

STEP = 30.0
ERROR_PER_BIT = 0.13 * STEP**2
PLACE = torch.arange(96)
PICTURES = {
    "face": photo_crop(96)[1],
    "rocket": photo_crop(64, 20, 370)[1],
    "texture": texture(50, 67)[0],
    "noise": torch.rand(64, 64, generator=torch.Generator().manual_seed(0)),
    "triangle": ((PLACE[:, None] & PLACE) != 0).float(),
}
"""In [0, 1]. The triangle is Pascal's, modulo 2: every range is a reduced copy of a domain."""


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


def cost(code: PlaneCode, image: Tensor, step: float) -> float:
    """J: squared error of the decoded plane and bits of the coded one."""
    counter = Counter(prior_counts("luma"))
    code_plane(counter, code.geometry, code.contrasts.shape[1], code)
    return squared_error(decode(code, step), image) + 0.13 * step**2 * sum(counter.bits.values())


@pytest.mark.parametrize(
    ("picture", "step"),
    [("face", 20.0), ("rocket", 10.0), ("texture", 50.0), ("noise", 30.0), ("triangle", 40.0)],
)
def test_more_effort_never_costs_more(picture: str, step: float) -> None:
    """Up to rounding of the decode in single precision."""
    image = PICTURES[picture]
    found = [cost(encode(image, EFFORTS[n], step), image, step) for n in (0, 1, 3, 5, 7, 9)]
    for low, high in pairwise(found):
        assert high <= low * (1 + 1e-6)
    assert picture != "face" or found[-1] < 0.995 * found[0]


def test_a_contrast_of_four_thirds_makes_the_triangle_a_copy_of_itself() -> None:
    """Three quarters of it are the whole, reduced by 2; the last is constant."""
    image = PICTURES["triangle"]
    rounds = Round(), Round((32, 16, 8)), Round((32, 16, 8), wide=True)
    narrow, wide = (encode(image, Effort(rounds[:n])) for n in (2, 3))
    assert cost(wide, image, STEP) < 0.3 * cost(narrow, image, STEP)
    assert 10 in wide.contrasts  # 4/3
    assert wide.geometry.wide
    assert not narrow.geometry.wide


def test_domains_reduced_by_three_make_the_carpet_a_copy_of_itself() -> None:
    """Eight ninths of it are the whole, reduced by 3; the last is constant."""
    place = torch.arange(243)
    image = torch.zeros(243, 243, dtype=torch.bool)
    for level in range(5):
        middle = place // 3**level % 3 == 1
        image |= middle[:, None] & middle
    image = image.float()
    rounds = Round((32, 16, 8), wide=True), Round((32, 16, 8), TRIPLE_LATTICE, wide=True)
    two, three = (encode(image, Effort((Round(), rounds[n]))) for n in (0, 1))
    assert cost(three, image, STEP) < 0.3 * cost(two, image, STEP)
    assert 9 in three.contrasts  # 9/8
    assert three.geometry.pooling == 3


def test_a_code_without_links_is_on_the_usual_lattice() -> None:
    """Which ranges could have links depends on the reduction, and is coded for all planes alike."""
    rounds = Round(), Round((32,), TRIPLE_LATTICE, wide=True)
    geometry = encode(torch.full((32, 32), 0.5), Effort(rounds)).geometry
    assert (geometry.pooling, geometry.wide) == (2, False)


def test_a_limited_effort_keeps_to_one_kind_of_domains() -> None:
    assert EFFORTS[9].limited(TRIPLE_LATTICE, True).rounds[2:] == EFFORTS[5].rounds[5:]
    assert {r.lattice for r in EFFORTS[9].limited(4, False).rounds if r.match_sizes} == {4}
    assert not any(r.wide for r in EFFORTS[9].limited(8, False).rounds)


def test_every_effort_begins_with_the_rounds_of_the_one_below() -> None:
    for low, high in pairwise(EFFORTS):
        assert high.rounds[: len(low.rounds)] == low.rounds
        assert len(high.rounds) > len(low.rounds)


@pytest.mark.parametrize("rounds", [(), (Round((8,)), Round())])
def test_an_effort_begins_without_domains(rounds: tuple[Round, ...]) -> None:
    with pytest.raises(ValueError, match="begins with a round without domains"):
        Effort(rounds)


def test_a_further_round_on_the_decode_of_the_one_before_pays() -> None:
    """Contrasts and coefficients then fit the domains as they are decoded."""
    image = photo_crop(192, 60, 120)[1]
    rounds = Round(), Round((16, 8)), Round((16, 8)), Round((16, 8))
    once, often = (encode(image, Effort(rounds[:n])) for n in (2, 4))
    assert cost(often, image, STEP) < 0.999 * cost(once, image, STEP)


@pytest.mark.parametrize("effort", range(10))
def test_every_code_contracts_and_has_the_size_of_its_image(effort: int) -> None:
    image = texture(50, 67)[0]
    code = encode(image, EFFORTS[effort])
    collage = code.to_collage(STEP)
    assert collage.contraction() < 1 or code.geometry.wide
    assert (collage.height, collage.width) == (50, 67)
    assert code.geometry.lattice in {round_.lattice for round_ in EFFORTS[effort].rounds}
    error = squared_error(decode(code), image) / image.numel()
    assert error < STEP**2 / 12  # less than rounding every pixel to the step


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
    assert collage.contraction() < 1 or code.geometry.wide
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

    to_collage = PlaneCode.to_collage

    def never_converges(self: PlaneCode, step: float) -> Collage:
        if self.contrasts.any():
            raise NotConvergedError("no fixed point")
        return to_collage(self, step)

    monkeypatch.setattr(PlaneCode, "to_collage", never_converges)
    assert not encode_plane(image, *arguments).contrasts.any()
