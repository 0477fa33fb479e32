"""Export of a checkpoint as the weights of a codec."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neural_collage.codec.streams.poli2022 import Poli2022Streams, tile_symbols
from neural_collage.codec.weights import Weights
from neural_collage.fractal.statistics import INCREMENT
from neural_collage.io.reading import read_picture
from neural_collage.models.poli2022 import TileCompressor, TileCompressorConfig
from neural_collage.training.export import poli2022_weights as compressor_weights
from tests.pictures import photo_crop, texture
from tests.training.finished import save_checkpoint

SMALL = TileCompressorConfig(range_size=4, n_patches=3, embedding=4, depth=1)


def test_every_symbol_is_counted_in_its_table() -> None:
    compressor = TileCompressor(SMALL).eval()
    pictures = [texture(20, 30, 3), texture(9, 9, 2)]
    counts = compressor_weights.symbol_histograms(compressor, pictures)
    assert counts.shape == (15, 201)
    tiles = 3 * 4 + 2 * 2 * 2  # of the picture; of grey and of alpha
    assert counts.sum(1).tolist() == [4 * tiles] * 15
    symbols = tile_symbols(compressor, pictures[0])[:, 1, :, 4]  # the bias of green
    first = compressor_weights.symbol_histograms(compressor, pictures[:1])
    expected = np.bincount(symbols.flatten().numpy() + 100, minlength=201)
    assert np.array_equal(first[9], expected)


def test_tables_are_integers_with_a_total_of_the_strength() -> None:
    observed = np.zeros((2, 201), np.int64)
    observed[0, 98:104] = (10, 200, 4000, 300, 20, 1)
    counts = compressor_weights.rescale_counts(observed, strength=64)
    assert counts.dtype == np.int32
    assert int(counts.min()) == 1
    assert counts[0].sum() == pytest.approx(64 * INCREMENT, rel=0.15)
    assert int(counts[0].argmax()) == 100
    assert counts[1].tolist() == [1] * 201  # never observed


def test_a_checkpoint_becomes_a_file_of_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = TileCompressor(SMALL)
    save_checkpoint(tmp_path / "last.ckpt", trained)
    for index in range(2):
        pixels = (255 * photo_crop(40, left=180 + 40 * index)).byte().permute(1, 2, 0)
        Image.fromarray(pixels.numpy()).save(tmp_path / f"{index}.png")
    output = tmp_path / "weights.safetensors"
    arguments = [str(tmp_path / "last.ckpt"), str(tmp_path), "-o", str(output)]
    monkeypatch.setattr(sys, "argv", ["compressor_weights", *arguments])
    compressor_weights.main()

    weights = Weights("small", output.read_bytes())
    loaded = weights.build(TileCompressor)
    assert loaded.config == SMALL
    assert not loaded.training
    torch.testing.assert_close(loaded.encoder.head, trained.encoder.head, atol=1e-3, rtol=1e-3)
    pixels = photo_crop(40)
    counted = Poli2022Streams(loaded, weights.model)
    flat = Poli2022Streams(trained.eval(), weights.model)
    picture = read_picture(pixels)
    sizes = [
        len(codec.encode(picture, quality=50, effort=5, device="cpu")) for codec in (counted, flat)
    ]
    assert sizes[0] < 0.8 * sizes[1]
