"""Saving and loading models: model.safetensors and config.json, in a folder or on the hub.

A part of `huggingface_hub`'s mixin is replaced. That one would unpickle weights where it finds no
safetensors, load what happens to fit, and ignore keys of a config that it does not know; this one
refuses, and says what is wrong.
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
from neural_collage.models.weights_file import (
    canonical_json,
    load_state,
    read_config,
    read_tensors,
)

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
_MODULE = "module"
"""The only key of what stands for a module in a config: the name of its class."""

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

    settings: the arguments of the subclass's `__init__` that describe the model: numbers, text,
        dataclasses of such, and modules. A module is not described: whoever loads passes its like.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._hub_mixin_config = {name: _to_json(value) for name, value in settings.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """What config.json says: the arguments of `__init__`, as JSON has them."""
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

        Files appear when all of them are written; an existing card is kept. With `push_to_hub`
        they are also uploaded as `repo_id` (the folder's name if None), whose address is returned.
        options: others of `huggingface_hub.ModelHubMixin`.

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
                        os.replace(file, target / file.name)  # noqa: PTH105 - says "atomic"
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{target}: the model cannot be saved: {error}") from error
        return self.push_to_hub(repo_id or target.name) if push_to_hub else None

    def _save_pretrained(self, save_directory: Path) -> None:
        # The weights carry their config, so that files of two models are not taken for one.
        config = canonical_json(self.settings)
        weights_file = save_directory / WEIGHTS_FILE
        save_model(self, str(weights_file), metadata={"config": config})
        weights_file.chmod(0o644)  # safetensors leaves it to its owner alone

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
        """The model saved in a folder, or under a name "owner/name" on the hub, in eval mode.

        arguments: of `__init__`, instead of those saved; the modules that a config cannot describe.
        The others are those of `huggingface_hub.hf_hub_download`, and where the weights go.

        Raises:
            CheckpointError: files are missing, damaged, or not of this model or of one another.
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
                    f"{name}: there is no such folder, and no {file} of that name on the hub: "
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
        """The arguments of `__init__` that a config.json describes.

        Raises ValueError or TypeError for keys or values that it does not have.
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
                f"{file}: {name} was a {value[_MODULE]}, which no config describes: pass a module "
                f"like it, from_pretrained(..., {name}=...)"
            )
    try:
        return cls(**{**cls.arguments_of(described), **arguments})
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{file}: no config of a {cls.__name__}: {error}") from error


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: no config, which is an object of names and values")
    return config


def _load_weights(model: nn.Module, file: Path, config: Mapping[str, Any]) -> None:
    try:
        data = file.read_bytes()
        state = read_tensors(data)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: {error}") from error
    try:
        saved = read_config(data)
    except (ValueError, LookupError):
        saved = None  # written by another program
    if saved not in (None, config):
        raise CheckpointError(
            f"{file}: weights of another config than {CONFIG_FILE} beside them: "
            "take both files from the same save"
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
    """A value of the type that a hint names: dataclasses from objects, tuples from arrays."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for option in options:
        if is_dataclass(option) and isinstance(option, type) and isinstance(value, dict):
            return _dataclass_from_json(option, value)
        if (get_origin(option) or option) is tuple and isinstance(value, list):
            inner = (*get_args(option), object)[0]
            return tuple(_from_json(inner, element) for element in value)
    return value


def _dataclass_from_json(kind: type, value: dict[str, Any]) -> Any:
    unknown = sorted(set(value) - {field.name for field in fields(kind)})
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}")
    hints = get_type_hints(kind)
    return kind(**{name: _from_json(hints[name], entry) for name, entry in value.items()})
