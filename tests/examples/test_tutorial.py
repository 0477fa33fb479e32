import re
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import neural_collage as nc
from examples import tutorial


def test_psnr_rises_within_a_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tutorial.py", "--seconds", "5", "--out", str(tmp_path)])
    tutorial.main()
    printed = capsys.readouterr().out
    first, *_, last = (float(value) for value in re.findall(r"([\d.]+) dB", printed))
    assert last > first + 1
    with Image.open(tmp_path / "tutorial.png") as picture:
        assert picture.width > 1000
    model = nc.NeuralCollage.from_pretrained(tmp_path)
    with torch.no_grad():
        assert model(tutorial.load_photos()[:1], scale=8).shape == (1, 3, 512, 512)
