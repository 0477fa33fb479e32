import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from benchmarks.refinement import study as refinement
from benchmarks.refinement.calls import FRACTAL, Timing
from benchmarks.support.neural import Variant, linked_share
from neural_collage.codec.image import CollageImage
from neural_collage.codec.streams import neural_encoder
from neural_collage.codec.streams.links import Links
from neural_collage.io.writing import to_pil
from neural_collage.models.compression.compressor import lambda_of_quality
from tests.pictures import photo_crop


def test_a_small_run_writes_its_results(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "left out.png"):
        to_pil(photo_crop(64)).save(tmp_path / name)
    output = tmp_path / "results"
    refinement.main(
        tmp_path,
        output,
        count=2,
        qualities="40",
        efforts="5,7",
        threads=1,
        rounds=1,
        call_rounds=1,
        size=(48, 32),
    )
    found = json.loads((output / "refinement.json").read_text())
    names = ["effort 5", "effort 7, links off", "effort 7, links on", FRACTAL]
    assert [one["contestant"] for one in found["outcomes"]] == names * 2
    assert [one["picture"] for one in found["outcomes"][::4]] == ["a.png", "b.png"]
    once, off, _, fractal = found["outcomes"][:4]
    assert off["cost"] <= once["cost"] + 0.01  # refinement lowers it, up to rounding to 8 bits
    assert once["linked"] == off["linked"] == 0
    assert fractal["cost"] is None
    (calls,) = found["calls"]
    assert calls["threads"] == 1
    assert list(calls["encode"]) == list(calls["decode"]) == ["neural, effort 5", FRACTAL, "jpeg"]
    table = (output / "refinement.md").read_text()
    assert all(f"| {name} |" in table for name in names)
    assert "Torch threads: 1" in table
    assert str(tmp_path) not in table


@pytest.mark.parametrize(("links", "searched"), [(True, 1), (False, 0)])
def test_links_are_searched_only_if_the_variant_has_them(
    links: bool, searched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def link_every_range(planes: Tensor, *_: object) -> Links:
        rows, columns = (side // 16 for side in planes.shape[1:])
        sizes.append((rows, columns))
        return replace(Links.none(rows, columns), contrast=np.ones((rows, columns), np.int64))

    monkeypatch.setattr(neural_encoder, "_links", link_every_range)
    data = Variant(6, links).encode(to_pil(photo_crop(48)), 40)
    assert len(sizes) == searched
    assert linked_share(CollageImage.from_bytes(data)) == searched


def test_a_timing_has_a_median_a_minimum_and_a_maximum() -> None:
    assert Timing.of([3, 1, 9]) == Timing(3, 1, 9)


@pytest.mark.parametrize(("quality", "least", "most"), [(1, 4e-4, 6e-4), (100, 0.2, 0.3)])
def test_lambda_rises_with_quality(quality: int, least: float, most: float) -> None:
    assert least < lambda_of_quality(quality) < most
