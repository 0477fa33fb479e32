from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from neural_collage.evaluation.distortion import METRICS, Metric
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.kept_points import KeptPoints
from neural_collage.evaluation.rate_distortion import find_pictures, measure
from neural_collage.evaluation.results import PictureResult
from tests.evaluation.quantiser import Quantiser


class InterruptionError(Exception):
    """What stops the first run."""


@pytest.fixture
def keep(tmp_path: Path) -> KeptPoints:
    return KeptPoints(tmp_path / "points", Environment.current())


@pytest.fixture
def encoded() -> list[tuple[int, int]]:
    """The sizes of all pictures that are encoded."""
    return []


@pytest.fixture
def codec(encoded: list[tuple[int, int]]) -> Quantiser:
    return Quantiser(on_encode=lambda picture: encoded.append(picture.size))


def _measured(
    folder: Path, codec: Quantiser, keep: KeptPoints, metrics: Sequence[Metric] = ()
) -> list[PictureResult]:
    return list(measure(find_pictures(folder), [codec], metrics=metrics, keep=keep))


def test_an_interrupted_run_continues(
    folder: Path, codec: Quantiser, encoded: list[tuple[int, int]], keep: KeptPoints
) -> None:
    def fail_at_the_second(picture: Image.Image) -> None:
        if picture.width == 64:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        _measured(folder, Quantiser(on_encode=fail_at_the_second), keep)
    whole = _measured(folder, codec, keep)
    assert encoded == [(64, 48)] * 2  # the first picture, 40 x 48, is not encoded again
    encoded.clear()
    assert _measured(folder, codec, keep) == whole  # infinite PSNR included
    assert encoded == []


def test_a_codec_that_is_added_is_measured_alone(
    folder: Path, codec: Quantiser, encoded: list[tuple[int, int]], keep: KeptPoints
) -> None:
    _measured(folder, codec, keep)
    encoded.clear()
    other = replace(codec, name="neural:a/b", qualities=(3,))
    found = list(measure(find_pictures(folder), [codec, other], keep=keep))
    assert list(found[0].points) == ["quantiser", "neural:a/b"]
    assert encoded == [(40, 48), (64, 48)]


@pytest.mark.parametrize(
    "change", [{"qualities": (1, 7)}, {"options": {"effort": 9}}, {"revision": "other weights"}]
)
def test_points_of_other_settings_or_weights_are_not_used(
    change: dict[str, object],
    folder: Path,
    codec: Quantiser,
    encoded: list[tuple[int, int]],
    keep: KeptPoints,
) -> None:
    _measured(folder, codec, keep)
    _measured(folder, replace(codec, **change), keep)  # type: ignore[arg-type]
    assert len(encoded) == 8


def test_points_of_other_metrics_versions_or_pictures_are_not_used(
    folder: Path, codec: Quantiser, encoded: list[tuple[int, int]], keep: KeptPoints
) -> None:
    _measured(folder, codec, keep)
    (found, _) = _measured(folder, codec, keep, [METRICS["ssimulacra2"]])
    assert found.points["quantiser"][0].ssimulacra2 is not None
    _measured(folder, codec, replace(keep, environment=replace(keep.environment, versions={})))
    assert len(encoded) == 12
    with Image.open(folder / "b.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.png")
    _measured(folder, codec, keep)
    assert len(encoded) == 14


@pytest.mark.parametrize("text", ["", "[", "[1]", '[{"quality": 1}]', "{}", "[]"])
def test_damaged_points_are_measured_again(
    text: str,
    folder: Path,
    codec: Quantiser,
    encoded: list[tuple[int, int]],
    keep: KeptPoints,
) -> None:
    whole = _measured(folder, codec, keep)
    for path in keep.folder.iterdir():
        path.write_text(text)
    again = _measured(folder, codec, keep)
    assert [found.points["quantiser"][0].psnr for found in again] == [
        found.points["quantiser"][0].psnr for found in whole
    ]
    assert len(encoded) == 8
