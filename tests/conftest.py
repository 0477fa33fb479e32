"""Settings of every test: checked shapes, one thread, fixed seeds.

Before a test imports the package, a hook makes beartype check every annotation in it, jaxtyping's
shapes among them. The command line is left out, because typer passes other types than it says.
Checks take as long as the tests themselves; of a test with parameters, the first of each are run
with them, the others only where CHECK_TYPES=all is set.
"""

import os

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import config as checks
from jaxtyping import install_import_hook

from tests import checked_types
from tests.root import ROOT

PACKAGE = ROOT / "src/neural_collage"
CHECKED = [f"neural_collage.{folder.parent.name}" for folder in PACKAGE.glob("*/__init__.py")]

install_import_hook(
    sorted(set(CHECKED) - {"neural_collage.cli"}), f"{checked_types.__name__}.check"
)

from neural_collage.runtime import use_threads  # noqa: E402 # now that it is checked

_CHECKS_ALL = os.environ.get("CHECK_TYPES") == "all"
os.environ["OMP_NUM_THREADS"] = "1"  # the same for the processes that tests start
settings.register_profile("neural-collage", deadline=None, derandomize=True, database=None)
settings.load_profile("neural-collage")


@pytest.fixture(autouse=True)
def _alike(request: pytest.FixtureRequest) -> None:
    """The same seed and one thread, whatever the tests before have chosen; types are checked."""
    torch.manual_seed(0)
    use_threads(1)
    parameters = getattr(request.node, "callspec", None)
    is_first = parameters is None or not any(parameters.indices.values())
    checks.update("jaxtyping_disable", not (is_first or _CHECKS_ALL))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives every test the same numbers."""
    return np.random.default_rng(0)
