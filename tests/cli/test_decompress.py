"""`collage decompress`: formats, sizes, regions, detail, threads and files that break off."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import neural_collage as nc
from neural_collage.runtime import available_cores, thread_count
from tests.cli.conftest import Photo, Run
from tests.conformance.decode import FOLDER


def test_the_suffix_selects_the_picture_format(collage: Run, photo: Photo, tmp_path: Path) -> None:
    photo("x.png")
    photo("clear.png", mode="RGBA")
    collage("compress", "x.png", "clear.png", "--effort", 0)
    assert collage("decompress", "x.clg", "-o", "y.jpg").exit_code == 0
    with Image.open(tmp_path / "y.jpg") as image:
        assert image.format == "JPEG"
    result = collage("decompress", "clear.clg", "-o", "clear.jpg")
    assert result.exit_code == 1
    assert "a .jpg file cannot hold this picture of mode RGBA: choose .png" in result.stderr
    assert not (tmp_path / "clear.jpg").exists()


def test_a_region_is_cut_from_the_scaled_picture(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png")
    collage("compress", "x.png", "--effort", 0)
    collage("decompress", "x.clg", "-o", "all.png", "--scale", 2)
    collage("decompress", "x.clg", "-o", "part.png", "--scale", 2, "--region", "3,5,10,4")
    with Image.open(tmp_path / "all.png") as whole, Image.open(tmp_path / "part.png") as part:
        difference = np.asarray(whole, int)[5:9, 3:13] - np.asarray(part, int)
    assert np.abs(difference).max() <= 1
    result = collage("decompress", "x.clg", "-o", "out.png", "--region", "8,0,5,5")
    assert result.exit_code == 1
    assert result.stderr.startswith("collage: x.clg: ")


def test_a_file_that_breaks_off_is_shown_if_that_is_asked_for(collage: Run, tmp_path: Path) -> None:
    data = (FOLDER / "neural-segments.clg").read_bytes()
    start = data[: len(data) // 2]
    (tmp_path / "x.clg").write_bytes(start)
    refused = collage("decompress", "x.clg")
    assert refused.exit_code == 1
    assert "x.clg: the file is truncated" in refused.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "x.clg"]
    assert collage("decompress", "x.clg", "--partial").exit_code == 0
    expected = nc.CollageImage.from_bytes(start, partial=True).to_pil()
    with Image.open(tmp_path / "x.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected), strict=True)


@pytest.mark.parametrize(("options", "expected"), [((), None), (("--threads", 3), 3)])
def test_threads_are_those_that_are_chosen_or_one_a_core(
    options: tuple[object, ...],
    expected: int | None,
    collage: Run,
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo("x.png")
    assert collage("compress", "x.png", "--effort", 0).exit_code == 0
    seen = []
    decode = nc.CollageImage.decode

    def recorded(*arguments: Any, **keywords: Any) -> Any:
        seen.append(thread_count())
        return decode(*arguments, **keywords)

    monkeypatch.setattr(nc.CollageImage, "decode", recorded)
    assert collage("decompress", "x.clg", "-o", "y.png", *options).exit_code == 0
    assert seen == [expected or available_cores()]


@pytest.mark.parametrize("options", [("--scale", 1e5), ("--region", "0,0,900000,900000")])
def test_a_picture_above_the_pixel_limit_is_not_decoded(
    collage: Run, photo: Photo, options: tuple[str, object]
) -> None:
    photo("x.png")
    collage("compress", "x.png", "--effort", 0)
    result = collage("decompress", "x.clg", "-o", "y.png", *options)
    assert result.exit_code == 1
    assert re.search("choose a smaller scale or a region|does not lie inside", result.stderr)
    assert len(result.stderr.splitlines()) == 1


def test_detail_is_added_above_the_original_size_unless_told_otherwise(
    collage: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("x.png", size=(40, 30))
    assert collage("compress", "x.png").exit_code == 0
    shown = {}
    for name, options in {
        "default": (),
        **{detail: ("--detail", detail) for detail in ("none", "links", "full")},
    }.items():
        result = collage("decompress", "x.clg", "-o", f"{name}.png", "--scale", 2, *options)
        assert result.exit_code == 0
        with Image.open(tmp_path / f"{name}.png") as image:
            shown[name] = np.asarray(image)
    library = nc.load(tmp_path / "x.clg")
    for detail in ("none", "links", "full"):
        assert np.array_equal(shown[detail], np.asarray(library.to_pil(2, detail=detail)))
    assert np.array_equal(shown["default"], shown["full"])
    assert not np.array_equal(shown["none"], shown["full"])
    result = collage("decompress", "x.clg", "-o", "y.png", "--detail", "some")
    assert result.exit_code == 2
    assert "none" in result.stderr
    assert "full" in result.stderr
    assert not (tmp_path / "y.png").exists()
