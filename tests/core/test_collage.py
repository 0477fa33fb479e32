import math
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from jaxtyping import config

from neural_collage.core.blocks import pool
from neural_collage.core.collage import Collage
from neural_collage.core.partition import Partition
from neural_collage.errors import NotContractiveError, NotConvergedError
from neural_collage.fractal.brightness import calibrate
from tests.core.collages import CASES, Recipe

RECIPE = Recipe(13, 18, (8, 4), step=4, channels=3, sources=2, shared=False, patches=2)
GOOD = RECIPE.make()
R = len(GOOD.partition)


def double(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def integers(*shape: int, value: int = 0) -> torch.Tensor:
    return torch.full(shape, value)


def test_the_size_is_that_of_the_parameters() -> None:
    assert (GOOD.height, GOOD.width, GOOD.channels, GOOD.domains_per_range) == (13, 18, 3, 2)


@pytest.fixture
def _without_checked_shapes() -> Iterator[None]:
    """As outside tests, where only the collage's own validation checks shapes."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_without_checked_shapes")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bias": double(3, R + 1)}, f"{R} blocks but parameters for {R} ranges"),
        ({"partition": Partition.uniform(13, 18, 8)}, "6 blocks but"),
        ({"weights": double(3, R, 1)}, "must agree in ranges and sources"),
        ({"domains": integers(R, 1, 2)}, "must agree in ranges and sources"),
        ({"weights": double(2, R, 2)}, "must have 1 or 3 channels"),
        ({"patches": double(2, 2, 3, 3)}, "must have 1 or 3 channels"),
        ({"patch_weights": double(2, R, 2)}, "must have 1 or 3 channels"),
        ({"patches": None}, "must be given together"),
        ({"patch_weights": None}, "must be given together"),
        ({"patch_weights": double(3, R, 3)}, "a weight for each range and patch"),
        ({"patches": double(2, 3, 3, 4)}, "must be square"),
        ({"pooling": 1}, "pooling must be at least 2, not 1"),
        ({"isometries": integers(R, 2, value=8)}, r"not in 0\.\.7"),
        ({"isometries": integers(R, 2, value=-1)}, r"not in 0\.\.7"),
        ({"domains": integers(R, 2, 2, value=-4)}, "beyond the canvas"),
        ({"domains": integers(R, 2, 2, value=16)}, "beyond the canvas"),
        ({"weights": double(3, R, 2), "domains": integers(R, 2, 2, value=16)}, "beyond the canvas"),
        ({"bias": double(3, R).float()}, "one floating dtype"),
        ({"patches": double(2, 3, 3, 3).float()}, "one floating dtype"),
        ({"bias": double(3, R).to("meta")}, "one device"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GOOD, **changes)


@pytest.mark.usefixtures("_without_checked_shapes")
def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ValueError, match=r"pooling.*together.*channels"):
        replace(GOOD, pooling=0, patches=None, weights=double(2, R, 2))


def test_height_and_width_are_not_confused() -> None:
    """A domain below the lower edge is outside, though it would fit the width."""
    one = Partition.uniform(8, 32, 4)
    corner, codes = integers(len(one), 1, 2), integers(len(one), 1)
    corner[..., 1] = 24
    weights, bias = double(1, len(one), 1) + 0.5, double(1, len(one))
    assert Collage(one, corner, codes, weights, bias).decode().shape == (1, 8, 32)
    with pytest.raises(ValueError, match="beyond the canvas"):
        Collage(one, corner.flip(-1), codes, weights, bias)


def test_a_domain_without_room_needs_a_weight_of_zero() -> None:
    partition = Partition.uniform(4, 32, 4)
    assert not Collage(
        partition, integers(8, 1, 2), integers(8, 1), double(1, 8, 1), double(1, 8)
    ).domains_fit.any()
    with pytest.raises(ValueError, match="beyond the canvas"):
        Collage(partition, integers(8, 1, 2), integers(8, 1), double(1, 8, 1) + 0.1, double(1, 8))


def test_a_collage_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        GOOD.pooling = 3  # type: ignore[misc]


@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_the_lattice_divides_all_edges_and_pooled_corners(recipe: Recipe) -> None:
    collage = recipe.make()
    lengths = [Fraction(n) for n in collage.partition.blocks.flatten().tolist()]
    lengths += [Fraction(n, collage.pooling) for n in collage.domains.flatten().tolist()]
    multiples = [length / collage.lattice for length in lengths]
    assert all(multiple.denominator == 1 for multiple in multiples)
    assert math.gcd(*(multiple.numerator for multiple in multiples)) == 1


@pytest.mark.parametrize("recipe", [case for case in CASES if case.sources], ids=str)
def test_a_step_contracts_distances_by_the_bound(recipe: Recipe) -> None:
    collage = recipe.make()
    bound, scale = collage.contraction(), collage.lattice.denominator
    assert bound <= recipe.contraction * (1 + 1e-12)
    size = (collage.partition.canvas_height * scale, collage.partition.canvas_width * scale)
    for draw in (torch.rand, torch.randn):
        one, other = (draw(collage.channels, *size, dtype=torch.float64) for _ in range(2))
        distance = (collage.step(one, scale) - collage.step(other, scale)).abs().max()
        assert float(distance) <= bound * float((one - other).abs().max()) * (1 + 1e-12)


def test_the_bound_is_attained() -> None:
    """With one source of positive weight, a constant difference shrinks by exactly the bound."""
    collage = Recipe(16, 16).make()
    collage = replace(collage, weights=torch.full_like(collage.weights, 0.25))
    z = torch.rand(1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(collage.step(z + 1), collage.step(z) + collage.contraction())


def test_the_bound_sums_the_weights_of_a_range() -> None:
    weights = double(3, R, 2)
    weights[1, 4] = torch.tensor([-0.5, 0.25])
    assert replace(GOOD, weights=weights).contraction() == 0.75


@pytest.mark.parametrize("weight", [0.5, -0.5, 7.0, math.nan, math.inf])
def test_a_map_that_does_not_contract_is_refused(weight: float) -> None:
    expanding = replace(GOOD, weights=torch.full_like(GOOD.weights, weight))  # two sources a range
    with pytest.raises(NotContractiveError, match=r"less than 1 is needed.*certify=False"):
        expanding.require_contractive()
    with pytest.raises(NotContractiveError):
        expanding.decode()


def test_known_means_allow_weights_beyond_one() -> None:
    """Whole ranges as domains: differences within ranges are halved until ranges are constant."""
    collage = Recipe(16, 16, (4,), step=8).make()
    expanding = replace(collage, weights=torch.full_like(collage.weights, 4 / 3))
    means = torch.rand(collage.bias.shape, dtype=torch.float64)
    wide = calibrate(expanding, means, keep=True)
    with pytest.raises(NotContractiveError):
        expanding.decode()
    decoded = wide.decode()
    torch.testing.assert_close(wide.step(decoded), decoded)
    torch.testing.assert_close(pool(decoded, 4).flatten(1), means)


@pytest.mark.usefixtures("_without_checked_shapes")
def test_means_have_the_shape_of_the_biases() -> None:
    with pytest.raises(ValueError, match="means must be given for each channel and range"):
        replace(GOOD, means=double(3, R - 1))


def test_a_contractive_map_is_not_refused() -> None:
    GOOD.require_contractive()


def test_without_a_certificate_convergence_is_up_to_the_solver() -> None:
    """It converges if only one range has a weight of 1.5, not if all weights sum to 3."""
    weights = double(3, R, 2)
    weights[:, -1, 0] = 1.5
    convergent = replace(GOOD, weights=weights, domains=torch.zeros_like(GOOD.domains))
    with pytest.raises(NotContractiveError):
        convergent.decode()
    decoded = convergent.decode(certify=False)
    z = convergent.step(convergent.step(double(3, 16, 24)))
    torch.testing.assert_close(decoded, z[:, :13, :18])
    with pytest.raises(NotConvergedError):
        replace(GOOD, weights=torch.full_like(GOOD.weights, 1.5)).decode(certify=False)


@pytest.mark.parametrize("name", ["bias", "patches", "patch_weights"])
def test_nan_parameters_never_decode(name: str) -> None:
    damaged = getattr(GOOD, name).clone()
    damaged.view(-1)[5] = math.nan
    with pytest.raises(NotConvergedError):
        replace(GOOD, **{name: damaged}).decode()


def test_moving_to_a_dtype_moves_all_parameters() -> None:
    single = GOOD.to(dtype=torch.float32)
    assert single.decode().dtype == torch.float32
    assert single.isometries.dtype == torch.int64
    torch.testing.assert_close(single.decode().double(), GOOD.decode(), atol=1e-5, rtol=0)
    assert single.to("cpu", torch.float64).bias.dtype == torch.float64


def test_moving_without_arguments_copies_nothing() -> None:
    same = GOOD.to()
    assert same.weights is GOOD.weights
    assert same.partition is GOOD.to("cpu").partition is GOOD.partition


def test_moving_keeps_gradients() -> None:
    weights = GOOD.weights.float().requires_grad_()
    single = replace(GOOD.to(dtype=torch.float32), weights=weights)
    (gradient,) = torch.autograd.grad(single.to(dtype=torch.float64).decode().sum(), weights)
    assert bool(gradient.ne(0).any())


@pytest.mark.usefixtures("_without_checked_shapes")
def test_integer_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="one floating dtype"):
        GOOD.to(dtype=torch.int64)
