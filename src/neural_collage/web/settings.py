"""The settings of each kind of job: what they may be, and what they are if they are not given."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from PIL import features

from neural_collage.web.problems import StudioError

MOST_OUTPUT = 40_000_000
"""Pixels of the largest result."""
LARGEST_SEED = 2**53 - 1
"""The largest whole number that JSON carries safely."""
LONGEST_TEXT = 200
"""Characters of a text that is written."""
FORMATS = {"clg": ".clg", "jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "jxl": "JPEG XL"}
"""Names of the formats of Compress, as they are shown."""


def writable_formats() -> list[str]:
    """The formats that this machine can write."""
    has_jxl = find_spec("pillow_jxl") is not None
    return [
        name
        for name in FORMATS
        if (name != "jxl" or has_jxl) and (name not in ("webp", "avif") or features.check(name))
    ]


class Setting(Protocol):
    """One setting."""

    def check(self, name: str, value: Any) -> Any:
        """The value to use; raises StudioError for one that is not allowed."""


@dataclass(frozen=True)
class Number:
    """A number of a range; None as the default means that it may be missing."""

    low: float
    high: float
    default: float | None
    whole: bool = False

    def check(self, name: str, value: Any) -> float | None:
        if value is None:
            return self.default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or (self.whole and value != int(value)):
            raise StudioError(f"{name} must be {self._kind}, {self._range}")
        if not self.low <= value <= self.high:
            raise StudioError(f"{name} must be {self._range}, not {shown(value)}")
        return int(value) if self.whole else float(value)

    @property
    def _kind(self) -> str:
        return "a whole number" if self.whole else "a number"

    @property
    def _range(self) -> str:
        return f"{self.low:,g} to {self.high:,g}" if self.high < 1e15 else f"from {self.low:g} up"


@dataclass(frozen=True)
class Choice:
    """One of some values, the first unless it is given."""

    values: tuple[Any, ...]

    def check(self, name: str, value: Any) -> Any:
        if value is None:
            return self.values[0]
        if isinstance(value, bool) or value not in self.values:
            raise StudioError(f"{name} must be one of {', '.join(map(str, self.values))}")
        return value


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool = False

    def check(self, name: str, value: Any) -> bool:
        if value is None:
            return self.default
        if not isinstance(value, bool):
            raise StudioError(f"{name} must be true or false")
        return value


@dataclass(frozen=True)
class Text:
    """A string of at most so many characters."""

    most: int
    needed: bool = False

    def check(self, name: str, value: Any) -> str | None:
        if value is None:
            if self.needed:
                raise StudioError(f"{name} is missing")
            return None
        if not isinstance(value, str) or len(value) > self.most:
            raise StudioError(f"{name} must be a text of at most {self.most:,} characters")
        return value


@dataclass(frozen=True)
class Numbers:
    """A list of so many numbers of a range, or nothing."""

    count: int
    low: float
    high: float
    whole: bool = False

    def check(self, name: str, value: Any) -> tuple[float, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) != self.count:
            raise StudioError(f"{name} must be {self.count} numbers")
        number = Number(self.low, self.high, None, self.whole)
        if any(each is None for each in value):
            raise StudioError(f"{name} must be {self.count} numbers")
        return tuple(number.check(name, each) for each in value)  # type: ignore[misc]


_SCALE = Number(0.05, 64, 1)
_MOST_SIDE = Number(16, 4096, None, whole=True)
_PLACE = {"centre": Numbers(2, 0, 1)}
KINDS: Mapping[str, Mapping[str, Setting]] = {
    "encode": {
        "format": Choice(tuple(FORMATS)),
        "quality": Number(1, 100, None, whole=True),
        "size": Number(1, 1 << 40, None, whole=True),
        "psnr": Number(1, 100, None),
        "codec": Choice(("auto", "neural", "fractal")),
        "region": Numbers(4, 0, 1 << 20, whole=True),
    },
    "score": {},
    "scene": {"of": Choice(("copies", "clg", "neural", "fractal"))},
    "fractalize": {
        "tiles": Number(4, 128, 64, whole=True),
        "contrast": Number(0, 0.9, 0.5),
        "strength": Number(0, 1, 1),
        "domains": Choice((1, 9, 49)),
        "isometries": Flag(),
        "adaptive": Flag(),
        "colours": Choice(("own", "grey")),
        "scale": _SCALE,
        "max": _MOST_SIDE,
    },
    "stylize": {
        "style": Text(100, needed=True),
        "size": Choice((8, 4, 16, 32)),
        "strength": Number(0, 1, 0.5),
        "own": Number(0, 0.9, 0),
        "colours": Choice(("content", "style")),
        "scale": _SCALE,
        "max": _MOST_SIDE,
    },
    "movie": {
        "scene": Text(100, needed=True),
        "factor": Number(1, 2.0**20, 4096),
        "seconds": Number(0.5, 30, 4),
        "fps": Number(1, 60, 24),
        "side": Number(64, 1920, None, whole=True),
        "width": Number(64, 1920, None, whole=True),
        "height": Number(64, 1920, None, whole=True),
        **_PLACE,
    },
    "restore": {
        "what": Choice(("fill", "denoise", "enlarge")),
        "mask": Text(16 << 20),
        "noise": Number(0, 255, None),
        "scale": Number(0.25, 8, 2),
    },
    "morph": {"other": Text(100, needed=True), "share": Number(0, 1, 0.5)},
    "draw": {
        "model": Text(50),
        "count": Number(1, 100, 36, whole=True),
        "scale": Number(1, 20, 4),
        "temperature": Number(0.1, 1.2, 0.9),
        "seed": Number(0, LARGEST_SEED, 0, whole=True),
        "text": Text(LONGEST_TEXT),
    },
    "view": {
        "scene": Text(100, needed=True),
        "scale": Number(1 / 1024, 2.0**24, 1),
        "width": Number(16, 8192, None, whole=True),
        "height": Number(16, 8192, None, whole=True),
        **_PLACE,
    },
}
"""The settings by kind of job."""


def checked(kind: Any, settings: Any) -> dict[str, Any]:
    """All settings of a kind of job, those that are not given at their defaults.

    Raises:
        StudioError: no such kind, an unknown setting, or a value out of range.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise StudioError(f"there is no job of that kind: choose one of {', '.join(KINDS)}")
    if settings is None:
        settings = {}
    if not isinstance(settings, dict):
        raise StudioError("settings must be an object of names and values")
    fields = KINDS[kind]
    if unknown := [name for name in settings if name not in fields]:
        raise StudioError(
            f"{kind} has no setting {shown(unknown[0])}: it has {', '.join(fields) or 'none'}"
        )
    found = {name: setting.check(name, settings.get(name)) for name, setting in fields.items()}
    _check_together(kind, found)
    return found


