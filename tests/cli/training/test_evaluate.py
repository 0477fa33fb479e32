"""Evaluation of weights that are no checkpoint: shipped, exported, and of the hub."""

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from neural_collage.codec.weights import forget_weights, shipped_weights
from neural_collage.errors import CheckpointError
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.training.checkpoint_io import trained_model
from neural_collage.training.export.generator_weights import generator_to_bytes
from neural_collage.training.finished import load_finished, names_weights, packaged_weights
from neural_collage.training.run.experiment import evaluation_experiment, training_experiment
from tests.cli.conftest import Run
from tests.models.generation.generators import collage_vae
from tests.root import ROOT
from tests.training.toy import Linear
from tests.training.toy_runs import lightning_noise

pytestmark = [lightning_noise, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")]

TOY = """
model:
  class_path: neural_collage.training.tasks.generation.GenerationTask
  init_args:
    model:
      class_path: neural_collage.models.generation.vdvae.Vdvae
      init_args:
        image_size: 8
        hierarchy:
          width: 8
          bottom_up: [{resolution: 4, bottleneck: 4}, {resolution: 1, bottleneck: 4}]
          top_down: [{resolution: 1, latents: 2, bottleneck: 4}, {resolution: 4, bottleneck: 4}]
    optimiser: {learning_rate: 0.01}
data:
  class_path: neural_collage.training.data_modules.ImageData
  init_args:
    {train: pictures, val: pictures, crop: 8, batch_size: 4, channels: 1, binarise: dynamic,
    augment: none, num_workers: 0}
trainer: {max_steps: 3, accelerator: cpu, enable_progress_bar: false}
"""


@pytest.fixture
def toy(config: Path) -> list[str]:
    """Arguments of a small VDVAE, on the pictures of `config`, in the current folder."""
    Path("toy.yaml").write_text(TOY)
    return ["--config", "toy.yaml"]


@pytest.fixture
def model(toy: list[str]) -> Vdvae:
    """The trained VDVAE."""
    training_experiment(toy).fit()
    return trained_model(Path("runs/toy/checkpoints/last.ckpt"), Vdvae)


def test_weights_measure_as_the_checkpoint_that_they_are_of(
    toy: list[str], model: Vdvae, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = evaluation_experiment(toy, "last").evaluate()
    model.save_pretrained("finished")
    for name in ("finished", "finished/model.safetensors"):
        experiment = evaluation_experiment(toy, name)
        assert experiment.evaluate() == expected
        assert experiment.weights is not None
        assert experiment.weights.name == "finished"
    found = str(Path("finished/model.safetensors").resolve())
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: found)
    assert evaluation_experiment(toy, "someone/something").evaluate() == expected
    forget_weights()
    Path("half.safetensors").write_bytes(generator_to_bytes(model))
    rounded = evaluation_experiment(toy, "half.safetensors").evaluate()
    assert rounded == pytest.approx(expected, rel=1e-2)
    assert rounded["val/nats"] != expected["val/nats"]


def test_the_command_names_the_weights_and_their_hash(
    collage: Run, toy: list[str], model: Vdvae
) -> None:
    Path("mine.safetensors").write_bytes(generator_to_bytes(model))
    result = collage("evaluate", *toy, "--ckpt", "mine.safetensors", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["weights"], len(found["hash"])) == ("mine", 16)
    assert found["metrics"]["val/nats"] > 0
    assert "checkpoint" not in found
    lines = collage("evaluate", *toy, "--ckpt", "mine.safetensors").stdout.splitlines()
    assert lines[0] == f"mine, weights of hash {found['hash']}"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("collage.safetensors", "give weights of a Vdvae, which is the model of the config"),
        ("mnist", "give weights of a Vdvae, which is the model of the config"),
        ("natural", "give weights of a Vdvae, which is the model of the config"),
        ("small.safetensors", "with other settings: hierarchy.width (4 there, 8 here)"),
        ("cut.safetensors", "damaged, or no safetensors file"),
        ("text.safetensors", "no config in the metadata"),
        ("missing.safetensors", "no weights 'missing.safetensors': give natural"),
        ("empty", "no weights 'empty'"),
        ("typo", "typo: no such checkpoint: give last, best or the path of a file"),
        ("toy.yaml", "is damaged or no checkpoint"),
    ],
)
def test_what_is_not_of_the_model_is_refused_in_one_line(
    collage: Run, toy: list[str], name: str, problem: str
) -> None:
    Path("collage.safetensors").write_bytes(generator_to_bytes(collage_vae()))
    small = Path("small.yaml")
    small.write_text(TOY.replace("width: 8", "width: 4"))
    other = training_experiment(["--config", str(small)]).task.model
    assert isinstance(other, Vdvae)
    data = generator_to_bytes(other)
    Path("small.safetensors").write_bytes(data)
    Path("cut.safetensors").write_bytes(data[:-100])
    Path("text.safetensors").write_text("text")
    Path("empty").mkdir()
    before = sorted(Path().rglob("*"))
    result = collage("evaluate", *toy, "--ckpt", name)
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    assert problem in result.stderr
    assert result.stdout == ""
    assert sorted(Path().rglob("*")) == before


def test_a_network_of_ones_own_takes_weights_by_their_names(tmp_path: Path) -> None:
    trained, network = Linear(3), Linear(3)
    save_file(trained.state_dict(), tmp_path / "own.safetensors")
    load_finished(network, str(tmp_path / "own.safetensors"))
    for name, value in trained.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    with pytest.raises(CheckpointError, match=r"not weights of the Conv2d of the config: missing"):
        load_finished(nn.Conv2d(1, 1, 3), str(tmp_path / "own.safetensors"))


CONFIGS = {
    "aerial": "compression/aerial",
    "detail": "enlargement/detail",
    "mnist": "generation/mnist_collage",
    "natural": "compression/natural",
    "natural-psnr": "compression/natural-psnr",
    "poli2022": "compression/paper",
    "letters": "generation/letters_collage",
}


def test_weights_of_the_package_are_known_by_name() -> None:
    assert set(packaged_weights()) == set(CONFIGS)
    assert all(names_weights(name) for name in packaged_weights())
    assert not any(names_weights(name) for name in ("last", "best", "a/b.ckpt", "c.ckpt", "x"))


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_of_the_package_are_of_their_config(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = evaluation_experiment(
        ["--config", f"{ROOT / 'configs' / CONFIGS[name]}.yaml", "--trainer.accelerator", "cpu"],
        name,
    )
    assert experiment.weights == shipped_weights(name).model
    if name.startswith("natural"):
        expected = shipped_weights(name).build(CodecModel).compressor.state_dict()
        found = experiment.task.model.state_dict()
        assert all(torch.equal(found[key], value) for key, value in expected.items())
