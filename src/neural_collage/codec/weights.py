"""Weights of codecs: one safetensors file per model, which knows its config.

A .clg file names its model and the hash of these bytes, so that it is never decoded with others.
Some weights come with the package; others are named by the path or the hub's name they are at.
"""

import hashlib
import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from safetensors import SafetensorError
from safetensors.torch import load

from neural_collage.codec.container import ModelId
from neural_collage.core.errors import CheckpointError, first_line
from neural_collage.models.packing import unpack
from neural_collage.models.pretrained import WEIGHTS_FILE, Pretrained

M = TypeVar("M", bound=Pretrained)
_HEADER_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    name: of the model. data: the complete safetensors file, its config in the metadata.
    """

    name: str
    data: bytes

    @cached_property
    def model(self) -> ModelId:
        """What files that need these weights carry."""
        return ModelId(self.name, hashlib.sha256(self.data).digest()[:8])

    def build(self, cls: type[M]) -> M:
        """The model, in eval mode.

        Raises:
            CheckpointError: damaged, or not of this class.
        """
        try:
            model = cls(**cls.arguments_of(self.config))
            state = unpack(load(self.data))
            broken = [
                n for n, t in state.items() if t.is_floating_point() and not t.isfinite().all()
            ]
            if broken:
                raise ValueError(f"{broken[0]} holds numbers that are not finite")
            model.load_state_dict(state)
        except (
            SafetensorError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            RuntimeError,  # names and shapes of tensors, one a line
        ) as error:
            reason = textwrap.shorten(" ".join(str(error).split()), 300)
            raise CheckpointError(
                f"the weights {self.name} are damaged or of another model: {reason}"
            ) from error
        return model.eval()

    @property
    def config(self) -> dict[str, object]:
        """From the file's JSON header, which safetensors reads from paths only.

        Raises ValueError or LookupError for a file without one.
        """
        length = int.from_bytes(self.data[:_HEADER_LENGTH_BYTES], "little")
        header = json.loads(self.data[_HEADER_LENGTH_BYTES:][:length])
        config: dict[str, object] = json.loads(header["__metadata__"]["config"])
        return config


SHIPPED = ("natural", "aerial")
"""Models of the neural codec that come with the package."""
_used: dict[bytes, Weights] = {}  # by digest: what files of this process may need again


def find_weights(name: str, shipped: Sequence[str] = SHIPPED) -> Weights:
    """The weights that a user names, known to `weights_of` from now on.

    name: one of `shipped`, models of the package; a safetensors file, or a folder with
        model.safetensors in it, as `save_pretrained` writes; or "owner/name" on the Hugging Face
        hub.

    Raises:
        CheckpointError: there are none.
    """
    weights = shipped_weights(name) if name in shipped else _read_weights(name, shipped)
    _used[weights.model.digest] = weights
    return weights


def weights_of(model: ModelId) -> Weights:
    """The weights that a file was made with.

    A file is not to be trusted: nothing is downloaded because of what it says, and no other file is
    read but those of the package and of earlier downloads from the hub.

    Raises:
        CheckpointError: they are not among those, and have not been used or named before.
    """
    if model.digest in _used:
        return _used[model.digest]
    known = ""
    if model.name in SHIPPED:
        ours = find_weights(model.name)
        if ours.model.digest == model.digest:
            return ours
        known = f"; those here are {ours.model.digest.hex()}"
    elif _HUB_NAME.fullmatch(model.name):
        try:
            downloaded = _from_hub(model.name, offline=True)
        except CheckpointError:
            pass
        else:
            if downloaded.model.digest == model.digest:
                return downloaded
    raise CheckpointError(
        f"this needs the weights {model.name!r} of hash {model.digest.hex()}{known}: name the file "
        "that holds them (--model, model=), or use the version that made it"
    )


_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def _read_weights(name: str, shipped: Sequence[str]) -> Weights:
    try:
        path = Path(name).expanduser().resolve()
        path = path / WEIGHTS_FILE if path.is_dir() else path
        if path.is_file():
            own_name = path.parent.name if path.name == WEIGHTS_FILE else path.stem
            return Weights(own_name or "model", path.read_bytes())
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise CheckpointError(f"the weights {name!r} cannot be read: {reason}") from error
    if not _HUB_NAME.fullmatch(name) or path.suffix == ".safetensors":
        raise CheckpointError(
            f"no weights {name!r}: give {' or '.join(shipped)}, a .safetensors file, a folder that "
            "save_pretrained wrote, or owner/name on the hub"
        )
    return _from_hub(name, offline=False)


def _from_hub(name: str, *, offline: bool) -> Weights:
    try:
        path = hf_hub_download(name, WEIGHTS_FILE, local_files_only=offline)
        return Weights(name, Path(path).read_bytes())
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise CheckpointError(
            f"no weights {name!r} here, and none on the hub: {first_line(error)}"
        ) from error


@lru_cache
def shipped_weights(name: str) -> Weights:
    """The weights of a model that come with the package."""
    path = resources.files("neural_collage") / "weights" / f"{name}.safetensors"
    return Weights(name, path.read_bytes())
