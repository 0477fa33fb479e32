from pathlib import Path

import pytest
import torch

from neural_collage.art.samples import load_generator
from neural_collage.errors import CheckpointError
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.training.checkpoint_io import trained_model
from neural_collage.training.export.generator_weights import main
from tests.models.generation.generators import collage_vae
from tests.training.finished import save_checkpoint


def _checkpoint(path: Path, class_path: str | None = None) -> Path:
    torch.manual_seed(0)
    return save_checkpoint(path, collage_vae(), class_path)


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
    checkpoint = _checkpoint(
        tmp_path / "last.ckpt", "neural_collage.models.autoencoding.mlp.MlpAutoencoder"
    )
    with pytest.raises(CheckpointError, match="holds no network that is one of"):
        trained_model(checkpoint, CollageVae)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        trained_model(checkpoint, CollageVae)
