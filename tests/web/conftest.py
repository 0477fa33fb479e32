"""One studio for all tests, whose processes are warm; each test has a visitor of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")

from neural_collage.web.studio import Settings
from tests.web.visitor import Server, Visitor, serving

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group("studio"))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serving(Settings(prepare=False)) as running:
        yield running


@pytest.fixture
def visitor(server: Server) -> Iterator[Visitor]:
    with server.visitor() as client:
        yield client
