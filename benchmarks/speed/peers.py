"""Other formats, written and read by Pillow, at the file size of one of our files."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO

from PIL import Image

from neural_collage.evaluation.peers import PEERS

CALLED = ("JPEG", "WebP", "AVIF", "JPEG 2000")
"""Formats inside Pillow: calls with one and more threads can be compared."""


@dataclass(frozen=True)
class Peer:
    """A format.

    Attributes:
        format, suffix: Pillow's name, and the ending of files.
        options: of `Image.save`.
        package, plugin: what brings the format and the module that registers it, if not Pillow.
    """

    name: str
    format: str
    suffix: str
    options: Mapping[str, object] = field(default_factory=dict)
    package: str | None = None
    plugin: str | None = None

    @property
    def installed(self) -> bool:
        """Whether pictures can be written; registers the format."""
        if self.plugin is not None:
            if find_spec(self.plugin.partition(".")[0]) is None:
                return False
            import_module(self.plugin)
        Image.init()
        return self.format in Image.SAVE

    def encode(self, picture: Image.Image) -> bytes:
        """The file of a picture."""
        file = BytesIO()
        picture.save(file, self.format, **self.options)
        return file.getvalue()

    def of_size(self, picture: Image.Image, file_bytes: int) -> "Peer":
        """The format with the least quality that gives files of so many bytes or more."""
        if self.format == "JPEG2000":  # takes the ratio of compression
            pixel_bytes = 3 * picture.width * picture.height
            return self._with({"quality_layers": [pixel_bytes / file_bytes]})
        qualities = range(1, 101)
        index = bisect_left(
            qualities,
            file_bytes,
            key=lambda quality: len(self._with({"quality": quality}).encode(picture)),
        )
        return self._with({"quality": qualities[min(index, 99)]})

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={_short(value)}" for name, value in self.options.items())
        package = "" if self.package is None else f"{self.package} {version(self.package)}, "
        return f"{package}{settings}"

    def _with(self, options: Mapping[str, object]) -> "Peer":
        return replace(self, options={**self.options, **options})


FORMATS = (
    Peer("JPEG", "JPEG", ".jpg", PEERS["jpeg"].options),
    Peer("WebP", "WEBP", ".webp", PEERS["webp"].options),
    Peer("AVIF", "AVIF", ".avif", PEERS["avif"].options),
    Peer(
        "JPEG 2000",
        "JPEG2000",
        ".jp2",
        {**PEERS["jpeg2000"].options, "quality_mode": "rates"},
    ),
    Peer("JPEG XL", "JXL", ".jxl", {"effort": 7}, "pillow-jxl-plugin", "pillow_jxl"),
    Peer("HEIC", "HEIF", ".heic", {}, "pillow-heif", "pillow_heif.HeifImagePlugin"),
)
"""All formats, with the options of the benchmark of rate-distortion."""


def _short(value: object) -> str:
    if isinstance(value, list):
        return "/".join(f"{each:.3g}" for each in value)
    return str(value)
