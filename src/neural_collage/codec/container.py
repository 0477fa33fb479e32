"""The .clg file around a codec's payload: a small header and a checksum over everything.

    4  magic 89 43 4C 47        n  width, height, payload length, each a varint
    1  format version           n  if flagged: name length, name, 8 bytes of hash of the model
    1  codec                    n  if flagged: length, zlib data of the ICC profile
    1  flags                    n  if flagged: length, stream of the graphics layer
    1  colour space             n  if flagged: length, chunks of metadata, see `chunks`
    1  quality                  n  payload
                                4  CRC-32 of all the bytes before, little-endian

Flags: bits 0-1 are the mode (L, LA, RGB, RGBA), bit 2 is set if a model follows, bit 3 if a
profile does, bit 4 if a graphics layer does, bit 5 if metadata do, the others are 0. A varint is
LEB128 in its shortest form, at most 9 bytes.

These bytes are an API. A change of layout bumps `VERSION`, and older versions keep decoding.
"""

import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import NamedTuple, get_args

from neural_collage.codec.chunks import inflate, pack_chunks, read_chunks
from neural_collage.codec.ids import codec_name
from neural_collage.codec.varints import read_varint, varint
from neural_collage.errors import CollageFormatError, ImageError
from neural_collage.io.limits import MAX_PROFILE_BYTES, pixel_limit
from neural_collage.io.metadata import NO_METADATA, Metadata
from neural_collage.io.modes import Mode

MAGIC = b"\x89CLG"
VERSION = 1
SUFFIX = ".clg"

_MODES: tuple[Mode, ...] = get_args(Mode)
_HAS_MODEL = 4
_HAS_PROFILE = 8
_HAS_GRAPHICS = 16
_HAS_METADATA = 32
_KNOWN_FLAGS = 63
_CRC_BYTES = 4
_DIGEST_BYTES = 8


class ColourSpace(IntEnum):
    """How a codec's planes relate to the samples of the picture."""

    YCBCR = 0
    """Full-range BT.601 luma and chroma of the gamma-encoded samples; grey is luma alone."""
    RGB = 1
    """The samples themselves, three planes for the colours and three for alpha; where grey or alpha
    is one channel of the picture, it is the average of its three planes."""


@dataclass(frozen=True)
class ModelId:
    """The network a payload needs: its name, and the first 8 bytes of its weights' hash."""

    name: str
    digest: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.name.encode()) <= 255:
            raise ValueError(f"a model name takes 1 to 255 bytes, not {len(self.name.encode())}")
        if len(self.digest) != _DIGEST_BYTES:
            raise ValueError(f"a model digest has {_DIGEST_BYTES} bytes, not {len(self.digest)}")


@dataclass(frozen=True)
class Header:
    """The description of a picture in its file.

    codec: number in the registry; width, height: pixels, at least 1; quality: 1..100.
    icc_profile: as it stood in the source, at most `MAX_PROFILE_BYTES`.
    graphics: the stream of the layer over the picture, see `graphics.syntax`.
    metadata: EXIF and XMP of the source, for the picture as it is stored, upright.

    Raises ValueError if a field is out of its range.
    """

    codec: int
    width: int
    height: int
    mode: Mode
    quality: int
    colour_space: ColourSpace = ColourSpace.YCBCR
    model: ModelId | None = None
    icc_profile: bytes | None = None
    graphics: bytes | None = field(default=None, repr=False)
    metadata: Metadata = NO_METADATA

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.codec <= 255:
            problems.append(f"codec number {self.codec} is not in 1..255")
        if self.width < 1 or self.height < 1:
            problems.append(f"a size of {self.width} x {self.height} pixels is empty")
        if self.mode not in _MODES:
            problems.append(f"mode {self.mode!r} is not one of {', '.join(_MODES)}")
        if not 1 <= self.quality <= 100:
            problems.append(f"quality {self.quality} is not in 1..100")
        if self.icc_profile is not None and not 1 <= len(self.icc_profile) <= MAX_PROFILE_BYTES:
            problems.append(f"the ICC profile has {len(self.icc_profile)} bytes, not 1 to 1 MiB")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def channels(self) -> int:
        """1 to 4, alpha included."""
        return len(self.mode)


def pack_file(header: Header, payload: bytes) -> bytes:
    """The complete file."""
    flags = _MODES.index(header.mode)
    optional = b""
    if header.model is not None:
        flags |= _HAS_MODEL
        name = header.model.name.encode()
        optional += varint(len(name)) + name + header.model.digest
    if header.icc_profile is not None:
        flags |= _HAS_PROFILE
        profile = zlib.compress(header.icc_profile, level=9)
        optional += varint(len(profile)) + profile
    if header.graphics is not None:
        flags |= _HAS_GRAPHICS
        optional += varint(len(header.graphics)) + header.graphics
    if chunks := pack_chunks(header.metadata):
        flags |= _HAS_METADATA
        optional += varint(len(chunks)) + chunks
    data = b"".join(
        (
            MAGIC,
            bytes((VERSION, header.codec, flags, header.colour_space, header.quality)),
            varint(header.width),
            varint(header.height),
            varint(len(payload)),
            optional,
            payload,
        )
    )
    return data + zlib.crc32(data).to_bytes(_CRC_BYTES, "little")


