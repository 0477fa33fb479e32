"""What hostile bytes may do: be refused, or be a picture. And every flipped bit is noticed."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from benchmarks.hostile.study import attack, flips, small_files
from neural_collage.codec.container import unpack_file
from tests.fuzz.targets import TARGETS, corpus, decode, sealed


def test_the_corpus_is_of_files_that_decode() -> None:
    files = corpus()
    assert len(files) >= 20
    assert {file[5] for file in files} == {1, 2, 3}  # all codecs
    assert sum(unpack_file(file)[0].graphics is not None for file in files) >= 8
    assert all(target(file) for file in files for target in TARGETS.values())
    assert all(sealed(file) == file for file in files)


@pytest.mark.parametrize(
    ("target", "mutants"), [("container", 20_000), ("decode", 700), ("pillow", 500)]
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
