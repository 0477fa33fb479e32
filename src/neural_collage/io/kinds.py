"""Kinds of files by their first bytes: what needs a plugin of Pillow, and what is no picture yet.

Pillow shows the thumbnail of a camera's raw file as if it were the picture, and knows nothing of
drawings; both are refused with the name of a program that converts them.
"""

import re
from importlib import import_module
from pathlib import PurePath

from PIL import Image

from neural_collage.errors import ImageError

START_BYTES = 1024
"""How much of a file tells its kind."""

_RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".k25", ".kdc"),
    *(".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2"),
    *(".srf", ".srw", ".x3f"),
)
_RAW_STARTS = (
    *(b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR"),
    *(b"IIRO", b"IIRS", b"MMOR", b"IIU\0"),
)
_PICTURE_STARTS = (b"\xff\xd8", b"\x89PNG")
"""Of files that are pictures whatever their names are."""
_DNG_VERSION, _SUBFILE_TYPE, _SUB_IFDS = 50706, 254, 330
"""Tags of TIFF."""
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_JXL_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_SVG = re.compile(rb"\s*(<\?xml|<!--|<!DOCTYPE svg|<svg\b)")


def prepare_for(start: bytes, name: str) -> None:
    """Load the plugin that a file needs, or refuse a file that is no picture.

    start: its first `START_BYTES`. name: what errors call it, which has its ending.

    Raises:
        ImageError: it needs a plugin that is not installed, or is to be converted first.
    """
    start = start.removeprefix(b"\xef\xbb\xbf")
    brand = start[8:12] if start[4:8] == b"ftyp" else b""
    is_named_raw = PurePath(name).suffix.lower() in _RAW_SUFFIXES
    if (
        (is_named_raw and start and not start.startswith(_PICTURE_STARTS))
        or start.startswith(_RAW_STARTS)
        or (start[:4], start[8:10]) == (b"II*\0", b"CR")
        or brand == b"crx "
    ):
        raise raw_error(name)
    if start.startswith(b"%PDF-"):
        raise ImageError(f"{name}: a PDF has pages, not pixels: convert it with pdftoppm -png")
    if _SVG.match(start) and b"<svg" in start:
        raise ImageError(f"{name}: an SVG has lines, not pixels: convert it with rsvg-convert")
    if brand in _HEIC_BRANDS:
        _load_plugin(name, "HEIC", "pillow_heif.HeifImagePlugin", "pillow-heif")
    elif start.startswith(_JXL_STARTS):
        _load_plugin(name, "JPEG XL", "pillow_jxl", "pillow-jxl-plugin")
    elif brand in (b"avif", b"avis") and "AVIF" not in Image.OPEN:
        _load_plugin(name, "AVIF", "pillow_avif", "pillow-avif-plugin")


def is_raw(image: Image.Image) -> bool:
    """Whether an open picture is but the thumbnail of a camera's raw file."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    is_reduced = bool(int(tags.get(_SUBFILE_TYPE, 0)) & 1)
    return _DNG_VERSION in tags or (is_reduced and _SUB_IFDS in tags)


def raw_error(name: str) -> ImageError:
    """Why a camera's raw file is refused."""
    return ImageError(
        f"{name}: a camera's raw file is to be developed first: convert it with darktable-cli or "
        "dcraw"
    )


def _load_plugin(name: str, kind: str, module: str, package: str) -> None:
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        raise ImageError(
            f"{name}: Pillow reads {kind} with a plugin: pip install {package}"
        ) from error
