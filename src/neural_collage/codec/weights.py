"""Weights of codecs: one safetensors file per model, with its config in the metadata.

A .clg file names its model and the hash of these bytes, so that it is never decoded with others.
Some weights come with the package; others are named by the path or the hub's name they are at.
"""

import hashlib
import re
import textwrap
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from neural_collage.codec.container import ModelId
from neural_collage.errors import CheckpointError, CollageError, first_line
from neural_collage.models.arrays_file import (
    WEIGHTS_FILE,
    Array,
    check_finite,
    read_arrays,
    read_config,
    unpack_arrays,
)
from neural_collage.models.compression.decoder_model import DecoderModel
from neural_collage.runtime import cached_property

if TYPE_CHECKING:
    from neural_collage.models.pretrained import Pretrained

M = TypeVar("M", bound="Pretrained")

SHIPPED = ("natural", "natural-psnr", "aerial")
"""Models of the neural codec that come with the package."""
TUNED_FOR = {"visual": "natural", "psnr": "natural-psnr"}
"""The model of photographs by what it is tuned for: the eye, or PSNR."""
_FOR_DECODING = ("compressor.entropy.", "compressor.patches", "counts", "steps", "logarithms")
KEPT = 8
"""Files of weights that are not shipped that a process keeps; the oldest are evicted."""


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    name: of the model. data: the complete safetensors file, its config in the metadata.
    """

    name: str
    data: bytes

    @cached_property
    def model(self) -> ModelId:
        """The identity of these weights in files."""
        return ModelId(self.name, hashlib.sha256(self.data).digest()[:8])

    def build(self, cls: type[M]) -> M:
        """The model, in single precision and eval mode.

        Raises:
            CheckpointError: damaged, or not of this class.
        """
        import torch

        from neural_collage.models.weights_file import load_state

        try:
            # configs raise TypeError, too, for fields that are missing or of another type
            model = cls(**cls.arguments_of(self.config)).float()
        except (ValueError, TypeError) as error:
            raise self._damaged(error) from error
        try:
            arrays = self._arrays("")
            load_state(model, {name: torch.from_numpy(a.copy()) for name, a in arrays.items()})
        except ValueError as error:
            raise self._damaged(error) from error
        return model.eval()

    def decoder(self) -> DecoderModel:
        """What files of these weights are decoded with; torch is not needed.

        Raises:
            CheckpointError: damaged, or of another model than the neural codec's.
        """
        try:
            groups = self.config["config"]["groups"]
            return DecoderModel(self._arrays(*_FOR_DECODING), tuple(int(size) for size in groups))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise self._damaged(error) from error

    def _arrays(self, *starts: str) -> dict[str, Array]:
        """The tensors whose names begin with one of these, unpacked."""
        arrays = {k: v for k, v in read_arrays(self.data).items() if k.startswith(starts)}
        unpacked = unpack_arrays(arrays)
        check_finite(unpacked)
        return unpacked

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of the model's `__init__`; raises ValueError for a file without it."""
        return read_config(self.data)

    def _damaged(self, error: Exception) -> CheckpointError:
        reason = textwrap.shorten(" ".join(str(error).split()), 300)
        return CheckpointError(f"the weights {self.name} are damaged or of another model: {reason}")


class _Kept:
    """A cache of weights by hash, bounded; the oldest are evicted."""

    def __init__(self) -> None:
        self._weights: OrderedDict[bytes, Weights] = OrderedDict()
        self._lock = Lock()

    def add(self, weights: Weights) -> None:
        with self._lock:
            self._weights[weights.model.digest] = weights
            self._weights.move_to_end(weights.model.digest)
            while len(self._weights) > KEPT:
                self._weights.popitem(last=False)

    def get(self, digest: bytes) -> Weights | None:
        with self._lock:
            return self._weights.get(digest)

    def clear(self) -> None:
        with self._lock:
            self._weights.clear()


_kept = _Kept()


def find_weights(name: str, shipped: Sequence[str] = SHIPPED) -> Weights:
    """The weights that a user names; kept for `weights_of`.

    name: one of `shipped`, models of the package; a safetensors file, or a folder with
        model.safetensors in it, as `save_pretrained` writes; or "owner/name" on the Hugging Face
        hub. A file is read again only if it has changed; the hub is queried once a process.

    Raises:
        CheckpointError: there are none.
    """
    if not isinstance(name, str | PathLike):
        raise CheckpointError(f"a model is a name or a path of weights, not {name!r}")
    name = fspath(name)
    if name in shipped:
        return shipped_weights(name)
    weights = _named_weights(name, shipped)
    _kept.add(weights)
    return weights


def tuned_model(model: str | None, tune: str | None) -> str | None:
    """The model to encode with, of the two ways to choose it; None for that of the codec.

    Raises:
        CollageError: both are given, or it is tuned for nothing of this name.
    """
    if tune is None:
        return model
    if tune not in TUNED_FOR:
        raise CollageError(f"tune must be {' or '.join(TUNED_FOR)}, not {tune!r}")
    if model is not None:
        raise CollageError(f"tune {tune} is the model {TUNED_FOR[tune]}: leave out one of them")
    return TUNED_FOR[tune]


def weights_of(model: ModelId) -> Weights:
    """The weights that a file was made with.

    Nothing is downloaded, and no file is read other than those of the package and of earlier
    downloads from the hub: a .clg file must not be able to cause either.

    Raises:
        CheckpointError: they are not among those, and have not been used or named before.
    """
    if (kept := _kept.get(model.digest)) is not None:
        return kept
    known = ""
    if model.name in SHIPPED:
        # models may be renamed
        for name in sorted(SHIPPED, key=lambda name: name != model.name):
            if (ours := shipped_weights(name)).model.digest == model.digest:
                return ours
        known = f"; those here are {shipped_weights(model.name).model.digest.hex()}"
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


def _named_weights(name: str, shipped: Sequence[str]) -> Weights:
    try:
        path = Path(name).expanduser().resolve()
        path = path / WEIGHTS_FILE if path.is_dir() else path
        if path.is_file():
            own_name = path.parent.name if path.name == WEIGHTS_FILE else path.stem
            status = path.stat()
            return _from_file(path, own_name or "model", (status.st_mtime_ns, status.st_size))
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise CheckpointError(f"the weights {name!r} cannot be read: {reason}") from error
    if not _HUB_NAME.fullmatch(name) or path.suffix == ".safetensors":
        raise CheckpointError(
            f"no weights {name!r}: give {', '.join(shipped)}, a .safetensors file, a folder that "
            "save_pretrained wrote, or owner/name on the hub"
        )
    return _from_hub(name, offline=False)


@lru_cache(maxsize=KEPT)
def _from_file(path: Path, name: str, version: tuple[int, int]) -> Weights:
    """version: of the file, by its time and size."""
    return Weights(name, path.read_bytes())


@lru_cache(maxsize=KEPT)
def _from_hub(name: str, *, offline: bool) -> Weights:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

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


def forget_weights() -> None:
    """Drop all weights that are not shipped, as in a new process."""
    _kept.clear()
    _from_file.cache_clear()
    _from_hub.cache_clear()
