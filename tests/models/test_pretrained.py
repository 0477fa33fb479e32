import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from neural_collage.errors import CheckpointError
from neural_collage.models.autoencoding.mlp import MlpAutoencoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    MlpAutoencoder((4, 6), 1, (3,)).save_pretrained(tmp_path)
    return tmp_path


def _edit(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_weights_and_settings_come_back(tmp_path: Path) -> None:
    model = MlpAutoencoder(image_size=(4, 6), channels=1, hidden=(3, 2))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path / "new" / "folder")
    loaded = MlpAutoencoder.from_pretrained(tmp_path / "new" / "folder")
    assert loaded.image_shape == (1, 4, 6)
    image = torch.rand(2, 1, 4, 6)
    assert torch.equal(loaded(image), model(image))


def test_saving_again_replaces_the_model_and_keeps_the_card(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    MlpAutoencoder((8, 8), 1, (2,)).save_pretrained(folder)
    assert MlpAutoencoder.from_pretrained(folder).image_shape == (1, 8, 8)
    assert (folder / "README.md").read_text() == "mine"
    assert len(list(folder.iterdir())) == 3


def test_a_full_disk_leaves_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neural_collage.models.pretrained.save_model", full)
    with pytest.raises(CheckpointError, match=r"cannot be saved: .*No space left"):
        MlpAutoencoder((8, 8), 1, (2,)).save_pretrained(folder)
    assert MlpAutoencoder.from_pretrained(folder).image_shape == (1, 4, 6)
    assert len(list(folder.iterdir())) == 3


def _other_weights(folder: Path) -> None:
    MlpAutoencoder((4, 6), 1, (5,)).save_pretrained(folder / "other")
    (folder / "other/model.safetensors").replace(folder / "model.safetensors")


def _save_one_weight(folder: Path, width: int) -> None:
    save_file({"layers.0.weight": torch.zeros(width, 24)}, folder / "model.safetensors")


def _truncated(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "has no config.json: expected a folder"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "config.json").write_text("[1]"), "must contain a JSON object, not list"),
        (lambda f: _edit(f, depth=3), "invalid config of a MlpAutoencoder: unknown keys depth"),
        (lambda f: _edit(f, channels="many"), "invalid config of a MlpAutoencoder"),
        (lambda f: _edit(f, hidden=[]), "invalid config of a MlpAutoencoder.* must be"),
        (lambda f: _edit(f, hidden=[9]), "saved with another config"),
        (_other_weights, "another config than the one in config.json"),
        (lambda f: _save_one_weight(f, 3), r"missing tensors .*layers\.2\.weight"),
        (lambda f: _save_one_weight(f, 5), r"size mismatch for layers\.0\.weight"),
        (_truncated, "damaged, or no safetensors file"),
        (lambda f: (f / "model.safetensors").write_bytes(b"pickle"), "damaged, or no safetensors"),
    ],
)
def test_missing_or_damaged_files_are_refused(
    damage: Callable[[Path], object], message: str, folder: Path
) -> None:
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        MlpAutoencoder.from_pretrained(folder)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no such folder, and no config\.json"):
        MlpAutoencoder.from_pretrained(tmp_path / "missing")


def test_files_come_from_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(name: str, file: str, **options: object) -> str:
        asked.append((name, file, options["revision"]))
        return str(folder / file)

    monkeypatch.setattr("neural_collage.models.pretrained.hf_hub_download", download)
    model = MlpAutoencoder.from_pretrained("someone/something", revision="v1")
    assert model.image_shape == (1, 4, 6)
    assert asked == [
        ("someone/something", "config.json", "v1"),
        ("someone/something", "model.safetensors", "v1"),
    ]


def test_saved_files_are_pushed_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded = {}

    class Api:
        def __init__(self, token: str | None = None) -> None: ...

        def create_repo(self, repo_id: str, **_: object) -> SimpleNamespace:
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, repo_id: str, folder_path: Path, **_: object) -> str:
            uploaded[repo_id] = sorted(file.name for file in folder_path.iterdir())
            return f"hub/{repo_id}"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    model = MlpAutoencoder((4, 6), 1, (3,))
    address = model.save_pretrained(tmp_path / "mine", push_to_hub=True)
    assert address == "hub/mine"
    assert uploaded == {"mine": ["README.md", "config.json", "model.safetensors"]}
