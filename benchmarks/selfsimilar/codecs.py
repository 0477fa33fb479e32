"""The codecs of the study: ours, with and without domains, and formats of Pillow."""

from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from PIL import Image

import neural_collage as nc
from neural_collage.codec.streams import fractal as fractal_stream
from neural_collage.evaluation.metrics import psnr, rgb_samples
from neural_collage.evaluation.peers import PillowCodec
from neural_collage.fractal.effort import EFFORTS


@dataclass(frozen=True)
class Ours:
    """A codec of this library at its default effort.

    domains: whether the fractal encoder searches for domains. graphics: whether a graphics layer
    may lie over it.
    """

    name: str
    codec: str
    quality: int
    domains: bool = True
    graphics: bool = True

    def encode(self, image: Image.Image) -> bytes:
        """The file of a picture."""
        without = tuple(effort.without_domains() for effort in EFFORTS)
        off = patch.object(fractal_stream, "EFFORTS", without)
        with nullcontext() if self.domains else off:
            return nc.compress(
                image, codec=self.codec, quality=self.quality, graphics=self.graphics
            )

    def decode(self, data: bytes) -> Image.Image:
        """The picture of a file."""
        return nc.CollageImage.from_bytes(data).to_pil()


@dataclass(frozen=True)
class Peer:
    """A format of Pillow at one quality; the decode keeps alpha.

    palette: also tries the picture with a palette, and takes the smaller file.
    """

    codec: PillowCodec
    palette: bool = False

    @property
    def name(self) -> str:
        """The label in tables."""
        return self.codec.name

    def encode(self, image: Image.Image) -> bytes:
        """The file of a picture."""
        files = [self._encode(image)]
        if self.palette and (indexed := _indexed(image)) is not None:
            files.append(self._encode(indexed))
        return min(files, key=len)

    def decode(self, data: bytes) -> Image.Image:
        """The picture of a file."""
        with Image.open(BytesIO(data), formats=[self.codec.format]) as image:
            return image.convert("RGBA" if image.has_transparency_data else "RGB")

    def _encode(self, image: Image.Image) -> bytes:
        return self.codec.encode(image, self.codec.qualities[0])


def codecs() -> list[Ours | Peer]:
    """All codecs; JPEG XL if pillow-jxl-plugin is installed."""
    ours = [
        Ours(f"{name} {quality}", codec, quality, domains, graphics)
        for quality in (75, 100)
        for name, codec, domains, graphics in (
            ("auto", "auto", True, True),
            ("neural, no layer", "neural", True, False),
            ("fractal, no layer", "fractal", True, False),
            ("fractal, no layer, no domains", "fractal", False, False),
        )
    ]
    lossless = {"lossless": True, "method": 6}
    full_chroma = {"subsampling": "4:4:4"}
    peers = [
        Peer(PillowCodec("PNG", "PNG", (100,), {"optimize": True}), palette=True),
        Peer(PillowCodec("WebP lossless", "WEBP", (100,), lossless)),
        Peer(PillowCodec("WebP 75", "WEBP", (75,), {"method": 6})),
        Peer(PillowCodec("AVIF 4:4:4 100", "AVIF", (100,), full_chroma)),
        Peer(PillowCodec("AVIF 4:4:4 75", "AVIF", (75,), full_chroma)),
    ]
    if find_spec("pillow_jxl"):
        import pillow_jxl  # noqa: F401 - registers the format

        peers += [
            Peer(PillowCodec("JPEG XL lossless", "JXL", (100,), {"lossless": True, "effort": 7})),
            Peer(PillowCodec("JPEG XL 75", "JXL", (75,), {"effort": 7})),
        ]
    return [*ours, *peers]


def curves() -> dict[str, list[Ours | Peer]]:
    """The codecs whose rates at equal errors are compared, each at several qualities."""
    full_chroma = {"subsampling": "4:4:4"}
    found: dict[str, list[Ours | Peer]] = {
        "auto": [Ours(f"auto {quality}", "auto", quality) for quality in (5, 50, 95)],
        "AVIF 4:4:4": [
            Peer(PillowCodec(f"AVIF {quality}", "AVIF", (quality,), full_chroma))
            for quality in (20, 40, 60, 75, 85, 95)
        ],
        "WebP": [
            *(
                Peer(PillowCodec(f"WebP {quality}", "WEBP", (quality,), {"method": 6}))
                for quality in (5, 30, 60, 80, 95)
            ),
            Peer(PillowCodec("WebP", "WEBP", (100,), {"lossless": True, "method": 6})),
        ],
    }
    if find_spec("pillow_jxl"):
        found["JPEG XL"] = [
            *(
                Peer(PillowCodec(f"JPEG XL {quality}", "JXL", (quality,), {"effort": 7}))
                for quality in (20, 50, 75, 90, 97)
            ),
            Peer(PillowCodec("JPEG XL", "JXL", (100,), {"lossless": True, "effort": 7})),
        ]
    return found


def psnr_over_white(original: Image.Image, decoded: Image.Image) -> float:
    """PSNR in dB of RGB, alpha composited on white."""
    return psnr(*(rgb_samples(_over_white(image)) for image in (original, decoded)))


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _indexed(image: Image.Image) -> Image.Image | None:
    """The same picture with a palette, if it is opaque and has at most 256 colours."""
    if image.has_transparency_data:
        return None
    pixels: npt.NDArray[np.uint8] = np.asarray(image.convert("RGB"))
    colours, index = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    if len(colours) > 256:
        return None
    indexed = Image.fromarray(index.reshape(pixels.shape[:2]).astype(np.uint8), "P")
    indexed.putpalette(colours.tobytes())
    return indexed
