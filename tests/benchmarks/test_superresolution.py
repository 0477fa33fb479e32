import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.superresolution import study as superresolution
from benchmarks.superresolution.study import METHODS, Row
from neural_collage.errors import CollageError
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop

pytest.importorskip("ssimulacra2")


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    photo = to_pil(photo_crop(96))
    photo.save(tmp_path / "even.png")
    photo.crop((0, 0, 81, 67)).save(tmp_path / "odd.png")
    output = tmp_path / "results"
    superresolution.main([tmp_path], output, qualities="60", threads=1)
    (found,) = json.loads((output / "superresolution.json").read_text())["sets"]
    assert list(found["pictures"]) == ["even.png", "odd.png"]
    kinds = [(row["scale"], row["quality"]) for row in found["means"]]
    assert kinds == [(2, None), (2, 60), (4, None), (4, 60)]
    for index, row in enumerate(found["means"]):
        both = [rows[index]["psnr"]["detail"] for rows in found["pictures"].values()]
        assert row["psnr"]["detail"] == pytest.approx(sum(both) / 2)
    exact, coded = found["means"][:2]
    assert coded["psnr"]["bicubic"] < exact["psnr"]["bicubic"]
    half = photo.reduce(2)
    enlarged = np.asarray(half.resize(photo.size, Image.Resampling.BICUBIC))
    measured = superresolution.luma_psnr(np.asarray(photo), enlarged)
    assert found["pictures"]["even.png"][0]["psnr"]["bicubic"] == pytest.approx(measured, abs=0.1)
    for row in found["means"]:
        assert row["psnr"]["links"] < row["psnr"]["detail"]
        assert row["scale"] == 4 or row["psnr"]["both"] == row["psnr"]["detail"]
        assert set(row["ssimulacra2"]) == set(METHODS)
    assert exact["ssimulacra2"]["detail"] > exact["ssimulacra2"]["bicubic"]
    assert coded["ssimulacra2"]["detail"] < exact["ssimulacra2"]["detail"]
    table = (output / "superresolution.md").read_text()
    assert "| 2x | quality 60 |" in table
    assert str(tmp_path) not in table


def test_the_mean_has_an_ms_ssim_only_if_all_have_one() -> None:
    def row(psnr: float, ms_ssim: float | None) -> Row:
        means, others = dict.fromkeys(METHODS, psnr), dict.fromkeys(METHODS, ms_ssim)
        return Row(2, None, means, others, others, 0.0)

    both = superresolution.mean([row(30, 0.75), row(34, 0.25)])
    assert (both.psnr["detail"], both.ms_ssim["detail"]) == (32, 0.5)
    assert superresolution.mean([row(30, 0.75), row(34, None)]).ms_ssim["detail"] is None


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="no pictures"):
        superresolution.main([tmp_path], tmp_path / "results", threads=1)
