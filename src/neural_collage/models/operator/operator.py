"""`CollageOperator`: a differentiable layer from the parameters of collages to their fixed points.

A network predicts them (Poli et al. 2022, arXiv 2204.07673); solver and gradient are choices.
"""

from fractions import Fraction
from math import inf, isfinite

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.core.collage import Collage
from neural_collage.core.fixed_point import Solver
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import (
    Region,
    ScaleGrid,
    Window,
    exact_fraction,
    output_length,
    output_window,
    render_at_scale,
)
from neural_collage.errors import NotContractiveError
from neural_collage.io.limits import check_decoded_size
from neural_collage.models.operator.block_map import BlockMap, patch_sources
from neural_collage.models.operator.block_solver import (
    Method,
    OperatorGradient,
    Pyramid,
    check_canvas_size,
)
from neural_collage.models.operator.config import OperatorConfig
from neural_collage.models.operator.export import to_collages
from neural_collage.models.operator.mixing import (
    contraction_bound,
    effective_weights,
    round_to_step,
)
from neural_collage.models.operator.patches import cosine_patches, cut_patches


class CollageOperator(nn.Module):
    """Weights and biases of the ranges of b images to the images, by the map of `OperatorConfig`.

        >>> operator = CollageOperator(OperatorConfig(image_size=(32, 32), range_size=8))
        >>> weights = torch.zeros(1, *operator.config.weights_shape)
        >>> operator(weights, torch.rand(1, *operator.config.bias_shape)).shape
        torch.Size([1, 3, 32, 32])

    config: sizes, sources and parametrisation of the map.
    solver: `Pyramid()`, or a `Solver` that iterates at full size such as `Picard()` or
        `Anderson()`. None takes `Pyramid()`.
    gradient: "pyramid" differentiates the few steps of the pyramid (implicitly where it iterates);
        "implicit" solves the adjoint equation at full size, with memory that does not depend on
        the number of steps; "unrolled" differentiates all iterations. None takes "pyramid" with
        the solver `Pyramid`, else "implicit".
    style: (c, h, w) the image that the patches are cut from, for `patches="style"` only.
    validate: raise for values that are not finite and, with mixing="free", for maps whose
        contraction bound is not below 1. Checks depend on values: set False in `torch.func.vmap`.
    throw: raise NotConvergedError when a solver reaches its step limit; backward passes always do.

    Shapes: b images of c channels, r ranges, s sources, k links, a patches of p x p. Pixel values
    have any unit; images, biases and patches share it.

    Parameters in half precision, also under autocast, are promoted to float32, in which iteration
    converges. `torch.func.vmap` works without iteration: for `trajectory`, and for the default
    solver as long as the domains of the coarsest scale have at most 256 pixels. `torch.compile`
    runs this layer uncompiled: the number of its matrix products depends on values.

    Raises ValueError for a style without `patches="style"` or the reverse, a style with too few
    blocks, an unknown solver or gradient, and a gradient that the solver does not support.

    Attributes:
        patches: (a, c, p, p) learned (a parameter, initialised by cosines) or cut from the style
            (a buffer); else None.
    """

    patches: Tensor | None

    def __init__(
        self,
        config: OperatorConfig,
        *,
        solver: Pyramid | Solver | None = None,
        gradient: OperatorGradient | None = None,
        style: Float[Tensor, "c h w"] | None = None,
        validate: bool = True,
        throw: bool = True,
    ) -> None:
        super().__init__()
        solver = Pyramid() if solver is None else solver
        default: OperatorGradient = "pyramid" if isinstance(solver, Pyramid) else "implicit"
        self.config = config
        self.method = Method(solver, default if gradient is None else gradient, throw)
        self.validate = validate
        if (style is not None) != (config.patches == "style"):
            raise ValueError(
                f'style is the image for patches="style" only, but patches="{config.patches}" and '
                f"style is {'missing' if style is None else 'given'}"
            )
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
        channels: int | None = None,
    ) -> Float[Tensor, "b d h w"]:
        """The images at any scale, or the same region of each of them.

        weights: raw, `(b, *config.weights_shape)`; with links, (b, c or 1, r, k).
        bias: `(b, *config.bias_shape)`, in units of pixel values.
        patches: `(b, *config.patches_shape)` for `patches="given"`, else None.
        links: (r, k) or (b, r, k) numbers of the k sources of each range, in the order of
            `OperatorConfig`; weights of a repeated source add up. None links all sources.
        scale: output pixels per pixel. Scales that keep ranges on whole pixels are exact (with
            enlarge="smooth", powers of 2 are); others are area-averaged from the next octave up.
        region: (x, y, width, height) in pixels of the image at that scale. In the last octave only
            the ranges that it overlaps are computed; for small windows at large scales use
            `collages`.
        channels: d, how many to decode, the first ones; None for all c.

        Raises TypeError if an argument is no tensor, ValueError for shapes, values, links or a
        number of channels that do not fit, ScaleError for a scale or a region that does not, also
        to `limits.pixel_limit`, NotContractiveError if validation fails, and NotConvergedError.
        """
        self._check_types(bias=bias)
        with torch.autocast(bias.device.type, enabled=False):
            mapping = self.mapping(weights, bias, patches, links).first_channels(channels)
            size = height, width = self.config.image_size
            if scale == 1 and region is None:
                return self.method.image(mapping, self.config.range_size)[..., :height, :width]
            window = output_window(size, scale, region)
            check_decoded_size((window.width, window.height), (width, height))
            return render_at_scale(
                size,
                scale,
                region,
                ScaleGrid(Fraction(1, self.config.range_size), self.config.octave, self._is_exact),
                lambda exact, window: self._window(mapping, exact, window),
                area_resample,
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
        """The iterates z, f(z), f(f(z)), ... towards the fixed point; n = steps + 1.

        initial: z, at that scale; zero if None.
        scale: output pixels per pixel, such that ranges are whole pixels.

        Raises ValueError for such a scale or shape of `initial`, and else as `forward` does.
        """
        self._check_types(bias=bias, initial=initial)
        exact = exact_fraction(scale)
        size = self._range_pixels(exact)
        check_canvas_size(self.config, size)
        with torch.autocast(bias.device.type, enabled=False):
            mapping = self.mapping(weights, bias, patches, links)
            height, width = (output_length(n, exact) for n in self.config.image_size)
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
        """A bound on the sup norm of the linear part of each map; if below 1, the map contracts.

        weights: raw. links: as in `forward`. Raises TypeError or ValueError as that does.
        """
        self._check_types(weights=weights, links=links)
        if weights.ndim != 4:
            raise ValueError(f"weights must have 4 dimensions, not {weights.ndim}: add a batch")
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
        """The checked maps with their effective weights; arguments and errors as in `forward`."""
        self._check_types(weights=weights, bias=bias, patches=patches, links=links)
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
        links = None if links is None else links.expand(len(bias), -1, -1)
        sources = patch_sources(self.config, patches)
        return BlockMap(self.config, applied, bias, sources, links, self.config.grid)

    def collages(
        self,
        weights: Float[Tensor, "b cw r k"],
        bias: Float[Tensor, "b c r"],
        patches: Float[Tensor, "b a c p p"] | None = None,
        *,
        links: Int64[Tensor, "*bl r k"] | None = None,
    ) -> list[Collage]:
        """The same maps as `core.Collage`, for files and for windows at any scale.

        Raises ValueError unless all domains have one reduction, above 1, and enlarge="cosine";
        else as `forward` does.
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
        """A window of the canvas at an exact scale, cropped from the ranges that it overlaps."""
        size = self._range_pixels(scale)
        top, left = window.top // size, window.left // size
        rows = -(-(window.top + window.height) // size) - top
        columns = -(-(window.left + window.width) // size) - left
        ranges = self.method.window(mapping, size, top, left, rows, columns)
        y, x = window.top - top * size, window.left - left * size
        return ranges[..., y : y + window.height, x : x + window.width]

    def _range_pixels(self, scale: Fraction) -> int:
        size = scale * self.config.range_size
        if size.denominator != 1 or size < 1:
            raise ValueError(
                f"at scale {scale} ranges of {self.config.range_size} pixels are not whole pixels"
            )
        return size.numerator

    def _rounded(self, raw: Tensor) -> Tensor:
        """Values in at least single precision, rounded to multiples of `step`."""
        if raw.dtype in (torch.float16, torch.bfloat16):
            raw = raw.float()
        return round_to_step(raw, self.config.step)

    def _check_types(self, **given: object) -> None:
        for name, tensor in given.items():
            missing = tensor is None and name not in ("weights", "bias")  # these have no default
            if not missing and not isinstance(tensor, Tensor):
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
                f"patches must {'' if patches is None else 'not '}be passed to an operator with "
                f"patches={config.patches!r}, n_patches={config.n_patches}"
            )
        if problems:
            raise ValueError("; ".join(problems))

    def _check_links(self, links: Tensor | None, weights: Tensor) -> Tensor | None:
        """Links with a batch dimension; ValueError for a wrong shape or unknown source numbers."""
        if links is None:
            return None
        links = links if links.dim() == 3 else links[None]
        if links.shape[0] not in (1, len(weights)) or links.shape[1:] != weights.shape[2:]:
            raise ValueError(
                f"links of {tuple(links.shape)} do not fit weights of {tuple(weights.shape)}"
            )
        if self.validate and not bool(((links >= 0) & (links < self.config.n_sources)).all()):
            raise ValueError(
                f"links must be source numbers in 0..{self.config.n_sources - 1}, not "
                f"{int(links.min())}..{int(links.max())}"
            )
        return links

    def _check_values(
        self, weights: Tensor, bias: Tensor, patches: Tensor | None, links: Tensor | None
    ) -> None:
        for name, values in {"weights": weights, "bias": bias, "patches": patches}.items():
            if values is not None and not isfinite(torch.linalg.vector_norm(values.detach(), inf)):
                raise ValueError(f"{name} must be finite, but some are NaN or infinite")
        if self.config.mixing != "free":
            return
        bound = float(contraction_bound(self.config, weights, links).detach().amax())
        if not bound < 1:
            raise NotContractiveError(
                f"the domain weights of a range sum to {bound:.3g} in magnitude, but must sum to "
                'less than 1: scale them down, take mixing="bounded", or pass validate=False to '
                "rely on the solver's residual"
            )
