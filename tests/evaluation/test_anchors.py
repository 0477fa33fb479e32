from pathlib import Path

import pytest

from neural_collage.errors import CollageError
from neural_collage.evaluation.anchors import read_anchors


def test_anchors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text('{"BPG": {"bpp": [0.1, 1], "psnr": [26, 37.5], "source": "a paper"}}')
    assert read_anchors(path)["psnr"] == {"BPG": ([0.1, 1.0], [26.0, 37.5])}


def test_anchors_may_have_several_metrics_and_ms_ssim_becomes_decibels(tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text(
        '{"both": {"bpp": [0.1, 1], "psnr": [26, 37.5], "ms_ssim": [0.9, 0.99]},'
        ' "eye": {"bpp": [0.2], "ssimulacra2": [30]}}'
    )
    found = read_anchors(path)
    assert {metric: list(curves) for metric, curves in found.items()} == {
        "psnr": ["both"],
        "ms-ssim": ["both"],
        "ssimulacra2": ["eye"],
    }
    assert found["ms-ssim"]["both"].values == pytest.approx([10, 20])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "holds no anchors"),
        ("[1, 2]", "holds no anchors"),
        ('{"BPG": {"bpp": [1]}}', "holds no anchors of BPG"),
        ('{"BPG": {"bpp": [1, 2], "ms_ssim": [0.9]}}', "BPG has 2 bpp and 1 ms_ssim values"),
        ('{"BPG": {"bpp": [1], "psnr": ["high"]}}', "holds no anchors"),
        ('{"BPG": {"bpp": [1], "psnr": [30, 31]}}', "BPG has 1 bpp and 2 psnr values"),
    ],
)
def test_other_json_is_refused_as_anchors(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text(text)
    with pytest.raises(CollageError, match=message):
        read_anchors(path)


def test_an_anchor_with_the_name_of_a_codec_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    path.write_text('{"jpeg": {"bpp": [0.1, 1], "psnr": [26, 37.5]}}')
    with pytest.raises(CollageError, match="jpeg is also the name of a measured codec: rename it"):
        read_anchors(path, ["jpeg"])


def test_missing_anchors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="No such file"):
        read_anchors(tmp_path / "none.json")
