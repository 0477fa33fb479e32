"""Fixed points of contractive maps: problem, solver and gradient as three separate things.

For z = f(z) with f contractive, the gradient of a loss through the solution z* solves an equation
of the same kind, g = J^T g + dL/dz*, with J the Jacobian of f at z* (the implicit function
theorem; Bai, Kolter & Koltun 2019). It needs no memory of the iterations.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neural_collage.core.errors import NotConvergedError

Gradient = Literal["implicit", "unrolled"]


@dataclass(frozen=True)
class Picard:
    """Plain iteration z <- f(z), until the largest change is below a tolerance.

    tolerance: relative to max(1, largest |z|); None takes eight units of rounding of the dtype.
    max_steps: the step limit.
    """

    tolerance: float | None = None
    max_steps: int = 1000

    def __post_init__(self) -> None:
        if self.max_steps < 1 or not (self.tolerance is None or self.tolerance > 0):
            raise ValueError("a solver needs at least one step and a positive tolerance")


@dataclass(frozen=True)
class Report:
    """How a solve ended: steps taken, last largest change of z, and whether that met the goal."""

    steps: int
    residual: float
    converged: bool


def solve(
    function: Callable[[Tensor], Tensor], initial: Tensor, solver: Picard
) -> tuple[Tensor, Report]:
    """Iterate z <- function(z) from `initial` until it stands still; no gradient, never raises."""
    tolerance = solver.tolerance or 8 * torch.finfo(initial.dtype).eps
    z, steps, residual, goal = initial, 0, float("inf"), tolerance
    with torch.no_grad():
        while residual > goal and steps < solver.max_steps:
            following = function(z)
            residual = float((following - z).abs().max())
            goal = tolerance * max(1.0, float(following.abs().max()))
            z, steps = following, steps + 1
    return z, Report(steps, residual, residual <= goal < math.inf)


def fixed_point(
    function: Callable[[Tensor], Tensor],
    initial: Tensor,
    solver: Picard | None = None,
    gradient: Gradient = "implicit",
    throw: bool = True,
) -> tuple[Tensor, Report]:
    """The fixed point of a contractive map, differentiable in whatever the map depends on.

    function: maps tensors of the shape of `initial` to that shape.
    gradient: "implicit" solves the adjoint equation in the backward pass (memory independent of
        the number of steps); "unrolled" differentiates the iterations.

    Raises NotConvergedError when the step limit comes first or values stop being finite, unless
    `throw` is false; in the backward pass always. Second derivatives need "unrolled": through
    "implicit" they raise RuntimeError.
    """
    solver = solver or Picard()
    z, report = solve(function, initial, solver)
    if throw:
        _require(report, solver)
    if torch.is_grad_enabled():
        if gradient == "unrolled":
            z = initial
            for _ in range(report.steps):
                z = function(z)
        else:
            z = _attach_implicit_gradient(function, z, solver)
    return z, report


def _attach_implicit_gradient(
    function: Callable[[Tensor], Tensor], solution: Tensor, solver: Picard
) -> Tensor:
    """One more application of the map, whose incoming gradient is replaced by the adjoint's."""
    base = solution.detach().requires_grad_()
    image = function(base)  # the graph in which J^T is a vector-Jacobian product
    attached = function(solution)  # the graph to the parameters
    if not attached.requires_grad:
        return solution
    attached = attached.view_as(attached)  # the hook must not sit on a tensor that `image` shares

    def solve_adjoint(incoming: Tensor) -> Tensor:
        if torch.is_grad_enabled():  # as it is in a backward pass with create_graph
            raise RuntimeError('second derivatives of a fixed point need gradient="unrolled"')

        # The equation is linear: at unit size the tolerance means the same for any loss.
        size = incoming.abs().max().clamp_min(torch.finfo(incoming.dtype).tiny)
        unit = incoming / size

        def adjoint(g: Tensor) -> Tensor:
            with torch.enable_grad():
                (product,) = torch.autograd.grad(
                    image, base, g, retain_graph=True, allow_unused=True, materialize_grads=True
                )
            return product + unit

        solved, report = solve(adjoint, unit, solver)
        _require(report, solver)
        return solved * size

    attached.register_hook(solve_adjoint)
    return attached


def _require(report: Report, solver: Picard) -> None:
    if not report.converged:
        raise NotConvergedError(
            f"no fixed point after {report.steps} steps (last change {report.residual:.2g}): "
            f"the map may not contract; raise max_steps above {solver.max_steps} or "
            "scale its weights down"
        )
