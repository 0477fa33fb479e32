"""Metadata are read alike by a decoder that follows the text of the format, or refused by both."""

import random
import zlib
from dataclasses import replace

import pytest

import neural_collage as nc
from neural_collage.codec.chunks import pack_chunks
from neural_collage.codec.container import unpack_file
from neural_collage.errors import CollageFormatError
from neural_collage.io.metadata import NO_METADATA
from tests.conformance.decode import FOLDER
from tests.conformance.reference_decoder import decode, metadata, read_metadata
from tests.conformance.test_reference_decoder import assert_agreement
from tests.exif_data import exif_data, xmp_packet
from tests.fuzz.targets import changed, lying_chunks, with_chunks

FILE = FOLDER / "metadata.clg"


def found_by_the_package(data: bytes) -> dict[str, bytes]:
    header = unpack_file(data)[0]
    kinds = {
        "icc_profile": header.icc_profile,
        "exif": header.metadata.exif,
        "xmp": header.metadata.xmp,
    }
    return {kind: value for kind, value in kinds.items() if value is not None}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.clg")), ids=lambda path: path.stem)
def test_metadata_of_the_conformance_set_are_read_alike(path: str) -> None:
    data = (FOLDER / path).read_bytes()
    assert metadata(data) == found_by_the_package(data)


def test_a_file_with_metadata_has_those_of_its_source_and_its_pixels() -> None:
    data = FILE.read_bytes()
    assert metadata(data) == {
        "icc_profile": b"a profile " * 12,
        "exif": exif_data(1),
        "xmp": xmp_packet(1, 2000),
    }
    assert_agreement(data)
    image = nc.load(FILE)
    bare = replace(image, header=replace(image.header, metadata=NO_METADATA))
    assert (decode(bare.to_bytes()) == decode(data)).all()
    assert len(bare.to_bytes()) < len(data) - 500


def test_chunks_are_read_alike_or_refused_by_both() -> None:
    source = random.Random(0)
    data = FILE.read_bytes()
    header = unpack_file(data)[0]
    chunks = pack_chunks(header.metadata)
    taken = 0
    for number in range(400):
        mutant = (
            lying_chunks(header.metadata, [data], source)
            if number % 2
            else changed(chunks, [data], source)
        )
        file = with_chunks(data, mutant)
        try:
            found = found_by_the_package(file)
        except CollageFormatError:
            with pytest.raises((ValueError, zlib.error, StopIteration)):
                metadata(file)
        else:
            taken += 1
            assert metadata(file) == found
    assert 20 < taken < 380


def test_chunks_that_break_off_are_refused() -> None:
    with pytest.raises(ValueError, match="break off"):
        read_metadata(iter(b"\x05\x01\x04ex"))
