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
from neural_collage.codec.container import unpack_file
from neural_collage.errors import CollageError

CORPUS = Path(__file__).with_name("corpus")
MAX_PIXELS = 1 << 14
"""Larger pictures are refused, so that one decode takes milliseconds."""
_CRC = 4
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
    except CollageError:
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


TARGETS: dict[str, Target] = {"container": container, "decode": decode, "pillow": pillow}


def sealed(data: bytes) -> bytes:
    """The data with a valid checksum in place of its last bytes."""
    body = data[:-_CRC]
    return body + zlib.crc32(body).to_bytes(_CRC, "little")


def mutated(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A file after 1 to 8 random changes: bits, bytes, insertions, deletions, parts of others."""
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
