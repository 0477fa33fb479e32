"""Visitors see what is theirs, and nothing stays when they go."""

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
    """A scene that counts how often it is decoded, and by how many at once."""

    width = height = 64

    def __init__(self) -> None:
        self.decoded = self.at_once = self.most = 0

    def decode(self, scale: float = 1, region: Region | None = None) -> Tensor:
        self.decoded += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        _, _, width, height = region or (0, 0, 64, 64)
        pixels = torch.full((3, height, width), 0.5)
        self.at_once -= 1
        return pixels


def test_tokens_cannot_be_guessed_and_lead_to_their_scene() -> None:
    kept = Sessions()
    scenes = [Grey() for _ in range(3)]
    tokens = [kept.add(f"visitor {n}", scene) for n, scene in enumerate(scenes)]
    assert len(set(tokens)) == 3
    assert all(len(token) >= 32 for token in tokens)
    for token, scene in zip(tokens, scenes, strict=True):
        assert kept.get(token).scene is scene
    for wrong in ("", "x", tokens[0][:-1], tokens[0] + "x", "../" + tokens[0]):
        with pytest.raises(nc.CollageError, match="no such picture"):
            kept.get(wrong)
    kept.close()


def test_the_oldest_scenes_give_way() -> None:
    kept = Sessions()
    other = kept.add("other", Grey())
    tokens = [kept.add("one", Grey()) for _ in range(SCENES_OF_ONE + 2)]
    for token in tokens[:2]:
        with pytest.raises(nc.CollageError):
            kept.get(token)
    for token in (*tokens[2:], other):
        kept.get(token)
    for number in range(SCENES_IN_ALL):
        kept.add(f"many {number}", Grey())
    with pytest.raises(nc.CollageError):
        kept.get(other)
    kept.close()


def test_files_of_a_session_go_with_it(tmp_path: Path) -> None:
    kept = Sessions()
    mine = Path(kept.file("me", "a.png", b"1"))
    yours = Path(kept.file("you", "a.png", b"2"))
    upload = tmp_path / "upload.png"
    upload.write_bytes(b"3")
    kept.remember("me", upload)
    token = kept.add("me", Grey())
    assert mine.read_bytes() == b"1"
    assert mine.name == "a.png"
    kept.end("me")
    assert not mine.exists()
    assert not upload.exists()
    assert yours.exists()
    with pytest.raises(nc.CollageError):
        kept.get(token)
    kept.end("me")  # twice does no harm
    kept.close()
    assert not yours.exists()
    assert not yours.parent.parent.exists()


def test_names_lead_nowhere_else() -> None:
    kept = Sessions()
    for name in ("../../etc/passwd", "/etc/passwd", "a/b/c.png"):
        path = Path(kept.file("me", name, b"1"))
        assert path.name == Path(name).name
        assert path.parent.parent == Path(kept.file("me", "x", b"")).parent.parent
    kept.close()


def test_work_stops_when_asked_and_begins_anew() -> None:
    kept = Sessions()
    kept.begin("me")
    kept.check("me")
    kept.stop("me")
    kept.check("you")
    with pytest.raises(StoppedError):
        kept.check("me")
    kept.begin("me")
    kept.check("me")
    kept.close()


def test_tiles_are_made_once_and_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TILES", 3)
    kept, scene = Sessions(), Grey()
    shown = kept.get(kept.add("me", scene))
    first = shown.tile(6, 0, 0)
    assert first[:2] == b"\xff\xd8"
    assert shown.tile(6, 0, 0) == first
    assert scene.decoded == 1
    for level in range(6):
        shown.tile(level, 0, 0)
    assert len(shown.tiles) == 3
    shown.tile(6, 0, 0)
    assert scene.decoded == 8
    kept.close()


def test_many_visitors_at_once_are_served_one_after_the_other() -> None:
    kept, scenes = Sessions(), [Grey() for _ in range(5)]
    shown = [kept.get(kept.add(f"{n}", scene)) for n, scene in enumerate(scenes)]
    failed: list[BaseException] = []

    def visit(number: int) -> None:
        try:
            for level in range(7):
                shown[number % 5].tile(level, 0, 0)
                shown[number % 5].look(View(0, 0, 64), 8, 8)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert max(scene.most for scene in scenes) == 1
    assert all(scene.decoded == 7 + 4 * 7 for scene in scenes)
    kept.close()
