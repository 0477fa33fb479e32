"""One studio for all tests, whose processes are warm; each test has a visitor of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.visitor import Server, Visitor

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group("studio"))


@pytest.fixture(scope="session")
def server() -> "Iterator[Server]":
    from neural_collage.web.sessions import Limits
    from neural_collage.web.studio import Settings
    from tests.web.visitor import serving

    with serving(Settings(prepare=False, limits=Limits(idle=3600))) as running:
        yield running


@pytest.fixture
def visitor(server: "Server") -> "Iterator[Visitor]":
    with server.visitor() as client:
        yield client