def _check_together(kind: str, found: dict[str, Any]) -> None:
    """Settings that depend on each other."""
    if kind == "encode":
        wanted = [name for name in ("quality", "size", "psnr") if found[name] is not None]
        if len(wanted) > 1:
            raise StudioError(f"give one of quality, size and psnr, not {' and '.join(wanted)}")
        if not wanted:
            found["quality"] = 50
        if found["format"] != "clg" and found["psnr"] is not None:
            raise StudioError("a target PSNR is for .clg files: give a quality or a size")
    if kind == "fractalize":
        parts = {1: 1, 9: 2, 49: 4}[found["domains"]] * (2 if found["adaptive"] else 1)
        found["tiles"] = max(parts * 2 if parts > 1 else 4, found["tiles"] // parts * parts)
    if kind == "movie":
        side = found.pop("side")
        width, height = (found[name] or side or 360 for name in ("width", "height"))
        found["width"], found["height"] = width // 2 * 2, height // 2 * 2
        if width * height * found["fps"] * found["seconds"] > 1_200_000_000:
            raise StudioError("this movie is too long for its size: take fewer seconds or pixels")
    if kind == "view" and (found["width"] or 0) * (found["height"] or 0) > MOST_OUTPUT:
        raise StudioError(f"a view has at most {MOST_OUTPUT:,} pixels: take a smaller one")
    if kind == "restore" and found["what"] == "fill" and not found["mask"]:
        raise StudioError("paint over the part to be filled first")


def shown(value: Any) -> str:
    """A value of a request, short enough for a message."""
    text = f"{value:,g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:40] + "..."
