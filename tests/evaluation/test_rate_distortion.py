import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neural_collage.errors import CollageError
from neural_collage.evaluation.distortion import METRICS
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.kept_points import KeptPoints
from neural_collage.evaluation.metrics import psnr
from neural_collage.evaluation.peers import PEERS
from neural_collage.evaluation.rate_distortion import find_pictures, measure
from tests.evaluation.quantiser import Quantiser


def test_pictures_alone_are_found_sorted_by_name(folder: Path) -> None:
    assert [path.name for path in find_pictures(folder)] == ["a.PNG", "b.png"]


def test_an_empty_folder_is_refused_with_a_source_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match=r"Kodak.*`collage data`"):
        find_pictures(tmp_path)


def test_a_pattern_chooses_pictures(folder: Path) -> None:
    assert [path.name for path in find_pictures(folder, "*.png")] == ["b.png"]
    with pytest.raises(CollageError, match=r"none of the 2 pictures.*\*\.webp.*a\.PNG"):
        find_pictures(folder, "*.webp")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CollageError, match="not a folder"):
        find_pictures(tmp_path / "none")


def test_a_point_holds_the_rate_of_the_file_and_the_distortion_of_the_decode(folder: Path) -> None:
    small, large = measure(find_pictures(folder), [Quantiser()])
    assert (small.picture, large.picture) == ("a.PNG", "b.png")
    coarse, exact = large.points["quantiser"]
    assert coarse.bpp == exact.bpp == 8 * (2 + 64 * 48 * 3) / (64 * 48)
    original = np.asarray(Image.open(folder / "b.png"))
    assert coarse.psnr == psnr(original, original >> 7 << 7)
    assert exact.psnr == math.inf
    assert coarse.ms_ssim is None


def test_results_do_not_depend_on_the_number_of_processes(folder: Path, tmp_path: Path) -> None:
    def measured(jobs: int) -> list[tuple[str, list[tuple[float, float]]]]:
        return [
            (found.picture, [(point.bpp, point.psnr) for point in found.points["jpeg"]])
            for found in measure(
                find_pictures(folder),
                [PEERS["jpeg"]],
                jobs,
                metrics=[METRICS["ms-ssim"]],
                keep=KeptPoints(tmp_path / f"{jobs}", Environment.current()),
            )
        ]

    assert measured(2) == measured(1)
    names = [sorted(path.name for path in (tmp_path / jobs).iterdir()) for jobs in ("1", "2")]
    assert len(names[0]) == 2
    assert names[0] == names[1]  # a run with other jobs continues, too


def test_chosen_metrics_alone_are_measured(folder: Path) -> None:
    (picture, _) = measure(
        find_pictures(folder), [Quantiser()], metrics=[METRICS["psnr"], METRICS["ssimulacra2"]]
    )
    coarse, exact = picture.points["quantiser"]
    assert exact.ssimulacra2 == 100
    assert coarse.ssimulacra2 is not None
    assert coarse.ssimulacra2 < 50
    assert coarse.ms_ssim is None
    (picture, _) = measure(find_pictures(folder), [Quantiser()])
    assert picture.points["quantiser"][0].ssimulacra2 is None
