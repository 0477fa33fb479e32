"""Fixed points of contractive maps: problem, solver and gradient as three separate things.

For z = f(z) with f contractive, the gradient of a loss through the solution z* solves an equation
of the same kind, g = J^T g + dL/dz*, with J the Jacobian of f at z* (the implicit function
theorem; Bai, Kolter & Koltun 2019). It needs no memory of the iterations.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, final, get_args

import torch
from torch import Tensor

from neural_collage.arguments import check_choice
from neural_collage.errors import NotConvergedError

Gradient = Literal["implicit", "unrolled"]


@dataclass(frozen=True)
class Solver(ABC):
    """An iterative method for z = f(z); subclass it to add one.

    tolerance: bound on max |f(z) - z|, absolute for |z| up to 1 and relative to max |z| beyond;
        None means eight machine epsilons of the dtype.
    max_steps: the step limit.
    can_unroll: whether the iterations may be differentiated step by step, which requires that
        derivatives converge with the values, as in plain iteration.

    Raises ValueError for a limit out of range.
    """

    tolerance: float | None = None
    max_steps: int = 1000

    can_unroll: ClassVar[bool] = False

    def __post_init__(self) -> None:
        problems = []
        if self.tolerance is not None and not self.tolerance > 0:
            problems.append(f"tolerance must be positive, not {self.tolerance}")
        if self.max_steps < 1:
            problems.append(f"max_steps must be at least 1, not {self.max_steps}")
        if problems:
            raise ValueError(f"{type(self).__name__}: {'; '.join(problems)}")

    @property
    @abstractmethod
    def memory(self) -> int:
        """Number of pairs (z, f(z)) that `next` uses, at least 1."""

    @abstractmethod
    def next(self, history: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The next point to try, given at most `memory` pairs (z, f(z)), the latest last."""


