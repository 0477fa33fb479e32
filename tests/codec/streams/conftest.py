import pytest

from neural_collage.codec.streams import tiles
from tests.codec.streams.segmented import TILE


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures have several tiles."""
    monkeypatch.setattr(tiles, "TILE", TILE)
