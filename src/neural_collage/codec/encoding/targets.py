"""Encoding to a target: the best file of at most so many bytes, or the smallest one so alike.

Quality is searched for. Between two qualities that lie on either side of a target, the next one is
interpolated along a curve that photographs follow, so that three or four files are made, not a
hundred.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np

from neural_collage.arguments import is_whole
from neural_collage.codec.encoding.layered import Settings, encode_picture
from neural_collage.codec.image import CollageImage
from neural_collage.errors import CollageError, TargetError
from neural_collage.io.picture import WHITE, Picture
from neural_collage.io.writing import to_pil

Made = TypeVar("Made")
LEAST_ERROR = 1e-10
"""The mean squared error that counts as none, of samples in [0, 1]: PSNR is 100 dB at most."""
_LOWEST, _HIGHEST = 1, 100
_MOST_GUESSES = 6
"""Files after which the interval is halved, where sizes follow no curve."""


@dataclass(frozen=True)
class Measure:
    """A figure of files that grows with quality.

    name, title: as programs and people read it. unit: what follows a value in a text, with the
    space before it. typical: its value for photographs, at some qualities. slack: by how much a
    file may surpass a target without another attempt. is_ratio: whether values compare by their
    ratio. at_most: whether a target is the most that is allowed, not the least.
    """

    name: str
    title: str
    unit: str
    typical: Mapping[int, float]
    slack: float
    is_ratio: bool = False
    at_most: bool = False

    def position(self, value: float) -> float:
        """A value on the scale on which `slack` is measured."""
        return math.log(value) if self.is_ratio else value

    def text(self, value: float) -> str:
        """A value for people."""
        return f"{value:,.0f}{self.unit}" if self.is_ratio else f"{value:.2f}{self.unit}"


_TYPICAL = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 94, 96, 98, 100)
_RATES = (0.085, 0.11, 0.147, 0.2, 0.27, 0.37, 0.51, 0.71, 0.98, 1.33, 1.6, 2.05, 2.8, 3.7)
_PSNRS = (26.5, 27.5, 28.6, 29.8, 31.0, 32.2, 33.6, 35.0, 36.5, 38.0, 39.4, 41.1, 43.3, 45.5)
SIZE = Measure(
    "size",
    "size",
    " bytes",
    dict(zip(_TYPICAL, _RATES, strict=True)),
    slack=0.02,
    is_ratio=True,
    at_most=True,
)
"""Of files, in bytes; typical are bits per pixel."""
PSNR = Measure("psnr", "PSNR", " dB", dict(zip(_TYPICAL, _PSNRS, strict=True)), slack=0.1)
"""In dB, see `psnr_of_file`."""


@dataclass(frozen=True)
class Target:
    """What a file of one picture is to reach.

    wanted: in units of the measure. value_of: what a file of the picture has. first: the quality to
    begin with, if one is known to be near.
    """

    measure: Measure
    wanted: float
    value_of: Callable[[CollageImage], float] = field(repr=False)
    first: int | None = None


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
    first = round(_quality_at(SIZE, SIZE.position(rate)))
    return Target(SIZE, size, lambda image: len(image.to_bytes()), first)


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

    def attempt(quality: int) -> tuple[CollageImage, float]:
        image = encode_picture(picture, replace(settings, quality=quality))
        return image, target.value_of(image)

    found, attempts = search(target.measure, target.wanted, attempt, target.first)
    return Reached(found.made, found.value, attempts)


def search(
    measure: Measure,
    wanted: float,
    attempt: Callable[[int], tuple[Made, float]],
    first: int | None = None,
) -> tuple["Attempt[Made]", int]:
    """The attempt at the quality that meets a target best, and the number of attempts.

    wanted: the target. attempt: what is made at a quality, and its value. first: the quality to
    begin with.

    Raises:
        TargetError: no quality meets the target; the message says how near one comes.
    """
    found: _Search[Made] = _Search(measure, wanted, first)
    while (quality := found.next_quality()) is not None:
        found.add(quality, *attempt(quality))
    return found.result(), found.count


@dataclass(frozen=True)
class Attempt(Generic[Made]):
    """What was made at a quality, its value, and how far `Measure.position` is above the target."""

    quality: int
    made: Made
    value: float
    surplus: float


class _Search(Generic[Made]):
    """The attempts so far, of which the two next to the target are kept."""

    def __init__(self, measure: Measure, wanted: float, first: int | None) -> None:
        self._measure = measure
        self._wanted = wanted
        self._first = first
        self._below: Attempt[Made] | None = None
        self._above: Attempt[Made] | None = None
        self.count = 0
        self._one_sided = 0

    def add(self, quality: int, made: Made, value: float) -> None:
        """Take what was made at a quality into account."""
        surplus = self._measure.position(value) - self._measure.position(self._wanted)
        attempt = Attempt(quality, made, value, surplus)
        self._one_sided += self._below is None or self._above is None
        if surplus < 0 or (surplus == 0 and self._measure.at_most):
            self._below = attempt
        else:
            self._above = attempt
        self.count += 1

    @property
    def _good(self) -> Attempt[Made] | None:
        """The best attempt that meets the target."""
        return self._below if self._measure.at_most else self._above

    def next_quality(self) -> int | None:
        """What to try next; None if nothing better can be found."""
        measure, good = self._measure, self._good
        low = _LOWEST - 1 if self._below is None else self._below.quality
        high = _HIGHEST + 1 if self._above is None else self._above.quality
        if high - low <= 1 or (good is not None and abs(good.surplus) <= measure.slack):
            return None
        if self.count >= _MOST_GUESSES:
            return (low + high) // 2
        guess = self._guess()
        near = math.floor(guess) if measure.at_most else math.ceil(guess)
        return min(max(near, low + 1), high - 1)

    def _guess(self) -> float:
        """Where the curve of photographs, shifted to what is known, meets the target."""
        measure, below, above = self._measure, self._below, self._above
        aim = -measure.slack / 2 if measure.at_most else measure.slack / 2
        if below is not None and above is not None:
            left, right = (_typical(measure, one.quality) for one in (below, above))
            share = (aim - below.surplus) / (above.surplus - below.surplus)
            return _quality_at(measure, left + share * (right - left))
        nearest = below or above
        if nearest is None:
            if self._first is not None:
                return self._first
            return _quality_at(measure, measure.position(self._wanted))
        step = _quality_at(measure, _typical(measure, nearest.quality) + aim - nearest.surplus)
        return nearest.quality + (step - nearest.quality) * 2.0 ** (self._one_sided - 1)

    def result(self) -> Attempt[Made]:
        """The attempt that was looked for."""
        if (good := self._good) is not None:
            return good
        nearest = self._below or self._above
        assert nearest is not None  # one attempt is always made
        wanted, reached = (self._measure.text(value) for value in (self._wanted, nearest.value))
        which = "the smallest file has" if self._measure.at_most else "the best file reaches"
        raise TargetError(f"{which} {reached}: {wanted} cannot be met")


def _typical(measure: Measure, quality: float) -> float:
    """The position of photographs at a quality; what lies outside 1..100 goes on in a line."""
    values = [measure.position(value) for value in measure.typical.values()]
    return float(np.interp(quality, list(measure.typical), values))


def _quality_at(measure: Measure, position: float) -> float:
    """The quality at which photographs are at a position, from 1 to 100."""
    values = [measure.position(value) for value in measure.typical.values()]
    return float(np.interp(position, values, list(measure.typical)))