@final
@dataclass(frozen=True)
class Picard(Solver):
    """Plain iteration z <- f(z)."""

    can_unroll: ClassVar[bool] = True

    @property
    def memory(self) -> int:
        return 1

    def next(self, history: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return history[-1][1]


@final
@dataclass(frozen=True)
class Anderson(Solver):
    """Anderson acceleration (Walker & Ni 2011): the mix of past values with the least residual.

    memory: number of past values mixed, at least 2. Needs fewer steps than `Picard` if the map
    contracts slowly; each step costs slightly more.
    """

    memory: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory < 2:
            raise ValueError(f"Anderson: memory must be at least 2, not {self.memory}")

    def next(self, history: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        value = history[-1][1]
        if len(history) == 1:
            return value
        values = torch.stack([f.flatten().double() for _, f in history], 1)
        residuals = values - torch.stack([z.flatten().double() for z, _ in history], 1)
        steps, changes = values.diff(dim=1), residuals.diff(dim=1)
        gram = changes.mT @ changes
        # differences of residuals span many orders of magnitude: normalise, then regularise
        size = gram.diagonal().sqrt().clamp_min(torch.finfo(gram.dtype).tiny)
        ridge = 1e-14 * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        gram = gram / (size * size[:, None]) + ridge
        mix = torch.linalg.solve(gram, (changes.mT @ residuals[:, -1]) / size) / size
        mixed: Tensor = values[:, -1] - steps @ mix
        return mixed.view_as(value).to(value.dtype)


@dataclass(frozen=True)
class SolverResult:
    """Outcome of a solve: steps taken, last max |f(z) - z|, and whether it met the tolerance."""

    steps: int
    residual: float
    converged: bool


def solve(
    function: Callable[[Tensor], Tensor], initial: Tensor, solver: Solver
) -> tuple[Tensor, SolverResult]:
    """Iterate towards z = function(z) from `initial`; never raises. Differentiable by unrolling."""
    tolerance = solver.tolerance or 8 * torch.finfo(initial.dtype).eps
    z, steps, residual, goal = initial, 0, math.inf, tolerance
    history: deque[tuple[Tensor, Tensor]] = deque(maxlen=solver.memory)
    while residual > goal and steps < solver.max_steps:
        value = function(z)
        change = torch.stack([(value - z).detach().abs().max(), value.detach().abs().max()])
        residual, size = change.tolist()
        goal = tolerance * max(1.0, size)
        history.append((z, value))
        z, steps = value if residual <= goal else solver.next(history), steps + 1
    return z, SolverResult(steps, residual, residual <= goal < math.inf)


def check_solver(solver: object, others: str = "") -> None:
    """Raise ValueError unless it is a `Solver`; others: what else the message offers."""
    if not isinstance(solver, Solver):
        raise ValueError(
            f"solver must be {others}Picard(), Anderson() or another Solver, not {solver!r}"
        )


def fixed_point(
    function: Callable[[Tensor], Tensor],
    initial: Tensor,
    solver: Solver | None = None,
    gradient: Gradient = "implicit",
    throw: bool = True,
) -> tuple[Tensor, SolverResult]:
    """The fixed point of a contractive map, differentiable in all tensors the map depends on.

    function: maps tensors of the shape of `initial` to that shape.
    gradient: "implicit" solves the adjoint equation in the backward pass (memory independent of
        the number of steps); "unrolled" differentiates the iterations of a solver that allows it.

    Raises NotConvergedError if the step limit is reached or values become non-finite, unless
    `throw` is false (the backward pass always raises). Raises ValueError for an unknown gradient or
    solver, and if `gradient` is "unrolled" and the solver cannot be unrolled: the iterates of
    Anderson acceleration converge, their derivatives need not. Second derivatives raise
    RuntimeError unless "unrolled".
    """
    check_choice("gradient", gradient, get_args(Gradient))
    solver = Picard() if solver is None else solver
    check_solver(solver)
    unrolled = gradient == "unrolled"
    if unrolled and not solver.can_unroll:
        raise ValueError(f"{type(solver).__name__} cannot be unrolled: take Picard()")
    with torch.set_grad_enabled(unrolled and torch.is_grad_enabled()):
        z, report = solve(function, initial, solver)
    if throw:
        require_converged(report, solver)
    if torch.is_grad_enabled() and not unrolled:
        z = attach_implicit_gradient(function, z, solver)
    return z, report


def attach_implicit_gradient(
    function: Callable[[Tensor], Tensor], solution: Tensor, solver: Solver
) -> Tensor:
    """Make a fixed point, however computed, differentiable in what the map depends on.

    Applies the map once more and replaces the incoming gradient by the adjoint solution.
    """
    base = solution.detach().requires_grad_()
    image = function(base)  # the graph in which J^T is a vector-Jacobian product
    attached = function(solution)  # the graph to the parameters
    if not attached.requires_grad:
        return solution
    attached = attached.view_as(attached)  # the hook must not sit on a tensor that `image` shares

    def solve_adjoint(incoming: Tensor) -> Tensor:
        if torch.is_grad_enabled():  # in a backward pass with create_graph
            raise RuntimeError('second derivatives of a fixed point need gradient="unrolled"')

        # The equation is linear: normalised so that the tolerance is relative to the gradient.
        size = incoming.abs().max().clamp_min(torch.finfo(incoming.dtype).tiny)
        unit = incoming / size

        def adjoint(g: Tensor) -> Tensor:
            (product,) = torch.autograd.grad(
                image, base, g, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            return product + unit

        solved, report = solve(adjoint, unit, solver)
        require_converged(report, solver)
        return solved * size

    attached.register_hook(solve_adjoint)
    return attached


def require_converged(report: SolverResult, solver: Solver) -> None:
    """Raise NotConvergedError unless the solve converged."""
    if not report.converged:
        raise NotConvergedError(
            f"no fixed point after {report.steps} steps (last change {report.residual:.2g}): "
            f"the map may not contract; raise max_steps above {solver.max_steps} or "
            "scale its weights down"
        )
