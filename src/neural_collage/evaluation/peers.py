"""The codecs of the benchmark behind one interface: ours, and those of Pillow to compare with.

Rate and PSNR rise with quality; each list of qualities spans about 0.05 to 2 bits per pixel on
photos, or starts at the lowest rate of the codec.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from neural_collage.codec import api
from neural_collage.codec.registry import AUTO, CODECS, codec_entry
from neural_collage.errors import CollageError
from neural_collage.evaluation.metrics import Rgb, rgb_samples
from neural_collage.io.writing import to_pil


@runtime_checkable
class BenchmarkCodec(Protocol):
    """A codec that the benchmark can measure; picklable, for use in worker processes."""

    @property
    def name(self) -> str: ...

    @property
    def qualities(self) -> Sequence[float]:
        """The settings to measure, in rising order."""

    @property
    def options(self) -> Mapping[str, object]:
        """The fixed settings, which are stored with the results."""

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        """The complete file of an RGB picture."""

    def decode(self, data: bytes) -> Rgb:
        """The picture of a file."""


@dataclass(frozen=True)
class PillowCodec:
    """A format of Pillow."""

    name: str
    format: str
    qualities: Sequence[float]
    options: Mapping[str, object] = field(default_factory=dict)

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        file = BytesIO()
        picture.save(file, self.format, **self._rate(quality), **self.options)
        return file.getvalue()

    def decode(self, data: bytes) -> Rgb:
        with Image.open(BytesIO(data), formats=[self.format]) as picture:
            return rgb_samples(picture)

    def _rate(self, quality: float) -> dict[str, object]:
        if self.format == "JPEG2000":  # given as compression ratio of 24-bit pixels
            return {"quality_mode": "rates", "quality_layers": [24 / quality]}
        return {"quality": int(quality)}


@dataclass(frozen=True)
class CollageCodec:
    """A codec of this library."""

    name: str
    effort: int
    model: str | None = None
    qualities: Sequence[float] = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)

    @property
    def options(self) -> Mapping[str, object]:
        model = {"model": self.model} if self.model else {}
        return {} if codec_entry(self.name).single_rate else {"effort": self.effort, **model}

    def encode(self, picture: Image.Image, quality: float) -> bytes:
        if codec_entry(self.name).single_rate:
            return api.compress(picture, codec=self.name)
        return api.compress(
            picture,
            codec=self.name,
            quality=int(quality),
            effort=self.effort,
            model=self.model,
        )

    def decode(self, data: bytes) -> Rgb:
        return np.asarray(to_pil(api.decompress(data)))


PEERS: Mapping[str, PillowCodec] = {
    peer.name: peer
    for peer in (
        PillowCodec(
            "jpeg",
            "JPEG",
            qualities=(1, 4, 6, 9, 13, 20, 30, 45, 60, 75, 85),
            options={"optimize": True},
        ),
        PillowCodec(
            "webp",
            "WEBP",
            qualities=(0, 1, 3, 6, 12, 20, 35, 50, 65, 78, 85, 90),
            options={"method": 6},
        ),
        # Qualities in bits per pixel. Without `mct`, R, G and B are coded separately, about 3 dB
        # worse at equal rate.
        PillowCodec(
            "jpeg2000",
            "JPEG2000",
            qualities=(0.05, 0.08, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9, 1.3, 2.0),
            options={"irreversible": True, "mct": 1},
        ),
        PillowCodec("avif", "AVIF", qualities=(0, 8, 15, 22, 30, 38, 46, 55, 65, 75, 83)),
    )
}


def benchmark_codecs(
    names: Iterable[str],
    qualities: Sequence[int] | None = None,
    effort: int = 5,
    model: str | None = None,
) -> list[BenchmarkCodec]:
    """The codecs of these names, each once.

    The other arguments apply to our codecs; those of Pillow have fixed qualities and options.

    qualities: 1..100, by default those of `CollageCodec`. effort: 0..9.
    model: of the codecs that have models.

    Raises:
        CollageError: no codec has that name, or this build of Pillow lacks the format.
    """
    return [_benchmark_codec(name, qualities, effort, model) for name in dict.fromkeys(names)]


def _benchmark_codec(
    name: str, qualities: Sequence[int] | None, effort: int, model: str | None
) -> BenchmarkCodec:
    if name == AUTO or name in CODECS:
        entry = codec_entry(name)
        ours = CollageCodec(name, effort, model if entry.has_models else None)
        if entry.single_rate:
            return replace(ours, qualities=(api.DEFAULT_QUALITY,))
        return replace(ours, qualities=sorted(qualities)) if qualities else ours
    if name not in PEERS:
        known = ", ".join([AUTO, *CODECS, *PEERS])
        raise CollageError(f"unknown codec {name!r}: choose some of {known}")
    peer = PEERS[name]
    Image.init()
    if peer.format not in Image.SAVE:
        raise CollageError(f"this build of Pillow cannot write {peer.format}: leave out {name}")
    return peer
