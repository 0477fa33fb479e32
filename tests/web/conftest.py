"""One studio for all tests, whose processes are warm; each test has a visitor of its own."""

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")

from neural_collage.web.studio import Settings
from tests.web.visitor import Server, Visitor, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serving(Settings(prepare=False)) as running:
        yield running


@pytest.fixture
def visitor(server: Server) -> Iterator[Visitor]:
    with server.visitor() as client:
        yield client
