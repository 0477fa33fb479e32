"""Encoding to a target: the best file of at most so many bytes, or the smallest one so alike.

Quality is searched for. Photographs follow curves of one family: of sizes, two JPEG files tell
which one, and the first file corrects that; between two qualities that lie on either side of a
target, the next one is interpolated along it, so that two or three files are made, not a hundred.
Sizes are searched for in fractions of a quality, since a step to the next one adds about 3 %; where
graphics become exact it may add more than all others together.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from neural_collage.arguments import is_whole
from neural_collage.codec.encoding.expected_sizes import expected_sizes
from neural_collage.codec.encoding.layered import Settings, encode_picture
from neural_collage.codec.graphics.encoder import EXACT_QUALITY
from neural_collage.codec.image import CollageImage
from neural_collage.codec.precision.steps import BASE_QUALITY
from neural_collage.errors import CollageError, TargetError
from neural_collage.io.picture import WHITE, Picture
from neural_collage.io.writing import to_pil

Made = TypeVar("Made")
FloatArray = npt.NDArray[np.float64]
LEAST_ERROR = 1e-10
"""The mean squared error that counts as none, of samples in [0, 1]: PSNR is 100 dB at most."""
_LOWEST, _HIGHEST = 1, 100
_MOST_GUESSES = 6
"""Files after which the interval is halved, where sizes follow no curve."""
_JUMP = EXACT_QUALITY - 1, EXACT_QUALITY
_MORE_GUESSES, _PARTS_OF_JUMP = 4, 256
"""Between these qualities: that many more files, and parts of a quality."""
_LEAST_GROWTH, _MOST_GROWTH = 1 / 8, 8.0
"""Of a file with quality, relative to what is expected."""


@dataclass(frozen=True)
class Measure:
    """A figure of files that grows with quality.

    name, title: as programs and people read it. unit: what follows a value in a text, with the
    space before it. typical: its expected value at some qualities. slack: by how much a file may
    surpass a target without another attempt. is_ratio: whether values compare by their ratio.
    at_most: whether a target is the most that is allowed, not the least. spread: how far positions
    of pictures lie from the expected ones; one is as many spreads away at all qualities. parts: of
    a quality, which are searched.
    """

    name: str
    title: str
    unit: str
    typical: Mapping[int, float]
    slack: float
    is_ratio: bool = False
    at_most: bool = False
    spread: Mapping[int, float] = field(default_factory=dict)
    parts: int = 1

    def position(self, value: float) -> float:
        """A value on the scale on which `slack` is measured."""
        return math.log(value) if self.is_ratio else value

    def curve(self, apart: float) -> tuple[list[int], FloatArray]:
        """Qualities, and positions there of a photograph so many spreads from what is expected."""
        qualities = list(self.typical)
        typical = np.array([self.position(value) for value in self.typical.values()])
        spread = np.array([self.spread.get(quality, 0.0) for quality in qualities])
        return qualities, np.maximum.accumulate(typical + apart * spread)

    def text(self, value: float) -> str:
        """A value for people."""
        return f"{value:,.0f}{self.unit}" if self.is_ratio else f"{value:.2f}{self.unit}"


_MOST_APART = 3.0
_TYPICAL = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 94, 96, 98, 100)
_PSNRS = (26.5, 27.5, 28.6, 29.8, 31.0, 32.2, 33.6, 35.0, 36.5, 38.0, 39.4, 41.1, 43.3, 45.5)
_STRETCH, _MOST_STRETCH = 0.5, 1.5
"""Where a picture takes many bits per pixel, RDOQ changes its size less than the quality does."""
_SAME_ANALYSIS = 0.75
"""Fractions up to which a file has the quality of the one before it, whose analysis it shares."""
PSNR = Measure("psnr", "PSNR", " dB", dict(zip(_TYPICAL, _PSNRS, strict=True)), slack=0.1)
"""In dB, see `psnr_of_file`."""


@dataclass(frozen=True)
class Target:
    """What a file of one picture is to reach.

    wanted: in units of the measure. value_of: what a file of the picture has. stretch: of fractions
    of a quality, up to 90.
    """

    measure: Measure
    wanted: float
    value_of: Callable[[CollageImage], float] = field(repr=False)
    stretch: float = 1.0


@dataclass(frozen=True)
class Reached:
    """A file that meets a target: its value, and how many files were made to find it."""

    image: CollageImage
    value: float
    attempts: int


def size_target(picture: Picture, size: int) -> Target:
    """A file of at most `size` bytes.

    Raises:
        CollageError: not a whole number above 0.
    """
    if not (is_whole(size) and size >= 1):
        raise CollageError(f"size must be a whole number of bytes, at least 1, not {size!r}")
    rate = 8 * size / (picture.width * picture.height)
    stretch = math.exp(min(_STRETCH * rate, _MOST_STRETCH))
    measure = size_measure(*expected_sizes(picture))
    return Target(measure, size, lambda image: len(image.to_bytes()), stretch)


def size_measure(expected: Mapping[int, float], spread: Mapping[int, float]) -> Measure:
    """The bytes of files, which are expected to be these, see `expected_sizes`."""
    return Measure(
        *("size", "size", " bytes", expected),
        slack=0.02,
        is_ratio=True,
        at_most=True,
        spread=spread,
        parts=16,
    )


def psnr_target(picture: Picture, psnr: float) -> Target:
    """A file whose decode has at least this PSNR in dB, see `psnr_of_file`.

    Raises:
        CollageError: not a finite number above 0.
    """
    if not (isinstance(psnr, int | float | np.floating) and 0 < psnr < math.inf):
        raise CollageError(f"psnr must be a number of dB above 0, not {psnr!r}")
    return Target(PSNR, psnr, lambda image: psnr_of_file(picture, image))


def psnr_of_file(picture: Picture, image: CollageImage) -> float:
    """PSNR in dB of the 8-bit decode of a file, at most 100: over all samples, alpha included.

    Colours of invisible pixels, which files do not keep, count as equal.
    """
    height, width, channels = picture.height, picture.width, len(picture.mode)
    original = picture.levels
    decoded = np.asarray(to_pil(image.decode())).reshape(height, width, channels)
    total = 0
    for number in range(channels):
        errors = np.square(decoded[..., number].astype(np.int32) - original[number])
        if picture.mode in ("LA", "RGBA") and number < channels - 1:
            errors *= original[-1] > 0
        total += int(errors.sum(dtype=np.int64))
    mean = total / (height * width * channels * WHITE**2)
    return 10 * math.log10(1 / max(mean, LEAST_ERROR))


def encode_to(picture: Picture, settings: Settings, target: Target) -> Reached:
    """The best file that meets a target of size, the smallest that meets another.

    settings: those of all files but for their quality, which is searched for.

    Raises:
        TargetError: no quality meets the target; the message says how near one comes.
    """
    kept: dict[Hashable, Any] = {}
    whole, count = 0, 0
    exact: tuple[float, CollageImage] | None = None

    def attempt(quality: float) -> tuple[CollageImage, float]:
        nonlocal whole, count, exact
        if exact is not None and quality >= exact[0]:
            return exact[1], target.value_of(exact[1])
        count += 1
        if math.floor(quality) == _JUMP[0]:
            whole = _JUMP[0]
        elif abs(quality - whole) > _SAME_ANALYSIS:
            whole = math.floor(quality + 0.5)
        fraction = quality - whole
        if quality <= BASE_QUALITY:
            fraction = min(fraction * target.stretch, BASE_QUALITY - whole)
        which = replace(settings, quality=whole, fraction=fraction)
        image = encode_picture(picture, which, kept)
        if quality >= EXACT_QUALITY and image.graphics and image.graphics.owned_share() == 1:
            exact = quality, image
        return image, target.value_of(image)

    found, _ = search(
        target.measure, target.wanted, attempt, lambda image: image.graphics is not None
    )
    return Reached(found.made, found.value, count)


def search(
    measure: Measure,
    wanted: float,
    attempt: Callable[[float], tuple[Made, float]],
    may_jump: Callable[[Made], bool] = lambda _: False,
) -> tuple["Attempt[Made]", int]:
    """The attempt at the quality that meets a target best, and the number of attempts.

    wanted: the target. attempt: what is made at a quality, and its value. may_jump: whether values
    of something like it may jump where graphics become exact.

    Raises:
        TargetError: no quality meets the target; the message says how near one comes.
    """
    found: _Search[Made] = _Search(measure, wanted)
    while (quality := found.next_quality()) is not None:
        made, value = attempt(quality)
        found.add(quality, made, value, may_jump(made))
    return found.result(), found.count


@dataclass(frozen=True)
class Attempt(Generic[Made]):
    """What was made at a quality, its value, and how far `Measure.position` is above the target."""

    quality: float
    made: Made
    value: float
    surplus: float


class _Search(Generic[Made]):
    """The attempts so far, of which the two next to the target are kept."""

    def __init__(self, measure: Measure, wanted: float) -> None:
        self._measure = measure
        self._wanted = wanted
        self._sought = measure.position(wanted)
        self._below: Attempt[Made] | None = None
        self._above: Attempt[Made] | None = None
        self.count = 0
        self._before: Attempt[Made] | None = None
        self._jumps = False
        self._side: bool | None = None
        self._repeats = 0

    def add(self, quality: float, made: Made, value: float, may_jump: bool) -> None:
        """Take what was made at a quality into account."""
        surplus = self._measure.position(value) - self._sought
        attempt = Attempt(quality, made, value, surplus)
        self._jumps |= may_jump
        self._before = self._below or self._above
        side = surplus < 0
        self._repeats = self._repeats + 1 if side == self._side else 0
        self._side = side
        if surplus < 0 or (surplus == 0 and self._measure.at_most):
            self._below = attempt
        else:
            self._above = attempt
        self.count += 1

    @property
    def _good(self) -> Attempt[Made] | None:
        """The best attempt that meets the target."""
        return self._below if self._measure.at_most else self._above

    def next_quality(self) -> float | None:
        """What to try next; None if nothing better can be found."""
        measure, good = self._measure, self._good
        low, high = self._interval(0)
        in_jump = self._jumps and _JUMP[0] <= low and high <= _JUMP[1] and measure.is_ratio
        is_guessed = self.count < _MOST_GUESSES + (_MORE_GUESSES if in_jump else 0)
        parts = _PARTS_OF_JUMP if in_jump else measure.parts
        parts = parts if is_guessed else 1
        low, high = self._interval(1 / parts)
        if (high - low) * parts <= 1 or (good is not None and abs(good.surplus) <= measure.slack):
            return None
        if not is_guessed:
            middle = math.floor((low + high) / 2 * measure.parts) / measure.parts
            return min(max(middle, _LOWEST), _HIGHEST)
        guess = self._guess(in_jump)
        if self._jumps and guess > _JUMP[0]:
            for edge in _JUMP:
                if low < edge < high:
                    return edge
        near = math.floor(guess * parts) if measure.at_most else math.ceil(guess * parts)
        return min(max(near, low * parts + 1), high * parts - 1) / parts

    def _interval(self, margin: float) -> tuple[float, float]:
        """The qualities of the two attempts, or those so far beyond what qualities there are."""
        low = _LOWEST - margin if self._below is None else self._below.quality
        high = _HIGHEST + margin if self._above is None else self._above.quality
        return low, high

    def _guess(self, in_jump: bool) -> float:
        """Where a curve of photographs, shifted to what is known, meets the target.

        in_jump: where graphics become exact, bytes follow the quality, not their logarithm.
        """
        measure = self._measure
        aim = -measure.slack / 2 if measure.at_most else measure.slack / 2
        known = [one for one in (self._below, self._above) if one is not None]
        apart = float(np.mean([self._apart(one) for one in known])) if known else 0.0
        qualities, positions = measure.curve(apart)
        at_known = np.interp([one.quality for one in known], qualities, positions)
        if len(known) == 2:
            below, above = (math.expm1(one.surplus) if in_jump else one.surplus for one in known)
            # the Illinois rule of false position: an end that stays counts less each time
            below *= 1.0 if self._side else 0.5**self._repeats
            above *= 0.5**self._repeats if self._side else 1.0
            share = (aim - below) / (above - below)
            sought = at_known[0] + share * (at_known[1] - at_known[0])
            return float(np.interp(sought, positions, qualities))
        if not known:
            return float(np.interp(self._sought, positions, qualities))
        (nearest,) = known
        growth = 1.0
        if self._before is not None:  # on the same side: how this picture follows the curve
            expected = at_known[0] - np.interp(self._before.quality, qualities, positions)
            growth = (nearest.surplus - self._before.surplus) / expected if expected else 0.0
            growth = float(np.clip(growth, _LEAST_GROWTH, _MOST_GROWTH))
        sought = at_known[0] + (aim - nearest.surplus) / growth
        return float(np.interp(sought, positions, qualities))

    def _apart(self, one: "Attempt[Made]") -> float:
        """How many spreads an attempt is from what is expected, limited to credible ones."""
        if not self._measure.spread:
            return 0.0
        positions = (np.interp(one.quality, *self._measure.curve(apart)) for apart in (0.0, 1.0))
        expected, next_one = positions
        apart = (one.surplus + self._sought - expected) / (next_one - expected)
        return float(np.clip(apart, -_MOST_APART, _MOST_APART))

    def result(self) -> Attempt[Made]:
        """The attempt that was looked for."""
        if (good := self._good) is not None:
            return good
        nearest = self._below or self._above
        assert nearest is not None  # one attempt is always made
        wanted, reached = (self._measure.text(value) for value in (self._wanted, nearest.value))
        which = "the smallest file has" if self._measure.at_most else "the best file reaches"
        raise TargetError(f"{which} {reached}: {wanted} cannot be met")
