"""Exports a trained tile compressor (Poli et al. 2022, arXiv 2204.07673) as the package's weights.

    python -m neural_collage.training.export.poli2022_weights CHECKPOINT IMAGES \
        -o poli2022.safetensors

Rounds the network to half precision, counts the symbols of training pictures for the tables of the
entropy coder, and writes both, with the config, in one file. CHECKPOINT is one of `collage train`;
its averaged weights are exported. IMAGES is a folder.
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

from neural_collage.codec.planes import to_triples
from neural_collage.codec.streams.poli2022 import tile_symbols
from neural_collage.data.catalogue import resolve
from neural_collage.fractal.statistics import INCREMENT
from neural_collage.io.files import write_atomically
from neural_collage.io.modes import PICTURE_SUFFIXES
from neural_collage.io.reading import read_picture
from neural_collage.models.poli2022 import CHANNELS, TileCompressor
from neural_collage.models.weights_file import weights_to_bytes
from neural_collage.training.checkpoint_io import trained_model

STRENGTH = 512
"""Total of a table's initial counts, in symbols, relative to those of a picture."""


def symbol_histograms(
    compressor: TileCompressor, pictures: Iterable[Float[Tensor, "_ _ _"]]
) -> npt.NDArray[np.int64]:
    """Histograms of the values of each parameter of each channel, (3 x parameters, values)."""
    config = compressor.config
    values = 2 * config.levels + 1
    total = np.zeros((CHANNELS * config.n_parameters, values), np.int64)
    tables = torch.arange(len(total)).view(CHANNELS, 1, config.n_parameters)
    for pixels in pictures:
        for planes in to_triples(pixels):
            symbols = tile_symbols(compressor, planes) + config.levels
            flat = (tables * values + symbols).flatten().numpy()
            total += np.bincount(flat, minlength=total.size).reshape(total.shape)
    return total


def rescale_counts(
    observed: npt.NDArray[np.int64], strength: int = STRENGTH
) -> npt.NDArray[np.int32]:
    """Tables with totals of about `strength` symbols, smoothed, with all counts above zero."""
    width = np.array([1, 4, 6, 4, 1]) / 16
    smooth = np.apply_along_axis(lambda row: np.convolve(row, width, "same"), 1, observed)
    share = smooth / smooth.sum(1, keepdims=True).clip(1)
    counts: npt.NDArray[np.int32] = np.rint(share * strength * INCREMENT).clip(1).astype(np.int32)
    return counts


def tile_compressor_to_bytes(compressor: TileCompressor) -> bytes:
    """The complete safetensors file, floats in half precision."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in compressor.state_dict().items()
    }
    return weights_to_bytes(tensors, {"config": asdict(compressor.config)})


def main() -> None:
    """Write the weights that `codec.streams.poli2022` reads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("images", type=Path, help="a folder of training pictures")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    compressor = trained_model(arguments.checkpoint, TileCompressor)
    folder = resolve(arguments.images)
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    compressor.half().float()  # as decoders load it
    observed = symbol_histograms(compressor, (read_picture(path).pixels for path in paths))
    compressor.counts.copy_(torch.from_numpy(rescale_counts(observed)))
    write_atomically(arguments.output, tile_compressor_to_bytes(compressor))


if __name__ == "__main__":
    main()
