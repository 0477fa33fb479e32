import json
from pathlib import Path

import pytest
import torch

from neural_collage.art.samples import load_generator
from neural_collage.core.errors import CheckpointError
from neural_collage.training.generator_weights import main, trained_generator
from tests.models.generators import collage_vae

COLLAGE = "neural_collage.models.collage_vae.CollageVae"


def _checkpoint(path: Path, class_path: str = COLLAGE) -> Path:
    """As a training writes it."""
    torch.manual_seed(0)
    model = collage_vae()
    described = {"class_path": class_path, "init_args": json.loads(json.dumps(model.settings))}
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    config = {"model": {"class_path": "Generation", "init_args": {"model": described}}}
    torch.save({"state_dict": state, "global_step": 7, "config": config}, path)
    return path


def test_weights_of_a_training_are_its_averaged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, output = _checkpoint(tmp_path / "last.ckpt"), tmp_path / "mine.safetensors"
    monkeypatch.setattr("sys.argv", ["generator_weights", str(checkpoint), "-o", str(output)])
    main()
    torch.manual_seed(0)
    expected = collage_vae()
    loaded = load_generator(str(output))
    assert loaded.settings == expected.settings
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value.half().float())


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "last.ckpt", "neural_collage.models.mlp.MlpAutoencoder")
    with pytest.raises(CheckpointError, match="holds no generative model, which is one of"):
        trained_generator(checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        trained_generator(checkpoint)
