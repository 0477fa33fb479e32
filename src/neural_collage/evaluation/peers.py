"""Formats of Pillow and of its plugins to compare with.

Rate and PSNR rise with quality. Each list of qualities spans about 0.05 to 3 bits per pixel on
photos, or starts at the lowest rate of the format.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO

from PIL import Image

from neural_collage.evaluation.metrics import Rgb, rgb_samples


@dataclass(frozen=True)
class PillowCodec:
    """A format of Pillow, or of a plugin.

    Attributes:
        format: Pillow's name.
        qualities: in rising order; of JPEG 2000 in bits per pixel.
        options: of `Image.save`.
        plugin: the module that registers the format, if it is not Pillow's own.
        package: what brings the plugin.
    """

    name: str
    format: str
    qualities: Sequence[float]
    options: Mapping[str, object] = field(default_factory=dict)
    plugin: str | None = None
    package: str | None = None

    @property
    def missing(self) -> str | None:
        """Why it cannot be used and what to do, None if it can."""
        if self.plugin and find_spec(self.plugin.partition(".")[0]) is None:
            return f'{self.package} is not installed: pip install "neural-collage[bench]"'
        self._register()
        if self.format not in Image.SAVE:
            return f"this build of Pillow cannot write {self.format}: leave out {self.name}"
        return None

    @property
    def revision(self) -> str:
        """Versions of packages say all."""
        return ""

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        self._register()
        file = BytesIO()
        options = deepcopy(dict(self.options))  # plugins write into nested ones
        picture.save(file, self.format, **self._rate(quality), **options)
        return file.getvalue()

    def decode(self, data: bytes) -> Rgb:
        self._register()
        with Image.open(BytesIO(data), formats=[self.format]) as picture:
            return rgb_samples(picture)

    def _register(self) -> None:
        """In each process again: a started one knows Pillow's own formats alone."""
        if self.plugin:
            import_module(self.plugin)
        Image.init()

    def _rate(self, quality: float) -> dict[str, object]:
        if self.format == "JPEG2000":  # given as compression ratio of 24-bit pixels
            return {"quality_mode": "rates", "quality_layers": [24 / quality]}
        return {"quality": int(quality)}


def _avif(name: str, qualities: Sequence[float], **options: object) -> PillowCodec:
    """AV1 by libaom, 4:4:4. Without tiles, which cost bits, and which threads decide otherwise."""
    return PillowCodec(
        name, "AVIF", qualities, {"subsampling": "4:4:4", "autotiling": False, **options}
    )


def _jpeg_xl(name: str, effort: int) -> PillowCodec:
    """Quality 0 is distance 25, the largest that the plugin gives.

    Below quality 19, beyond distance 10, the encoder halves the picture, and the curve has a step.
    """
    qualities = (0, 9, 17, 19, 25, 35, 50, 65, 78, 87, 92, 96)
    return PillowCodec(
        name, "JXL", qualities, {"effort": effort}, "pillow_jxl", "pillow-jxl-plugin"
    )


def _heic(name: str, qualities: Sequence[float], **parameters: object) -> PillowCodec:
    """HEVC by x265, 4:4:4."""
    options = {"subsampling": "4:4:4", "enc_params": {"preset": "slow", **parameters}}
    return PillowCodec(
        name, "HEIF", qualities, options, "pillow_heif.HeifImagePlugin", "pillow-heif"
    )


_FOR_PSNR = {"tune": "psnr"}
"""libaom tunes stills to the eye otherwise (`iq`), libheif to SSIM."""

PEERS: Mapping[str, PillowCodec] = {
    peer.name: peer
    for peer in (
        PillowCodec(
            "jpeg",
            "JPEG",
            qualities=(1, 4, 6, 9, 13, 20, 30, 45, 60, 75, 85, 90, 94),
            options={"optimize": True},
        ),
        PillowCodec(
            "webp",
            "WEBP",
            qualities=(0, 1, 3, 6, 12, 20, 35, 50, 65, 78, 85, 90, 95),
            options={"method": 6},
        ),
        # Qualities in bits per pixel. Without `mct`, R, G and B are coded separately, about 3 dB
        # worse at equal rate.
        PillowCodec(
            "jpeg2000",
            "JPEG2000",
            qualities=(0.05, 0.08, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9, 1.3, 2.0, 3.0),
            options={"irreversible": True, "mct": 1},
        ),
        PillowCodec("avif", "AVIF", (0, 8, 15, 22, 30, 38, 46, 55, 65, 75, 83, 92)),
        _avif("avif-444", (0, 8, 15, 22, 30, 38, 46, 55, 65, 75, 83, 92)),
        _avif("avif-444-psnr", (0, 6, 14, 25, 37, 50, 68, 90), advanced=_FOR_PSNR),
        _avif("avif-444-slow", (0, 6, 14, 25, 37, 50, 68, 90), advanced=_FOR_PSNR, speed=0),
        _jpeg_xl("jxl", effort=7),
        _jpeg_xl("jxl-e9", effort=9),
        _heic("heic-444", (4, 8, 12, 17, 22, 28, 35, 44, 55, 70)),
        _heic("heic-444-psnr", (0, 4, 8, 12, 17, 23, 31, 41, 53, 70), **_FOR_PSNR),
    )
}
"""The formats by name."""
