import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.selfsimilar import pictures, study
from benchmarks.selfsimilar.codecs import Peer, codecs, psnr_over_white
from benchmarks.selfsimilar.pictures import PATTERNS, Pattern


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_pictures_are_the_same_each_time_and_have_a_multiple_of_their_size(
    pattern: Pattern,
) -> None:
    small, again, large = pattern.make(1), pattern.make(1), pattern.make(2)
    np.testing.assert_array_equal(np.asarray(small), np.asarray(again))
    assert large.size == (2 * small.width, 2 * small.height)
    assert large.mode == small.mode
    colours = small.get_flattened_data()
    assert len(set(colours)) > (0 if pattern.name == "white" else 1)


def test_the_carpet_and_the_triangle_are_made_of_copies_of_themselves() -> None:
    carpet = np.asarray(pictures.carpet())
    assert (carpet[243:486, 243:486] == 255).all()
    for row, column in ((0, 0), (0, 243), (243, 0), (486, 486)):
        third = carpet[row : row + 243, column : column + 243]
        np.testing.assert_array_equal(third, carpet[:243, :243])
    triangle = np.asarray(pictures.triangle())
    np.testing.assert_array_equal(triangle[:256, :256], triangle[256:, :256])
    np.testing.assert_array_equal(triangle[:256, :256], triangle[::2, ::2])
    assert (triangle[256:, 256:] == 255).all()


def test_lossless_peers_are_exact_also_with_a_palette_and_with_alpha() -> None:
    lossless = [codec for codec in codecs() if isinstance(codec, Peer) and codec.palette]
    lossless += [c for c in codecs() if c.name.endswith("lossless") and isinstance(c, Peer)]
    assert {"PNG", "WebP lossless"} <= {codec.name for codec in lossless}
    for image in (pictures.pixel_art(), pictures.icons(), pictures.checkerboard()):
        for codec in lossless:
            assert study.measure(image, codec).psnr is None
    png = next(codec for codec in lossless if codec.name == "PNG")
    plain = Peer(png.codec)
    art = pictures.pixel_art()
    assert len(png.encode(art)) < len(plain.encode(art))


def test_colours_that_alpha_hides_do_not_count() -> None:
    hidden = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert psnr_over_white(hidden, Image.new("RGB", (8, 8), "white")) == float("inf")
    assert psnr_over_white(hidden, Image.new("RGB", (8, 8), "black")) == 0


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    study.main(None, tmp_path, only="checkerboard")
    found = json.loads((tmp_path / "selfsimilar.json").read_text())
    sizes = found["sizes"]["checkerboard"]
    assert sizes["PNG"]["psnr"] is None
    assert sizes["fractal, no layer 100"]["file_bytes"] > 0
    table = (tmp_path / "selfsimilar.md").read_text()
    assert "| checkerboard |" in table
    assert f"{sizes['PNG']['file_bytes']:,} (exact)" in table


def test_enlargements_are_compared_with_the_picture_at_that_size() -> None:
    def corner(factor: int) -> Image.Image:
        return pictures.triangle(factor).crop((0, 0, 64 * factor, 64 * factor))

    found = study.enlarge(Pattern("corner", corner, 2))
    assert set(found.psnr) == {"fractal", "auto", "average interpolation", "bicubic", "Lanczos"}
    assert found.psnr["auto"] == study.EXACT  # by links, which no filter has
    filters = [found.psnr[name] for name in ("average interpolation", "bicubic", "Lanczos")]
    assert all(5 < error < 30 for error in filters)
