"""Weights of a user's own, on the command line."""

import json
from pathlib import Path

import jaxtyping
import pytest
from PIL import Image

import neural_collage as nc
from neural_collage.codec import weights as weights_module
from neural_collage.codec.weights import Weights, shipped_weights
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.training.export.codec_weights import weights_file
from tests.cli.conftest import Photo, Run
from tests.models.compression.codecs import lively_compressor


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that were used before are not known; types are not checked.

    A check would ask a codec for its model, and hide what that raises.
    """
    forget(monkeypatch)
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    weights_module.forget_weights()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Weights in the current folder."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(weights_file(CodecModel.finish(lively_compressor())))
    return path


def test_a_file_goes_there_and_back_with_weights_of_a_path(
    collage: Run, photo: Photo, mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = photo("x.png")
    assert collage("compress", "x.png", "--model", mine).exit_code == 0
    data = (tmp_path / "x.clg").read_bytes()
    assert data == nc.compress(source, model=str(mine))
    assert nc.load("x.clg").header.model == Weights("mine", mine.read_bytes()).model
    forget(monkeypatch)
    assert collage("decompress", "x.clg", "-o", "y.png", "--model", mine).exit_code == 0
    with Image.open("y.png") as image:
        assert image.size == (12, 8)


@pytest.mark.parametrize("name", ["natural", "aerial"])
def test_models_of_the_package_go_by_name(
    collage: Run, photo: Photo, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("x.png")
    assert collage("compress", "x.png", "--model", name).exit_code == 0
    assert nc.load("x.clg").header.model == shipped_weights(name).model
    forget(monkeypatch)
    assert collage("decompress", "x.clg").exit_code == 1  # x.png is there
    assert collage("decompress", "x.clg", "-o", "y.png").exit_code == 0
    assert collage("decompress", "x.clg", "-o", "z.png", "--model", name).exit_code == 0
    assert Path("y.png").read_bytes() == Path("z.png").read_bytes()


def test_info_tells_the_model(collage: Run, photo: Photo, mine: Path) -> None:
    photo("x.png")
    for options, name in (((), "natural"), (("--model", mine), "mine")):
        assert collage("compress", "x.png", "--overwrite", *options).exit_code == 0
        weights_module.forget_weights()
        facts = json.loads(collage("info", "x.clg", "--json").stdout)
        assert (facts["codec"], facts["model"]) == ("neural", name)
        assert f"model             {name}\n" in collage("info", "x.clg").stdout
    assert collage("compress", "x.png", "--codec", "fractal", "--overwrite").exit_code == 0
    assert "model             none\n" in collage("info", "x.clg").stdout


def test_a_file_says_which_weights_it_needs(
    collage: Run, photo: Photo, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("x.png")
    photo("in/y.png")
    collage("compress", "x.png", "--model", mine)
    collage("compress", "in/y.png", "-o", "y.clg")
    forget(monkeypatch)
    result = collage("decompress", "x.clg", "y.clg", "-o", "out/")
    assert result.exit_code == 1
    assert result.stderr.startswith("collage: x.clg: ")
    assert "needs the weights 'mine' of hash" in result.stderr
    assert "--model" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in Path("out").iterdir()] == ["y.png"]


def test_other_weights_are_not_enough(
    collage: Run, photo: Photo, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("x.png")
    collage("compress", "x.png", "--model", mine)
    forget(monkeypatch)
    result = collage("decompress", "x.clg", "-o", "y.png", "--model", "aerial")
    assert result.exit_code == 1
    assert "needs the weights 'mine' of hash" in result.stderr
    assert not Path("y.png").exists()


@pytest.mark.parametrize("command", ["compress", "decompress"])
@pytest.mark.parametrize("model", ["missing", "missing.safetensors", "poli2022", "empty"])
def test_missing_weights_fail_once(
    collage: Run, photo: Photo, command: str, model: str, tmp_path: Path
) -> None:
    """And not again for every input."""
    (tmp_path / "empty").mkdir()
    photo("x.png")
    collage("compress", "x.png")
    before = sorted(tmp_path.rglob("*"))
    inputs = ["x.png", "x.png"] if command == "compress" else ["x.clg", "x.clg"]
    result = collage(command, *inputs, "-o", "out/", "--model", model)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"collage: no weights {model!r}: give natural or aerial, ")
    assert len(result.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"text", shipped_weights("poli2022").data], ids=len)
def test_files_that_are_no_weights_fail_by_name(
    collage: Run, photo: Photo, content: bytes, tmp_path: Path
) -> None:
    photo("x.png")
    photo("y.png")
    (tmp_path / "bad.safetensors").write_bytes(content)
    result = collage("compress", "x.png", "y.png", "--model", "bad.safetensors")
    assert result.exit_code == 1
    assert result.stderr.startswith("collage: the weights bad are damaged or of another model: ")
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("*.clg"))


@pytest.mark.parametrize("codec", ["fractal", "poli2022"])
def test_codecs_without_models_refuse_one(collage: Run, photo: Photo, codec: str) -> None:
    photo("x.png")
    result = collage("compress", "x.png", "--codec", codec, "--model", "natural")
    assert result.exit_code == 1
    assert result.stderr == (
        f"collage: codec {codec!r} has no models to choose from: leave out the model\n"
    )
    assert not Path("x.clg").exists()


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_help_tells_which_models_there_are(collage: Run, command: str) -> None:
    text = " ".join(collage(command, "--help").stdout.replace("│", " ").split())
    assert "--model" in text
    assert "natural (photos), aerial" in text
