"""Large results are shown when their file is there, before all of it is decoded and measured."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

import neural_collage as nc
from neural_collage.web.tasks import encoding, images
from neural_collage.web.tasks.files import load_pixels, save_pixels
from neural_collage.web.tasks.worker import Context
from tests.pictures import photo_crop
from tests.web.visitor import Server, Visitor, error_of, wait_until

QUALITY: dict[str, Any] = {
    "quality": 50,
    "size": None,
    "psnr": None,
    "codec": "auto",
    "region": None,
}


class Listening(Context):
    """A context that looks at each part when it comes."""

    def __init__(self, out: Path) -> None:
        super().__init__(None, out)
        self.parts: list[Mapping[str, Any]] = []
        self.seen: list[bytes] = []

    def part(self, facts: Mapping[str, Any]) -> None:
        self.parts.append(facts)
        for region in (None, (30, 10, 60, 50)):
            self.seen.append(images.show(self, self.out, None, region, 1, "png")[0])


@pytest.fixture
def item(tmp_path: Path) -> Path:
    """An item with the pixels of a photo."""
    folder = tmp_path / "item"
    folder.mkdir()
    levels = (photo_crop(256, 0, 100).permute(1, 2, 0) * 255).round().byte().numpy()
    save_pixels(folder, levels[:200])
    return folder


def test_a_part_shows_the_reduced_picture_and_windows_of_the_whole(
    item: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_SHOWN_FIRST", 40_000)
    monkeypatch.setattr(encoding, "_OVERVIEW_SIDE", 128)
    context = Listening(tmp_path / "out")
    context.out.mkdir()
    facts = encoding.encode(context, item, "clg", **QUALITY)
    (part,) = context.parts
    assert "psnr" not in part
    assert {name: value for name, value in facts.items() if name != "psnr"} == part
    collage = nc.CollageImage.from_bytes((context.out / "source").read_bytes())
    whole, window = (np.asarray(Image.open(io.BytesIO(data))) for data in context.seen)
    half = np.asarray(collage.decode(0.5)).transpose(1, 2, 0) * 255
    assert whole.shape == (100, 128, 3)
    assert abs(whole - half).max() <= 0.51
    np.testing.assert_array_equal(window, load_pixels(context.out)[10:60, 30:90])
    np.testing.assert_array_equal(load_pixels(context.out), np.asarray(collage.to_pil()))
    later, _ = images.show(context, context.out, None, None, 1, "png")
    assert Image.open(io.BytesIO(later)).size == (256, 200)


def test_small_pictures_and_windows_come_at_once(item: Path, tmp_path: Path) -> None:
    context = Listening(tmp_path / "out")
    context.out.mkdir()
    encoding.encode(context, item, "clg", **{**QUALITY, "region": (8, 8, 64, 64)})
    assert context.parts == []


def large() -> bytes:
    """A photo of 6.3 megapixels."""
    tile = (photo_crop(250, 0, 100).permute(1, 2, 0) * 255).round().byte().numpy()
    pixels = np.tile(tile, (10, 10, 1)).astype(np.int16)
    pixels += np.random.default_rng(0).integers(-3, 4, pixels.shape, dtype=np.int16)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize((2520, 2500)).save(file, "JPEG")
    return file.getvalue()


def test_a_large_result_can_be_looked_at_and_saved_before_it_is_measured(visitor: Visitor) -> None:
    picture = visitor.open(large()).json()["id"]
    parts = []
    for kind, content in visitor.events(visitor.start("encode", picture, quality=20)):
        if kind == "part":
            parts.append(content["result"])
            address = f"/api/results/{parts[0]['id']}"
            assert max(visitor.pixels(f"{address}/image?max=2048").shape) in (1260, 2048)
            assert visitor.pixels(f"{address}/image?region=10,20,300,200").shape == (200, 300, 3)
            assert len(visitor.get(f"{address}/file").content) == parts[0]["bytes"]
            assert visitor.get(address).json()["name"] == "photo-q20.clg"
    assert len(parts) == 1
    whole = content["result"]
    assert kind == "done"
    assert "psnr" not in parts[0]
    assert whole["psnr"] > 20
    assert (whole["id"], whole["bytes"]) == (parts[0]["id"], parts[0]["bytes"])
    assert max(visitor.pixels(f"{address}/image?max=2048").shape) == 2048

    job = visitor.start("encode", picture, quality=30)
    for kind, content in visitor.events(job):
        if kind == "part":
            visitor.delete(f"/api/jobs/{job}")
            shown = content["result"]["id"]
    if kind == "stopped":  # it may have ended before
        wait_until(lambda: visitor.get(f"/api/results/{shown}").status_code == 410)


def test_a_result_that_is_not_decoded_yet_is_no_picture_to_work_on(
    server: Server, visitor: Visitor
) -> None:
    made = visitor.made("encode", visitor.picture(), quality=33)["id"]
    session = server.studio.sessions.find(visitor.cookies["collage_session"])
    assert session is not None
    session.items[made].complete = False
    answers = [
        visitor.post(f"/api/results/{made}/picture"),
        visitor.post("/api/jobs", json={"kind": "fractalize", "picture": made}),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert "try again" in error_of(answer)
    image = visitor.get(f"/api/results/{made}/image")
    assert image.headers["cache-control"] == "no-store"
    session.items[made].complete = True
    assert visitor.post(f"/api/results/{made}/picture").status_code == 200
