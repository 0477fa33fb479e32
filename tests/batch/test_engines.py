"""Parallel engines write the bytes that a single worker writes, and survive killed processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neural_collage.batch.engines import Engine, LocalEngine
from neural_collage.batch.tasks import BatchTask
from neural_collage.errors import CollageError
from tests.batch.conftest import FRACTAL, InlineEngine, KillingTask, Pictures, SlowFolder
from tests.batch.test_runner import batch
from tests.root import ROOT

ENGINES = [
    pytest.param("local", marks=pytest.mark.xdist_group("pool")),
    pytest.param(
        "ray",
        marks=[
            pytest.mark.xdist_group("ray"),
            pytest.mark.filterwarnings("ignore"),  # Ray's own warnings
        ],
    ),
]


@pytest.fixture(scope="module", autouse=True)
def _shut_down_ray() -> Iterator[None]:
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def make_engine(name: str) -> Engine:
    if name == "local":
        return LocalEngine(2)
    pytest.importorskip("ray", reason="clusters need the extra: ray")
    from neural_collage.batch.cluster import RayEngine

    return RayEngine(2)


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", ENGINES)
def test_outputs_equal_those_of_a_single_worker(
    pictures: Pictures, tmp_path: Path, name: str
) -> None:
    task = BatchTask(quality=30, psnr=True)
    source = pictures("in", *(f"{number % 3}/{number}.png" for number in range(9)))
    (source / "bad.png").write_bytes(b"no picture")
    one = batch(source, tmp_path / "one", task, engine=InlineEngine())
    many = batch(source, tmp_path / "many", task, engine=make_engine(name))
    assert files(tmp_path / "many") == files(tmp_path / "one")
    assert (many.done, list(many.failed)) == (one.done, ["bad.png"]) == (9, ["bad.png"])
    assert many.psnr == pytest.approx(one.psnr)


@pytest.mark.parametrize("name", ENGINES)
def test_only_the_item_that_kills_its_process_fails(
    pictures: Pictures, tmp_path: Path, name: str
) -> None:
    source = pictures("in", *(f"{number:02}.png" for number in range(12)))
    task = KillingTask(victim="05.png")
    summary = batch(source, tmp_path / "out", task, engine=make_engine(name), retries=1)
    assert list(summary.failed) == ["05.png"]
    assert "died" in str(summary.failed["05.png"].error)
    assert summary.done == 11
    expected = batch(source, tmp_path / "one", engine=InlineEngine())
    assert expected.done == 12
    whole = files(tmp_path / "one")
    del whole["05.clg"]
    assert files(tmp_path / "out") == whole


@pytest.mark.parametrize("name", ENGINES[:1])
def test_stores_that_processes_cannot_share_are_supported(
    pictures: Pictures, tmp_path: Path, name: str
) -> None:
    from neural_collage.batch.manifest import Manifest
    from neural_collage.batch.runner import run_batch
    from neural_collage.batch.stores import Folder

    source = pictures("in", "a.png", "b/c.png", "d.png")
    there, out = Folder(f"memory://{name}-in", (".png",)), Folder(f"memory://{name}-out")
    for path in source.rglob("*.png"):
        there.write(str(path.relative_to(source)), path.read_bytes())
    with Manifest(f"memory://{name}-out/manifest.jsonl") as manifest:
        summary = run_batch(there, out, FRACTAL, make_engine(name), manifest)
    assert summary.done == 3
    batch(source, tmp_path / "one")
    got = {key: out.read(key) for key in out.sizes() if key.endswith(".clg")}
    assert got == files(tmp_path / "one")


@pytest.mark.parametrize("name", ENGINES[:1])
def test_a_slow_store_loses_no_items(pictures: Pictures, tmp_path: Path, name: str) -> None:
    from neural_collage.batch.manifest import Manifest
    from neural_collage.batch.runner import run_batch
    from neural_collage.batch.stores import Folder

    source = pictures("in", *(f"{number}.png" for number in range(8)))
    slow, out = SlowFolder(str(source), (".png",)), tmp_path / "out"
    with Manifest(str(out / "manifest.jsonl")) as manifest:
        summary = run_batch(slow, Folder(str(out)), FRACTAL, make_engine(name), manifest)
    assert summary.done == 8
    assert all(
        entry.seconds and entry.seconds > SlowFolder.seconds for entry in manifest.entries.values()
    )
    batch(source, tmp_path / "one")
    assert files(out) == files(tmp_path / "one")


def test_a_script_without_main_guard_is_an_explained_error(
    pictures: Pictures, tmp_path: Path
) -> None:
    source = pictures("in", "a.png")
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from neural_collage.batch.engines import LocalEngine\n"
        "from tests.batch.test_runner import batch\n"
        f"batch(Path({str(source)!r}), Path({str(tmp_path / 'out')!r}), engine=LocalEngine(1))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert 'needs `if __name__ == "__main__":`' in finished.stderr


def test_zero_workers_are_an_error() -> None:
    with pytest.raises(CollageError, match="at least one"):
        LocalEngine(0)
