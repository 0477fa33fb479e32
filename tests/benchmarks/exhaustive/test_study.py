"""The exhaustive coder against brute force, and a small run of its study."""

import json
import math
from pathlib import Path

import pytest
import torch

from benchmarks.exhaustive import coder as coder_module
from benchmarks.exhaustive import study
from benchmarks.exhaustive.coder import STEEPEST, Coder, encode
from benchmarks.exhaustive.study import Comparison, Measured, at_equal_psnr, luma
from neural_collage.core.blocks import cut
from neural_collage.errors import CollageError
from neural_collage.fractal.pifs import iterate
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop, texture

QUADTREE = Coder((16, 8, 4), every_pixel=False, tolerance=0.03)


def test_codes_of_fixed_length_are_counted_bit_by_bit() -> None:
    image = texture(32, 32)[0]
    equal = encode(image, Coder((8,), every_pixel=True))
    linked = int((equal.collage.weights != 0).sum())
    assert equal.bits == 16 * (5 + 7) + linked * (3 + math.ceil(math.log2(17**2)))
    blank = encode(torch.full((32, 32), 0.5), Coder((8,), every_pixel=True))
    assert blank.bits == 16 * (5 + 7)
    divided = encode(image, QUADTREE)
    sizes = divided.collage.partition.blocks[:, 2].tolist()
    assert len(set(sizes)) > 1
    of_ranges = {16: 0, 8: 4, 4: 6}  # bits of the address among domains at every range
    linked_bits = sum(
        of_ranges[size] + 3
        for size, weight in zip(sizes, divided.collage.weights.flatten(), strict=True)
        if weight
    )
    flags = 4 + 4 * (4 - sizes.count(16))
    assert divided.bits == len(sizes) * 12 + linked_bits + flags


def test_parameters_are_those_that_their_bits_can_tell_apart() -> None:
    collage = encode(texture(32, 32)[0], Coder((8,), every_pixel=True)).collage
    steps = collage.weights * (STEEPEST + 1)
    assert torch.equal(steps, steps.round())
    assert collage.contraction() <= STEEPEST / (STEEPEST + 1)
    least = -collage.weights[0, :, 0].clamp_min(0)
    levels = (collage.bias[0] - least) / (1 + collage.weights[0, :, 0].abs()) * 127
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert ((levels > -0.5) & (levels < 127.5)).all()


def test_ranges_are_divided_until_they_meet_the_tolerance() -> None:
    image = texture(48, 32)[0]
    collage = encode(image, QUADTREE).collage
    change = (iterate(collage, 1, image[None])[1] - image)[0]
    for y, x, size in collage.partition.blocks.tolist():
        error = float(change[y : y + size, x : x + size].square().mean().sqrt())
        assert size == 4 or error <= QUADTREE.tolerance + 1e-6


def test_more_domains_lower_the_error_of_a_step() -> None:
    image = texture(64, 64)[0]
    errors = []
    for every_pixel in (False, True):
        collage = encode(image, Coder((8,), every_pixel)).collage
        errors.append(cut(iterate(collage, 1, image[None])[1] - image, 8).square().sum())
    assert errors[1] < errors[0]


def test_ours_reach_the_wanted_psnr_by_the_least_quality(tmp_path: Path) -> None:
    to_pil(photo_crop(96)).save(tmp_path / "a.png")
    image, codec = luma(tmp_path / "a.png", 64), study.OURS[0]
    found = at_equal_psnr(image, codec, 30.0)
    assert found.psnr >= 30
    qualities = [study._measured(image, codec, quality) for quality in range(1, 100, 9)]
    assert all(each.bpp >= found.bpp for each in qualities if each.psnr >= found.psnr)


def test_a_small_run_writes_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_pil(photo_crop(96)).save(tmp_path / "a.png")
    monkeypatch.setattr(study, "CODERS", coder_module.CODERS[::2])
    monkeypatch.setattr(study, "OURS", study.OURS[:1])
    study.main(tmp_path, 1, 64, "32", 1, tmp_path / "out")
    result = json.loads((tmp_path / "out/exhaustive.json").read_text())
    assert [each["side"] for each in result["comparisons"] + result["growth"]] == [64, 64, 32]
    page = (tmp_path / "out/exhaustive.md").read_text()
    assert page.count("| fractal, effort 0, no domains |") == 3
    assert "## Growth" in page
    for side in (40, 128):
        with pytest.raises(CollageError, match="--side"):
            study.main(tmp_path, 1, side, "", 1, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_ratios_are_those_of_the_means() -> None:
    def measured(codec: str, seconds: float, bpp: float) -> Measured:
        return Measured(codec, seconds, 30.0, bpp)

    searched = [measured("x", 3.0, 1.0), measured("x", 5.0, 1.0)]
    row = study._row("ours", [measured("o", 0.01, 0.25), measured("o", 0.03, 0.75)], searched)
    assert row == ("ours", "0.02", "200", "30.00", "0.500", "50%")
    assert study._growth([]) == []
    lines = study._growth([Comparison("a.png", 64, searched[0], [measured("o", 0.5, 1)])])
    assert "| 64 x 64 | 3 | 0.5 |" in lines[-1]
