"""The library's front door: pictures to collages, collages to files, and back."""

from os import PathLike
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.container import Header
from neural_collage.codec.files import read_collage_file, write_atomically
from neural_collage.codec.image import CollageImage
from neural_collage.codec.picture import ImageLike, read_picture
from neural_collage.codec.registry import CODECS, get_codec
from neural_collage.core.errors import CollageError, CollageFormatError
from neural_collage.core.scales import Region

DEFAULT_CODEC, DEFAULT_QUALITY, DEFAULT_EFFORT = "neural", 50, 5


def encode(
    image: ImageLike,
    *,
    codec: str = DEFAULT_CODEC,
    quality: int | None = None,
    effort: int | None = None,
    model: str | None = None,
    device: str = "cpu",
) -> CollageImage:
    """Find the collage of a picture.

    image: a path, Pillow image, array or tensor, as `picture.read_picture` takes them.
    codec: "neural" (one pass of a network), "fractal" (a search, no learned weights) or
        "poli2022" (the compressor of the Neural Collages paper).
    quality: 1 (smallest) to 100 (best), 50 if None; effort: 0 (fastest) to 9 (most thorough
        search), 5 if None. Codecs of a single rate take neither.
    model: for "neural": "natural" (photographs; if None), "aerial", a path of weights or their
        name on the hub. Whoever decodes needs the same weights.
    device: where to search, "cpu" or "cuda" or "cuda:1"; the file does not depend on it.

    Raises:
        ImageError: the picture cannot be read or used.
        CollageError: an argument is out of its range.
        CheckpointError: the model cannot be found or used.
    """
    coder = get_codec(codec, model)
    if CODECS[codec].single_rate and (quality is not None or effort is not None):
        raise CollageError(f"codec {codec!r} has a single rate: leave out quality and effort")
    quality = _level("quality", quality, 1, 100, DEFAULT_QUALITY)
    effort = _level("effort", effort, 0, 9, DEFAULT_EFFORT)
    check_device(device)
    picture = read_picture(image)
    header = Header(
        codec=coder.id,
        width=picture.width,
        height=picture.height,
        mode=picture.mode,
        quality=quality,
        colour_space=coder.colour_space,
        model=coder.model,
        icc_profile=picture.icc_profile,
    )
    payload = coder.encode(picture, quality=quality, effort=effort, device=device)
    return CollageImage(header, payload)


def compress(
    image: ImageLike,
    *,
    codec: str = DEFAULT_CODEC,
    quality: int | None = None,
    effort: int | None = None,
    model: str | None = None,
    device: str = "cpu",
) -> bytes:
    """`encode`, as the bytes of a .clg file."""
    collage = encode(image, codec=codec, quality=quality, effort=effort, model=model, device=device)
    return collage.to_bytes()


def decompress(
    data: bytes,
    *,
    scale: float = 1,
    region: Region | None = None,
    model: str | None = None,
    device: str = "cpu",
) -> Float[Tensor, "c h w"]:
    """Decode the bytes of a .clg file to pixels in [0, 1]; arguments as `CollageImage.decode`.

    model: weights that the file may need beside those of the package, see `encode`.

    Raises:
        CollageFormatError: damaged, forged, or of an unknown version or codec.
        CheckpointError: the file needs weights that cannot be found.
        CollageError: the scale or the region does not fit the picture.
    """
    check_device(device)
    know_model(model)
    return CollageImage.from_bytes(data).decode(scale=scale, region=region, device=device)


def save(collage: CollageImage, path: str | PathLike[str]) -> None:
    """Write a .clg file, whole or not at all; an old file of that name is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(Path(path), collage.to_bytes())


def load(path: str | PathLike[str], *, model: str | None = None) -> CollageImage:
    """Read a .clg file.

    model: weights that it may need beside those of the package, see `encode`.

    Raises:
        ImageError: missing or unreadable.
        CollageFormatError: damaged, forged, or not a .clg file.
        CheckpointError: there are no such weights.
    """
    know_model(model)
    data = read_collage_file(Path(path))
    try:
        return CollageImage.from_bytes(data)
    except CollageFormatError as error:
        raise CollageFormatError(f"{path}: {error}") from error


def know_model(model: str | None) -> None:
    """Let files that need these weights find them; raises CheckpointError if there are none."""
    if model is not None:
        from neural_collage.codec.weights import find_weights  # with the network, only if needed

        find_weights(model)


def check_device(device: str) -> None:
    """Raise CollageError unless torch can compute on this device here and now."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise CollageError(f"device {device!r} cannot be used on this machine: try cpu") from error


def _level(name: str, value: int | None, low: int, high: int, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CollageError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return value
