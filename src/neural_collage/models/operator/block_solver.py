"""Solves for the fixed point of a `BlockMap` at one resolution, by the pyramid or by iteration.

Averaging the fixed point over octave x octave pixels gives the fixed point of the same map at the
coarser scale, so one small system is solved and one application of the map follows per octave
(Baharav, Malah & Karnin 1993). With domains that are not reduced, every octave is a fixed-point
problem, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.arguments import check_choice
from neural_collage.core.blocks import stitch
from neural_collage.core.fixed_point import (
    Gradient,
    Picard,
    Solver,
    attach_implicit_gradient,
    check_solver,
    fixed_point,
)
from neural_collage.io.limits import check_output_size
from neural_collage.models.operator.block_map import (
    BlockMap,
    in_every_isometry,
    reduced_domains,
    source_spans,
)
from neural_collage.models.operator.config import OperatorConfig

OperatorGradient = Literal[Gradient, "pyramid"]

# Up to this number of unknowns per channel, elimination is cheaper than iteration.
ELIMINATION_LIMIT = 256
# Elements up to which elimination uses the table `_couplings` instead of most of its products.
_COUPLINGS_LIMIT = 2**20


@dataclass(frozen=True)
class Pyramid:
    """Solve the coarsest scale, then apply the map once per octave: exact, and the fastest.

    coarse: the solver of the coarsest scale and, with domains that are not reduced, of every
        octave. None takes `Picard()`, and at the coarsest scale Gaussian elimination if its
        domains have at most `ELIMINATION_LIMIT` pixels. Elimination has no control flow that
        depends on values, so it works under `torch.func.vmap`, and has second derivatives.
    """

    coarse: Solver | None = None

    def __post_init__(self) -> None:
        if self.coarse is not None:
            check_solver(self.coarse)


@dataclass(frozen=True)
class Method:
    """How fixed points are computed and differentiated; see `CollageOperator`.

    Raises ValueError for an unknown gradient or solver, or a gradient that the solver does not
    support.
    """

    solver: Pyramid | Solver
    gradient: OperatorGradient
    throw: bool

    def __post_init__(self) -> None:
        check_choice("gradient", self.gradient, get_args(OperatorGradient))
        if not isinstance(self.solver, Pyramid):
            check_solver(self.solver, "Pyramid(), ")
        if self.gradient == "pyramid" and not isinstance(self.solver, Pyramid):
            raise ValueError('gradient="pyramid" needs the solver Pyramid()')
        if self.gradient == "unrolled" and not self.iteration.can_unroll:
            raise ValueError(f"{type(self.iteration).__name__} cannot be unrolled: take Picard()")

    @property
    def iteration(self) -> Solver:
        """The iterative solver."""
        return (self.solver.coarse or Picard()) if isinstance(self.solver, Pyramid) else self.solver

    @property
    def eliminates(self) -> bool:
        """Whether small systems are solved by Gaussian elimination."""
        return self.solver == Pyramid() and self.gradient != "unrolled"

    def image(self, mapping: BlockMap, size: int) -> Float[Tensor, "b c H W"]:
        """The fixed point on the canvas, with ranges of size x size pixels.

        Raises NotConvergedError unless `throw` is false.
        """
        if not isinstance(self.solver, Pyramid):
            return self._solve_at(mapping, size)
        if self.gradient == "implicit" and torch.is_grad_enabled() and mapping.config.reductions:
            with torch.no_grad():
                solution = self._solve_pyramid(mapping, size)
            offset = mapping.offset(size)
            return attach_implicit_gradient(
                lambda z: mapping.image(mapping.linear(z, size) + offset, size),
                solution,
                self.iteration,
            )
        return self._solve_pyramid(mapping, size)

    def window(
        self, mapping: BlockMap, size: int, top: int, left: int, rows: int, columns: int
    ) -> Float[Tensor, "b c H W"]:
        """The fixed point on a rectangle of ranges.

        By the pyramid, only these ranges are computed in the last octave.

        Raises ScaleError if canvases to compute on the way exceed `limits.pixel_limit`, and as
        `image` does.
        """
        octave, reductions = mapping.config.octave, mapping.config.reductions
        by_pyramid = isinstance(self.solver, Pyramid) and self.gradient != "implicit"
        if not reductions:
            part = mapping.window(top, left, rows, columns)
            return part.image(part.offset(size), size)
        if by_pyramid and size % octave == 0 and 1 not in reductions:
            check_canvas_size(mapping.config, size // octave)
            coarser = self._solve_pyramid(mapping, size // octave)
            return self._next_octave(mapping.window(top, left, rows, columns), coarser, size)
        check_canvas_size(mapping.config, size)
        whole = self.image(mapping, size)
        return whole[..., top * size : (top + rows) * size, left * size : (left + columns) * size]

    def _solve_pyramid(self, mapping: BlockMap, size: int) -> Tensor:
        """Solve the coarsest scale with ranges of whole pixels, then go up octave by octave."""
        config = mapping.config
        coarsest = size
        while any(k > 1 for k in config.reductions) and coarsest % config.octave == 0:
            coarsest //= config.octave
        if self.eliminates and 0 < _unknowns(config, coarsest) <= ELIMINATION_LIMIT:
            z = _eliminate(mapping, coarsest)
        else:
            z = self._solve_at(mapping, coarsest)
        while coarsest < size:
            coarsest *= config.octave
            z = self._next_octave(mapping, z, coarsest)
        return z

    def _next_octave(self, mapping: BlockMap, coarser: Tensor, size: int) -> Tensor:
        """The fixed point from the one an octave coarser."""
        constant = mapping.from_coarser(coarser, size) + mapping.offset(size)
        start = mapping.image(constant, size)
        if 1 not in mapping.config.reductions:
            return start
        return self._iterate(
            lambda z: mapping.image(mapping.from_same(z, size) + constant, size), start
        )

    def _solve_at(self, mapping: BlockMap, size: int) -> Tensor:
        """The fixed point by iteration at one scale."""
        offset = mapping.offset(size)
        start = mapping.image(offset, size)
        if not mapping.config.reductions:
            return start
        return self._iterate(lambda z: mapping.image(mapping.linear(z, size) + offset, size), start)

    def _iterate(self, function: Callable[[Tensor], Tensor], initial: Tensor) -> Tensor:
        gradient: Gradient = "unrolled" if self.gradient == "unrolled" else "implicit"
        z, _ = fixed_point(function, initial, self.iteration, gradient, self.throw)
        return z


def check_canvas_size(config: OperatorConfig, size: int) -> None:
    """Raise ScaleError if an enlarged canvas, of ranges of size pixels, exceeds the pixel limit."""
    if size > config.range_size:
        rows, columns = config.grid
        remedy = "choose a smaller scale, or decode small windows by `collages`"
        check_output_size(columns * size, rows * size, remedy)


def _unknowns(config: OperatorConfig, size: int) -> int:
    """Number of pixels of all reduced domains, with ranges of size x size pixels."""
    return config.n_domains * size**2


def _eliminate(mapping: BlockMap, size: int) -> Float[Tensor, "b c H W"]:
    """The fixed point by elimination in the linear system of the pixels of the reduced domains.

    It has fewer unknowns than the image has pixels; one application of the map gives the image.
    In shapes: m = b cw maps of c' = c / cw channels, s sources, u unknowns, p = size**2.
    """
    config, bias = mapping.config, mapping.bias
    key = (config, size, bias.dtype, bias.device)
    by_source, by_pixel, averages = _domain_matrices(*key)
    unknowns, n_own = averages.shape[1], len(by_source)
    weights = mapping.dense_weights()[..., :n_own].flatten(0, 1)  # (m, r, s)
    offset = mapping.offset(size).flatten(3)
    offset = offset.expand(*offset.shape[:3], size**2)  # (b, c, r, p)
    constant = (offset.flatten(2) @ averages).view(len(weights), -1, unknowns)  # (m, c', u)

    if config.n_ranges * n_own * unknowns**2 <= _COUPLINGS_LIMIT:
        matrix = (weights.flatten(1) @ _couplings(*key)).unflatten(1, (unknowns, unknowns))
    else:
        # contribution of each unknown to the ranges, then the averages of those over domains
        to_ranges = (weights @ by_source).unflatten(2, (unknowns, -1))  # (m, r, u, p)
        matrix = (to_ranges.transpose(1, 2).flatten(2) @ averages).mT
    system = torch.eye(unknowns, device=matrix.device, dtype=matrix.dtype) - matrix
    domains = torch.linalg.solve(system, constant.mT).mT  # (m, c', u)

    sources = (domains @ by_pixel).unflatten(2, (n_own, -1))  # (m, c', s, p)
    sources = sources.transpose(1, 2).flatten(2)  # (m, s, c' p)
    ranges = (weights @ sources).unflatten(2, (-1, size**2)).transpose(1, 2)  # (m, c', r, p)
    ranges = ranges.reshape(offset.shape) + offset
    return mapping.image(ranges.unflatten(3, (size, size)), size)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _couplings(
    config: OperatorConfig, size: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "rs uu"]:
    """The matrix from unknowns to unknowns for a unit weight of each range and source alone."""
    by_source, _, averages = _domain_matrices(config, size, torch.float64, torch.device("cpu"))
    by_range = averages.unflatten(0, (config.n_ranges, -1))
    by_unknown = by_source.unflatten(1, (averages.shape[1], -1))
    coupled = torch.einsum("rpo,sip->rsoi", by_range, by_unknown)
    return coupled.flatten(0, 1).flatten(1).to(device, dtype)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # cached tensors must be usable in training, too
def _domain_matrices(
    config: OperatorConfig, size: int, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, "s up"], Float[Tensor, "u sp"], Float[Tensor, "n u"]]:
    """Sources as a function of the u pixels of all reduced domains, and these as averages.

    The sources, of p pixels each, are linear in the unknowns: each source is a permutation of the
    pixels of its domain. Returns this matrix as (s, u p) and as (u, s p), and the matrix that
    averages the n pixels of the canvas, ordered by range, to the unknowns, (n, u).
    """
    unknowns, copies = _unknowns(config, size), len(config.isometry_codes)
    blocks = torch.eye(unknowns, dtype=torch.float64).view(unknowns, -1, size, size)
    counts = [(stop - start) // copies for start, stop in source_spans(config).values()]
    codes = config.isometry_codes
    sources = torch.cat([in_every_isometry(codes, part) for part in blocks.split(counts, 1)], 1)

    height, width = (n * size for n in config.grid)
    shape = 1, 1, config.n_ranges, size, size
    with torch.enable_grad():  # averages are linear: their gradients are their coefficients
        ranges = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        image = stitch(ranges, height, width)
        averages = torch.cat([reduced_domains(image, k, size).flatten() for k in config.reductions])
        (coefficients,) = torch.autograd.grad(
            averages, ranges, torch.eye(unknowns, dtype=torch.float64), is_grads_batched=True
        )
    matrices = (
        sources.transpose(0, 1).flatten(1),
        sources.flatten(1),
        coefficients.flatten(1).mT,
    )
    by_source, by_pixel, averaged = (matrix.to(device, dtype) for matrix in matrices)
    return by_source, by_pixel, averaged
