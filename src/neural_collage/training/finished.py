"""Weights of finished models, to be evaluated in place of a checkpoint.

They are those of the package, files written by `training.export` or `save_pretrained`, and models
on the hub. A config says the task that they are measured by.
"""

from importlib import resources
from pathlib import Path

from torch import nn

from neural_collage.codec.container import ModelId
from neural_collage.codec.weights import Weights, find_weights
from neural_collage.errors import CheckpointError
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.compression.compressor import Compressor
from neural_collage.models.packing import unpack_state
from neural_collage.models.pretrained import Pretrained
from neural_collage.models.weights_file import load_state, read_tensors
from neural_collage.training.checkpoint_io import differences

_SUFFIX = ".safetensors"


def packaged_weights() -> tuple[str, ...]:
    """The names of all weights of the package, those of the default codec first."""
    folder = resources.files("neural_collage") / "weights"
    names = [p.name.removesuffix(_SUFFIX) for p in folder.iterdir() if p.name.endswith(_SUFFIX)]
    return tuple(sorted(names, key=lambda name: (not name.startswith("natural"), name)))


def names_weights(name: str) -> bool:
    """Whether it names weights: of the package, in a safetensors file or a folder, or on the hub.

    Otherwise it names a checkpoint.
    """
    path = Path(name)
    if name in ("last", "best") or path.suffix == ".ckpt":
        return False
    if name in packaged_weights() or path.suffix == _SUFFIX or path.is_dir():
        return True
    return not path.is_file() and name.count("/") == 1


def load_finished(model: nn.Module, name: str) -> ModelId:
    """Load weights into a model of the same settings; returns their name and hash.

    name: as `codec.weights.find_weights` takes it; all `packaged_weights` are known.

    Raises:
        CheckpointError: there are none, they are damaged, or of a model of another kind or with
            other settings.
    """
    weights = find_weights(name, packaged_weights())
    if isinstance(model, Pretrained):
        model.load_state_dict(_built(weights, model).state_dict())
        return weights.model
    try:
        load_state(model, unpack_state(read_tensors(weights.data)))
    except ValueError as error:
        raise CheckpointError(
            f"{name}: not weights of the {type(model).__name__} of the config: {error}"
        ) from error
    return weights.model


def _built(weights: Weights, model: Pretrained) -> Pretrained:
    """The model that the weights are of."""
    kind = type(model)
    try:
        if isinstance(model, Compressor):  # which is exported with the tables of the entropy coder
            found: Pretrained = weights.build(CodecModel).compressor
        else:
            found = weights.build(kind)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}: give weights of a {kind.__name__}, which is the model of the config, or "
            "another config"
        ) from error
    if different := differences(found.settings, model.settings):
        raise CheckpointError(
            f"{weights.name}: weights of a {kind.__name__} with other settings: "
            f"{'; '.join(different)}: use the config that they were trained with"
        )
    return found
