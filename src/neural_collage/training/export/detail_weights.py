"""Exports a trained predictor of detail as the weights that decoding above scale 1 reads.

    python -m neural_collage.training.export.detail_weights CHECKPOINT -o detail.safetensors

CHECKPOINT is one of `collage train`; its averaged weights are exported, in half precision.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from neural_collage.io.files import write_atomically
from neural_collage.models.enlargement.detail_predictor import DetailPredictor
from neural_collage.models.packing import pack_state
from neural_collage.models.weights_file import weights_to_bytes
from neural_collage.training.checkpoint_io import trained_model


def detail_to_bytes(model: DetailPredictor) -> bytes:
    """The complete safetensors file.

    Raises ValueError for weights that half precision cannot represent.
    """
    return weights_to_bytes(pack_state(model.state_dict()), {"config": asdict(model.config)})


def main() -> None:
    """Write the weights that `models.enlargement.detail_network` reads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    model = trained_model(arguments.checkpoint, DetailPredictor)
    write_atomically(arguments.output, detail_to_bytes(model))


if __name__ == "__main__":
    main()
