"""`OperatorConfig`: sizes, sources and parametrisation of a collage operator, checked."""

from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Literal, get_args

from neural_collage.arguments import (
    check,
    choice_problems,
    flag_problems,
    is_number,
    whole_problems,
    wholes_problems,
)
from neural_collage.core.scales import round_up

Isometries = Literal["identity", "rotations", "all"]
PatchOrigin = Literal["learned", "given", "style"]
Enlarging = Literal["cosine", "smooth"]
Mixing = Literal["bounded", "softmax", "free"]

# Codes of `core.isometry`; a half turn flips both ways, a quarter turn transposes and flips once.
ISOMETRY_CODES: dict[Isometries, tuple[int, ...]] = {
    "identity": (0,),
    "rotations": (0, 5, 3, 6),
    "all": (0, 1, 2, 3, 4, 5, 6, 7),
}


@dataclass(frozen=True)
class OperatorConfig:
    """Configuration of the affine map of a collage operator, for images of one size.

    The image padded to whole ranges is the canvas. The map replaces every range i of it by

        range_i = sum_k weight_ik * source_k + bias_i

    Sources are numbered from 0: the domains of each size in turn, reduced to the size of a range,
    in raster order and each under every isometry; then the auxiliary patches (Poli et al. 2022,
    arXiv 2204.07673), each under every isometry of its own.

    Raises ValueError, listing every problem, if fields are out of range or contradict each other.

    Attributes:
        image_size: height and width in pixels, any from 1; the output is cropped to it.
        channels: channels of the image.
        range_size: side of the ranges in pixels.
        domain_sizes: sides of the square domains in pixels, multiples of range_size; those of
            range_size are not reduced. Domains of a size tile the canvas from its top left corner;
            an incomplete one at the right or bottom edge is no source. () leaves patches and bias
            as the only terms, without self-similarity.
        isometries: symmetries of the square under which each domain is a source: 1, 4 or 8.
        patches: "learned" parameters of the operator, "given" with every call, or cut from a
            fixed "style" image.
        n_patches: number of patches; of a style image, the first ones in raster order.
        patch_isometries: symmetries of the square under which each patch is a source. Only
            "identity" without patches.
        patch_size: side p of the patches in their own pixels, resampled to the size of a range;
            range_size if None.
        enlarge: interpolation of biases and patches above scale 1. "cosine": each range on its own,
            by the cosine series of its patches; may be discontinuous at range edges. "smooth":
            across range edges, by average interpolation, at scales that are powers of 2.
        patch_share: in 0..1: scales domain weights by 1 - patch_share and patch weights by
            patch_share; None scales neither.
        per_channel: separate weights for each channel; if False, channels share them. Biases are
            always separate.
        mixing: how raw weights become those of the map. "bounded": as they are, but the domain
            weights of a range are scaled down where their magnitudes sum to more than `bound`.
            "softmax": softmax over the sources of a range, then domain weights times `bound`.
            "free": as they are, without a guarantee of contraction.
        bound: the greatest sum of magnitudes of the domain weights of a range, in (0, 1); a bound
            on the Lipschitz constant of the map in the sup norm. Unused by mixing="free".
        step: raw weights, biases and given patches are rounded to its multiples, with a
            straight-through gradient; None does not round.
    """

    image_size: tuple[int, int] = (32, 32)
    channels: int = 3
    range_size: int = 8
    domain_sizes: tuple[int, ...] = (16,)
    isometries: Isometries = "identity"
    patches: PatchOrigin = "learned"
    n_patches: int = 0
    patch_isometries: Isometries = "identity"
    patch_size: int | None = None
    enlarge: Enlarging = "cosine"
    patch_share: float | None = None
    per_channel: bool = False
    mixing: Mixing = "bounded"
    bound: float = 0.9
    step: float | None = None

    def __post_init__(self) -> None:
        check(self._problems() or self._domain_problems())

    def _problems(self) -> list[str]:
        """Problems of single fields."""
        problems = [
            *choice_problems("isometries", self.isometries, get_args(Isometries)),
            *choice_problems("patches", self.patches, get_args(PatchOrigin)),
            *choice_problems("patch_isometries", self.patch_isometries, get_args(Isometries)),
            *choice_problems("enlarge", self.enlarge, get_args(Enlarging)),
            *choice_problems("mixing", self.mixing, get_args(Mixing)),
            *wholes_problems("image_size", self.image_size, length=2),
            *wholes_problems("domain_sizes", self.domain_sizes),
            *whole_problems("channels", self.channels),
            *whole_problems("range_size", self.range_size),
            *whole_problems("n_patches", self.n_patches, minimum=0),
            *([] if self.patch_size is None else whole_problems("patch_size", self.patch_size)),
            *flag_problems("per_channel", self.per_channel),
        ]
        if self.patch_isometries != "identity" and self.n_patches == 0:
            problems.append(
                f'patch_isometries must be "identity" without patches, not '
                f"{self.patch_isometries!r}: set n_patches"
            )
        share, bound, step = self.patch_share, self.bound, self.step
        if share is not None and not (is_number(share) and 0 <= share <= 1):
            problems.append(f"patch_share must be in 0..1, not {share!r}")
        if not (is_number(bound) and 0 < bound < 1):
            problems.append(f"bound must lie between 0 and 1, not {bound!r}")
        if step is not None and not (is_number(step) and step > 0):
            problems.append(f"step must be positive and finite, not {step!r}")
        return problems

    def _domain_problems(self) -> list[str]:
        problems = []
        height, width = self.canvas_size
        sizes = self.domain_sizes
        if len(set(sizes)) < len(sizes):
            problems.append(f"domain_sizes must differ from each other, not {sizes}")
        if any(size % self.range_size for size in sizes):
            problems.append(
                f"domain_sizes must be multiples of range_size {self.range_size}, not {sizes}"
            )
        elif any(size > min(height, width) for size in sizes):
            problems.append(f"a domain of {max(sizes)} does not fit in {width}x{height} pixels")
        elif len(self.reductions) > self.reductions.count(1) and self.octave == 1:
            problems.append(
                f"the reductions {self.reductions} (domain over range size) must have a common "
                "factor above 1: take powers of 2"
            )
        if self.enlarge == "smooth" and not problems and self.octave & (self.octave - 1):
            problems.append(
                f'enlarge="smooth" needs reductions whose common factor is a power of 2, not '
                f"{self.octave}"
            )
        return problems

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Height and width of the image padded to whole ranges."""
        height, width = self.image_size
        return round_up(height, self.range_size), round_up(width, self.range_size)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of ranges."""
        height, width = self.canvas_size
        return height // self.range_size, width // self.range_size

    @property
    def reductions(self) -> tuple[int, ...]:
        """Domain over range size, for each domain size."""
        return tuple(size // self.range_size for size in self.domain_sizes)

    @property
    def octave(self) -> int:
        """Ratio of the scales of the pyramid: the common factor of all reductions above 1."""
        return reduce(gcd, (k for k in self.reductions if k > 1), 0) or 2

    @property
    def isometry_codes(self) -> tuple[int, ...]:
        """Codes of the isometries of domains, as in `core.isometry`."""
        return ISOMETRY_CODES[self.isometries]

    @property
    def patch_isometry_codes(self) -> tuple[int, ...]:
        """Codes of the isometries of patches, as in `core.isometry`."""
        return ISOMETRY_CODES[self.patch_isometries]

    @property
    def n_ranges(self) -> int:
        """Number of ranges in the canvas."""
        return self.grid[0] * self.grid[1]

    @property
    def n_domains(self) -> int:
        """Number of domains of all sizes."""
        height, width = self.canvas_size
        return sum((height // size) * (width // size) for size in self.domain_sizes)

    @property
    def n_own(self) -> int:
        """Number of sources in the image itself: domains times isometries."""
        return self.n_domains * len(self.isometry_codes)

    @property
    def n_patch_sources(self) -> int:
        """Number of sources that are patches: patches times their isometries."""
        return self.n_patches * len(self.patch_isometry_codes)

    @property
    def n_sources(self) -> int:
        """Number of all sources: those in the image, then the patches."""
        return self.n_own + self.n_patch_sources

    @property
    def weights_shape(self) -> tuple[int, int, int]:
        """(channels or 1, ranges, sources), without the batch."""
        return (self.channels if self.per_channel else 1, self.n_ranges, self.n_sources)

    @property
    def bias_shape(self) -> tuple[int, int]:
        """(channels, ranges), without the batch."""
        return self.channels, self.n_ranges

    @property
    def patches_shape(self) -> tuple[int, int, int, int]:
        """(patches, channels, p, p), without the batch."""
        p = self.patch_size or self.range_size
        return self.n_patches, self.channels, p, p
