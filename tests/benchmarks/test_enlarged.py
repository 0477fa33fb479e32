from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.enlarged import study
from benchmarks.enlarged.study import COLUMNS, SIDE, Part
from neural_collage.errors import CollageError
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop, psnr

PHOTO, TRIANGLE = Part("a.png", "a face", 1, 4), Part("", "fractal", 0, 0)


def test_a_sheet_has_a_row_for_each_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PARTS", (PHOTO, TRIANGLE))
    to_pil(photo_crop(250)).save(tmp_path / "a.png")
    study.main(tmp_path, tmp_path / "out", count=2)
    with Image.open(tmp_path / "out" / "enlarged.jpg") as sheet:
        assert sheet.width > len(COLUMNS) * SIDE
        assert 2 * SIDE < sheet.height < 3 * SIDE


@pytest.mark.parametrize("part", [PHOTO, TRIANGLE])
def test_detail_is_nearer_to_the_truth(part: Part, tmp_path: Path) -> None:
    to_pil(photo_crop(250)).save(tmp_path / "a.png")
    pixels, bicubic, detail, truth = (
        one.astype(np.float32) / 255 for one in study.columns(part, tmp_path)
    )
    assert pixels.shape == detail.shape == truth.shape == (SIDE, SIDE, 3)
    assert psnr(detail, truth) > max(psnr(bicubic, truth), psnr(pixels, truth))


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="no such file: give the folder of the data sets"):
        study.main(tmp_path, tmp_path)
