"""The Python that docs/pifs.md shows is run."""

import re
from pathlib import Path

import pytest
import torch

from neural_collage.core.collage import Collage
from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop
from tests.root import ROOT


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    to_pil(photo_crop(64)).save("photo.jpg")
    text = (ROOT / "docs/pifs.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, "pifs.md", "exec"), names)
    collage, filling, large = names["collage"], names["filling"], names["large"]
    assert isinstance(collage, Collage)
    assert isinstance(filling, list)
    assert isinstance(large, list)
    missing = torch.zeros(3, 32, 64)
    assert torch.equal(filling[0][:, 32:], missing)
    assert float((filling[-1] - collage.decode()).abs().max()) < 0.9**8
    assert large[-1].shape == (3, 128, 128)
