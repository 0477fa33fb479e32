import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from neural_collage.core.fixed_point import Anderson, Gradient, Picard, Solver, fixed_point, solve
from neural_collage.errors import CollageError, NotConvergedError

A = 0.2 * torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
C = torch.randn(6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
EXACT = torch.linalg.solve(torch.eye(6, dtype=torch.float64) - A, C)


def affine(a: Tensor, c: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda z: a @ z + c


def solution(a: Tensor, c: Tensor, gradient: Gradient = "implicit") -> Tensor:
    return fixed_point(affine(a, c), torch.zeros_like(c), gradient=gradient)[0]


def test_an_affine_map_has_the_solution_of_the_linear_system() -> None:
    z, report = fixed_point(affine(A, C), torch.zeros_like(C))
    torch.testing.assert_close(z, EXACT, atol=1e-13, rtol=0)
    assert report.converged
    assert report.residual < 1e-14
    assert 2 < report.steps < 200


def test_the_identity_converges_in_one_step() -> None:
    z, report = fixed_point(lambda z: z, C)
    assert torch.equal(z, C)
    assert (report.steps, report.residual, report.converged) == (1, 0.0, True)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_the_tolerance_is_relative_for_large_values_only(size: float) -> None:
    solver = Picard(tolerance=1e-4)
    _, report = solve(affine(A, size * C), torch.zeros_like(C), solver)
    goal = 1e-4 * max(1.0, size * float(EXACT.abs().max()))
    assert report.converged
    assert report.residual <= 1.01 * goal


@pytest.mark.parametrize("gradient", ["implicit", "unrolled"])
def test_gradients_agree_with_finite_differences(gradient: Gradient) -> None:
    a, c = A.clone().requires_grad_(), C.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, c: solution(a, c, gradient), (a, c), check_undefined_grad=False
    )


def test_implicit_and_unrolled_gradients_agree_on_a_nonlinear_map() -> None:
    def loss(c: Tensor, gradient: Gradient) -> Tensor:
        z, _ = fixed_point(lambda z: torch.tanh(A @ z) + c, torch.zeros_like(c), gradient=gradient)
        return (z**3).sum()

    c = C.clone().requires_grad_()
    (implicit,) = torch.autograd.grad(loss(c, "implicit"), c)
    (unrolled,) = torch.autograd.grad(loss(c, "unrolled"), c)
    torch.testing.assert_close(implicit, unrolled, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_gradients_are_equally_precise_for_small_and_large_losses(size: float) -> None:
    c = C.float().requires_grad_()
    (gradient,) = torch.autograd.grad(size * solution(A.float(), c).sum(), c)
    expected = torch.linalg.solve(torch.eye(6).double() - A.T, torch.ones(6).double())
    torch.testing.assert_close(gradient / size, expected.float(), atol=1e-5, rtol=0)


def test_a_loss_independent_of_the_solution_has_a_gradient_of_zero() -> None:
    c = C.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((0 * solution(A, c)).sum(), c)
    assert torch.equal(gradient, torch.zeros(6, dtype=torch.float64))


def test_a_map_that_ignores_its_argument_has_a_gradient() -> None:
    c = C.clone().requires_grad_()
    stored = 2 * c  # one tensor in both graphs, of the solution and of its adjoint
    z, _ = fixed_point(lambda z: stored, torch.zeros_like(c))
    (gradient,) = torch.autograd.grad(z.sum(), c)
    assert torch.equal(gradient, torch.full_like(c, 2))


def test_the_memory_of_gradients_is_independent_of_the_number_of_steps() -> None:
    def saved(contraction: float) -> int:
        tensors: list[Tensor] = []

        def pack(tensor: Tensor) -> Tensor:
            tensors.append(tensor)
            return tensor

        c = C.clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            z, _ = fixed_point(lambda z: contraction * torch.sin(z) + c, torch.zeros_like(c))
        assert z.requires_grad
        return len(tensors)

    assert saved(0.9) == saved(0.1)


def test_nothing_is_recorded_without_gradients() -> None:
    c = C.clone().requires_grad_()
    with torch.no_grad():
        assert not solution(A, c).requires_grad
    assert not solution(A, C).requires_grad


def test_second_derivatives_are_correct_or_refused() -> None:
    c = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

    def second(gradient: Gradient) -> Tensor:
        z, _ = fixed_point(lambda z: torch.sin(z) / 2 + c, torch.zeros_like(c), gradient=gradient)
        (first,) = torch.autograd.grad(z, c, create_graph=True)
        return torch.autograd.grad(first, c)[0]

    z, _ = fixed_point(lambda z: torch.sin(z) / 2 + c.detach(), torch.zeros(()).double())
    expected = -(z.sin() / 2) / (1 - z.cos() / 2) ** 3
    torch.testing.assert_close(second("unrolled"), expected)
    with pytest.raises(RuntimeError, match='gradient="unrolled"'):
        second("implicit")


def test_reaching_the_step_limit_is_an_error() -> None:
    with pytest.raises(NotConvergedError, match=r"after 3 steps.*max_steps above 3") as caught:
        fixed_point(affine(A, C), torch.zeros_like(C), Picard(max_steps=3))
    assert isinstance(caught.value, CollageError)


def test_reaching_the_step_limit_is_reported_without_throw() -> None:
    z, report = fixed_point(affine(A, C), torch.zeros_like(C), Picard(max_steps=3), throw=False)
    assert (report.steps, report.converged) == (3, False)
    torch.testing.assert_close(z, A @ (A @ C + C) + C)
    assert report.residual == pytest.approx(float((A @ A @ C).abs().max()))


def test_reaching_the_step_limit_in_the_backward_pass_is_an_error() -> None:
    c = C.clone().requires_grad_()
    start = EXACT.clone()  # converges in one step, unlike the adjoint
    z, report = fixed_point(affine(A, c), start, Picard(tolerance=1e-12, max_steps=2))
    assert report.converged
    with pytest.raises(NotConvergedError):
        z.sum().backward()


@pytest.mark.parametrize(
    "function",
    [
        lambda z: 2 * z + 1,  # grows step by step until it overflows
        lambda z: 1e200 * (z + 1),  # overflows at once
        lambda z: -z + 1,  # oscillates
        lambda z: z * math.nan,
        lambda z: torch.cat([z[:1] * math.nan, z[1:] / 2]),  # NaN in one place
        lambda z: z / 0,
    ],
)
@pytest.mark.parametrize("start", [0.0, 1.0, math.nan, math.inf])
def test_divergence_is_never_reported_as_convergence(
    function: Callable[[Tensor], Tensor], start: float
) -> None:
    initial = torch.full((3,), start, dtype=torch.float64)
    solver = Picard(max_steps=2000)
    with pytest.raises(NotConvergedError, match="may not contract"):
        fixed_point(function, initial, solver)
    assert not fixed_point(function, initial, solver, throw=False)[1].converged


def test_nan_in_the_incoming_gradient_is_an_error() -> None:
    c = C.clone().requires_grad_()
    with pytest.raises(NotConvergedError):
        (solution(A, c) * math.nan).sum().backward()


@pytest.mark.parametrize(
    ("tolerance", "max_steps"), [(None, 0), (0.0, 9), (-1.0, 9), (math.nan, 9)]
)
def test_invalid_limits_of_a_solver_are_refused(tolerance: float | None, max_steps: int) -> None:
    with pytest.raises(
        ValueError, match=r"Picard: (max_steps must be at least 1|tolerance must be positive)"
    ):
        Picard(tolerance, max_steps)


@pytest.mark.parametrize("radius", [0.5, 0.98])
def test_anderson_needs_fewer_steps_for_the_same_solution(radius: float) -> None:
    basis, _ = torch.linalg.qr(torch.randn(30, 30, dtype=torch.float64))
    slow = basis @ torch.diag(torch.linspace(-radius, radius, 30).double()) @ basis.T
    c = torch.randn(30, dtype=torch.float64)
    plain, plain_report = fixed_point(affine(slow, c), torch.zeros_like(c), Picard(max_steps=5000))
    mixed, report = fixed_point(affine(slow, c), torch.zeros_like(c), Anderson())
    torch.testing.assert_close(mixed, plain, atol=1e-11, rtol=0)
    assert report.steps < plain_report.steps / (2 if radius > 0.9 else 1)


def test_anderson_and_picard_have_the_same_implicit_gradient() -> None:
    gradients: list[Tensor] = []
    for solver in (Picard(), Anderson(memory=3)):
        a = A.clone().requires_grad_()
        z, _ = fixed_point(affine(a, C), torch.zeros_like(C), solver)
        gradients += torch.autograd.grad((z**2).sum(), a)
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-12)


def test_anderson_stops_at_an_exact_solution() -> None:
    z, report = fixed_point(lambda z: 0 * z + C, torch.zeros_like(C), Anderson())
    assert torch.equal(z, C)
    assert report.converged


def test_only_picard_can_be_unrolled() -> None:
    with pytest.raises(ValueError, match="Anderson cannot be unrolled"):
        fixed_point(affine(A, C), torch.zeros_like(C), Anderson(), "unrolled")


def test_anderson_mixes_at_least_two_values() -> None:
    with pytest.raises(ValueError, match="memory must be at least 2, not 1"):
        Anderson(memory=1)


@dataclass(frozen=True)
class Damped(Solver):
    """A user-defined solver: damped iteration."""

    @property
    def memory(self) -> int:
        return 1

    def next(self, history: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        z, value = history[-1]
        return (z + value) / 2


def test_a_user_defined_solver_works_forward_and_backward() -> None:
    matrix = 0.5 * torch.eye(3, dtype=torch.float64)
    offset = torch.arange(3, dtype=torch.float64, requires_grad=True)
    z, result = fixed_point(lambda z: matrix @ z + offset, torch.zeros_like(offset), Damped())
    assert result.converged
    torch.testing.assert_close(z, 2 * offset)
    z.sum().backward()
    assert offset.grad is not None
    torch.testing.assert_close(offset.grad, torch.full_like(offset, 2))
    with pytest.raises(ValueError, match="Damped cannot be unrolled: take Picard"):
        fixed_point(lambda z: z / 2, offset, Damped(), gradient="unrolled")
