"""The weights that come with the package: one safetensors file per model, which knows its config.

A .clg file names its model and the hash of these bytes, so that it is never decoded with others.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load

from neural_collage.codec.container import ModelId
from neural_collage.core.errors import CheckpointError
from neural_collage.models.packing import unpack
from neural_collage.models.pretrained import Pretrained

M = TypeVar("M", bound=Pretrained)
_HEADER_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    name: of the model. data: the complete safetensors file, its config in the metadata.
    """

    name: str
    data: bytes

    @property
    def model(self) -> ModelId:
        """What files that need these weights carry."""
        return ModelId(self.name, hashlib.sha256(self.data).digest()[:8])

    def build(self, cls: type[M]) -> M:
        """The model, in eval mode.

        Raises:
            CheckpointError: damaged, or not of this class.
        """
        try:
            model = cls(**cls.arguments_of(self._config()))
            model.load_state_dict(unpack(load(self.data)))
        except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"the weights {self.name} are damaged or of another model: {reason}"
            ) from error
        return model.eval()

    def _config(self) -> dict[str, object]:
        """From the file's JSON header, which safetensors reads from paths only."""
        length = int.from_bytes(self.data[:_HEADER_LENGTH_BYTES], "little")
        header = json.loads(self.data[_HEADER_LENGTH_BYTES:][:length])
        config: dict[str, object] = json.loads(header["__metadata__"]["config"])
        return config


@lru_cache
def shipped_weights(name: str) -> Weights:
    """The weights of a model that come with the package."""
    path = resources.files("neural_collage") / "weights" / f"{name}.safetensors"
    return Weights(name, path.read_bytes())
