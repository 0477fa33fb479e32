"""`DetailLinks`: links above scale 1 with predicted weights, for pictures that collages end in.

One octave up, a picture z_s of scale s continues as

    z_2s = enlarge(z_s) + D z_s,    (D z_s)_i = sum_k w_ik detail_k(z_s)

`enlarge` is average interpolation. Domain k of a range has twice its side, is centred on it and
shifted by whole pixels of scale 1; reduced by two it has the size of the range at scale 2s. Its
detail is what remains without the averages of 2x2 cells, enlarged. So z_2s averages to z_s, and
nothing at scale 1 changes.

An outline is a reduced copy of itself: where a straight edge passes the centre of a range at the
distance t, the domain that is shifted by t away from the edge shows, reduced, the same.
The weights are those of all octaves (Poli et al. 2022, arXiv 2204.07673; detail taken from coarser
scales of the picture: Glasner, Bagon & Irani 2009).
"""

from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from neural_collage.arguments import check, is_number, whole_problems
from neural_collage.core.blocks import pool
from neural_collage.core.interpolation import enlarged
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import (
    Region,
    ScaleGrid,
    Window,
    output_window,
    render_at_scale,
)
from neural_collage.io.limits import check_decoded_size
from neural_collage.models.operator.config import OperatorConfig

_MAX_SIDE = 2048  # pixels of the largest scale with links; above it, pictures are interpolated


@dataclass(frozen=True)
class DetailLinksConfig:
    """Configuration of detail links.

    Raises ValueError, listing every problem, if a field is out of range.

    Attributes:
        reach: largest shift of a domain, in pixels of scale 1 and in either direction; a range has
            (2 reach + 1)**2 links. 1 is enough for straight edges that cross a range of 2 pixels.
        bound: greatest sum of magnitudes of the weights of a range, above 0 and at most 1: the
            factor by which detail may fade from one octave to the next.
    """

    reach: int = 1
    bound: float = 1.0

    def __post_init__(self) -> None:
        problems = whole_problems("reach", self.reach, minimum=0)
        if not (is_number(self.bound) and 0 < self.bound <= 1):
            problems.append(f"bound must be above 0 and at most 1, not {self.bound!r}")
        check(problems)

    @property
    def shifts(self) -> tuple[tuple[int, int], ...]:
        """Vertical and horizontal shift of each domain, in pixels of scale 1."""
        along = range(-self.reach, self.reach + 1)
        return tuple((down, right) for down in along for right in along)

    def problems_with(self, operator: OperatorConfig) -> list[str]:
        """Problems with the operator whose pictures continue; empty if it fits."""
        if operator.range_size % 2:
            return [f"detail links need ranges of an even size, not {operator.range_size}"]
        if operator.image_size != operator.canvas_size:
            return ["detail links need an image of whole ranges"]
        return []


