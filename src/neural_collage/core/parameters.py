"""The parameters of a collage: an affine map of an image to itself, validated but not solved.

Each range r (a block of the partition) is a sum of reduced domains, auxiliary patches and a bias,

    z[r] = sum_k weights[r, k] * g[r, k](pool(z)[domain[r, k]])
         + sum_a patch_weights[r, a] * patches[a] + texture[r] + bias[r],

where texture (see `lapped`) is a sum of overlapping patches, pool averages `pooling` x `pooling`
pixels and g is one of the eight isometries (Jacquin 1992; Poli et al. 2022, arXiv 2204.07673).
`affine` applies this map at any scale, `pyramid` solves it, and `collage` offers both.
"""

import math
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neural_collage.core.isometry import N_ISOMETRIES
from neural_collage.core.lapped import LappedTexture
from neural_collage.core.partition import Partition
from neural_collage.errors import NotContractiveError
from neural_collage.runtime import cached_property

P = TypeVar("P", bound="CollageParameters")


@dataclass(frozen=True, eq=False)
class CollageParameters:
    """The parameters of one collage, immutable; base class of `collage.Collage`, which decodes.

    partition: the ranges.
    domains: (r, k, 2) top left corners (y, x) in pixels of the k domains of each range; a domain
        of a range of n pixels is pooling * n pixels wide and lies inside the canvas. Ranges whose
        domains would not fit the canvas (see `domains_fit`) must have weights of zero.
    isometries: (r, k) codes 0..7, see `isometry`.
    weights: (c or 1, r, k) contrast of each domain; 1 shares it among all channels. All weights,
        biases and patches have one dtype and device.
    bias: (c, r) brightness of each range, for pixel values in 0..1.
    patches: (a, c or 1, p, p) auxiliary patches as cell averages, stretched over a whole range.
    patch_weights: (c or 1, r, a), given together with patches.
    pooling: the reduction from domain to range, an integer of at least 2.
    texture: sum of overlapping patches on the whole canvas; a constant in differentiation.
    means: (c, r) of the ranges of the fixed point, if known, to which `bias` then has to be fitted
        (`fractal.brightness.calibrate`). Every step of the iteration sets them, so that only what
        differs within ranges has to contract, which weights of 1 and more may do, too: the bound
        on the weights is not asked for, convergence is up to the solver.

    Raises ValueError if the parts do not fit each other.
    """

    partition: Partition
    domains: Int64[Tensor, "r k 2"]
    isometries: Int64[Tensor, "r k"]
    weights: Float[Tensor, "cw r k"]
    bias: Float[Tensor, "c r"]
    patches: Float[Tensor, "a cp p p"] | None = None
    patch_weights: Float[Tensor, "cv r a"] | None = None
    pooling: int = 2
    texture: LappedTexture | None = None
    means: Float[Tensor, "c r"] | None = None

    def __post_init__(self) -> None:
        problems = []
        ranges, sources = self.isometries.shape
        if ranges != len(self.partition) or self.bias.shape[1] != ranges:
            problems.append(f"{len(self.partition)} blocks but parameters for {ranges} ranges")
        if self.weights.shape[1:] != (ranges, sources) or self.domains.shape[1] != sources:
            problems.append("domains, isometries and weights must agree in ranges and sources")
        if self.patches is not None and self.patch_weights is not None:
            count, _, height, width = self.patches.shape
            if self.patch_weights.shape[1:] != (ranges, count) or height != width:
                problems.append("patches must be square, with a weight for each range and patch")
        if self.means is not None and self.means.shape != self.bias.shape:
            problems.append("means must be given for each channel and range")
        parameters = [self.weights, self.bias, self.patches, self.patch_weights, self.means]
        kinds = {(p.dtype, p.device) for p in parameters if p is not None}
        if len(kinds) > 1 or not self.bias.is_floating_point():
            problems.append("weights, bias and patches must have one floating dtype and one device")
        if self.pooling < 2:
            problems.append(f"pooling must be at least 2, not {self.pooling}")
        if (self.patches is None) != (self.patch_weights is None):
            problems.append("patches and patch_weights must be given together")
        channel_counts = {self.channels, 1}
        if self.weights.shape[0] not in channel_counts or (
            self.patches is not None
            and self.patch_weights is not None
            and not {self.patches.shape[1], self.patch_weights.shape[0]} <= channel_counts
        ):
            problems.append(f"parameters must have 1 or {self.channels} channels")
        if self.texture is not None:
            canvas_size = (self.partition.canvas_height, self.partition.canvas_width)
            if self.texture.size(Fraction(1)) != canvas_size:
                problems.append(
                    f"a texture of {self.texture.size(Fraction(1))} pixels (height, width) on a "
                    f"canvas of {canvas_size}"
                )
            if self.pooling & (self.pooling - 1):
                problems.append(f"a texture needs a pooling of a power of two, not {self.pooling}")
            if self.texture.channels != self.channels:
                problems.append(
                    f"the texture has {self.texture.channels} channels, not {self.channels}"
                )
        if not problems and self.domains.numel():
            extent = self.partition.blocks[:, 2] * self.pooling
            end = self.domains + extent[:, None, None]
            canvas = end.new_tensor([self.partition.canvas_height, self.partition.canvas_width])
            outside = ((self.domains < 0) | (end > canvas)).any(-1)
            read = self.domains_fit[:, None] | self.weights.ne(0).any(0)
            if bool((outside & read).any()):
                problems.append("a domain reaches beyond the canvas")
            if bool(((self.isometries < 0) | (self.isometries >= N_ISOMETRIES)).any()):
                problems.append("an isometry is not in 0..7")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def height(self) -> int:
        """Height of the image in pixels at scale 1."""
        return self.partition.height

    @property
    def width(self) -> int:
        """Width of the image in pixels at scale 1."""
        return self.partition.width

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.bias.shape[0]

    @property
    def domains_per_range(self) -> int:
        """Number of domains per range."""
        return self.isometries.shape[1]

    @cached_property
    def domains_fit(self) -> Bool[Tensor, " r"]:
        """Whether each range is small enough for its domains to fit inside the canvas."""
        canvas = min(self.partition.canvas_height, self.partition.canvas_width)
        return self.partition.blocks[:, 2] * self.pooling <= canvas

    @cached_property
    def uses_patches(self) -> Bool[Tensor, " r"]:
        """Whether each range has a non-zero weight of an auxiliary patch.

        True for all ranges if `patch_weights` requires gradients, which weights of zero have, too.
        """
        if self.patch_weights is None:
            return torch.zeros_like(self.domains_fit)
        used = self.patch_weights.detach().ne(0).any(-1).any(0)
        return used | self.patch_weights.requires_grad

    @cached_property
    def lattice(self) -> Fraction:
        """The greatest common divisor of all block edges and pooled domain corners, in pixels.

        The map acts exactly on whole pixels at the scales that are multiples of 1 / lattice.
        """
        edges = math.gcd(*self.partition.blocks.flatten().unique().tolist())
        corners = math.gcd(*self.domains.flatten().unique().tolist())
        return Fraction(math.gcd(edges * self.pooling, corners), self.pooling)

    def contraction(self) -> float:
        """A bound on the sup norm of the linear part: below 1, the map is a contraction.

        n steps multiply the error of any initial image by at most contraction() ** n.
        """
        return float(self.weights.detach().abs().sum(-1).max()) if self.weights.numel() else 0.0

    def require_contractive(self) -> None:
        """Raise NotContractiveError unless `contraction()` is below 1, or the means are known."""
        bound = self.contraction()
        if self.means is None and not bound < 1:
            raise NotContractiveError(
                f"the weights of a range sum to {bound:.3g} in magnitude, where less than 1 is "
                "needed for a fixed point: scale them down, or pass certify=False to rely on "
                "the solver's residual"
            )

    def to(
        self: P, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> P:
        """The same collage on another device or with parameters of another floating dtype."""
        moved: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                moved[field.name] = value.to(device, dtype if value.is_floating_point() else None)
        if device is not None:
            moved["partition"] = self.partition.to(device)
            moved["texture"] = None if self.texture is None else self.texture.to(device)
        return replace(self, **moved)  # type: ignore[arg-type]