def unpack_file(
    data: bytes | bytearray | memoryview, *, max_pixels: int | None = None
) -> tuple[Header, bytes]:
    """The header and payload of a complete file.

    max_pixels: refuse a larger picture, by default as `limits.pixel_limit` says.

    Raises:
        CollageFormatError: truncated, altered, forged, too large, or of an unknown version or
            codec.
        TypeError: no bytes.
    """
    data = _as_bytes(data)
    _check_kind(data)
    reader = _Reader(data[: max(len(data) - _CRC_BYTES, 0)], position=len(MAGIC) + 1)
    fields = _take_fields(reader)
    payload = reader.take(fields.payload_length)
    reader.finish()
    # the values of fields are checked after the checksum, which damaged files fail
    if zlib.crc32(reader.data) != int.from_bytes(data[-_CRC_BYTES:], "little"):
        raise CollageFormatError("the file is damaged: its checksum does not match")
    return fields.header(max_pixels), payload


def unpack_start(
    data: bytes | bytearray | memoryview, *, max_pixels: int | None = None
) -> tuple[Header, bytes, int]:
    """The header, the payload as far as it is there, and how many bytes of it are missing.

    data: a file that may break off within its payload, so that its checksum is not checked; that
    of a complete one is.

    Raises:
        CollageFormatError: as `unpack_file`, for files that break off earlier as well.
        TypeError: no bytes.
    """
    data = _as_bytes(data)
    _check_kind(data)
    reader = _Reader(data, position=len(MAGIC) + 1)
    fields = _take_fields(reader)
    left = len(data) - reader.position
    if left >= fields.payload_length + _CRC_BYTES:
        return *unpack_file(data, max_pixels=max_pixels), 0
    payload = reader.take(min(left, fields.payload_length))
    return fields.header(max_pixels), payload, fields.payload_length - len(payload)


def _as_bytes(data: bytes | bytearray | memoryview) -> bytes:
    try:
        return bytes(memoryview(data))
    except TypeError as error:
        raise TypeError(
            f"expected the bytes of a .clg file, not {type(data).__name__}: neural_collage.load "
            "(nc.load) takes paths"
        ) from error


class _Fields(NamedTuple):
    """The header as it stands in a file."""

    codec: int
    flags: int
    colour_space: int
    quality: int
    width: int
    height: int
    payload_length: int
    name: bytes
    digest: bytes
    profile: bytes
    graphics: bytes
    chunks: bytes

    def header(self, max_pixels: int | None) -> Header:
        """The header, checked; raises CollageFormatError for values that it cannot have."""
        if self.flags & ~_KNOWN_FLAGS:
            raise CollageFormatError(
                f"flags {self.flags:#04x} are unknown to this program: upgrade it"
            )
        codec_name(self.codec)
        if self.width * self.height > (limit := pixel_limit(max_pixels)):
            raise CollageFormatError(
                f"the header claims {self.width} x {self.height} pixels, above the limit of "
                f"{limit:.0f}"
            )
        try:
            return Header(
                codec=self.codec,
                width=self.width,
                height=self.height,
                mode=_MODES[self.flags & 3],
                quality=self.quality,
                colour_space=ColourSpace(self.colour_space),
                model=ModelId(self.name.decode(), self.digest) if self.flags & _HAS_MODEL else None,
                icc_profile=inflate(self.profile, MAX_PROFILE_BYTES, "ICC profile")
                if self.flags & _HAS_PROFILE
                else None,
                graphics=self.graphics if self.flags & _HAS_GRAPHICS else None,
                metadata=read_chunks(self.chunks),
            )
        except ValueError as error:
            raise CollageFormatError(f"the header is invalid: {error}") from error


def _take_fields(reader: "_Reader") -> _Fields:
    codec, flags, colour_space, quality = reader.take(4)
    width, height, payload_length = reader.varint(), reader.varint(), reader.varint()
    name = digest = profile = graphics = chunks = b""
    if flags & _HAS_MODEL:
        name, digest = reader.take(reader.varint()), reader.take(_DIGEST_BYTES)
    if flags & _HAS_PROFILE:
        profile = reader.take(reader.varint())
    if flags & _HAS_GRAPHICS:
        graphics = reader.take(reader.varint())
    if flags & _HAS_METADATA:
        chunks = reader.take(reader.varint())
    return _Fields(
        codec,
        flags,
        colour_space,
        quality,
        width,
        height,
        payload_length,
        name,
        digest,
        profile,
        graphics,
        chunks,
    )


def _check_kind(data: bytes) -> None:
    """Refuse what is not a .clg file, or one of another version."""
    if not data:
        raise CollageFormatError("the file is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise CollageFormatError("not a .clg file: it does not begin with the .clg signature")
    if len(data) <= len(MAGIC):
        raise CollageFormatError(f"the file is truncated: it ends after {len(data)} bytes")
    version = data[len(MAGIC)]
    if version > VERSION:
        raise CollageFormatError(
            f"format version {version}, this program reads up to {VERSION}: upgrade it"
        )
    if version == 0:
        raise CollageFormatError("format version 0 does not exist: the file is damaged")


@dataclass
class _Reader:
    """Reads bytes from the front; raises CollageFormatError if there are too few."""

    data: bytes
    position: int

    def take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            raise CollageFormatError(
                f"the file is truncated: {count} bytes expected at {self.position}, "
                f"{len(taken)} are left"
            )
        self.position += count
        return taken

    def varint(self) -> int:
        value, self.position = read_varint(self.data, self.position)
        return value

    def finish(self) -> None:
        if extra := len(self.data) - self.position:
            raise CollageFormatError(f"{extra} bytes follow the end of the file")


def read_collage_file(path: Path) -> bytes:
    """The bytes of a .clg file, or just the first few of a file that is none.

    Raises:
        ImageError: missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            return read_collage(file)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_collage(file: BufferedReader | BytesIO) -> bytes:
    """All bytes of an open .clg file, or just the first few of a file that is none."""
    start = file.read(len(MAGIC))
    return start + file.read() if start == MAGIC else start
