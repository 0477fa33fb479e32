"""`collage sample`: grids, zooms, and errors."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from neural_collage.cli.main import app
from neural_collage.models.generation.vdvae import Vdvae
from neural_collage.training.export.generator_weights import generator_to_bytes
from tests.models.generation.generators import (
    HIERARCHY,
    SIZE,
    collage_vae,
    letters_vae,
    trained,
)


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["sample", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small collage VAE."""
    path = tmp_path / "small.safetensors"
    path.write_bytes(generator_to_bytes(collage_vae()))
    return path


def test_a_grid_of_samples_at_a_scale(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "grid.png"
    code, text = _run("--model", weights, "-n", 6, "--scale", 3, "-o", output)
    side = 3 * SIZE
    size = f"{2 + 3 * (side + 2)} x {2 + 2 * (side + 2)}"
    assert code == 0
    assert text.startswith(f"{output}  {size}  {output.stat().st_size:,} bytes  ")
    with Image.open(output) as image:
        assert image.size == (2 + 3 * (side + 2), 2 + 2 * (side + 2))


def test_seeds_temperatures_and_edges_change_the_samples(weights: Path, tmp_path: Path) -> None:
    files = []
    for number, options in enumerate(
        [(), (), ("--seed", 1), ("--temperature", 0.5), ("--temperature", "1,0"), ("--soft",)]
    ):
        files.append(tmp_path / f"{number}.png")
        code, _ = _run("--model", weights, "-n", 2, "--scale", 2, "-o", files[-1], *options)
        assert code == 0
    contents = [file.read_bytes() for file in files]
    assert contents[0] == contents[1]
    assert len(set(contents)) == len(contents) - 1


def test_a_sweep_has_a_row_for_each_temperature(weights: Path, tmp_path: Path) -> None:
    output, single = tmp_path / "sweep.png", tmp_path / "single.png"
    code, text = _run("--model", weights, "-n", 3, "--sweep", "0.5,1", "--seed", 2, "-o", output)
    assert code == 0
    assert text.startswith(f"{output}  44 x 30  ")
    with Image.open(output) as image:
        assert image.size == (2 + 3 * (SIZE + 2), 2 + 2 * (SIZE + 2))
        rows = [image.crop((0, y, image.width, y + SIZE + 4)) for y in (0, SIZE + 2)]
    for row, temperature in zip(rows, (0.5, 1), strict=True):
        options = ("--temperature", temperature, "--seed", 2, "-n", 3, "--overwrite")
        assert _run("--model", weights, *options, "-o", single)[0] == 0
        with Image.open(single) as image:  # two columns, and the third sample below them
            assert image.crop((0, 0, 2 * (SIZE + 2), SIZE + 2)).tobytes() == (
                row.crop((0, 0, 2 * (SIZE + 2), SIZE + 2)).tobytes()
            )
    assert rows[0].tobytes() != rows[1].tobytes()


def test_a_zoom_is_written_as_an_animation(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "zoom.gif"
    code, text = _run("--model", weights, "--scale", 40, "--frames", 3, "-o", output)
    assert code == 0
    assert "  280 x 280  " in text
    assert "  4 frames  " in text
    with Image.open(output) as image:
        assert (image.size, getattr(image, "n_frames", 1)) == ((280, 280), 4)


def test_an_output_is_replaced_only_with_overwrite(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "grid.png"
    output.write_text("mine")
    code, text = _run("--model", weights, "-n", 1, "-o", output)
    assert code == 1
    assert "--overwrite replaces it" in text
    assert output.read_text() == "mine"
    assert _run("--model", weights, "-n", 1, "-o", output, "--overwrite")[0] == 0
    with Image.open(output) as image:
        assert image.width == SIZE + 4


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (("--scale", 0), 2, "give a number above 0"),
        (("--scale", -2), 2, "give a number above 0"),
        (("-n", 0), 2, "give 1 or more"),
        (("--temperature", "warm"), 2, "give a number"),
        (("--temperature", "1,1,1"), 1, "one for each of the stages 1x1, 3x3"),
        (("--temperature", "-1"), 1, "0 or more"),
        (("--sweep", "0.5,warm"), 2, "give numbers, as in 0.5,0.8,1"),
        (("--sweep", "0.5,-1"), 1, "0 or more"),
        (("--sweep", "0.5,1", "--temperature", 0.5), 2, "leave out --temperature"),
        (("-n", 64, "--scale", 4000), 1, "above the limit"),
        (("--model", "nobody"), 1, "no weights 'nobody'"),
    ],
)
def test_errors_explain_invalid_options(
    options: tuple[object, ...], code: int, problem: str, weights: Path, tmp_path: Path
) -> None:
    output = tmp_path / "grid.png"
    exit_code, text = _run("--model", weights, "-o", output, *options)
    assert exit_code == code
    assert problem in " ".join(text.replace("│", " ").split())
    assert not output.exists()


def test_a_vdvae_has_scale_1_only(tmp_path: Path) -> None:
    weights = tmp_path / "pixels.safetensors"
    weights.write_bytes(generator_to_bytes(trained(Vdvae(SIZE, hierarchy=HIERARCHY))))
    code, text = _run("--model", weights, "--scale", 2, "-o", tmp_path / "grid.png")
    assert code == 1
    assert "scale 1 only, not 2" in text
    assert _run("--model", weights, "-n", 1, "-o", tmp_path / "grid.png")[0] == 0
    code, text = _run("--model", weights, "-n", 2, "-o", tmp_path / "zoom.gif")
    assert code == 2


def test_a_zoom_that_would_shrink_is_refused(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "zoom.gif"
    code, text = _run("--model", weights, "--scale", 2, "-o", output)
    assert code == 2
    assert "a zoom begins at" in " ".join(text.replace("│", "").split())
    assert not output.exists()


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A small collage VAE of the characters A, B and C."""
    path = tmp_path / "letters.safetensors"
    path.write_bytes(generator_to_bytes(letters_vae()))
    return path


def test_a_text_is_written_in_letters_of_the_model(letters: Path, tmp_path: Path) -> None:
    output = tmp_path / "words.png"
    code, text = _run("--model", letters, "--text", "ABBA\nC", "--scale", 3, "-o", output)
    assert code == 0
    assert text.startswith(f"{output}  ")
    with Image.open(output) as image:
        assert image.height == 2 * 3 * SIZE
        assert image.width > 3 * SIZE


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--text", "xyz"), "the model has no x y z: its characters are ABC"),
        (("--text", ""), "nothing to write"),
        (("--text", "A", "-n", "3"), "leave out --count"),
        (("--text", "A", "--sweep", "0.5,1"), "leave out --count and --sweep"),
        (("--text", "A", "--scale", "0"), "--scale"),
        (("--text", 500 * "A", "--scale", "500"), "above the limit"),
    ],
)
def test_texts_that_cannot_be_written_are_refused(
    letters: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    output = tmp_path / "words.png"
    code, text = _run("--model", letters, *arguments, "-o", output)
    assert code != 0
    assert problem in " ".join(text.split())
    assert not output.exists()


def test_digits_write_no_text(weights: Path, tmp_path: Path) -> None:
    code, text = _run("--model", weights, "--text", "A", "-o", tmp_path / "words.png")
    assert code == 1
    assert "draws no characters" in text
