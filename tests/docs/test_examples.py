"""What the Python of the pages for developers, for batches and on metadata makes is right."""

import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

import neural_collage as nc
from neural_collage.codec import ids, registry
from neural_collage.core.fixed_point import Solver
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop
from tests.root import ROOT


def blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def names_of(block: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(block, "docs", "exec"), names)
    return names


def test_a_solver_of_ones_own_finds_fixed_points_and_gradients() -> None:
    solver = names_of(blocks("adding.md")[0])["Damped"]
    assert isinstance(solver, type)
    assert issubclass(solver, Solver)
    config = nc.OperatorConfig(image_size=(32, 32), range_size=8, domain_sizes=(16,))
    # in double precision, since gradients grow as contraction gets weaker, and rounding with them
    links = torch.rand(1, *config.weights_shape, dtype=torch.float64, requires_grad=True)
    bias = torch.rand(1, *config.bias_shape, dtype=torch.float64)
    gradients = []
    for operator in (nc.CollageOperator(config, solver=solver()), nc.CollageOperator(config)):
        (gradient,) = torch.autograd.grad(operator.double()(links, bias).square().mean(), links)
        gradients.append(gradient)
    torch.testing.assert_close(*gradients, atol=1e-10, rtol=1e-9)


def test_a_codec_of_ones_own_writes_and_reads_files(tmp_path: Path) -> None:
    with patch.dict(registry._codecs), patch.dict(ids._NAMES):
        names = names_of(blocks("write-codec.md")[0])
        small, image = names["small"], names["image"]
        assert isinstance(small, nc.CollageImage)
        assert isinstance(image, np.ndarray)
        assert (small.codec, small.header.codec) == ("mine", 200)
        np.testing.assert_array_equal(image, small.decode(scale=2), strict=True)
        for channels in (1, 2, 3, 4):
            flat = torch.arange(1, channels + 1)[:, None, None].expand(-1, 20, 30) / 5
            data = nc.encode(flat, codec="mine").to_bytes()
            np.testing.assert_allclose(nc.decompress(data), flat, atol=1 / 500, rtol=0)
        with pytest.raises(nc.CollageFormatError, match=r"bytes for .* means"):
            nc.CollageImage(small.header, small.payload[:-1]).decode()
        nc.save(small, tmp_path / "a.clg")
    with pytest.raises(nc.CollageFormatError, match="codec number 200 is unknown"):
        nc.load(tmp_path / "a.clg")


def test_a_batch_in_python_runs(tmp_path: Path) -> None:
    (script,) = blocks("batch.md")
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    (tmp_path / "photos").mkdir()
    to_pil(photo_crop(64)).save(tmp_path / "photos" / "a.png")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 done, 0 failed\n"
    assert (tmp_path / "compressed" / "a.clg").exists()


def test_metadata_are_given_to_pillow_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    to_pil(photo_crop(48)).save("photo.jpg", xmp=b"<x/>")
    (block,) = blocks("compression.md")
    names_of(block)
    assert capsys.readouterr().out == "A. Author ['exif']\n"
