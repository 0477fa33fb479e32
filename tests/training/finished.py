"""Checkpoints in the format of a training, for tests of their export."""

import json
from pathlib import Path

import torch

from neural_collage.models.pretrained import Pretrained


def save_checkpoint(path: Path, model: Pretrained, class_path: str | None = None) -> Path:
    """Write a checkpoint; `class_path` replaces that of the model in its config."""
    kind = type(model)
    spec = {
        "class_path": class_path or f"{kind.__module__}.{kind.__qualname__}",
        "init_args": json.loads(json.dumps(model.settings)),
    }
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    config = {"model": {"class_path": "a.Task", "init_args": {"model": spec}}}
    torch.save({"state_dict": state, "global_step": 7, "config": config}, path)
    return path
