"""Bits of the neural codec: the same pixels on every machine, and bytes as estimated."""

import hashlib
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.codec.entropy import FixedTables, SymbolWriter
from neural_collage.codec.streams import neural_streams, tiles
from neural_collage.codec.streams.neural_encoder import chosen_symbols
from neural_collage.codec.streams.neural_symbols import write_runs
from neural_collage.core.arrays.lapped import Texture
from neural_collage.core.scales import Window
from neural_collage.fractal.geometry import IntArray
from neural_collage.models.compression.codec_model import LARGEST_SYMBOL, logistic_counts
from neural_collage.models.compression.decoder_model import CENTRE
from neural_collage.models.compression.ladder import level_of
from tests.codec.streams.damage import forged
from tests.codec.streams.neural import MODES, SIZES, encode, network, with_links
from tests.pictures import photo_crop, psnr, texture
from tests.threads import threads

# The same pixels everywhere

DIGESTS = """
import hashlib, sys
from pathlib import Path
import neural_collage as nc
from neural_collage.runtime import use_threads
use_threads(2)
for path in sorted(Path(sys.argv[1]).glob("*.clg")):
    for scale in (1, 1.5)[: 1 + (path.stem == "linked")]:
        print(path.stem, hashlib.sha256(nc.load(path).decode(scale).tobytes()).hexdigest())
"""


def test_files_decode_alike_in_another_process_with_more_threads(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    modes = [*MODES, *MODES]  # other sizes of each mode are in the tests above
    collages = {
        f"{mode} {height}x{width}": encode(texture(height, width, MODES[mode]), 70)
        for mode, (height, width) in zip(modes, SIZES, strict=False)
    }
    deep = (texture(30, 40)[0] * 65535).to(torch.int32).numpy().astype(np.uint16)
    collages["deep"] = encode(deep)
    collages["flat"] = encode(torch.full((3, 20, 20), 0.4))
    collages["noise"] = encode(torch.rand(3, 40, 40), 95)
    collages["linked"] = with_links(texture(70, 93, 4), rng)
    for name, collage in collages.items():
        nc.save(collage, tmp_path / f"{name}.clg")
    here = [
        f"{name} {hashlib.sha256(collages[name].decode(scale).tobytes()).hexdigest()}"
        for name in sorted(collages)
        for scale in (1, 1.5)[: 1 + (name == "linked")]
    ]
    command = [sys.executable, "-W", "error", "-c", DIGESTS, str(tmp_path)]
    patient = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # threads that spin slow busy machines
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=patient).stdout
    assert there.splitlines() == here


def test_pixels_do_not_depend_on_threads(rng: np.random.Generator) -> None:
    data = with_links(photo_crop(40), rng).to_bytes()
    once = nc.decompress(data)
    with threads(2):
        assert np.array_equal(nc.decompress(data), once)


def test_tiles_of_the_decoder_are_those_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 2)
    collage = encode(photo_crop(70))
    pixels = collage.decode()
    assert psnr(pixels, photo_crop(70)) > 25
    monkeypatch.setattr(tiles, "TILE", 3)
    result = forged(collage.payload, collage.header)
    assert isinstance(result, str) or not np.array_equal(result, pixels)


# Real bytes against estimates


class Tally(SymbolWriter):
    """Sums the information content of symbols, by the tables of a model."""

    counts_of_tables: IntArray
    total = 0.0

    def write_static(self, tables: FixedTables, which: IntArray, values: IntArray) -> None:
        super().write_static(tables, which, values)
        counts = self.counts_of_tables
        column = np.clip(values, -LARGEST_SYMBOL, LARGEST_SYMBOL) + LARGEST_SYMBOL
        chosen = counts[which, column]
        known = (chosen > 0) & (np.abs(values) <= LARGEST_SYMBOL)
        chosen = np.where(known, chosen, counts[which, -1])
        Tally.total += float(np.log2(counts.sum(1)[which] / chosen).sum())
        numbers = np.where(values < 0, -2 * values, 2 * values + 1)[~known]
        Tally.total += float((np.log2(24) + np.floor(np.log2(numbers))).sum())


@pytest.mark.parametrize("quality", [5, 50, 90, 95])
def test_the_length_of_a_file_matches_the_information_content(
    quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Tally, "counts_of_tables", network().counts.numpy().astype(np.int64), raising=False
    )
    monkeypatch.setattr(Tally, "total", 0.0)
    monkeypatch.setattr(neural_streams, "SymbolWriter", Tally)
    collage = encode(photo_crop(160), quality)
    assert 8 * len(collage.payload) == pytest.approx(Tally.total, rel=0.01, abs=64)


@pytest.mark.parametrize("quality", [20, 50, 80])
def test_the_file_size_is_that_estimated_by_the_float_model(quality: int) -> None:
    """With logistic tables, as the float model has them."""
    model, picture = network(), photo_crop(160, 60, 140)
    writer = SymbolWriter()
    tables = FixedTables(logistic_counts().numpy().astype(np.int64))
    with torch.inference_mode():
        values = model.latents(picture[None], quality)[0]
        expected = model.compressor(picture[None], torch.tensor([level_of(quality)]), "rdoq")
    chosen, decoder = chosen_symbols(model, tables, values, quality), model.decoder
    quantised = decoder.entropy.run(chosen, quality, 10, 10)
    for runs in chosen.runs:
        write_runs(writer, tables, runs)
    texture = Texture(decoder.amplitudes(quantised, quality), decoder.bank, decoder.unit)
    image = torch.from_numpy(texture.window(Fraction(1), Window(0, 0, 160, 160))) + CENTRE
    bits = float(expected.bits + expected.side_bits)
    assert 8 * len(writer.finish()) == pytest.approx(bits, rel=0.01, abs=64)
    error, expected_error = ((x - picture).square().mean() for x in (image, expected.image[0]))
    assert float(error) == pytest.approx(float(expected_error), rel=0.02)
