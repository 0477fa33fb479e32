"""From a finished training of a generative model to the weights that `collage sample` reads.

    python -m neural_collage.training.export.generator_weights CHECKPOINT -o mnist.safetensors

CHECKPOINT is what `collage train` wrote; of its weights the averaged ones are taken, in half
precision.
"""

import argparse
import json
from pathlib import Path

from safetensors.torch import save

from neural_collage.io.files import write_atomically
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.models.packing import pack_state
from neural_collage.training.checkpoint_io import trained_model


def weights_file(model: HierarchicalVae) -> bytes:
    """The complete safetensors file.

    Raises ValueError for weights that half precision cannot hold.
    """
    config = json.dumps(model.settings, sort_keys=True)
    return save(pack_state(model.state_dict()), metadata={"config": config})


def main() -> None:
    """Write the weights that `art.samples.load_generator` reads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    model: HierarchicalVae = trained_model(arguments.checkpoint, CollageVae, Vdvae)
    write_atomically(arguments.output, weights_file(model))


if __name__ == "__main__":
    main()
