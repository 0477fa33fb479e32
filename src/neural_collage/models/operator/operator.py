"""`CollageOperator`: the collage as a differentiable layer, from its parameters to its fixed point.

The parameters of a batch of collages come from a network, the layer returns the images whose
collages they are (Poli et al. 2022, arXiv 2204.07673). What the map is, how it is solved and how
it is differentiated are three choices: `OperatorConfig`, a solver, and a gradient.
"""

from fractions import Fraction
from math import inf, isfinite

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.blocks import Window
from neural_collage.core.collage import Collage
from neural_collage.core.fixed_point import Solver
from neural_collage.core.scales import Region, ScaleGrid, output_length, render_at_scale
from neural_collage.errors import NotContractiveError
from neural_collage.models.operator.block_map import BlockMap
from neural_collage.models.operator.block_solver import Gradient, Method, Pyramid
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.export import to_collages
from neural_collage.models.operator.mixing import (
    contraction_bound,
    effective_weights,
    round_to_step,
)
from neural_collage.models.operator.patches import cosine_patches, cut_patches


class CollageOperator(nn.Module):
    """Maps weights and biases of the ranges of b images to the images.

        >>> operator = CollageOperator(OperatorConfig(image_size=(32, 32), range_size=8))
        >>> weights = torch.zeros(1, *operator.config.weights_shape)
        >>> operator(weights, torch.rand(1, *operator.config.bias_shape)).shape
        torch.Size([1, 3, 32, 32])

    config: what the map is.
    solver: `Pyramid()`, or a `Solver` that iterates at full size, as `Picard()` and `Anderson()`.
    gradient: "pyramid" goes back through the few steps of the pyramid (an implicit gradient where
        it iterates); "implicit" solves the adjoint equation at full size, with memory that does
        not depend on the number of steps; "unrolled" goes through all iterations. None takes
        "pyramid" if the solver is one, else "implicit".
    style: (c, h, w) the image that the patches are cut from, for `patches="style"`.
    validate: refuse numbers that are not finite and, where `mixing` does not see to it, maps
        without a contraction certificate. Looking at values does not go with `torch.func.vmap`.
    throw: raise NotConvergedError when a solver meets its step limit; backward passes always do.

    Parameters in half precision, as under autocast, are promoted to float32: a fixed point needs
    its digits. Under `torch.func.vmap` only what does not iterate works, which is the default as
    long as the domains of the coarsest scale have at most 256 pixels, and `trajectory`. A model
    that is compiled by `torch.compile` runs this layer as it is: it is a few matrix products, and
    how many depends on values.

    Attributes:
        patches: (a, c, p, p) learned (a parameter, cosines at first) or of the style (a buffer).
    """

    patches: Tensor | None

    def __init__(
        self,
        config: OperatorConfig,
        *,
        solver: Pyramid | Solver | None = None,
        gradient: Gradient | None = None,
        style: Float[Tensor, "c h w"] | None = None,
        validate: bool = True,
        throw: bool = True,
    ) -> None:
        super().__init__()
        solver = solver or Pyramid()
        default: Gradient = "pyramid" if isinstance(solver, Pyramid) else "implicit"
        self.config = config
        self.method = Method(solver, gradient or default, throw)
        self.validate = validate
        if (style is not None) != (config.patches == "style"):
            raise ValueError('style is the image for patches="style", and for nothing else')
        if style is not None:
            self.register_buffer("patches", cut_patches(config, style))
        elif config.patches == "learned" and config.n_patches:
            patches = cosine_patches(config.n_patches, *config.patches_shape[1:3])
            self.register_parameter("patches", nn.Parameter(patches))
        else:
            self.register_parameter("patches", None)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(
        self,
        weights: Float[Tensor, "b cw r k"],
        bias: Float[Tensor, "b c r"],
        patches: Float[Tensor, "b a c p p"] | None = None,
        *,
        links: Int64[Tensor, "*bl r k"] | None = None,
        scale: float = 1,
        region: Region | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """The images, or one region of them all, at any scale.

        weights: raw, `(b, *config.weights_shape)`; with links, (b, c or 1, r, k).
        bias: `(b, *config.bias_shape)`, in units of pixel values.
        patches: `(b, *config.patches_shape)` for `patches="given"`, else None.
        links: (r, k) or (b, r, k) the numbers of the k sources of each range, in the order that
            `OperatorConfig` gives. A source may be named twice. None links every range to all.
        scale: output pixels per pixel. Scales that keep ranges on whole pixels are exact; any
            other is area-averaged from the next octave above.
        region: (x, y, width, height) in pixels of the image at that scale. Of the last octave
            only what it touches is computed; for windows at great depth see `collages`.

        Raises ValueError for shapes, values or a scale that do not fit, NotContractiveError, and
        NotConvergedError.
        """
        self._check_types(weights=weights, bias=bias, patches=patches, links=links)
        with torch.autocast(bias.device.type, enabled=False):
            mapping = self.mapping(weights, bias, patches, links)
            if scale == 1 and region is None:
                height, width = self.config.image_size
                return self.method.image(mapping, self.config.range_size)[..., :height, :width]
            grid = ScaleGrid(
                Fraction(1, self.config.range_size),
                self.config.octave,
                self._is_exact,
            )
            return render_at_scale(
                self.config.image_size,
                scale,
                region,
                grid,
                lambda exact, window: self._window(mapping, exact, window),
            )

    def trajectory(
        self,
        weights: Float[Tensor, "b cw r k"],
        bias: Float[Tensor, "b c r"],
        patches: Float[Tensor, "b a c p p"] | None = None,
        *,
        steps: int,
        initial: Float[Tensor, "b c h w"] | None = None,
        links: Int64[Tensor, "*bl r k"] | None = None,
        scale: float = 1,
    ) -> Float[Tensor, "n b c h w"]:
        """The images z, f(z), f(f(z)), ... on their way to the fixed point; n = steps + 1.

        initial: where to start, at that scale; black if None.
        scale: one at which ranges are whole pixels.

        Raises ValueError as `forward` does.
        """
        with torch.autocast(bias.device.type, enabled=False):
            mapping = self.mapping(weights, bias, patches, links)
            size = self._range_pixels(Fraction(scale))
            height, width = (output_length(n, Fraction(scale)) for n in self.config.image_size)
            rows, columns = (n * size for n in self.config.grid)
            shape = (len(bias), self.config.channels, height, width)
            z = bias.new_zeros(shape) if initial is None else initial.to(mapping.bias)
            if z.shape != shape:
                raise ValueError(f"initial must be {shape}, not {tuple(z.shape)}")
            z = functional.pad(z, (0, columns - width, 0, rows - height), mode="replicate")
            offset = mapping.offset(size)
            iterates = [z]
            for _ in range(steps):
                ranges = offset
                if self.config.reductions:
                    ranges = ranges + mapping.linear(z, size)
                z = mapping.image(ranges, size)
                iterates.append(z)
            return torch.stack(iterates)[..., :height, :width]

    def contraction(
        self,
        weights: Float[Tensor, "b cw r k"],
        links: Int64[Tensor, "*bl r k"] | None = None,
    ) -> Float[Tensor, " b"]:
        """A bound on the sup norm of the linear part of each map: below 1 it contracts."""
        links = self._check_links(links, weights)
        weights = effective_weights(self.config, self._rounded(weights), links)
        return contraction_bound(self.config, weights, links)

    def mapping(
        self,
        weights: Float[Tensor, "b cw r k"],
        bias: Float[Tensor, "b c r"],
        patches: Float[Tensor, "b a c p p"] | None = None,
        links: Int64[Tensor, "*bl r k"] | None = None,
    ) -> BlockMap:
        """The checked maps, with the weights that they apply; raises as `forward` does."""
        self._check_shapes(weights, bias, patches, links)
        links = self._check_links(links, weights)
        raw, bias = self._rounded(weights), self._rounded(bias)
        applied = effective_weights(self.config, raw, links)
        if self.validate:
            self._check_values(applied, bias, patches, links)
        if patches is not None:
            patches = self._rounded(patches)
        elif self.patches is not None:
            patches = self.patches[None].to(bias)
        if links is not None:
            links = links.expand(len(bias), -1, -1)
        return BlockMap(self.config, applied, bias, patches, links, self.config.grid)

    def collages(
        self,
        weights: Float[Tensor, "b cw r k"],
        bias: Float[Tensor, "b c r"],
        patches: Float[Tensor, "b a c p p"] | None = None,
        *,
        links: Int64[Tensor, "*bl r k"] | None = None,
    ) -> list[Collage]:
        """The same maps as `core.Collage`: for files, and for windows of any depth.

        Raises ValueError if the operator reduces by several factors, or not at all.
        """
        return to_collages(self.mapping(weights, bias, patches, links))

    def extra_repr(self) -> str:
        return f"{self.config}, {self.method}"

    def _is_exact(self, scale: Fraction) -> bool:
        whole = (scale * self.config.range_size).denominator == 1
        if self.config.enlarge == "cosine":
            return whole
        return whole and all(n & (n - 1) == 0 for n in scale.as_integer_ratio())

    def _window(self, mapping: BlockMap, scale: Fraction, window: Window) -> Tensor:
        """A window of the canvas at an exact scale, by way of the ranges that it touches."""
        size = self._range_pixels(scale)
        top, left = window.top // size, window.left // size
        rows = -(-(window.top + window.height) // size) - top
        columns = -(-(window.left + window.width) // size) - left
        touched = self.method.window(mapping, size, top, left, rows, columns)
        y, x = window.top - top * size, window.left - left * size
        return touched[..., y : y + window.height, x : x + window.width]

    def _range_pixels(self, scale: Fraction) -> int:
        size = scale * self.config.range_size
        if size.denominator != 1 or size < 1:
            raise ValueError(
                f"at scale {scale} a range of {self.config.range_size} pixels is not whole pixels"
            )
        return size.numerator

    def _rounded(self, raw: Tensor) -> Tensor:
        """At least single precision, on the grid of `step`."""
        if raw.dtype in (torch.float16, torch.bfloat16):
            raw = raw.float()
        return round_to_step(raw, self.config.step)

    def _check_types(self, **given: object) -> None:
        for name, tensor in given.items():
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(f"{name} must be a tensor, not {type(tensor).__name__}")

    def _check_shapes(
        self, weights: Tensor, bias: Tensor, patches: Tensor | None, links: Tensor | None
    ) -> None:
        config = self.config
        if bias.ndim != 3:
            raise ValueError(f"bias must have 3 dimensions, not {bias.ndim}: add a batch dimension")
        batch = len(bias)
        sources = config.n_sources if links is None else links.shape[-1]
        expected = {
            "weights": (weights, (batch, *config.weights_shape[:2], sources)),
            "bias": (bias, (batch, *config.bias_shape)),
        }
        if patches is not None:
            expected["patches"] = (patches, (batch, *config.patches_shape))
        problems = [
            f"{name} must be {shape}, not {tuple(tensor.shape)}"
            for name, (tensor, shape) in expected.items()
            if tensor.shape != shape
        ]
        if (config.patches == "given" and config.n_patches > 0) != (patches is not None):
            problems.append(
                f"patches={config.patches!r}, n_patches={config.n_patches} takes patches "
                f"{'with every call' if patches is None else 'from itself, not from a call'}"
            )
        if problems:
            raise ValueError("; ".join(problems))

    def _check_links(self, links: Tensor | None, weights: Tensor) -> Tensor | None:
        """Links with a batch dimension; ValueError unless they number sources of each range."""
        if links is None:
            return None
        links = links if links.dim() == 3 else links[None]
        if links.shape[0] not in (1, len(weights)) or links.shape[1:] != weights.shape[2:]:
            raise ValueError(
                f"links of {tuple(links.shape)} do not go with weights of {tuple(weights.shape)}"
            )
        if self.validate and not bool(((links >= 0) & (links < self.config.n_sources)).all()):
            raise ValueError(f"links must number the {self.config.n_sources} sources from 0")
        return links

    def _check_values(
        self, weights: Tensor, bias: Tensor, patches: Tensor | None, links: Tensor | None
    ) -> None:
        for name, values in {"weights": weights, "bias": bias, "patches": patches}.items():
            if values is not None and not isfinite(torch.linalg.vector_norm(values.detach(), inf)):
                raise ValueError(f"{name} must be finite numbers, but some are NaN or infinite")
        if self.config.mixing != "free":
            return
        bound = float(contraction_bound(self.config, weights, links).detach().amax())
        if not bound < 1:
            raise NotContractiveError(
                f"the domain weights of a range sum to {bound:.3g} in magnitude, where less than 1 "
                'is needed for a fixed point: scale them down, take mixing="bounded", or pass '
                "validate=False to rely on the solver's residual"
            )
