"""From a finished training of a generative model to the weights that `collage sample` reads.

    python -m neural_collage.training.generator_weights CHECKPOINT -o mnist.safetensors

CHECKPOINT is what `collage train` wrote; of its weights the averaged ones are taken, in half
precision.
"""

import argparse
import json
from pathlib import Path

from safetensors.torch import save

from neural_collage.codec.files import write_atomically
from neural_collage.core.errors import CheckpointError
from neural_collage.models.collage_vae import CollageVae
from neural_collage.models.hierarchical_vae import HierarchicalVae
from neural_collage.models.packing import pack
from neural_collage.models.vdvae import Vdvae
from neural_collage.training.checkpoint_io import CONFIG, load_weights, read_checkpoint

_KINDS: dict[str, type[HierarchicalVae]] = {
    f"{kind.__module__}.{kind.__qualname__}": kind for kind in (CollageVae, Vdvae)
}


def trained_generator(checkpoint: Path) -> HierarchicalVae:
    """The model of a training with its averaged weights, in eval mode.

    Raises:
        CheckpointError: it cannot be read, or is of another training.
    """
    config = read_checkpoint(checkpoint).get(CONFIG, {})
    task = config.get("model", {}).get("init_args", {})
    described = task.get("model", {})
    if not isinstance(described, dict) or described.get("class_path") not in _KINDS:
        raise CheckpointError(
            f"{checkpoint}: holds no generative model, which is one of {', '.join(_KINDS)}"
        )
    kind = _KINDS[described["class_path"]]
    model = kind(**kind.arguments_of(described["init_args"]))
    load_weights(checkpoint, model)
    return model.eval()


def weights_file(model: HierarchicalVae) -> bytes:
    """The complete safetensors file.

    Raises ValueError for weights that half precision cannot hold.
    """
    config = json.dumps(model.settings, sort_keys=True)
    return save(pack(model.state_dict()), metadata={"config": config})


def main() -> None:
    """Write the weights that `art.samples.load_generator` reads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    write_atomically(arguments.output, weights_file(trained_generator(arguments.checkpoint)))


if __name__ == "__main__":
    main()
