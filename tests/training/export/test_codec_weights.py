"""Export of a checkpoint as the weights of neural streams."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.codec import weights as weights_module
from neural_collage.codec.entropy import FixedTables
from neural_collage.codec.streams.neural_encoder import NeuralEncoder
from neural_collage.codec.weights import Weights, find_weights
from neural_collage.io.reading import read_picture
from neural_collage.io.writing import to_pil
from neural_collage.models.compression.codec_model import (
    LARGEST_SYMBOL,
    TABLE_SUM,
    CodecModel,
    logistic_counts,
)
from neural_collage.models.compression.compressor import Compressor, CompressorConfig
from neural_collage.models.compression.integer_entropy import N_SCALES
from neural_collage.models.packing import pack_state, unpack_state
from neural_collage.models.poli2022 import TileCompressor
from neural_collage.training.export import codec_weights
from neural_collage.training.export.codec_weights import (
    QUALITIES,
    STRENGTH,
    codec_model_to_bytes,
    export_model,
    fit_tables,
    symbol_histograms,
)
from tests.models.compression.codecs import SMALL, lively_compressor, orthonormal_blocks
from tests.pictures import photo_crop, texture
from tests.training.finished import save_checkpoint

Counts = npt.NDArray[np.int64]


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    weights_module.forget_weights()


@pytest.fixture
def model() -> CodecModel:
    return CodecModel.finish(lively_compressor())


def projecting(config: CompressorConfig = SMALL) -> Compressor:
    """An untrained compressor that reconstructs flat colours."""
    torch.manual_seed(0)
    compressor = Compressor(config)
    blocks = orthonormal_blocks(SMALL.n_patches)
    for channel in range(3):
        blocks[channel] = 0
        blocks[channel, channel] = 1 / 16
    compressor.initialise(blocks, torch.full((SMALL.n_patches,), 0.5))
    return compressor.eval()


def pictures(count: int = 8) -> list[Tensor]:
    return [photo_crop(48, 20 * n, 180) for n in range(count)]


def coded_symbols(model: CodecModel, shapes: Sequence[tuple[int, int]]) -> int:
    """Number of symbols of pictures with these rows and columns of ranges."""
    return sum(
        rows * columns * model.config.n_patches
        + -(-rows // 2) * -(-columns // 2) * model.config.side
        for rows, columns in shapes
    )


def test_every_coded_symbol_is_counted(model: CodecModel) -> None:
    observed = symbol_histograms(model, [photo_crop(48), texture(20, 70, 4), texture(1, 1, 1)])
    assert observed.shape == model.counts.shape
    assert int(observed.min()) == 0
    assert observed[0].sum() == 0  # the smallest scale codes no symbols
    total = coded_symbols(model, [(3, 3), (2, 5), (1, 1)])
    assert 0.5 * total < observed.sum() <= total
    model.decoder.entropy._log_scale += 1 << 12  # no scale is the smallest
    model.decoder.entropy._side_scale += 1 << 12
    again = symbol_histograms(model, [photo_crop(48), texture(20, 70, 4), texture(1, 1, 1)])
    assert again.sum() == total


def test_counts_of_pictures_add_up_and_repeat(model: CodecModel) -> None:
    crops = pictures(len(QUALITIES) + 1)
    first = symbol_histograms(model, crops[: len(QUALITIES)])
    both = symbol_histograms(model, crops)
    assert np.array_equal(both, symbol_histograms(model, iter(crops)))
    # qualities are used in turn
    assert np.array_equal(both, first + symbol_histograms(model, crops[-1:]))
    assert symbol_histograms(model, []).sum() == 0


def test_large_deviations_are_counted_as_escapes(model: CodecModel) -> None:
    model.steps.fill_(1)  # so small that all symbols are large
    observed = symbol_histograms(model, [photo_crop(32)])
    assert observed[:, -1].sum() > 0


def test_tables_are_the_same_for_both_signs_and_can_always_escape(
    model: CodecModel, rng: np.random.Generator
) -> None:
    logistic = logistic_counts().numpy().astype(np.int64)
    for observed in (
        np.zeros_like(logistic),
        symbol_histograms(model, pictures(3)),
        rng.integers(0, 100_000, logistic.shape) * (rng.random(logistic.shape) < 0.01),
    ):
        counts = fit_tables(logistic, observed)
        assert counts.dtype == np.int32
        assert counts.shape == (N_SCALES, 2 * LARGEST_SYMBOL + 2)
        assert np.array_equal(counts[:, :-1], counts[:, -2::-1])
        assert int(counts.min()) >= 0
        assert int(counts[:, -1].min()) >= 1
        sums = counts.sum(1)
        np.testing.assert_allclose(sums, TABLE_SUM, rtol=1e-3)
        assert len(FixedTables(counts.astype(np.int64))) == N_SCALES


def test_tables_without_observations_are_logistic() -> None:
    logistic = logistic_counts().numpy().astype(np.int64)
    difference = np.abs(fit_tables(logistic, np.zeros_like(logistic)) - logistic)
    assert int(difference.max()) < TABLE_SUM / 100_000


def test_tables_approach_the_observed_histogram() -> None:
    logistic = logistic_counts().numpy().astype(np.int64)
    shares = []
    for count in (0, STRENGTH // 10, STRENGTH, 100 * STRENGTH):
        observed = np.zeros_like(logistic)
        observed[20, LARGEST_SYMBOL + 7] = count
        counts = fit_tables(logistic, observed)
        shares.append(2 * int(counts[20, LARGEST_SYMBOL + 7]) / TABLE_SUM)
        assert np.array_equal(counts[21], fit_tables(logistic, np.zeros_like(logistic))[21])
    assert shares == sorted(set(shares))
    assert shares[0] < 0.05
    assert shares[2] == pytest.approx(0.5, abs=0.03)
    assert shares[3] > 0.98


def test_fitted_tables_make_files_smaller() -> None:
    compressor = projecting()
    plain = CodecModel.finish(compressor)
    fitted = export_model(compressor, [photo_crop(96, 10 * n, 150) for n in range(14)])
    assert not torch.equal(plain.counts, fitted.counts)
    picture = read_picture(photo_crop(96, 60, 200))
    sizes = [
        len(
            NeuralEncoder(Weights("mine", codec_model_to_bytes(model))).encode(
                picture, quality=50, effort=5, device="cpu"
            )
        )
        for model in (plain, fitted)
    ]
    assert sizes[1] < sizes[0]


def test_a_finished_model_equals_the_model_read_from_its_file(tmp_path: Path) -> None:
    """It is rounded before its tables are computed, so that the file reproduces it exactly."""
    model = export_model(lively_compressor(), pictures(2))
    read = Weights("mine", codec_model_to_bytes(model)).build(CodecModel)
    assert read.config == SMALL
    assert not read.training
    for name, value in model.state_dict().items():
        assert torch.equal(read.state_dict()[name], value), name
    assert codec_model_to_bytes(read) == codec_model_to_bytes(model)
    again = unpack_state(pack_state(model.state_dict()))
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


def test_a_finished_model_encodes_and_decodes_pictures(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(codec_model_to_bytes(export_model(projecting(), pictures(3))))
    picture = texture(40, 70, 4, seed=3)
    collage = nc.encode(picture, codec="neural", graphics=False, model=str(path), quality=95)
    pixels, data = collage.decode(), collage.to_bytes()
    weights_module.forget_weights()
    decoded = nc.decompress(data, model=str(path))
    assert np.array_equal(decoded, pixels)
    error = (torch.from_numpy(decoded) - picture).square().mean((1, 2))
    assert bool((error < picture.var((1, 2))).all())
    larger = nc.decompress(data, scale=2)
    assert larger.shape == (4, 80, 140)


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A checkpoint and two folders of pictures, for a small network."""
    save_checkpoint(tmp_path / "last.ckpt", projecting())
    for number in range(4):
        folder = tmp_path / f"photos {number % 2}"
        folder.mkdir(exist_ok=True)
        to_pil(photo_crop(40, left=150 + 30 * number)).save(folder / f"{number}.png")
        (folder / "notes.txt").write_text("no picture")
    return [str(tmp_path / name) for name in ("last.ckpt", "photos 0", "photos 1")]


