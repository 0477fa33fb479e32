"""The public functions for pictures and files: encode, decode, load and save."""

import operator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from neural_collage.arguments import is_whole
from neural_collage.codec.container import read_collage_file
from neural_collage.codec.image import CollageImage, Detail
from neural_collage.codec.registry import AUTO, check_rate
from neural_collage.codec.weights import find_weights, tuned_model
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.scales import Region
from neural_collage.errors import CollageError, CollageFormatError
from neural_collage.extras import needs_extra
from neural_collage.io.files import write_atomically
from neural_collage.io.metadata import check_strip
from neural_collage.runtime import check_device, without_autocast

if TYPE_CHECKING:
    from neural_collage.io.picture import ImageLike

DEFAULT_CODEC, DEFAULT_QUALITY, DEFAULT_EFFORT = AUTO, 50, 5


def encode(
    image: "ImageLike",
    *,
    codec: str = DEFAULT_CODEC,
    quality: int | None = None,
    size: int | None = None,
    psnr: float | None = None,
    effort: int | None = None,
    model: str | None = None,
    tune: str | None = None,
    graphics: bool = True,
    device: str = "cpu",
    strip: str | None = None,
) -> CollageImage:
    """Find the collage of a picture.

    image: a path, the bytes of a file, an open file, a Pillow image, an array or a tensor, as
        `reading.read_picture` takes them.
    codec: "auto" ("neural", or "fractal" where that cannot hold what the quality promises, see
        `layered.promised_psnr`), "neural" (one pass of a network), "fractal" (a search, no learned
        weights) or "poli2022" (the compressor of the Neural Collages paper).
    quality: 1 (smallest) to 100 (best), 50 if None; effort: 0 (fastest) to 9 (most thorough
        search), 5 if None. Codecs of a single rate take neither.
    size, psnr: instead of a quality, the most bytes of the file, or the least PSNR of its decode in
        dB as `targets.psnr_of_file` measures it; the best, and the smallest, file that two to four
        attempts find.
    graphics: put a layer of exact ranges, copies of the same size and few colours, over a neural or
        fractal base where that lowers the cost.
    model: for "neural": "natural" (photographs; if None), "natural-psnr", "aerial", a path of
        weights or their name on the hub. Decoding needs the same weights.
    tune: instead of a model, "visual" (the default) or "psnr": what photographs are tuned for.
    device: where to search, "cpu" or "cuda" or "cuda:1"; the file does not depend on it.
    strip: EXIF and XMP are kept, unless this is "all"; "gps" leaves out the position in them.
        The ICC profile, which the colours depend on, is kept in any case.

    Raises:
        ImageError: the picture cannot be read or used.
        CollageError: an argument is out of its range.
        TargetError: no quality gives a file of that size or PSNR.
        CheckpointError: the model cannot be found or used.
        MissingExtraError: torch is not installed, which decoding does without.
    """
    with needs_extra("encode"):
        from neural_collage.codec.encoding.layered import Settings, encode_picture
        from neural_collage.codec.encoding.targets import encode_to, psnr_target, size_target
        from neural_collage.io.picture import strip_picture
        from neural_collage.io.reading import read_picture

    check_rate(codec, quality, effort, (size, psnr))
    settings = Settings(
        codec,
        _whole_number("quality", quality, 1, 100, DEFAULT_QUALITY),
        _whole_number("effort", effort, 0, 9, DEFAULT_EFFORT),
        tuned_model(model, tune),
        device,
        graphics,
    )
    check_strip(strip)
    check_device(device)
    with without_autocast(device):
        name = str(image) if isinstance(image, str | PathLike) else "the picture"
        picture = strip_picture(read_picture(image), strip, name)
        if size is not None:
            return encode_to(picture, settings, size_target(picture, size)).image
        if psnr is not None:
            return encode_to(picture, settings, psnr_target(picture, psnr)).image
        return encode_picture(picture, settings)


def compress(
    image: "ImageLike",
    *,
    codec: str = DEFAULT_CODEC,
    quality: int | None = None,
    size: int | None = None,
    psnr: float | None = None,
    effort: int | None = None,
    model: str | None = None,
    tune: str | None = None,
    graphics: bool = True,
    device: str = "cpu",
    strip: str | None = None,
) -> bytes:
    """`encode`, as the bytes of a .clg file."""
    return encode(
        image,
        codec=codec,
        quality=quality,
        size=size,
        psnr=psnr,
        effort=effort,
        model=model,
        tune=tune,
        graphics=graphics,
        device=device,
        strip=strip,
    ).to_bytes()


def decompress(
    data: bytes | bytearray | memoryview,
    *,
    scale: float = 1,
    region: Region | None = None,
    model: str | None = None,
    pixelated: bool = False,
    partial: bool = False,
    detail: Detail = "full",
) -> PixelArray:
    """Decode the bytes of a .clg file to pixels (c, h, w), as `CollageImage.decode` does.

    model: weights that the file may need beside those of the package, see `encode`.
    partial: see `load`.

    Raises:
        CollageFormatError: damaged, forged, or of an unknown version or codec.
        CheckpointError: the file needs weights that cannot be found.
        ScaleError: the scale or the region does not fit the picture.
    """
    preload_weights(model)
    image = CollageImage.from_bytes(data, partial=partial)
    return image.decode(scale, region, pixelated=pixelated, detail=detail)


def save(collage: CollageImage, path: str | PathLike[str]) -> None:
    """Write a .clg file, whole or not at all; an old file of that name is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(Path(path), collage.to_bytes())


def load(
    path: str | PathLike[str], *, model: str | None = None, partial: bool = False
) -> CollageImage:
    """Read a .clg file.

    model: weights that it may need beside those of the package, see `encode`.
    partial: accept a file that breaks off, as one that is still being received; what it does not
        show yet is coarse or grey. Otherwise it is refused.

    Raises:
        ImageError: missing or unreadable.
        CollageFormatError: damaged, forged, or not a .clg file.
        CheckpointError: there are no such weights.
    """
    preload_weights(model)
    data = read_collage_file(Path(path))
    try:
        return CollageImage.from_bytes(data, partial=partial)
    except CollageFormatError as error:
        raise CollageFormatError(f"{path}: {error}") from error


def preload_weights(model: str | None) -> None:
    """Keep weights for files that need them; raises CheckpointError if there are none."""
    if model is not None:
        find_weights(model)


def _whole_number(name: str, value: int | None, low: int, high: int, default: int) -> int:
    if value is None:
        return default
    if not (is_whole(value) and low <= value <= high):
        raise CollageError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return operator.index(value)
