from pathlib import Path

import pytest

from tests.training.toy_runs import CONFIG


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config of a small training, in an empty folder which becomes the current one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "toy.yaml"
    path.write_text(CONFIG)
    return path
