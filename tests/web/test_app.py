"""What the studio's server answers, and what it does not."""

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
from neural_collage.web import jobs as work
from neural_collage.web.app import STATIC, create_app
from neural_collage.web.sessions import Sessions
from tests.pictures import photo_crop


@pytest.fixture(scope="module")
def kept() -> Sessions:
    return Sessions()


@pytest.fixture(scope="module")
def client(kept: Sessions) -> Iterator[TestClient]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = create_app(kept)
        gc.collect()  # event loops that Gradio leaves open, as long as they may
    with TestClient(app) as client:
        yield client


def pixels(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_tiles_show_the_scene(client: TestClient, kept: Sessions) -> None:
    photo = photo_crop(128)
    token = kept.add("me", nc.encode(photo, quality=80))
    answer = client.get(f"/tiles/{token}/7/0_0.jpg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    shown = pixels(answer.content)
    assert shown.shape == (128, 128, 3)
    expected = (photo.permute(1, 2, 0) * 255).numpy()
    assert abs(shown - expected).mean() < 8
    assert client.get(f"/tiles/{token}/20/100_200.jpg").status_code == 200


@pytest.mark.parametrize("place", ["7/1_0", "7/0_-1", "-1/0_0", "99/0_0", "7/x_0", "7/0"])
def test_tiles_that_are_not_there(client: TestClient, kept: Sessions, place: str) -> None:
    token = kept.add("me", fractalize(photo_crop(128), Tiling(4)))
    answer = client.get(f"/tiles/{token}/{place}.jpg")
    assert answer.status_code in (404, 422)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("token", ["wrong", "..%2F..%2Fetc", "%00", "a" * 5000])
def test_tokens_that_lead_nowhere(client: TestClient, token: str) -> None:
    for address in (f"/tiles/{token}/7/0_0.jpg", f"/view/{token}"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "Traceback" not in answer.text


def test_a_scene_is_gone_with_its_session(client: TestClient, kept: Sessions) -> None:
    token = kept.add("guest", fractalize(photo_crop(64), Tiling(4)))
    other = kept.add("other", fractalize(photo_crop(64), Tiling(4)))
    assert client.get(f"/view/{token}").status_code == 200
    kept.end("guest")
    for address in (f"/view/{token}", f"/tiles/{token}/6/0_0.jpg"):
        assert client.get(address).status_code == 404
    assert client.get(f"/view/{other}").status_code == 200


def test_the_viewer_comes_from_here(client: TestClient, kept: Sessions) -> None:
    token = kept.add("me", fractalize(photo_crop(64), Tiling(4)))
    page = client.get(f"/view/{token}")
    assert token in page.text
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    if STATIC.is_dir():
        assert client.get("/viewer/openseadragon/openseadragon.min.js").status_code == 200
    for trick in ("/viewer/../app.py", "/viewer/%2e%2e/app.py", "/viewer/..%2fapp.py"):
        assert "create_app" not in client.get(trick).text


def test_files_of_the_machine_are_not_served(client: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    for path in (str(secret), "/etc/passwd", "../../../etc/passwd", str(STATIC.parent / "app.py")):
        for address in (f"/gradio_api/file={path}", f"/file={path}"):
            answer = client.get(address)
            assert answer.status_code >= 400 or "secret" not in answer.text
            assert "root:" not in answer.text


def test_twenty_visitors_get_their_tiles_and_memory_stays(
    client: TestClient, kept: Sessions
) -> None:
    tokens = [kept.add(f"{n}", fractalize(photo_crop(128), Tiling(8))) for n in range(5)]

    def ask(number: int) -> int:
        level = 7 + number % 18
        most = (128 << (level - 7)) // 256
        place = f"{number * 7919 % max(1, most)}_{number * 104729 % max(1, most)}"
        return client.get(f"/tiles/{tokens[number % 5]}/{level}/{place}.jpg").status_code

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(200))) == {200}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert set(pool.map(ask, range(200, 600))) == {200}
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 100 << 10  # KiB


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_uploads_that_are_no_pictures_are_refused(tmp_path: Path, content: bytes) -> None:
    kept = Sessions()
    upload = tmp_path / "holiday.png"
    upload.write_bytes(content)
    with pytest.raises(ImageError) as error:
        work.uploaded(kept, "me", str(upload))
    assert "holiday.png" in str(error.value)
    assert str(tmp_path) not in str(error.value)
    with pytest.raises(ImageError, match="Upload a style first"):
        work.uploaded(kept, "me", None, "a style")
    kept.end("me")
    assert not upload.exists()
    kept.close()


def test_bombs_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_PIXELS", 1000)
    upload = tmp_path / "bomb.png"
    Image.new("RGB", (100, 11)).save(upload)
    kept = Sessions()
    with pytest.raises(ImageError, match=r"bomb\.png: 100 x 11 pixels"):
        work.uploaded(kept, "me", str(upload))
    kept.close()
