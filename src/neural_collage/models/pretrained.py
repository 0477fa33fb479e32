"""Saving and loading models: model.safetensors and config.json, in a folder or on the hub.

`Pretrained` overrides loading and saving of `huggingface_hub.PyTorchModelHubMixin`, which unpickles
weights if there is no safetensors file, loads the tensors that happen to match, and ignores unknown
keys of the config. All of these are errors here.
"""

import json
import os
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from safetensors import SafetensorError
from safetensors.torch import save_model
from torch import nn

from neural_collage.errors import CheckpointError, first_line
from neural_collage.models.arrays_file import WEIGHTS_FILE, metadata_of, read_config
from neural_collage.models.weights_file import load_state, read_tensors

CONFIG_FILE = "config.json"
_MODULE = "module"
"""The only key of the object that represents a module in a config: the name of its class."""

M = TypeVar("M", bound="Pretrained")


class Pretrained(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="neural-collage",
    license="apache-2.0",
    tags=["neural-collage", "fractal"],
    paper_url="https://arxiv.org/abs/2204.07673",
):
    """Base of models with `save_pretrained`, `from_pretrained` and `push_to_hub`.

    settings: the arguments of the subclass's `__init__` that define the model: numbers, strings,
        dataclasses of these, and modules. Of a module only the class name is saved; loading takes
        a module of the same architecture.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._hub_mixin_config = {name: _to_json(value) for name, value in settings.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """The content of config.json: the arguments of `__init__` as JSON values."""
        assert isinstance(self._hub_mixin_config, dict)
        return self._hub_mixin_config

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        **options: Any,
    ) -> str | None:
        """Write config.json, model.safetensors and a model card into a folder.

        Files are moved into the folder once all are written; an existing card is kept. With
        `push_to_hub` they are also uploaded to `repo_id` (the folder's name if None), and its URL
        is returned. options: further ones of `huggingface_hub.ModelHubMixin.save_pretrained`.

        Raises:
            CheckpointError: the folder cannot be written to, or its disk is full.
        """
        target = Path(save_directory)
        try:
            target.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".", suffix=".part", dir=target) as staging:
                super().save_pretrained(staging, **options)
                for file in Path(staging).iterdir():
                    if file.name != "README.md" or not (target / file.name).exists():
                        os.replace(file, target / file.name)  # noqa: PTH105 - atomic
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{target}: the model cannot be saved: {error}") from error
        return self.push_to_hub(repo_id or target.name) if push_to_hub else None

    def _save_pretrained(self, save_directory: Path) -> None:
        # The config in the metadata detects weights and config.json of different models.
        weights_file = save_directory / WEIGHTS_FILE
        save_model(self, str(weights_file), metadata=metadata_of(self.settings))
        weights_file.chmod(0o644)  # safetensors makes it readable by the owner only

    @classmethod
    def from_pretrained(
        cls: type[M],
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        map_location: str | torch.device = "cpu",
        **arguments: Any,
    ) -> M:
        """Load a model from a folder, or from "owner/name" on the hub, in eval mode.

        map_location: device of the model.
        arguments: of `__init__`, in place of the saved ones; required for custom modules.
        Others are those of `huggingface_hub.hf_hub_download`.

        Raises:
            CheckpointError: files are missing, damaged, of another model, or do not match.
        """
        name = str(pretrained_model_name_or_path)

        def find(file: str) -> Path:
            if Path(name).is_dir():
                return Path(name, file)
            try:
                return Path(
                    hf_hub_download(
                        name,
                        file,
                        force_download=force_download,
                        token=token,
                        cache_dir=cache_dir,
                        local_files_only=local_files_only,
                        revision=revision,
                    )
                )
            except (HfHubHTTPError, HFValidationError, OSError) as error:
                raise CheckpointError(
                    f"{name}: there is no such folder, and no {file} under that name on the hub: "
                    f"{first_line(error)}"
                ) from error

        config_file, weights_file = find(CONFIG_FILE), find(WEIGHTS_FILE)
        for file in (config_file, weights_file):
            if not file.is_file():
                raise CheckpointError(
                    f"{name}: has no {file.name}: expected a folder that save_pretrained wrote"
                )
        config = _read_config(config_file)
        model = _build(cls, config_file, config, arguments)
        _load_weights(model, weights_file, config)
        return model.to(map_location).eval()

    @classmethod
    def arguments_of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `__init__` from the values of a config.json.

        Raises ValueError or TypeError for unknown keys or invalid values.
        """
        hints = get_type_hints(cls.__init__)
        unknown = sorted(set(config) - set(hints))
        if unknown:
            raise ValueError(f"unknown keys {', '.join(unknown)}")
        return {name: _from_json(hints[name], value) for name, value in config.items()}


def _build(cls: type[M], file: Path, config: Mapping[str, Any], arguments: Mapping[str, Any]) -> M:
    described = {name: value for name, value in config.items() if name not in arguments}
    for name, value in described.items():
        if isinstance(value, dict) and set(value) == {_MODULE}:
            raise CheckpointError(
                f"{file}: {name} was a {value[_MODULE]}, which config.json does not describe: pass "
                f"a module of the same architecture, from_pretrained(..., {name}=...)"
            )
    try:
        return cls(**{**cls.arguments_of(described), **arguments})
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{file}: invalid config of a {cls.__name__}: {error}") from error


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: must contain a JSON object, not {type(config).__name__}")
    return config


def _load_weights(model: nn.Module, file: Path, config: Mapping[str, Any]) -> None:
    try:
        data = file.read_bytes()
        state = read_tensors(data)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: {error}") from error
    try:
        saved = read_config(data)
    except ValueError:
        saved = None  # written by another program
    if saved not in (None, config):
        raise CheckpointError(
            f"{file}: saved with another config than the one in {CONFIG_FILE}: take both files "
            "from the same model"
        )
    try:
        load_state(model, state)
    except ValueError as error:
        raise CheckpointError(f"{file}: {textwrap.shorten(str(error), 300)}") from error


def _to_json(value: Any) -> Any:
    if isinstance(value, nn.Module):
        return {_MODULE: f"{type(value).__module__}.{type(value).__qualname__}"}
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return json.loads(json.dumps(value, default=asdict))  # dataclasses within tuples


def _from_json(hint: Any, value: Any) -> Any:
    """A JSON value converted to the type of a hint: objects to dataclasses, arrays to tuples.

    Raises ValueError or TypeError for unknown or missing fields and for what is neither.
    """
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for option in options:
        if is_dataclass(option) and isinstance(option, type) and isinstance(value, dict):
            return _dataclass_from_json(option, value)
        if (get_origin(option) or option) is tuple and isinstance(value, list):
            inner = (*get_args(option), object)[0]
            return tuple(_from_json(inner, element) for element in value)
    if is_dataclass(hint) or (get_origin(hint) or hint) is tuple:
        raise TypeError(f"expected {getattr(hint, '__name__', hint)}, not {value!r}")
    return value


def _dataclass_from_json(kind: type, value: dict[str, Any]) -> Any:
    unknown = sorted(set(value) - {field.name for field in fields(kind)})
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}")
    hints = get_type_hints(kind)
    return kind(**{name: _from_json(hints[name], entry) for name, entry in value.items()})
