import importlib
import json
import subprocess
import sys

import pytest

import neural_collage as nc
from neural_collage import errors, moved


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
    with pytest.raises(AttributeError, match="attribute decode_everything"):
        _ = nc.decode_everything  # type: ignore[attr-defined]


def test_all_errors_have_one_base() -> None:
    exported = {name for name in nc.__all__ if name.endswith("Error")}
    defined = {name for name in vars(errors) if name.endswith("Error")}
    assert exported == defined
    assert all(issubclass(getattr(nc, name), nc.CollageError) for name in exported)


IMPORT_ALL = """
import importlib, json, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

sys.meta_path.insert(0, Missing())
import neural_collage
outcomes = {}
for module in pkgutil.walk_packages(neural_collage.__path__, "neural_collage.", lambda name: None):
    try:
        importlib.import_module(module.name)
    except Exception as error:
        outcomes[module.name] = f"{type(error).__name__}: {error}"
    else:
        outcomes[module.name] = ""
print(json.dumps(outcomes))
"""
OF_EXTRAS = {
    "bench": ("matplotlib", "scipy", "torchmetrics"),
    "demo": ("skimage",),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "studio": ("fastapi", "uvicorn"),
    "train": ("datasets", "jsonargparse", "lightning", "tensorboard"),
    "video": ("av",),
}


def test_without_extras_modules_import_or_name_the_extra_that_they_need() -> None:
    absent = [name for names in OF_EXTRAS.values() for name in names]
    script = [sys.executable, "-c", IMPORT_ALL, *absent]
    finished = subprocess.run(script, capture_output=True, text=True, check=True)
    outcomes: dict[str, str] = json.loads(finished.stdout)
    failed = {name: text for name, text in outcomes.items() if text}
    for name, text in failed.items():
        assert "MissingExtraError" in text, f"{name}: {text}"
        assert any(f"neural-collage[{extra}]" in text for extra in OF_EXTRAS), text
        assert "\n" not in text
    assert {name.split(".")[1] for name in failed} == {
        "batch",
        "data",
        "evaluation",
        "training",
        "web",
    }
    assert not {name for name in failed if name.startswith("neural_collage.batch.")} - {
        "neural_collage.batch.cluster",
        "neural_collage.batch.tables",
    }
    assert "neural_collage.evaluation.metrics" not in failed
    assert len(outcomes) - len(failed) > 100


@pytest.mark.parametrize("module", ["neural_collage", "neural_collage.cli.main"])
def test_the_package_runs_as_a_program(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"neural-collage {nc.__version__}\n"


@pytest.mark.parametrize("old", sorted(moved.NEW_NAMES))
def test_modules_that_have_moved_are_found_under_their_old_names(old: str) -> None:
    new = importlib.import_module(f"neural_collage.{moved.NEW_NAMES[old]}")
    with pytest.warns(DeprecationWarning, match=f"has moved to {new.__name__}"):
        found = importlib.import_module(f"neural_collage.{old}")
    public = {name: value for name, value in vars(new).items() if not name.startswith("_")}
    assert public.items() <= vars(found).items()
    del sys.modules[f"neural_collage.{old}"]


def test_classes_with_new_names_are_found_under_their_old_ones() -> None:
    with pytest.warns(DeprecationWarning, match="has moved"):
        compressor = importlib.import_module("neural_collage.models.compressor")
    assert compressor.CodecConfig is compressor.CompressorConfig
    del sys.modules["neural_collage.models.compressor"]
