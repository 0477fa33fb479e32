"""What hostile bytes may do: be refused, or be a picture. And every flipped bit is noticed."""

import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from benchmarks.hostile.study import attack, flips, small_files
from neural_collage.codec.chunks import pack_chunks
from neural_collage.codec.container import unpack_file
from neural_collage.codec.varints import varint
from neural_collage.io.metadata import NO_METADATA
from tests.fuzz.targets import (
    TARGETS,
    container,
    corpus,
    decode,
    lying_chunks,
    lying_table,
    mutated,
    partial,
    sealed,
    segments_of,
    with_chunks,
)


def segmented() -> list[tuple[bytes, list[bytes]]]:
    """The files of the corpus that have a table of segments, and these."""
    found = [(file, segments_of(*unpack_file(file))) for file in corpus()]
    return [(file, segments) for file, segments in found if segments is not None]


def test_the_corpus_is_of_files_that_decode() -> None:
    files = corpus()
    assert len(files) >= 20
    assert {file[5] for file in files} == {1, 2, 3}  # all codecs
    assert sum(unpack_file(file)[0].graphics is not None for file in files) >= 8
    assert sum(unpack_file(file)[0].metadata.exif is not None for file in files) >= 2
    assert {len(segments) for _, segments in segmented()} == {6, 7, 11, 13}  # also of several tiles
    assert any(segments[-1] for _, segments in segmented() if len(segments) in (6, 11))  # links
    assert any(segments[-1] for _, segments in segmented() if len(segments) in (7, 13))
    assert all(target(file) for file in files for target in TARGETS.values())
    assert all(sealed(file) == file for file in files)


@pytest.mark.parametrize(
    ("target", "mutants"),
    [("container", 20_000), ("decode", 700), ("partial", 500), ("pillow", 500)],
)
def test_mutants_are_refused_or_pictures(target: str, mutants: int) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # it bounds its own memory
        result = pool.submit(attack, target, 1234, mutants).result()
    assert result.mutants == mutants
    assert (result.crashes, result.hangs) == ([], [])
    assert 0 < result.taken < mutants


def test_every_flipped_bit_is_detected() -> None:
    files = list(small_files(12))
    assert {file[5] for file in files} == {1, 2, 3}
    assert [flips(file) for file in files] == [0] * 12


def test_a_truncated_file_is_refused_wherever_it_ends() -> None:
    file = max(corpus(), key=len)
    assert not any(decode(file[:length]) for length in range(len(file)))
    assert not any(decode(file + extra) for extra in (b"\0", b"extra"))


def test_a_file_that_breaks_off_behind_its_table_is_a_picture() -> None:
    for file, segments in segmented():
        start = len(file) - 4 - sum(map(len, segments))
        assert not any(partial(file[:length]) for length in range(start))
        assert all(partial(file[:length]) for length in range(start, len(file) + 1, 7))
        assert partial(file[:start])


def test_metadata_that_lie_are_refused_or_others() -> None:
    """So that mutants reach what reads chunks."""
    rng = random.Random(0)
    files = [file for file in corpus() if unpack_file(file)[0].metadata != NO_METADATA]
    assert files
    taken = 0
    for file in files * 100:
        metadata = unpack_file(file)[0].metadata
        mutant = with_chunks(file, lying_chunks(metadata, files, rng))
        assert sealed(mutant) == mutant
        taken += container(mutant)
        assert with_chunks(file, pack_chunks(metadata))[-20:-4] == file[-20:-4]
    assert 0 < taken < 150


def test_tables_that_lie_are_those_of_other_segments() -> None:
    """So that mutants reach what is behind the header."""
    rng = random.Random(0)
    for _, segments in segmented():
        table = b"".join(varint(len(segment)) for segment in segments[:-1])
        tables = [lying_table(segments, rng) for _ in range(50)]
        assert sum(one != table for one in tables) >= 25
    files = corpus()
    read = sum(container(mutated(rng.choice(files), files, rng)) for _ in range(400))
    assert read >= 100  # the headers of three in ten mutants fit their payload
