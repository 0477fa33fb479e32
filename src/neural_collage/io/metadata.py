"""Metadata of pictures, EXIF and XMP: taken from Pillow's images as bytes, and handed back to them.

What is damaged is left out, for the picture is worth more; the caller is told.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import ExifTags, Image

from neural_collage.arguments import check
from neural_collage.errors import CollageError
from neural_collage.io.exif import PREFIX, check_exif, orientation_of, upright_exif, without_gps
from neural_collage.io.limits import MAX_METADATA_BYTES
from neural_collage.io.xmp import check_xmp, upright_xmp, xmp_without_gps

STRIP = ("all", "gps")
"""What to leave out: EXIF and XMP, or only the position in them."""
_RESOLUTION = (282, 283, 296)
_TIFF_FIELDS = (
    *(270, 271, 272, *_RESOLUTION, 305, 306, 315, 316, 33432),  # as in EXIF
    *(18246, 18249, 40091, 40092, 40093, 40094, 40095),  # ratings, and what Windows writes
    *(33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113),  # GeoTIFF
)
"""Fields of TIFF files that describe the picture; the others describe how its samples lie."""


@dataclass(frozen=True)
class Metadata:
    """What comes with a picture, as bytes, each from 1 to `MAX_METADATA_BYTES` or None.

    exif: a TIFF structure, see `io.exif`; its orientation is 1 or not given. xmp: an XMP packet.

    Raises ValueError for other lengths.
    """

    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check(
            [
                f"{len(data)} bytes of {kind}, not 1 to {MAX_METADATA_BYTES}"
                for kind, data in (("EXIF", self.exif), ("XMP", self.xmp))
                if data is not None and not 1 <= len(data) <= MAX_METADATA_BYTES
            ]
        )

    @property
    def info(self) -> dict[str, bytes]:
        """As in the `info` of Pillow's images: EXIF has the prefix that JPEG files need."""
        found = {}
        if self.exif is not None:
            found["exif"] = PREFIX + self.exif
        if self.xmp is not None:
            found["xmp"] = self.xmp
        return found


NO_METADATA = Metadata()
Found = tuple[Metadata, list[str]]
"""Metadata, and what had to be left out of them, as the ends of sentences that name the picture."""


def check_strip(strip: str | None) -> None:
    """Raise CollageError unless it is None or one of `STRIP`."""
    if strip is not None and strip not in STRIP:
        raise CollageError(f"strip must be {' or '.join(STRIP)}, or None, not {strip!r}")


def stripped(metadata: Metadata, strip: str | None) -> Found:
    """Metadata without what is to be left out; damaged ones are left out with the position.

    strip: None or one of `STRIP`.
    """
    if strip is None:
        return metadata, []
    if strip == "all":
        return NO_METADATA, []
    return _changed(metadata, without_gps, xmp_without_gps)


def given_or_own(image: Image.Image, given: Mapping[str, bytes | None]) -> dict[Any, Any]:
    """The info of an image, with other "exif", "xmp" or "icc_profile" in their places."""
    own: dict[Any, Any] = dict(image.info)
    for key, value in given.items():
        own[key] = value
        if key == "xmp":
            own.pop("XML:com.adobe.xmp", None)
    return own


def read_metadata(image: Image.Image, given: Mapping[str, bytes | None], turned: bool) -> Found:
    """The metadata of an image that is loaded.

    given: what replaces "exif" and "xmp" of the image's info; None leaves them out.
    turned: whether its orientation has been applied to the pixels, and is now 1.
    """
    problems: list[str] = []
    info = given_or_own(image, given)
    exif = _without_prefix(info.get("exif"))
    if exif is None and "exif" not in given:
        exif = _other_exif(image, problems)
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="replace")
    kept = Metadata(_checked("EXIF", exif, problems), _checked("XMP", xmp, problems))
    kept, more = _changed(kept, _as_it_is(check_exif), _as_it_is(check_xmp))
    problems += more
    if turned:
        kept, more = _changed(kept, upright_exif, upright_xmp)
        problems += more
    return kept, problems


def orientation(image: Image.Image, given: Mapping[str, bytes | None]) -> int:
    """The EXIF orientation of an image that is loaded, 1 if it is not known.

    given: as for `read_metadata`; EXIF data without an orientation do not change that of the image.
    """
    try:
        if exif := _without_prefix(given.get("exif")):
            found = orientation_of(exif)
            if found is not None:
                return found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damage
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # nearly anything, for data that are damaged
        return 1


def descriptive_fields(fields: Image.Exif) -> Image.Exif:
    """What the fields of a TIFF file say of the picture, without where and how its samples lie.

    Only its `tobytes` makes use of the directories in it. Raises nearly anything for damaged data,
    as Pillow does.
    """
    exif = Image.Exif()
    exif.endian = fields.endian
    for tag in _TIFF_FIELDS:
        if tag in fields:
            exif[tag] = fields[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if values := dict(fields.get_ifd(directory)):
            values.pop(ExifTags.IFD.Interop, None)  # a place, which Pillow would not update
            exif[directory] = values
    return exif


def _as_it_is(check_data: Callable[[bytes], None]) -> Callable[[bytes], bytes]:
    def checked(data: bytes) -> bytes:
        check_data(data)
        return data

    return checked


def _changed(
    metadata: Metadata,
    change_exif: Callable[[bytes], bytes],
    change_xmp: Callable[[bytes], bytes],
) -> Found:
    """Metadata after changes; what raises ValueError is left out."""
    problems = []
    for kind, change in (("exif", change_exif), ("xmp", change_xmp)):
        data = getattr(metadata, kind)
        if data is None:
            continue
        try:
            data = change(data)
        except ValueError as error:
            problems.append(f"its {kind.upper()} data are left out: {error}")
            data = None
        metadata = replace(metadata, **{kind: data or None})
    return metadata, problems


def _checked(kind: str, data: Any, problems: list[str]) -> bytes | None:
    """Data of a usable type and length; else None, and one problem more."""
    if not data:
        return None
    if not isinstance(data, bytes | bytearray):
        problems.append(f"its {kind} data are left out: they are of type {type(data).__name__}")
        return None
    if len(data) > MAX_METADATA_BYTES:
        problems.append(f"its {kind} data of {len(data)} bytes are left out")
        return None
    return bytes(data)


def _without_prefix(exif: Any) -> Any:
    exif = bytes(exif) if isinstance(exif, bytearray | memoryview) else exif
    while isinstance(exif, bytes) and exif.startswith(PREFIX):
        exif = exif[len(PREFIX) :]
    return exif or None


def _other_exif(image: Image.Image, problems: list[str]) -> bytes | None:
    """EXIF data of old PNG files, as text, and of TIFF files, as fields of their own."""
    text = image.info.get("Raw profile type exif")
    try:
        if text is not None:
            data = bytes.fromhex("".join(text.split("\n")[3:]))
            return bytes(_without_prefix(data) or b"") or None
        if hasattr(image, "tag_v2"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exif = descriptive_fields(image.getexif())
                if set(exif) - set(_RESOLUTION):
                    return bytes(_without_prefix(exif.tobytes()))
    except Exception as error:  # nearly anything, for data that are damaged
        problems.append(f"its EXIF data are left out: {error}")
    return None
