"""The Python that docs/training.md shows is run."""

import re
from pathlib import Path

import torch

from tests.root import ROOT
from tests.training.toy_runs import lightning_noise

PAGE = ROOT / "docs/training.md"

pytestmark = lightning_noise


def test_python_blocks_run(config: Path) -> None:
    config.rename("x.yaml")
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    task = names["Denoising"]
    assert isinstance(task, type)
    made = task(torch.nn.Identity(), names["OptimiserConfig"]())  # type: ignore[operator]
    assert made.losses(torch.zeros(8, 3, 16, 16))["loss"] > 0
    assert Path("runs/x/checkpoints/last.ckpt").exists()
