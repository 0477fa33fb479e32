import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.eye import study
from benchmarks.eye.study import SIDE, ZOOM, Part
from neural_collage.errors import CollageError
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop

pytest.importorskip("ssimulacra2")


def test_files_are_the_largest_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "PARTS", (Part("a.png", "a face", 4, 8, 0.8),))
    to_pil(photo_crop(160)).save(tmp_path / "a.png")
    output = tmp_path / "out"
    study.main(tmp_path, output, codecs="neural,webp", count=1)
    found = json.loads((output / "eye.json").read_text())["shown"]
    assert [one["codec"] for one in found] == ["neural", "webp"]
    assert all(0.6 < one["bpp"] <= 0.8 for one in found)
    assert all(one["quality"] > 1 and one["score"] > 0 for one in found)
    with Image.open(output / "eye.jpg") as sheet:
        assert sheet.width > 3 * SIDE * ZOOM
    assert "| a.png | neural | 0." in (output / "eye.md").read_text()


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match=r"kodim04.png: no such file: give the folder of Kodak"):
        study.main(tmp_path, tmp_path)
