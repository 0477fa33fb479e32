"""Exports a trained neural compressor as the weights that files are decoded with.

    python -m neural_collage.training.export.codec_weights CHECKPOINT IMAGES... \
        -o natural.safetensors

Rounds the network to the stored precision, computes the integer tables, and fits the probability
tables to the symbols of training pictures at each predicted scale. CHECKPOINT is one of
`collage train`; its averaged weights are exported. IMAGES are folders.
"""

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.codec.entropy import FixedTables
from neural_collage.codec.planes import to_triples
from neural_collage.codec.streams.neural_encoder import chosen_symbols
from neural_collage.core.blocks import pad_to_multiple
from neural_collage.data.catalogue import resolve
from neural_collage.io.files import write_atomically
from neural_collage.io.modes import PICTURE_SUFFIXES
from neural_collage.io.reading import read_picture
from neural_collage.models.compression.codec_model import (
    LARGEST_SYMBOL,
    TABLE_SUM,
    CodecModel,
    whole_counts,
)
from neural_collage.models.compression.compressor import Compressor
from neural_collage.models.compression.decoder_model import RANGE
from neural_collage.models.packing import pack_state, unpack_state
from neural_collage.models.weights_file import weights_to_bytes
from neural_collage.training.checkpoint_io import trained_model

QUALITIES = (5, 20, 35, 50, 65, 80, 95)
STRENGTH = 2000
"""Pseudo-count of the logistic prior, in symbols of each table."""


def symbol_histograms(
    model: CodecModel, pictures: Iterable[Float[Tensor, "_ _ _"]]
) -> npt.NDArray[np.int64]:
    """Histograms of symbols for each scale, in the layout of `CodecModel.counts`.

    Pictures are encoded at the `QUALITIES` in turn.
    """
    tables = FixedTables(model.counts.numpy().astype(np.int64))
    observed = np.zeros(model.counts.shape, np.int64)
    for number, pixels in enumerate(pictures):
        quality = QUALITIES[number % len(QUALITIES)]
        planes = pad_to_multiple(to_triples(pixels)[0], RANGE)
        with torch.inference_mode():
            values = model.latents(planes[None], quality)[0]
        chosen = chosen_symbols(model, tables, values, quality)
        model.decoder.entropy.run(chosen, quality, *values.shape[1:])
        for run in (run for group in chosen.runs for run in group):
            column = np.where(
                np.abs(run.values) > LARGEST_SYMBOL,
                2 * LARGEST_SYMBOL + 1,
                run.values + LARGEST_SYMBOL,
            )
            np.add.at(observed, (run.tables, column), 1)
    return observed


def fit_tables(
    logistic: npt.NDArray[np.int64], observed: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Probability tables: observed histograms with a logistic prior, symmetric in sign."""
    values, escapes = observed[:, :-1], observed[:, -1:]
    symmetric = np.concatenate([values + values[:, ::-1], 2 * escapes], 1)
    mass = symmetric + 2 * STRENGTH * logistic / TABLE_SUM
    counts: npt.NDArray[np.int32] = whole_counts(mass)
    return counts


def export_model(compressor: Compressor, pictures: Iterable[Float[Tensor, "_ _ _"]]) -> CodecModel:
    """The exported model of a trained compressor, rounded, with tables fitted to pictures."""
    model = CodecModel.finish(compressor)
    model.load_state_dict(unpack_state(pack_state(model.state_dict())))
    logistic = model.counts.numpy().astype(np.int64)
    model.counts.copy_(torch.from_numpy(fit_tables(logistic, symbol_histograms(model, pictures))))
    return model


def codec_model_to_bytes(model: CodecModel) -> bytes:
    """The complete safetensors file."""
    return weights_to_bytes(pack_state(model.state_dict()), {"config": asdict(model.config)})


def main() -> None:
    """Write the weights that `codec.streams.neural` reads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="folders of training pictures")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="use every n-th picture")
    arguments = parser.parse_args()
    compressor = trained_model(arguments.checkpoint, Compressor)
    paths = [
        path
        for folder in arguments.images
        for path in sorted(resolve(folder).iterdir())
        if path.suffix.lower() in PICTURE_SUFFIXES
    ]
    chosen = paths[:: arguments.every]
    model = export_model(compressor, (read_picture(path).pixels for path in chosen))
    write_atomically(arguments.output, codec_model_to_bytes(model))


if __name__ == "__main__":
    main()
