"""Processes and clusters do what one worker does, to the byte, and survive what kills one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neural_collage.batch.engines import Engine, LocalEngine
from neural_collage.batch.tasks import BatchTask
from neural_collage.errors import CollageError
from tests.batch.conftest import FRACTAL, Deadly, Inline, Pictures, Slow
from tests.batch.test_runner import batch
from tests.root import ROOT

ENGINES = [
    pytest.param("local", marks=pytest.mark.xdist_group("pool")),
    pytest.param(
        "ray",
        marks=[
            pytest.mark.xdist_group("ray"),
            pytest.mark.filterwarnings("ignore"),  # Ray warns of itself
        ],
    ),
]


@pytest.fixture(scope="module", autouse=True)
def _no_cluster_stays() -> Iterator[None]:
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def engine_called(name: str) -> Engine:
    if name == "local":
        return LocalEngine(2)
    from neural_collage.batch.cluster import RayEngine

    return RayEngine(2)


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", ENGINES)
def test_outputs_are_those_of_one_worker(pictures: Pictures, tmp_path: Path, name: str) -> None:
    task = BatchTask(quality=30, psnr=True)
    source = pictures("in", *(f"{number % 3}/{number}.png" for number in range(9)))
    (source / "bad.png").write_bytes(b"no picture")
    one = batch(source, tmp_path / "one", task, engine=Inline())
    many = batch(source, tmp_path / "many", task, engine=engine_called(name))
    assert files(tmp_path / "many") == files(tmp_path / "one")
    assert (many.done, list(many.failed)) == (one.done, ["bad.png"]) == (9, ["bad.png"])
    assert many.psnr == pytest.approx(one.psnr)


@pytest.mark.parametrize("name", ENGINES)
def test_an_item_that_kills_processes_fails_alone(
    pictures: Pictures, tmp_path: Path, name: str
) -> None:
    source = pictures("in", *(f"{number:02}.png" for number in range(12)))
    task = Deadly(victim="05.png")
    summary = batch(source, tmp_path / "out", task, engine=engine_called(name), retries=1)
    assert list(summary.failed) == ["05.png"]
    assert "died" in str(summary.failed["05.png"].error)
    assert summary.done == 11
    expected = batch(source, tmp_path / "one", engine=Inline())
    assert expected.done == 12
    whole = files(tmp_path / "one")
    del whole["05.clg"]
    assert files(tmp_path / "out") == whole


@pytest.mark.parametrize("name", ENGINES[:1])
def test_stores_that_processes_do_not_share_work_too(
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
        summary = run_batch(there, out, FRACTAL, engine_called(name), manifest)
    assert summary.done == 3
    batch(source, tmp_path / "one")
    got = {key: out.read(key) for key in out.sizes() if key.endswith(".clg")}
    assert got == files(tmp_path / "one")


@pytest.mark.parametrize("name", ENGINES[:1])
def test_a_slow_store_loses_nothing(pictures: Pictures, tmp_path: Path, name: str) -> None:
    from neural_collage.batch.manifest import Manifest
    from neural_collage.batch.runner import run_batch
    from neural_collage.batch.stores import Folder

    source = pictures("in", *(f"{number}.png" for number in range(8)))
    slow, out = Slow(str(source), (".png",)), tmp_path / "out"
    with Manifest(str(out / "manifest.jsonl")) as manifest:
        summary = run_batch(slow, Folder(str(out)), FRACTAL, engine_called(name), manifest)
    assert summary.done == 8
    assert all(
        entry.seconds and entry.seconds > Slow.seconds for entry in manifest.entries.values()
    )
    batch(source, tmp_path / "one")
    assert files(out) == files(tmp_path / "one")


def test_a_script_that_processes_cannot_import_is_told_what_it_needs(
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


def test_nobody_to_work_is_an_error() -> None:
    with pytest.raises(CollageError, match="at least one"):
        LocalEngine(0)
