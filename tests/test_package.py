import subprocess
import sys

import pytest

import neural_collage as nc
from neural_collage.core import errors


@pytest.mark.parametrize(
    "statement",
    ["import neural_collage", "from neural_collage.cli.main import app"],
)
def test_imports_that_must_be_quick_leave_the_heavy_libraries_alone(statement: str) -> None:
    script = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"torch", "numpy", "scipy", "matplotlib", "rich.progress"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", nc.__all__)
def test_every_public_name_exists_and_is_listed(name: str) -> None:
    assert getattr(nc, name).__name__ == name
    assert name in dir(nc)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'decode_everything'"):
        _ = nc.decode_everything


def test_all_errors_have_one_base() -> None:
    exported = {name for name in nc.__all__ if name.endswith("Error")}
    defined = {name for name in vars(errors) if name.endswith("Error")}
    assert exported == defined
    assert all(issubclass(getattr(nc, name), nc.CollageError) for name in exported)
