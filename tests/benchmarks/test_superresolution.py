import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.superresolution import study as superresolution
from benchmarks.superresolution.study import Similarity
from neural_collage.errors import CollageError
from neural_collage.evaluation.metrics import psnr
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    photo = to_pil(photo_crop(96))
    photo.save(tmp_path / "even.png")
    photo.crop((0, 0, 81, 67)).save(tmp_path / "odd.png")
    output = tmp_path / "results"
    superresolution.main(tmp_path, output, qualities="30,70", threads=1)
    found = json.loads((output / "superresolution.json").read_text())
    even, odd = found["pictures"]
    assert (even["picture"], odd["picture"]) == ("even.png", "odd.png")
    names = ["effort 5", "effort 7, links off", "effort 7, links on"]
    assert [row["variant"] for row in found["means"][::2]] == names
    assert [row["quality"] for row in found["means"]] == [30, 70] * 3
    for index, row in enumerate(found["means"]):
        both = [picture["enlargements"][index] for picture in (even, odd)]
        assert row["bpp"] == pytest.approx(sum(one["bpp"] for one in both) / 2)
        assert row["collage"]["psnr"] > 15
        if "on" not in row["variant"]:
            assert row["linked"] == 0
    half = photo.reduce(2)
    enlarged = np.asarray(half.resize(photo.size, Image.Resampling.BICUBIC))
    assert even["uncompressed"]["psnr"] == psnr(np.asarray(photo), enlarged)
    table = (output / "superresolution.md").read_text()
    assert all(f"| {name}, quality 70 |" in table for name in names)
    assert str(tmp_path) not in table


def test_the_mean_has_an_ms_ssim_only_if_all_have_one() -> None:
    one, other, small = Similarity(30, 0.75), Similarity(34, 0.25), Similarity(20, None)
    assert superresolution.mean_similarity([one, other]) == Similarity(32, 0.5)
    assert superresolution.mean_similarity([one, small]) == Similarity(25, None)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="no pictures"):
        superresolution.main(tmp_path, tmp_path / "results", threads=1)
