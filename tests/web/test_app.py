"""The studio's server: tiles, the viewer, security, concurrency and uploads."""

import concurrent.futures
import gc
import io
import resource
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the studio needs the extra: studio")

from fastapi.testclient import TestClient

import neural_collage as nc
from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.errors import ImageError
from neural_collage.web import jobs
from neural_collage.web.app import STATIC, create_app
from neural_collage.web.sessions import Sessions
from tests.pictures import photo_crop


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture(scope="module")
def client(sessions: Sessions) -> Iterator[TestClient]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = create_app(sessions)
        gc.collect()  # event loops that Gradio leaves open, whose warnings are ignored here
    with TestClient(app) as client:
        yield client


def pixels(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_tiles_show_the_scene(client: TestClient, sessions: Sessions) -> None:
    photo = photo_crop(128)
    token = sessions.add("me", nc.encode(photo, quality=80))
    answer = client.get(f"/tiles/{token}/7/0_0.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    tile = pixels(answer.content)
    assert tile.shape == (128, 128, 3)
    expected = (photo.permute(1, 2, 0) * 255).numpy()
    assert abs(tile - expected).mean() < 8
    assert client.get(f"/tiles/{token}/20/100_200.jpg").status_code == 200


@pytest.mark.parametrize("place", ["7/1_0", "7/0_-1", "-1/0_0", "99/0_0", "7/x_0", "7/0"])
def test_tiles_outside_are_not_found(client: TestClient, sessions: Sessions, place: str) -> None:
    token = sessions.add("me", fractalize(photo_crop(128), Tiling(4)))
    answer = client.get(f"/tiles/{token}/{place}.jpg")
    assert answer.status_code in (404, 422)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("token", ["wrong", "..%2F..%2Fetc", "%00", "a" * 5000])
def test_unknown_tokens_are_not_found(client: TestClient, token: str) -> None:
    for address in (f"/tiles/{token}/7/0_0.jpg", f"/view/{token}"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "Traceback" not in answer.text


def test_scenes_are_not_found_after_their_session(client: TestClient, sessions: Sessions) -> None:
    token = sessions.add("guest", fractalize(photo_crop(64), Tiling(4)))
    other = sessions.add("other", fractalize(photo_crop(64), Tiling(4)))
    assert client.get(f"/view/{token}").status_code == 200
    sessions.end("guest")
    for address in (f"/view/{token}", f"/tiles/{token}/6/0_0.jpg"):
        assert client.get(address).status_code == 404
    assert client.get(f"/view/{other}").status_code == 200


def test_the_viewer_uses_no_external_resources(client: TestClient, sessions: Sessions) -> None:
    token = sessions.add("me", fractalize(photo_crop(64), Tiling(4)))
    page = client.get(f"/view/{token}")
    assert token in page.text
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    if STATIC.is_dir():
        assert client.get("/viewer/openseadragon/openseadragon.min.js").status_code == 200
    for address in ("/viewer/../app.py", "/viewer/%2e%2e/app.py", "/viewer/..%2fapp.py"):
        assert "create_app" not in client.get(address).text


def test_files_of_the_machine_are_not_served(client: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    for path in (str(secret), "/etc/passwd", "../../../etc/passwd", str(STATIC.parent / "app.py")):
        for address in (f"/gradio_api/file={path}", f"/file={path}"):
            answer = client.get(address)
            assert answer.status_code >= 400 or "secret" not in answer.text
            assert "root:" not in answer.text


def test_twenty_concurrent_visitors_are_served_in_bounded_memory(
    client: TestClient, sessions: Sessions
) -> None:
    tokens = [sessions.add(f"{n}", fractalize(photo_crop(128), Tiling(8))) for n in range(5)]

    def request_tile(number: int) -> int:
        level = 7 + number % 18
        side = (128 << (level - 7)) // 256
        place = f"{number * 7919 % max(1, side)}_{number * 104729 % max(1, side)}"
        return client.get(f"/tiles/{tokens[number % 5]}/{level}/{place}.jpg").status_code

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(request_tile, range(200))) == {200}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert set(pool.map(request_tile, range(200, 600))) == {200}
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 100 << 10  # KiB


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_uploads_that_are_not_pictures_are_refused(tmp_path: Path, content: bytes) -> None:
    sessions = Sessions()
    upload = tmp_path / "holiday.png"
    upload.write_bytes(content)
    with pytest.raises(ImageError) as error:
        jobs.checked_upload(sessions, "me", str(upload))
    assert "holiday.png" in str(error.value)
    assert str(tmp_path) not in str(error.value)
    with pytest.raises(ImageError, match="Upload a style first"):
        jobs.checked_upload(sessions, "me", None, "a style")
    sessions.end("me")
    assert not upload.exists()
    sessions.close()


def test_pictures_above_the_limit_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_PIXELS", 1000)
    upload = tmp_path / "bomb.png"
    Image.new("RGB", (100, 11)).save(upload)
    sessions = Sessions()
    with pytest.raises(ImageError, match=r"bomb\.png: 100 x 11 pixels"):
        jobs.checked_upload(sessions, "me", str(upload))
    sessions.close()
