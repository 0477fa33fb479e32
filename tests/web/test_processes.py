"""Worker processes: bounds of memory and time, replacement, and turns in a lane."""

import os
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

from neural_collage.errors import CollageError
from neural_collage.web.lanes import Lane, Work
from neural_collage.web.problems import StoppedError, StudioError
from neural_collage.web.processes import Bounds, Worker, memory_of
from neural_collage.web.tasks.files import load_pixels, save_pixels
from neural_collage.web.tasks.worker import Context, run_task
from tests.pictures import texture
from tests.web.visitor import wait_until

ENCODE = {"quality": 50, "size": None, "psnr": None, "codec": "fractal", "region": None}
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is not told")


def picture(folder: Path, side: int = 600) -> Path:
    """An item with pixels."""
    folder.mkdir()
    levels = (texture(side, side, 3).permute(1, 2, 0) * 255).byte().numpy()
    save_pixels(folder, levels)
    return folder


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_task_runs_in_its_process_and_reports(tmp_path: Path) -> None:
    worker, heard = Worker(Bounds()), []
    arguments = {"folder": picture(tmp_path / "a", 64), "form": "clg", **ENCODE}
    out = folder(tmp_path / "out")
    facts = worker.run("encoding.encode", arguments, out, lambda kind, _: heard.append(kind))
    assert facts["width"] == 64
    assert (out / "source").stat().st_size == facts["bytes"]
    assert set(heard) == {"progress"}
    assert worker.pid not in (None, os.getpid())
    worker.end()


def test_a_stopped_task_ends_within_its_grace(tmp_path: Path) -> None:
    worker = Worker(Bounds(grace=0.2))
    worker.start()
    arguments = {"folder": picture(tmp_path / "a", 900), "form": "clg", **ENCODE}
    with pytest.raises(StoppedError):
        worker.run("encoding.encode", arguments, folder(tmp_path / "out"), None, lambda: True)
    assert worker.run("scenes.forget", {}) is None
    worker.end()


def test_a_task_that_reports_stops_without_losing_its_process(tmp_path: Path) -> None:
    worker = Worker(Bounds(growth=1 << 40, grace=1000))
    arguments = {"folder": picture(tmp_path / "a", 300), "what": "denoise"}
    arguments |= {"mask": None, "noise": 10.0, "scale": 1.0}
    worker.start()
    pid = worker.pid
    with pytest.raises(StoppedError):
        worker.run("restoring.restore", arguments, folder(tmp_path / "out"), None, lambda: True)
    assert worker.pid == pid
    worker.end()


@LINUX
def test_a_task_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    worker = Worker(Bounds(memory=1 << 20))
    arguments = {"folder": picture(tmp_path / "a", 600), "form": "clg", **ENCODE}
    with pytest.raises(StudioError, match="out of memory: take a smaller picture") as error:
        worker.run("encoding.encode", arguments, folder(tmp_path / "out"))
    assert error.value.status == 507
    worker.end()


@LINUX
def test_a_process_that_grew_is_replaced_after_its_task() -> None:
    worker = Worker(Bounds(growth=-(1 << 40)))
    worker.start()
    first = worker.pid
    worker.run("scenes.forget", {})
    assert worker.pid != first
    wait_until(lambda: memory_of(worker.pid) > 0)
    worker.end()
    assert memory_of(worker.pid) == 0


def test_errors_of_tasks_come_back_as_they_are(tmp_path: Path) -> None:
    worker = Worker(Bounds())
    with pytest.raises(StudioError, match="no longer kept") as error:
        worker.run("images.show", show_of(tmp_path / "none"))
    assert error.value.status == 410
    with pytest.raises(StudioError, match="the server's log") as error:
        worker.run("images.nothing", {})
    assert error.value.status == 500
    assert worker.run("scenes.forget", {}) is None
    worker.end()


def show_of(path: Path) -> dict[str, object]:
    return {"folder": path, "most_side": None, "region": None, "scale": 1.0, "form": None}


def test_owners_take_turns(tmp_path: Path) -> None:
    lane, order = Lane("test", 1, Bounds()), []
    blocker = Work("x", "encoding.encode", {"folder": picture(tmp_path / "a"), "form": "clg"})
    blocker.arguments = {**blocker.arguments, **ENCODE}
    blocker.out = folder(tmp_path / "out")
    lane.submit(blocker)
    wait_until(lambda: lane.before(blocker) is None)
    works: list[Work] = []
    for owner in ("a", "a", "a", "b", "c", "c"):
        name = f"{owner}{sum(work.owner == owner for work in works)}"
        work = Work(owner, "scenes.forget", {})
        work.started = lambda name=name: order.append(name)
        works.append(work)
        lane.submit(work)
    assert [lane.before(work) for work in works] == [0, 3, 5, 1, 2, 4]
    lane.stop(blocker)
    for work in works:
        work.future.result(60)
    assert order == ["a0", "b0", "c0", "a1", "c1", "a2"]
    lane.close()


def test_a_lane_that_is_full_or_closed_refuses() -> None:
    lane = Lane("test", 0, Bounds(), most=2)
    works = [Work("a", "scenes.forget", {}) for _ in range(3)]
    for work in works[:2]:
        lane.submit(work)
    with pytest.raises(StudioError, match="busy") as error:
        lane.submit(works[2])
    assert error.value.status == 503
    lane.close()
    for work in works[:2]:
        with pytest.raises(StoppedError):
            work.future.result(1)
    with pytest.raises(StudioError, match="is stopping"):
        lane.submit(works[2])


def test_tasks_of_other_modules_cannot_be_named() -> None:
    for name in ("os.system", "worker.main.x", ".files.save_pixels", "nothing"):
        with pytest.raises((ImportError, AttributeError, TypeError, ValueError)):
            run_task(name, {}, Context())


def test_contexts_report_at_most_ten_times_a_second(tmp_path: Path) -> None:
    context = Context(None, tmp_path)
    context.report(1, 2)
    context.part({})
    context.expect(1, 0, 1)
    assert context.out == tmp_path
    started = time.monotonic()
    with pytest.raises(CollageError, match="no longer kept"):
        load_pixels(tmp_path)
    assert time.monotonic() >= started
