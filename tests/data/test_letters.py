"""Letters of fonts as pictures: sizes, classes, splits, and fonts that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from neural_collage.data.letters import (
    CHARACTERS,
    SPLITS,
    font_files,
    letters_of,
    main,
    render,
    split_of,
)
from neural_collage.data.loader import Labelled
from neural_collage.data.sources import open_images
from neural_collage.errors import DataError
from neural_collage.training.data_modules import ImageData

FONT = Path(font_manager.findfont("DejaVu Sans"))
FAMILIES = {
    split: next(f for f in map(str, range(999)) if split_of(f) == split) for split in SPLITS
}


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family in each split, with one font, a copy of it, and a file that is none."""
    folder = tmp_path_factory.mktemp("fonts")
    for family in FAMILIES.values():
        for name in ("a.ttf", "deeper/copy.TTF"):
            path = folder / family / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(FONT.read_bytes())
        (folder / family / "broken.otf").write_bytes(b"no font")
    return folder


@pytest.fixture(scope="module")
def letters(fonts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("letters")
    counts = render(fonts, output)
    assert set(counts) == set(SPLITS)
    assert len(set(counts.values())) == 1  # the copy adds none
    return output


def test_pictures_of_all_sizes_average_to_each_other() -> None:
    fine, coarse = (dict(letters_of(FONT, size)) for size in (512, 32))
    assert set(fine) == set(coarse)
    assert len(fine) > 0.9 * len(CHARACTERS)
    for label, pixels in fine.items():
        assert pixels.shape == (512, 512)
        averages = pixels.reshape(32, 16, 32, 16).mean((1, 3))
        assert np.abs(averages - coarse[label]).max() <= 0.5


def test_letters_stand_on_one_baseline_and_in_the_middle() -> None:
    drawn = dict(letters_of(FONT, 128))
    rows = {c: np.flatnonzero(drawn[CHARACTERS.index(c)].max(1) > 127) for c in "HExz"}
    assert len({int(found[-1]) for found in rows.values()}) == 1
    for pixels in drawn.values():
        columns = np.flatnonzero(pixels.max(0))
        assert abs(columns[0] + columns[-1] - 127) <= 12


def test_batches_have_pictures_and_their_classes(letters: Path) -> None:
    images = open_images(str(letters), use="val", channels=1, labelled=True)
    truth = dict(letters_of(FONT))
    assert images.classes is not None
    for number in (0, 5, len(images) - 1):
        assert np.array_equal(images[number][0], truth[int(images.classes[number])])
    data = ImageData(
        str(letters), crop=128, batch_size=7, channels=1, augment="none", labelled=True
    )
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, Labelled)
    for image, label in zip(batch.images, batch.classes.tolist(), strict=True):
        assert np.array_equal(np.rint(image[0].numpy() * 255), truth[label])


def test_a_set_without_classes_says_so(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="no column label"):
        open_images(str(tmp_path), labelled=True)


def test_the_split_of_a_family_does_not_depend_on_others() -> None:
    splits = [split_of(f"fonts-{number}") for number in range(2000)]
    assert 0.03 < splits.count("val") / 2000 < 0.07
    assert 0.08 < splits.count("test") / 2000 < 0.12


def test_folders_without_fonts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.ttf or \.otf files"):
        font_files(tmp_path)
    (tmp_path / "family").mkdir()
    (tmp_path / "family/broken.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="none of its fonts"):
        render(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_it_says(
    fonts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["letters", str(fonts), "-o", str(tmp_path), "--size", "32", "--split", "test"]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert capsys.readouterr().out.startswith("test: ")
    assert [path.name for path in tmp_path.iterdir()] == ["test.parquet"]
