"""A file decodes to the same pixels everywhere, whichever codec wrote it."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import neural_collage as nc
from neural_collage.codec.registry import CODECS
from tests.pictures import photo_crop

DIGESTS = """
import hashlib, sys
import neural_collage as nc
from neural_collage.runtime import use_threads
for threads in (1, 2):
    use_threads(threads)
    for scale in (1, 2.5):
        pixels = nc.load(sys.argv[1]).decode(scale)
        print(hashlib.sha256(pixels.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("codec", CODECS)
def test_in_another_process_and_with_more_threads(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "x.clg"
    collage = nc.encode(photo_crop(160), codec=codec, graphics=False)
    nc.save(collage, path)
    here = [hashlib.sha256(collage.decode(scale).tobytes()).hexdigest() for scale in (1, 2.5)]
    command = [sys.executable, "-W", "error", "-c", DIGESTS, str(path)]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert there == here + here
