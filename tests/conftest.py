"""Settings of every test: checked shapes, one thread, fixed seeds.

Before a test imports the package, a hook makes beartype check every annotation in it, jaxtyping's
shapes among them. The command line is left out, because typer passes other types than it says.
"""

import os

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

from tests import checked_types
from tests.root import ROOT

PACKAGE = ROOT / "src/neural_collage"
CHECKED = [f"neural_collage.{folder.parent.name}" for folder in PACKAGE.glob("*/__init__.py")]

install_import_hook(
    sorted(set(CHECKED) - {"neural_collage.cli"}), f"{checked_types.__name__}.check"
)

from neural_collage.runtime import use_threads  # noqa: E402 # now that it is checked

os.environ["OMP_NUM_THREADS"] = "1"  # the same for the processes that tests start
settings.register_profile("neural-collage", deadline=None, derandomize=True, database=None)
settings.load_profile("neural-collage")


@pytest.fixture(autouse=True)
def _alike() -> None:
    """The same seed and one thread, whatever the tests before have chosen."""
    torch.manual_seed(0)
    use_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives every test the same numbers."""
    return np.random.default_rng(0)
