"""Links, scales and temperatures of generators, and what the committed results say."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from benchmarks.generation import links, scales
from neural_collage.art.samples import draw
from neural_collage.errors import CollageError
from neural_collage.models.generation.collage_vae import CollageVae
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.training.export.generator_weights import generator_to_bytes
from tests.models.generation.generators import HIERARCHY, SIZE, collage_vae, trained
from tests.root import ROOT
from tests.training.toy_runs import lightning_noise

RESULTS = ROOT / "benchmarks/results"
TOY = """
model:
  class_path: neural_collage.training.tasks.generation.GenerationTask
  init_args:
    model: {{class_path: neural_collage.models.generation.collage_vae.CollageVae, init_args: {0}}}
    optimiser: {{learning_rate: 0.01}}
data:
  class_path: neural_collage.training.data_modules.ImageData
  init_args:
    {{train: digits, val: null, test: digits, crop: 12, batch_size: 4, channels: 1,
    binarise: dynamic, augment: none, num_workers: 0}}
trainer: {{max_steps: 3, accelerator: cpu, enable_progress_bar: false}}
"""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small collage VAE, and beside it a VDVAE, in a folder which becomes the current one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.safetensors"
    path.write_bytes(generator_to_bytes(collage_vae()))
    pixels = generator_to_bytes(trained(Vdvae(SIZE, hierarchy=HIERARCHY)))
    path.with_name("pixels.safetensors").write_bytes(pixels)
    return path


def test_without_links_all_domain_weights_are_zero_and_averages_stay() -> None:
    model = collage_vae()
    assert isinstance(model, CollageVae)
    features = draw(model, 3)
    with torch.no_grad():
        before = model.render(features)
    sums = links.sums_of_weights(model, features)
    assert 0 < sums.mean <= sums.largest <= model.operator.config.bound
    links.remove_links(model)
    after = links.sums_of_weights(model, features)
    assert (after.mean, after.largest) == (0, 0)
    assert after.of_patches == pytest.approx(sums.of_patches)
    with torch.no_grad():
        found = model.render(features)
    assert not torch.allclose(found, before, atol=1e-4)
    size = model.operator.config.range_size
    averages = [torch.nn.functional.avg_pool2d(image, size) for image in (before, found)]
    torch.testing.assert_close(*averages, atol=1e-4, rtol=0)


@lightning_noise
@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_a_small_run_compares_bounds_with_links_and_without(weights: Path) -> None:
    Path("digits").mkdir()
    for number in range(6):
        Image.new("L", (12, 12), 40 * number).save(f"digits/{number}.png")
    model = collage_vae()
    Path("toy.yaml").write_text(TOY.format(json.dumps(model.settings)))
    result = links.measure(["--config", "toy.yaml"], str(weights), 4, "greys")
    assert result.pictures == 6
    for bounds in (result.with_links, result.without_links):
        assert bounds["nats"] == pytest.approx(bounds["distortion"] + bounds["rate"], rel=1e-5)
    assert result.with_links["rate"] == result.without_links["rate"]
    assert result.with_links["distortion"] != result.without_links["distortion"]
    text = links.to_markdown(result)
    assert "own domains: greys" in text
    assert "6 test pictures" in text


def test_scales_and_temperatures_are_measured(weights: Path, tmp_path: Path) -> None:
    scales.main(str(weights), "2,3,5", "0.5,1", 8, tmp_path / "out")
    found = json.loads((tmp_path / "out/generation_scales.json").read_text())
    assert [row["side"] for row in found["scales"]] == [2 * SIZE, 3 * SIZE, 5 * SIZE]
    assert max(row["error"] for row in found["scales"]) < 1e-4
    cold, warm = found["temperatures"]
    assert cold["distance"] < warm["distance"]
    with Image.open(tmp_path / "out/generation_scales.png") as sheet:
        assert sheet.mode == "L"


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("pixels.safetensors", ("2", "1"), "give a collage VAE of binary pictures"),
        ("small.safetensors", ("2,x", "1"), "give numbers, separated by commas"),
        ("small.safetensors", ("2", "1,x"), "give numbers, separated by commas"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    name: str, options: tuple[str, str], problem: str, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(CollageError, match=problem):
        scales.main(name, *options, 8, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_curves_and_configs_tell_of_the_same_training() -> None:
    rows = (RESULTS / "generation_mnist_training.csv").read_text().split()[1:]
    steps = [int(row.split(",")[0]) for row in rows]
    config = yaml.safe_load((ROOT / "configs/generation/mnist_collage.yaml").read_text())
    first = config["trainer"]["max_steps"]
    assert first in steps
    for page in (ROOT / "docs/generation.md", ROOT / "src/neural_collage/weights/mnist.md"):
        text = page.read_text(encoding="utf-8")
        assert f"{first:,}" in text
        assert f"{steps[-1] - first:,} more" in text  # which the training went on for


def test_the_table_beside_a_vdvae_is_of_equal_trainings() -> None:
    outcomes = json.loads((RESULTS / "generation.json").read_text())["outcomes"]
    last = (RESULTS / "generation_curves.csv").read_text().split()[-1].split(",")[0]
    page = (ROOT / "docs/generation.md").read_text(encoding="utf-8")
    for outcome in outcomes.values():
        assert outcome["steps"] == int(last)
        assert f"{outcome['parameters']:,}" in page
    assert f"| training steps | {int(last):,} | {int(last):,} |" in page


def test_the_pages_say_what_links_do_as_it_was_measured() -> None:
    found = json.loads((RESULTS / "generation_links.json").read_text())
    page = (ROOT / "docs/generation.md").read_text(encoding="utf-8")
    assert f"sum to {found['sums']['mean']:.3f} in magnitude" in page
    for bounds in (found["with_links"], found["without_links"]):
        assert f"{bounds['nats']:.1f} nats" in page
    assert found["largest_change"]["1"] <= 0.01
    assert found["largest_change"]["10"] <= 0.031
