"""Targets of the fuzzing tests, and mutations of valid files.

A target returns whether it accepts the bytes as a picture. Refusals are errors of documented types,
which targets catch; any other exception is a defect.
"""

import random
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

import neural_collage as nc
from neural_collage.codec.chunks import pack_chunks
from neural_collage.codec.container import Header, pack_file, unpack_file
from neural_collage.codec.ids import codec_number
from neural_collage.codec.streams.neural import PRECISE, SEGMENTED
from neural_collage.codec.streams.precise import Precision
from neural_collage.codec.streams.segments import read_segments
from neural_collage.codec.streams.tiles import Grid
from neural_collage.codec.varints import varint
from neural_collage.errors import CheckpointError, CollageError, CollageFormatError
from neural_collage.io.metadata import NO_METADATA, Metadata

CORPUS = Path(__file__).with_name("corpus")
MAX_PIXELS = 1 << 14
"""Larger pictures are refused, so that one decode takes milliseconds."""
_CRC = 4
_GROUPS = 5
"""Segments of a tile, with the weights that come with the package."""
_REFUSALS = CollageFormatError, CheckpointError
"""What reading and decoding may raise for any bytes."""
_INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255)

Target = Callable[[bytes], bool]


def corpus() -> list[bytes]:
    """The files that mutations start from, in the order of their names."""
    return [path.read_bytes() for path in sorted(CORPUS.glob("*.clg"))]


def container(data: bytes) -> bool:
    """Reads the header and checks the checksum."""
    try:
        unpack_file(data, max_pixels=MAX_PIXELS)
    except CollageError:
        return False
    return True


def decode(data: bytes) -> bool:
    """Decodes to pixels, by the codec that the header names."""
    try:
        nc.CollageImage.from_bytes(data, max_pixels=MAX_PIXELS).decode()
    except _REFUSALS:
        return False
    return True


def partial(data: bytes) -> bool:
    """Decodes what there is of a file that may break off: a small picture, then the whole one."""
    try:
        image = nc.CollageImage.from_bytes(data, max_pixels=MAX_PIXELS, partial=True)
        image.decode(1 / 8)
        image.decode()
    except _REFUSALS:
        return False
    return True


def pillow(data: bytes) -> bool:
    """Opens and loads the file with the Pillow plugin."""
    if not container(data):  # for it, the limit is Pillow's
        try:
            Image.open(BytesIO(data)).close()
        except (UnidentifiedImageError, OSError, CollageError, Image.DecompressionBombError):
            return False
        return True
    try:
        with Image.open(BytesIO(data)) as image:
            image.load()
    except (OSError, CollageError):
        return False
    return True


TARGETS: dict[str, Target] = {
    "container": container,
    "decode": decode,
    "partial": partial,
    "pillow": pillow,
}


def sealed(data: bytes) -> bytes:
    """The data with a valid checksum in place of its last bytes."""
    body = data[:-_CRC]
    return body + zlib.crc32(body).to_bytes(_CRC, "little")


def mutated(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A file after changes: of any bytes, of its payload, its metadata or its table of segments.

    The header fits changes of all kinds but the first.
    """
    kind = rng.random()
    if kind < 0.7:
        return changed(data, others, rng)
    try:
        header, payload = unpack_file(data)
    except CollageError:
        return changed(data, others, rng)
    if kind < 0.85 and header.metadata != NO_METADATA:
        return with_chunks(data, lying_chunks(header.metadata, others, rng))
    if kind < 0.9 or (segments := segments_of(header, payload)) is None:
        return pack_file(header, changed(payload, others, rng))
    start = payload[: start_of_table(payload)]
    return pack_file(header, start + lying_table(segments, rng) + b"".join(segments))


def start_of_table(payload: bytes) -> int:
    """Where the table of segments of a neural payload begins."""
    return 1 + (Precision.SIZE if payload[0] & PRECISE else 0)


def with_chunks(data: bytes, chunks: bytes) -> bytes:
    """A file with other chunks of metadata than its own, of which it has some."""
    header, payload = unpack_file(data)
    own = pack_chunks(header.metadata)
    whole = pack_file(header, payload)
    end = len(whole) - _CRC - len(payload)
    start = end - len(own) - len(varint(len(own)))
    return sealed(whole[:start] + varint(len(chunks)) + chunks + whole[end:])


def lying_chunks(metadata: Metadata, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Chunks that are not of the lengths that they say, come twice, or whose data are damaged."""
    chunks = pack_chunks(metadata)
    kind = rng.randrange(5)
    if kind == 0:
        length = rng.getrandbits(rng.choice((3, 7, 14, 40, 63)))
        return chunks[:1] + varint(length) + chunks[2:]
    if kind == 1:
        return chunks + chunks
    if kind == 2:
        return bytes([rng.randrange(256)]) + chunks[1:]
    if kind == 3:
        bomb = zlib.compress(bytes(rng.choice((0, 1 << 10, 20 << 20))))
        return bytes([rng.choice((0x81, 0x82, 0x83))]) + varint(len(bomb)) + bomb
    return changed(chunks, others, rng)


def segments_of(header: Header, payload: bytes) -> list[bytes] | None:
    """The segments of a payload, None if it has no table of them that fits."""
    if header.codec != codec_number("neural") or not payload or not payload[0] & SEGMENTED:
        return None
    grid = Grid(header.height, header.width, 2 if header.channels in (2, 4) else 1)
    try:
        of_a_tile = _GROUPS + bool(payload[0] & PRECISE)
        count = of_a_tile * grid.pictures * len(grid.tiles) + 1
        segments = read_segments(payload[start_of_table(payload) :], count)
    except CollageFormatError:
        return None
    return [segment for segment in segments if segment is not None]


def lying_table(segments: Sequence[bytes], rng: random.Random) -> bytes:
    """A table of other lengths than those of the segments, or of a wrong number of them."""
    lengths = [len(segment) for segment in segments[:-1]]
    place = rng.randrange(len(lengths))
    kind = rng.randrange(5)
    if kind == 0:
        lengths[place] = rng.getrandbits(rng.choice((3, 7, 14, 40, 63)))
    elif kind == 1:  # between neighbours, so that the sum stays
        moved = rng.randint(-lengths[place - 1], lengths[place])
        lengths[place] -= moved
        lengths[place - 1] += moved
    elif kind == 2:
        rng.shuffle(lengths)
    elif kind == 3:
        del lengths[place]
    else:
        lengths.insert(place, rng.randrange(8))
    return b"".join(map(varint, lengths))


def changed(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Bytes after 1 to 8 random changes: bits, bytes, insertions, deletions, parts of others."""
    mutant = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not mutant:
            break
        place = rng.randrange(min(len(mutant), 40) if rng.random() < 0.4 else len(mutant))
        kind = rng.randrange(7)
        if kind == 0:
            mutant[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            mutant[place] = rng.randrange(256)
        elif kind == 2:
            mutant[place] = rng.choice(_INTERESTING)
        elif kind == 3:
            mutant[place:place] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif kind == 4:
            del mutant[place : place + rng.choice((1, 1, 2, 8, 64))]
        elif kind == 5:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            length = rng.choice((1, 4, 16, 64))
            mutant[place : place + length] = other[start : start + length]
        else:
            del mutant[place:]
    return bytes(mutant)
