"""Gradients of the operator: all methods agree with each other and with finite differences."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from neural_collage.core.fixed_point import Anderson, Picard
from neural_collage.errors import NotConvergedError
from neural_collage.models.operator.block_solver import Pyramid
from tests.models.operator.operators import (
    CASES,
    Case,
    Parameters,
    apply_operator,
    make_operator,
    random_parameters,
)

METHODS: dict[str, dict[str, Any]] = {
    "pyramid": {},
    "pyramid that iterates": {"solver": Pyramid(coarse=Picard())},
    "pyramid with Anderson": {"solver": Pyramid(coarse=Anderson())},
    "pyramid, unrolled": {"gradient": "unrolled"},
    "pyramid, implicit": {"gradient": "implicit"},
    "Picard, implicit": {"solver": Picard()},
    "Picard, unrolled": {"solver": Picard(), "gradient": "unrolled"},
    "Anderson, implicit": {"solver": Anderson()},
}


def with_gradient(parameters: Parameters) -> tuple[Parameters, list[Tensor]]:
    """Parameters that require gradients, and the list of them."""
    weights, bias, patches, links = parameters
    leaves = [t.clone().requires_grad_() for t in (weights, bias, patches) if t is not None]
    return Parameters(
        leaves[0], leaves[1], leaves[2] if patches is not None else None, links
    ), leaves


def gradients(case: Case, scale: float = 1, **method: Any) -> list[Tensor]:
    operator = make_operator(case, **method)
    parameters, leaves = with_gradient(random_parameters(case))
    image = apply_operator(operator, parameters, scale=scale)
    weight = torch.randn(image.shape, generator=torch.Generator().manual_seed(3), dtype=image.dtype)
    learned = [p for p in operator.parameters() if p.requires_grad]
    return list(torch.autograd.grad((weight * image**2).sum(), [*leaves, *learned]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_every_method_gives_the_same_gradient(name: str, method: str) -> None:
    expected = gradients(CASES[name], solver=Picard(), gradient="unrolled")
    computed = gradients(CASES[name], **METHODS[method])
    torch.testing.assert_close(computed, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    case = CASES[name]
    operator = make_operator(case)
    parameters, leaves = with_gradient(random_parameters(case, batch=1))
    learned = [p for p in operator.parameters() if p.requires_grad]

    def image(*_: Tensor) -> Tensor:
        return apply_operator(operator, parameters)

    # a random projection of the Jacobian; for one case, patches included, all of it
    fast = name != "finer patches"
    assert torch.autograd.gradcheck(
        image, [*leaves, *learned], atol=1e-6, check_undefined_grad=False, fast_mode=fast
    )


@pytest.mark.parametrize("method", ["pyramid", "pyramid that iterates", "Picard, implicit"])
def test_gradients_at_another_scale(method: str) -> None:
    case = CASES["learned patches"]
    expected = gradients(case, scale=2, solver=Picard(), gradient="unrolled")
    computed = gradients(case, scale=2, **METHODS[method])
    torch.testing.assert_close(computed, expected, atol=1e-9, rtol=1e-9)


def test_the_gradient_of_rounding_is_straight_through() -> None:
    case = CASES["plain"]
    stepped = Case(replace(case.config, step=0.01))
    parameters, leaves = with_gradient(random_parameters(stepped))
    image = apply_operator(make_operator(stepped), parameters)
    weights, bias = (torch.round(leaf.detach() / 0.01) * 0.01 for leaf in leaves)
    rounded = Parameters(weights, bias, None, None)
    plain, plain_leaves = with_gradient(rounded)
    expected = apply_operator(make_operator(case), plain)
    torch.testing.assert_close(image, expected)
    torch.testing.assert_close(
        torch.autograd.grad(image.square().sum(), leaves),
        torch.autograd.grad(expected.square().sum(), plain_leaves),
    )


def test_tables_cached_in_inference_mode_serve_training() -> None:
    config = replace(CASES["finer patches"].config, image_size=(8, 12), patch_size=3)
    case = Case(config)
    operator = make_operator(case)
    with torch.inference_mode():
        apply_operator(operator, random_parameters(case))
    parameters, leaves = with_gradient(random_parameters(case))
    image = apply_operator(operator, parameters)
    assert all(g.isfinite().all() for g in torch.autograd.grad(image.sum(), leaves))


def test_second_derivatives_by_elimination() -> None:
    case = CASES["whole-image domain"]
    operator = make_operator(case)
    parameters, leaves = with_gradient(random_parameters(case, batch=1))

    def image(*_: Tensor) -> Tensor:
        return apply_operator(operator, parameters).square().mean()

    assert torch.autograd.gradgradcheck(image, leaves, atol=1e-6)


def test_gradients_that_a_solver_does_not_support_are_refused() -> None:
    with pytest.raises(ValueError, match="Anderson cannot be unrolled"):
        make_operator(CASES["plain"], solver=Anderson(), gradient="unrolled")
    with pytest.raises(ValueError, match="Anderson cannot be unrolled"):
        make_operator(CASES["plain"], solver=Pyramid(coarse=Anderson()), gradient="unrolled")
    with pytest.raises(ValueError, match="Pyramid"):
        make_operator(CASES["plain"], solver=Picard(), gradient="pyramid")


def test_a_step_limit_raises_in_the_backward_pass_too() -> None:
    case = CASES["plain"]
    operator = make_operator(case, solver=Picard(max_steps=3), throw=False)
    parameters, leaves = with_gradient(random_parameters(case))
    image = apply_operator(operator, parameters)
    with pytest.raises(NotConvergedError, match="3 steps"):
        torch.autograd.grad(image.sum(), leaves)
