"""Exports a trained generative model as the weights that `collage sample` reads.

    python -m neural_collage.training.export.generator_weights CHECKPOINT -o mnist.safetensors

CHECKPOINT is one of `collage train`; its averaged weights are exported, in half precision.
"""

import argparse
from pathlib import Path

from neural_collage.io.files import write_atomically
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.models.packing import pack_state
from neural_collage.models.weights_file import weights_to_bytes
from neural_collage.training.checkpoint_io import trained_model


def generator_to_bytes(model: HierarchicalVae) -> bytes:
    """The complete safetensors file.

    Raises ValueError for weights that half precision cannot represent.
    """
    return weights_to_bytes(pack_state(model.state_dict()), model.settings)


def main() -> None:
    """Write the weights that `art.samples.load_generator` reads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    model: HierarchicalVae = trained_model(arguments.checkpoint, CollageVae, Vdvae)
    write_atomically(arguments.output, generator_to_bytes(model))


if __name__ == "__main__":
    main()
