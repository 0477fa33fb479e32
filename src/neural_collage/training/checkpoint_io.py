"""Atomic writing of checkpoints, and reading that checks them first.

A checkpoint is Lightning's with the `config` of its experiment. It is loaded with `weights_only`,
so that pickled code in it is not run.
"""

import io
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import nn

from neural_collage.errors import CheckpointError, OutputError
from neural_collage.io.files import write_atomically
from neural_collage.models.pretrained import Pretrained
from neural_collage.moved import current_name

M = TypeVar("M", bound=Pretrained)

CONFIG = "config"
"""The key of the experiment's config in a checkpoint."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoint files of a trainer, written atomically: a full disk leaves the earlier file.

    Reading and writing raise CheckpointError.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(Path(path), buffer.getvalue(), durable=True)
        except OutputError as error:
            raise CheckpointError(str(error)) from error
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Raises:
        CheckpointError: missing, damaged, or no checkpoint; the message names another one to use.
    """
    try:
        with zipfile.ZipFile(path) as file:  # torch does not verify checksums
            if file.testzip():
                raise zipfile.BadZipFile
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint{_alternative(path)}") from error
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"{path}: cannot be read: {reason}{_alternative(path)}") from error
    except Exception as error:  # the errors of torch.load for damaged bytes are not documented
        raise CheckpointError(f"{path}: is damaged or no checkpoint{_alternative(path)}") from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "global_step"} <= checkpoint.keys():
        raise CheckpointError(f"{path}: is not a checkpoint of a training{_alternative(path)}")
    return checkpoint


def load_weights(path: Path, model: nn.Module) -> None:
    """Load the averaged weights of the model in a checkpoint's task.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of another network.
    """
    state = read_checkpoint(path)["state_dict"]
    prefix = "model."
    try:
        model.load_state_dict(
            {n.removeprefix(prefix): value for n, value in state.items() if n.startswith(prefix)}
        )
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: holds weights of another network than this {type(model).__name__}: "
            f"{' '.join(str(error).split())}"
        ) from error


def trained_model(path: Path, *kinds: type[M]) -> M:
    """The network of a training, built from its config, with averaged weights, in eval mode.

    kinds: the accepted classes.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of another training.
    """
    task = read_checkpoint(path).get(CONFIG, {}).get("model", {}).get("init_args", {})
    spec = task.get("model", {})
    names = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in kinds}
    name = current_name(str(spec.get("class_path"))) if isinstance(spec, dict) else ""
    if name not in names:
        raise CheckpointError(f"{path}: holds no network that is one of {', '.join(names)}")
    kind = names[name]
    model = kind(**kind.arguments_of(spec.get("init_args", {})))
    load_weights(path, model)
    return model.eval()


def require_same_model(
    path: Path,
    checkpoint: Mapping[str, Any],
    config: Mapping[str, Any],
    apart_from: Collection[str] = (),
) -> None:
    """Check that a checkpoint was written with the `model` part of this config.

    apart_from: keys of the task that may differ, with all keys below them.

    Raises:
        CheckpointError: it was not; the message names the keys that differ.
    """
    if CONFIG not in checkpoint:
        raise CheckpointError(f"{path}: was not made by `collage train`: it holds no config")
    ignored = [f"model.init_args.{name}" for name in apart_from]
    different = differences(checkpoint[CONFIG]["model"], config["model"], "model", ignored)
    if different:
        raise CheckpointError(
            f"{path}: was made with another config: {'; '.join(different)}: use the config.yaml "
            "of its run, or start a new run"
        )


def differences(
    stored: Mapping[str, Any],
    given: Mapping[str, Any],
    key: str = "",
    apart_from: Collection[str] = (),
) -> list[str]:
    """The dotted keys that differ in two nested configs, each with both values.

    key: of the configs themselves. apart_from: keys that may differ, with all keys below them.
    """
    there, here = dict(_leaves(stored, key)), dict(_leaves(given, key))
    return [
        f"{name} ({there.get(name, 'absent')} there, {here.get(name, 'absent')} here)"
        for name in dict.fromkeys([*there, *here])
        if (name not in there or name not in here or there[name] != here[name])
        and not any(name == other or name.startswith(f"{other}.") for other in apart_from)
    ]


def _leaves(value: object, key: str) -> Iterator[tuple[str, object]]:
    """The dotted keys of a nested config and their values, classes under their current names."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    elif key.endswith(".class_path"):
        yield key, current_name(str(value))
    else:
        yield key, value


def _alternative(path: Path) -> str:
    """The end of an error message: a suggestion to use the newest other checkpoint beside it."""
    others = [p for p in path.parent.glob("*.ckpt") if p != path] if path.parent.is_dir() else []
    if not others:
        return ": start a new run"
    newest = max(others, key=lambda p: p.stat().st_mtime)
    return f": use --ckpt {newest}"