def run(monkeypatch: pytest.MonkeyPatch, *words: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["codec_weights", *(str(word) for word in words)])
    codec_weights.main()


def test_a_checkpoint_becomes_a_file_of_weights(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "mine.safetensors"
    run(monkeypatch, *arguments, "-o", output)
    weights = find_weights(str(output))
    model = weights.build(CodecModel)
    assert json.loads(json.dumps(weights.config))["config"]["groups"] == list(SMALL.groups)
    trained = projecting()
    torch.testing.assert_close(model.compressor.patches, trained.patches, atol=2e-3, rtol=1e-2)
    crops = [photo_crop(40, left=150 + 30 * number) for number in (0, 2, 1, 3)]
    eight_bits = [(255 * crop + 0.5).floor() / 255 for crop in crops]
    assert torch.equal(model.counts, export_model(trained, eight_bits).counts)
    run(monkeypatch, *arguments, "-o", tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == weights.data
    run(monkeypatch, *arguments, "-o", tmp_path / "less.safetensors", "--every", 2)
    less = find_weights(str(tmp_path / "less.safetensors")).build(CodecModel)
    assert torch.equal(less.counts, export_model(trained, eight_bits[::2]).counts)


def test_weights_are_of_the_network_that_was_trained(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SMALL, lapped=True)
    save_checkpoint(Path(arguments[0]), projecting(config))
    run(monkeypatch, *arguments, "-o", tmp_path / "x.safetensors")
    assert find_weights(str(tmp_path / "x.safetensors")).build(CodecModel).config == config


def test_a_checkpoint_of_another_network_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(Path(arguments[0]), TileCompressor())
    for path, reason in (
        (arguments[0], r"holds no network that is one of .*\.Compressor"),
        (tmp_path / "missing.ckpt", "no such checkpoint"),
    ):
        with pytest.raises(nc.CheckpointError, match=reason):
            run(monkeypatch, path, *arguments[1:], "-o", tmp_path / "x.safetensors")
        assert not (tmp_path / "x.safetensors").exists()
