"""`--model`: weights by name and by path, and what happens without the right ones."""

import json
from pathlib import Path

import jaxtyping
import pytest
from PIL import Image

import neural_collage as nc
from neural_collage.codec.weights import Weights, forget_weights, shipped_weights
from neural_collage.errors import CollageError
from neural_collage.io.writing import to_pil
from neural_collage.models.compression.codec_model import CodecModel
from neural_collage.training.export.codec_weights import codec_model_to_bytes
from tests.cli.conftest import Photo, Run
from tests.models.compression.codecs import lively_compressor
from tests.pictures import photo_crop

NEURAL = ("--codec", "neural", "--no-graphics")


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without cached weights, and without runtime type checks.

    The checks would evaluate a codec's model, and hide the errors that this raises.
    """
    forget_weights()
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Weights in the current folder."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(codec_model_to_bytes(CodecModel.finish(lively_compressor())))
    return path


def test_a_file_round_trips_with_weights_from_a_path(
    collage: Run, photo: Photo, mine: Path, tmp_path: Path
) -> None:
    source = photo("x.png")
    assert collage("compress", "x.png", *NEURAL, "--model", mine).exit_code == 0
    data = (tmp_path / "x.clg").read_bytes()
    assert data == nc.compress(source, codec="neural", graphics=False, model=str(mine))
    assert nc.load("x.clg").header.model == Weights("mine", mine.read_bytes()).model
    forget_weights()
    assert collage("decompress", "x.clg", "-o", "y.png", "--model", mine).exit_code == 0
    with Image.open("y.png") as image:
        assert image.size == (12, 8)


@pytest.mark.parametrize("name", ["natural", "natural-psnr", "aerial"])
def test_packaged_models_are_selected_by_name(collage: Run, photo: Photo, name: str) -> None:
    photo("x.png")
    assert collage("compress", "x.png", *NEURAL, "--model", name).exit_code == 0
    assert nc.load("x.clg").header.model == shipped_weights(name).model
    forget_weights()
    assert collage("decompress", "x.clg").exit_code == 1  # x.png is there
    assert collage("decompress", "x.clg", "-o", "y.png").exit_code == 0
    assert collage("decompress", "x.clg", "-o", "z.png", "--model", name).exit_code == 0
    assert Path("y.png").read_bytes() == Path("z.png").read_bytes()


def test_what_photos_are_tuned_for_is_a_choice_of_the_model(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    source = photo("x.png")
    for tune, name in (("visual", "natural"), ("psnr", "natural-psnr")):
        assert collage("compress", "x.png", *NEURAL, "--tune", tune, "--overwrite").exit_code == 0
        data = (tmp_path / "x.clg").read_bytes()
        assert data == nc.compress(source, codec="neural", graphics=False, model=name)
        assert data == nc.compress(source, codec="neural", graphics=False, tune=tune)
        assert collage("batch", ".", tune, *NEURAL, "--tune", tune).exit_code == 0
        assert (tmp_path / tune / "x.clg").read_bytes() == data
        with Image.open("x.png") as image:
            image.save("y.clg", codec="neural", graphics=False, tune=tune)
        assert Path("y.clg").read_bytes() == data


def test_a_model_and_what_to_tune_for_exclude_each_other(collage: Run, photo: Photo) -> None:
    source = photo("x.png")
    result = collage("compress", "x.png", "--tune", "psnr", "--model", "aerial")
    assert result.exit_code == 2
    assert "tune psnr is the model natural-psnr: leave out one of them" in result.stderr
    assert collage("compress", "x.png", "--tune", "bytes").exit_code == 2
    with pytest.raises(CollageError, match="tune must be visual or psnr, not 'bytes'"):
        nc.compress(source, tune="bytes")
    with pytest.raises(CollageError, match="'fractal' has no models"):
        nc.compress(source, codec="fractal", tune="psnr")


def test_the_default_codec_takes_a_model(collage: Run, tmp_path: Path) -> None:
    to_pil(photo_crop(64)).save(tmp_path / "x.png")
    assert collage("compress", "x.png", "--model", "aerial").exit_code == 0
    assert nc.load("x.clg").header.model == shipped_weights("aerial").model


def test_info_shows_the_model(collage: Run, photo: Photo, mine: Path) -> None:
    photo("x.png")
    for options, name in (((), "natural"), (("--model", mine), "mine")):
        assert collage("compress", "x.png", *NEURAL, "--overwrite", *options).exit_code == 0
        forget_weights()
        facts = json.loads(collage("info", "x.clg", "--json").stdout)
        assert (facts["codec"], facts["model"]) == ("neural", name)
        assert f"model             {name}\n" in collage("info", "x.clg").stdout
    assert collage("compress", "x.png", "--codec", "fractal", "--overwrite").exit_code == 0
    assert "model             none\n" in collage("info", "x.clg").stdout


def test_the_error_names_the_weights_that_a_file_needs(
    collage: Run, photo: Photo, mine: Path
) -> None:
    photo("x.png")
    photo("in/y.png")
    collage("compress", "x.png", *NEURAL, "--model", mine)
    collage("compress", "in/y.png", *NEURAL, "-o", "y.clg")
    forget_weights()
    result = collage("decompress", "x.clg", "y.clg", "-o", "out/")
    assert result.exit_code == 1
    assert result.stderr.startswith("collage: x.clg: ")
    assert "needs the weights 'mine' of hash" in result.stderr
    assert "--model" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in Path("out").iterdir()] == ["y.png"]


def test_other_weights_cannot_decode_a_file(collage: Run, photo: Photo, mine: Path) -> None:
    photo("x.png")
    collage("compress", "x.png", *NEURAL, "--model", mine)
    forget_weights()
    result = collage("decompress", "x.clg", "-o", "y.png", "--model", "aerial")
    assert result.exit_code == 1
    assert "needs the weights 'mine' of hash" in result.stderr
    assert not Path("y.png").exists()


@pytest.mark.parametrize("command", ["compress", "decompress"])
@pytest.mark.parametrize("model", ["missing", "missing.safetensors", "poli2022", "empty"])
def test_missing_weights_fail_once(
    collage: Run, photo: Photo, command: str, model: str, tmp_path: Path
) -> None:
    """One error for the command, not one for every input."""
    (tmp_path / "empty").mkdir()
    photo("x.png")
    collage("compress", "x.png")
    before = sorted(tmp_path.rglob("*"))
    inputs = ["x.png", "x.png"] if command == "compress" else ["x.clg", "x.clg"]
    result = collage(command, *inputs, "-o", "out/", "--model", model)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"collage: no weights {model!r}: give natural, natural-psnr, aerial, "
    )
    assert len(result.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"text", shipped_weights("poli2022").data], ids=len)
def test_the_error_names_files_that_are_no_weights(
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
def test_help_lists_the_models(collage: Run, command: str) -> None:
    text = " ".join(collage(command, "--help").stdout.replace("│", " ").split())
    assert "--model" in text
    assert "natural (photos), natural-psnr, aerial" in text
