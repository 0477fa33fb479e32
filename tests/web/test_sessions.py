"""Sessions: access by token, limits, stopped jobs, cached tiles and removal at the end."""

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

pytest.importorskip("gradio", reason="the studio needs the extra: studio")

import neural_collage as nc
from neural_collage.art.zoom import View
from neural_collage.core.scales import Region
from neural_collage.web import sessions as module
from neural_collage.web.sessions import SCENES_IN_ALL, SCENES_OF_ONE, Sessions, StoppedError


class Grey:
    """A scene that counts calls of `decode`, and how many run at the same time."""

    width = height = 64

    def __init__(self) -> None:
        self.decoded = self.running = self.most_running = 0

    def decode(self, scale: float = 1, region: Region | None = None) -> Tensor:
        self.decoded += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        _, _, width, height = region or (0, 0, 64, 64)
        pixels = torch.full((3, height, width), 0.5)
        self.running -= 1
        return pixels


def test_only_the_token_of_a_scene_gives_access_to_it() -> None:
    sessions = Sessions()
    scenes = [Grey() for _ in range(3)]
    tokens = [sessions.add(f"visitor {n}", scene) for n, scene in enumerate(scenes)]
    assert len(set(tokens)) == 3
    assert all(len(token) >= 32 for token in tokens)
    for token, scene in zip(tokens, scenes, strict=True):
        assert sessions.get(token).scene is scene
    for wrong in ("", "x", tokens[0][:-1], tokens[0] + "x", "../" + tokens[0]):
        with pytest.raises(nc.CollageError, match="no such picture"):
            sessions.get(wrong)
    sessions.close()


def test_the_oldest_scenes_are_evicted() -> None:
    sessions = Sessions()
    other = sessions.add("other", Grey())
    tokens = [sessions.add("one", Grey()) for _ in range(SCENES_OF_ONE + 2)]
    for token in tokens[:2]:
        with pytest.raises(nc.CollageError):
            sessions.get(token)
    for token in (*tokens[2:], other):
        sessions.get(token)
    for number in range(SCENES_IN_ALL):
        sessions.add(f"many {number}", Grey())
    with pytest.raises(nc.CollageError):
        sessions.get(other)
    sessions.close()


def test_files_and_scenes_are_removed_with_their_session(tmp_path: Path) -> None:
    sessions = Sessions()
    own = Path(sessions.write_file("me", "a.png", b"1"))
    other = Path(sessions.write_file("you", "a.png", b"2"))
    upload = tmp_path / "upload.png"
    upload.write_bytes(b"3")
    sessions.add_file("me", upload)
    token = sessions.add("me", Grey())
    assert own.read_bytes() == b"1"
    assert own.name == "a.png"
    sessions.end("me")
    assert not own.exists()
    assert not upload.exists()
    assert other.exists()
    with pytest.raises(nc.CollageError):
        sessions.get(token)
    sessions.end("me")  # a second time has no effect
    sessions.close()
    assert not other.exists()
    assert not other.parent.parent.exists()


def test_file_names_cannot_leave_the_folder() -> None:
    sessions = Sessions()
    for name in ("../../etc/passwd", "/etc/passwd", "a/b/c.png"):
        path = Path(sessions.write_file("me", name, b"1"))
        assert path.name == Path(name).name
        assert path.parent.parent == Path(sessions.write_file("me", "x", b"")).parent.parent
    sessions.close()


def test_a_stopped_job_raises_until_the_next_one_begins() -> None:
    sessions = Sessions()
    sessions.begin("me")
    sessions.check("me")
    sessions.stop("me")
    sessions.check("you")
    with pytest.raises(StoppedError):
        sessions.check("me")
    sessions.begin("me")
    sessions.check("me")
    sessions.close()


def test_tiles_are_cached_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TILES", 3)
    sessions, scene = Sessions(), Grey()
    entry = sessions.get(sessions.add("me", scene))
    first = entry.tile(6, 0, 0)
    assert first[:2] == b"\xff\xd8"
    assert entry.tile(6, 0, 0) == first
    assert scene.decoded == 1
    for level in range(6):
        entry.tile(level, 0, 0)
    assert len(entry.tiles) == 3
    entry.tile(6, 0, 0)
    assert scene.decoded == 8
    sessions.close()


def test_a_scene_is_decoded_by_one_thread_at_a_time() -> None:
    sessions, scenes = Sessions(), [Grey() for _ in range(5)]
    entries = [sessions.get(sessions.add(f"{n}", scene)) for n, scene in enumerate(scenes)]
    errors: list[BaseException] = []

    def visit(number: int) -> None:
        try:
            for level in range(7):
                entries[number % 5].tile(level, 0, 0)
                entries[number % 5].look(View(0, 0, 64), 8, 8)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert max(scene.most_running for scene in scenes) == 1
    assert all(scene.decoded == 7 + 4 * 7 for scene in scenes)
    sessions.close()