class DetailLinks(nn.Module):
    """From the features of ranges to link weights, and from pictures at scale 1 to any scale.

        >>> operator = OperatorConfig(image_size=(8, 8), channels=1, range_size=2, domain_sizes=())
        >>> links = DetailLinks(16, operator, DetailLinksConfig())
        >>> weights = links(torch.rand(3, 16, 4, 4))
        >>> links.continued(torch.rand(3, 1, 8, 8), weights, 4).shape
        torch.Size([3, 1, 32, 32])

    features: channels of the features of a range. operator: of the pictures at scale 1.

    Raises ValueError if the operator does not fit.
    """

    def __init__(self, features: int, operator: OperatorConfig, config: DetailLinksConfig) -> None:
        super().__init__()
        check(config.problems_with(operator))
        self.range_size, self.size, self.config = operator.range_size, operator.image_size, config
        self.hidden = nn.Conv2d(features, features, 3, padding=1)
        self.weigh = nn.Conv2d(features, len(config.shifts), 1)
        with torch.no_grad():
            self.weigh.weight.mul_(0.1)

    def forward(
        self, features: Float[Tensor, "b f rows columns"]
    ) -> Float[Tensor, "b k rows columns"]:
        """The weights of the links of each range, whose magnitudes sum to `bound` at most."""
        hidden = functional.gelu(self.hidden(functional.gelu(features)))
        raw = self.weigh(hidden).float()
        total = raw.abs().sum(1, keepdim=True)
        weights: Tensor = raw * (self.config.bound / total.clamp_min(self.config.bound))
        return weights

    def continued(
        self,
        image: Float[Tensor, "b c h w"],
        weights: Float[Tensor, "b k rows columns"],
        scale: float = 1,
        region: Region | None = None,
    ) -> Float[Tensor, "b c H W"]:
        """Pictures of scale 1 at any scale from 1 on, or the same region of each.

        scale: powers of two are exact; others are area-averaged from the next octave up. Scales at
            which a picture has more than 2048 pixels a side add no detail to those below.
        region: (x, y, width, height) in pixels at that scale.

        Raises ScaleError for a scale or a region that does not fit.
        """
        height, width = self.size
        asked = output_window(self.size, scale, region)
        check_decoded_size((asked.width, asked.height), (width, height))
        octaves = [image]

        def window(exact: Fraction, inside: Window) -> Tensor:
            return self._window(octaves, weights, exact.numerator, inside)

        exact = ScaleGrid(Fraction(1), 2, _is_octave)
        return render_at_scale(self.size, scale, region, exact, window, area_resample)

    def octave(
        self, image: Float[Tensor, "b c h w"], weights: Float[Tensor, "b k rows columns"]
    ) -> Float[Tensor, "b c H W"]:
        """Pictures of some scale at twice that scale."""
        scale = image.shape[-1] // self.size[1]
        side = scale * self.range_size  # of a range, and half of that of a reduced domain
        margin = side // 2 + scale * self.config.reach
        margin += margin % 2 + 2
        padded = functional.pad(image, (margin,) * 4, mode="replicate")
        details: dict[tuple[int, int], Tensor] = {}
        total: Tensor | None = None
        rows, columns = weights.shape[-2:]
        for weight, (down, right) in zip(weights.unbind(1), self.config.shifts, strict=True):
            top, left = (margin - side // 2 + scale * shift for shift in (down, right))
            phase = top % 2, left % 2  # cells of a domain need not be those of the picture
            if phase not in details:
                details[phase] = _detail(padded[..., phase[0] :, phase[1] :])
            domains = details[phase][..., top - phase[0] :, left - phase[1] :]
            # (b, c, rows, columns, 2 side, 2 side)
            domains = domains.unfold(-2, 2 * side, side)[..., :rows, :, :]
            domains = domains.unfold(-2, 2 * side, side)[..., :columns, :, :]
            part = weight[:, None, :, :, None, None] * domains
            total = part if total is None else total + part
        assert total is not None
        detail = total.transpose(-3, -2).flatten(-4, -3).flatten(-2)
        return enlarged(image, 1) + detail

    def _window(self, octaves: list[Tensor], weights: Tensor, scale: int, window: Window) -> Tensor:
        """A window at a power of two; `octaves` are the pictures made so far."""
        while 1 << len(octaves) <= scale and (max(self.size) << len(octaves)) <= _MAX_SIDE:
            octaves.append(self.octave(octaves[-1], weights))
        octave = scale.bit_length() - 1
        reached = min(len(octaves) - 1, octave)
        return enlarged(octaves[reached], octave - reached, window)


def _detail(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c H W"]:
    """What average interpolation does not predict from 2x2 averages; an odd last line is cut."""
    height, width = (n - n % 2 for n in image.shape[-2:])
    even = image[..., :height, :width]
    return even - enlarged(pool(even, 2), 1)


def _is_octave(scale: Fraction) -> bool:
    return scale.denominator == 1 and scale >= 1 and scale.numerator & (scale.numerator - 1) == 0
