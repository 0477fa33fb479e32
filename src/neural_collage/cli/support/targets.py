"""Options that set what a file is to reach, a size or a likeness, in place of a quality."""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from neural_collage.codec.encoding.targets import Target
    from neural_collage.codec.image import CollageImage
    from neural_collage.io.picture import Picture

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "ki": 1024, "mi": 1024**2}

Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="BYTES",
        help="Instead of -q: the best file of at most so many bytes, as in 50kB, 1.5MB or 48KiB.",
    ),
]
Psnr = Annotated[
    float | None,
    typer.Option(
        "--psnr", metavar="DB", help="Instead of -q: the smallest file of at least this PSNR."
    ),
]
Ssimulacra2 = Annotated[
    float | None,
    typer.Option(
        "--ssimulacra2",
        metavar="SCORE",
        help="Instead of -q: the smallest file of at least this score of SSIMULACRA 2; 90 looks "
        "lossless, 70 is high quality.",
    ),
]


def parse_size(text: str) -> int:
    """Bytes from the value of --size: a number with B, kB, MB, KiB or MiB, or without."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+) ?(|k|m|ki|mi)b?", text.strip().lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise typer.BadParameter(f"--size {text}: give a number of bytes, as in 50000 or 50kB")
    return size


def target_maker(
    quality: int | None, size: str | None, psnr: float | None, ssimulacra2: float | None
) -> "Callable[[Picture], Target] | None":
    """What makes the target of a picture, as the values of the options say; None for a quality.

    Raises:
        typer.BadParameter: several are given, or one is out of range.
        MissingExtraError: the package of SSIMULACRA 2 is not installed.
    """
    given = {"--quality": quality, "--size": size, "--psnr": psnr, "--ssimulacra2": ssimulacra2}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise typer.BadParameter(f"{' and '.join(names)}: they exclude each other, give one")
    if psnr is not None and not 0 < psnr < math.inf:
        raise typer.BadParameter(f"--psnr {psnr:g}: give a number of dB above 0")
    if ssimulacra2 is not None and not -math.inf < ssimulacra2 <= 100:
        raise typer.BadParameter(f"--ssimulacra2 {ssimulacra2:g}: give a score up to 100")
    most = None if size is None else parse_size(size)

    from neural_collage.codec.encoding.targets import psnr_target, size_target

    if most is not None:
        return lambda picture: size_target(picture, most)
    if psnr is not None:
        return lambda picture: psnr_target(picture, psnr)
    return None if ssimulacra2 is None else _maker_of_scores(ssimulacra2)


def _maker_of_scores(wanted: float) -> "Callable[[Picture], Target]":
    import numpy as np
    from PIL import Image

    from neural_collage.codec.encoding.targets import Measure, Target
    from neural_collage.errors import ImageError
    from neural_collage.evaluation.metrics import Rgb
    from neural_collage.evaluation.ssimulacra2 import MIN_SIDE, Ssimulacra2

    typical = {1: 11.6, 10: 24.9, 20: 37.4, 30: 47.9, 40: 56.3, 50: 63.3, 60: 69.4, 70: 74.6}
    typical |= {80: 79.0, 90: 82.6, 96: 86.0, 98: 88.5, 100: 90.5}
    measure = Measure("ssimulacra2", "SSIMULACRA 2", "", typical, 0.5)

    def shown(image: Image.Image) -> Rgb:
        """What a viewer sees: before grey, where the picture is transparent."""
        if image.mode not in ("LA", "RGBA"):
            return np.asarray(image.convert("RGB"))
        ground = Image.new("RGBA", image.size, (128, 128, 128, 255))
        return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB"))

    def make(picture: "Picture") -> Target:
        if min(picture.width, picture.height) < MIN_SIDE:
            raise ImageError(
                f"{picture.width} x {picture.height} pixels are too small for SSIMULACRA 2, which "
                f"needs {MIN_SIDE} a side: choose --psnr"
            )
        levels = picture.levels.transpose(1, 2, 0)
        original = Image.fromarray(levels[..., 0] if len(picture.mode) == 1 else levels)
        compare = Ssimulacra2(shown(original)).score

        def score(image: "CollageImage") -> float:
            value = compare(shown(image.to_pil()))
            assert value is not None  # as the picture is large enough
            return value

        return Target(measure, wanted, score)

    return make
