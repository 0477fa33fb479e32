"""Pictures of visitors: what is accepted, what is refused and how, and what they look like."""

import io
import socket
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

import neural_collage as nc
from neural_collage.web.studio import Settings
from tests.web.visitor import Server, Visitor, encoded, error_of, photo, png, serving, wait_until


def test_a_picture_is_opened_shown_and_handed_back(visitor: Visitor) -> None:
    image = photo()
    data = encoded(image, "JPEG", quality=95)
    facts = visitor.open(data, "photo.jpg").json()
    assert facts | {"id": ""} == {
        "id": "",
        "name": "photo.jpg",
        "kind": "picture",
        "width": 128,
        "height": 128,
        "alpha": False,
        "bytes": len(data),
        "notes": [],
    }
    address = f"/api/pictures/{facts['id']}"
    np.testing.assert_array_equal(
        visitor.pixels(f"{address}/image"), np.asarray(Image.open(io.BytesIO(data)))
    )
    file = visitor.get(f"{address}/file")
    assert file.content == data
    assert "photo.jpg" in file.headers["content-disposition"]
    assert visitor.delete(address).status_code == 204
    assert visitor.get(f"{address}/image").status_code == 410


def test_a_part_of_a_picture_has_its_pixels(visitor: Visitor) -> None:
    image = photo()
    address = f"/api/pictures/{visitor.picture(image)}/image"
    part = visitor.pixels(f"{address}?region=10,20,30,40")
    np.testing.assert_array_equal(part, np.asarray(image)[20:60, 10:40])
    doubled = visitor.pixels(f"{address}?region=10,20,30,40&scale=2")
    np.testing.assert_array_equal(doubled, part.repeat(2, 0).repeat(2, 1))
    for form in ("png", "webp"):
        same = visitor.pixels(f"{address}?region=10,20,30,40&form={form}")
        np.testing.assert_array_equal(same, part)
    assert visitor.pixels(f"{address}?max=32").shape == (32, 32, 3)
    assert visitor.pixels(f"{address}?scale=0.5").shape == (64, 64, 3)


@pytest.mark.parametrize(
    "query",
    [
        "region=1,2,3",
        "region=a,b,c,d",
        "region=500,0,10,10",
        "region=-1,0,5,5",
        "scale=nan",
        "scale=inf",
        "scale=0",
        "scale=-1",
        "scale=1e9",
        "max=x",
        "form=exe",
        "region=0,0,128,128&scale=64",
    ],
)
def test_addresses_out_of_range_are_refused(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/api/pictures/{visitor.picture()}/image?{query}")
    assert answer.status_code == 400
    error_of(answer)


@pytest.mark.parametrize(
    "data",
    [b"this is no picture, whatever its name says", b"\x89PNG\r\n\x1a\n" + bytes(50), b"\x89CLG!"],
)
def test_what_is_no_picture_is_refused_in_words(visitor: Visitor, data: bytes) -> None:
    """Review: a text named .png showed an internal error, and Restore made a white canvas of it."""
    answer = visitor.open(data, "holiday.png")
    assert answer.status_code == 415
    assert "holiday.png" in error_of(answer)


def test_an_empty_file_is_refused(visitor: Visitor) -> None:
    answer = visitor.open(b"", "holiday.png")
    assert answer.status_code == 415
    assert "empty" in error_of(answer)


def test_heic_is_read_or_refused_in_words(visitor: Visitor) -> None:
    """Review: HEIC showed an internal error."""
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)
    answer = visitor.open(heic, "IMG_0001.HEIC")
    assert answer.status_code == 415
    assert "IMG_0001.HEIC" in error_of(answer)


def test_pictures_above_the_limit_are_offered_reduced() -> None:
    """Review: 54 megapixels were refused, or took minutes."""
    settings = Settings(prepare=False, pixels=10_000, offer_pixels=6_000)
    with serving(settings) as server, server.visitor() as visitor:
        data = png(photo(128))
        answer = visitor.open(data, "large.png")
        assert answer.status_code == 413
        assert answer.json()["offer"] == {"width": 64, "height": 64}
        assert "128 x 128" in error_of(answer)
        facts = visitor.open(data, "large.png", reduce="1").json()
        assert (facts["width"], facts["height"]) == (64, 64)
        assert facts["notes"] == ["reduced from 128 x 128 pixels"]
        blocks = np.asarray(photo(128), float).reshape(64, 2, 64, 2, 3).mean((1, 3))
        shown = visitor.pixels(f"/api/pictures/{facts['id']}/image")
        assert abs(shown - blocks).max() <= 1
        jpeg = encoded(photo(128), "JPEG", quality=95)
        facts = visitor.open(jpeg, "large.jpg", reduce="1").json()
        assert (facts["width"], facts["height"]) == (64, 64)
        shown = visitor.pixels(f"/api/pictures/{facts['id']}/image")
        assert abs(shown - blocks).mean() < 4


def test_files_above_the_limit_are_refused_while_they_arrive() -> None:
    with (
        serving(replace(Settings(prepare=False), upload=1 << 20)) as server,
        server.visitor() as visitor,
    ):
        answer = visitor.open(bytes(2 << 20))
        assert answer.status_code == 413
        assert "offer" not in answer.json()

        def chunks() -> object:
            for _ in range(40):
                yield bytes(1 << 16)

        answer = visitor.post("/api/pictures?name=a.png", content=chunks())  # type: ignore[arg-type]
        assert answer.status_code == 413
        house = server.studio.gallery.house.folder
        assert not [
            p for p in server.studio.sessions.folder.rglob("source") if house not in p.parents
        ]


def test_nothing_is_left_of_an_upload_that_breaks_off(server: Server, visitor: Visitor) -> None:
    """A file that changes meanwhile is not sent to its end by browsers."""
    session = server.studio.sessions.find(visitor.cookies["collage_session"])
    assert session is not None
    host, port = server.address.removeprefix("http://").split(":")
    head = (
        "POST /api/pictures?name=a.png HTTP/1.1\r\nHost: x\r\nX-Collage: 1\r\n"
        f"Cookie: collage_session={session.token}\r\nContent-Length: 100000\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + png(photo(16))[:50])
        wait_until(lambda: any(session.folder.iterdir()))
    wait_until(lambda: not any(session.folder.iterdir()))
    assert visitor.picture(photo(16))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\a.png", "a.png"),
        ('<script>alert("x")</script>.png', "script>.png"),
        ('it\'s "quoted".png', 'it\'s "quoted".png'),
        ("дом на море 写真.png", "дом на море 写真.png"),
        ("a\r\nSet-Cookie: x=y.png", "aSet-Cookie: x=y.png"),
        ("", "picture"),
        ("..", "picture"),
        ("x" * 300 + ".png", "x" * 140 + ".png"),
    ],
)
def test_any_name_is_safe(visitor: Visitor, name: str, shown: str) -> None:
    facts = visitor.open(png(photo(32)), name).json()
    assert facts["name"] == shown
    file = visitor.get(f"/api/pictures/{facts['id']}/file")
    disposition = file.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=")
    assert disposition.isascii()
    assert "set-cookie" not in file.headers


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "CMYK", "I;16"])
def test_pictures_of_all_modes_are_opened(visitor: Visitor, mode: str) -> None:
    image = photo(40).convert("RGB") if mode in ("CMYK", "P") else photo(40).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    form = "TIFF" if mode == "CMYK" else "PNG"
    picture = visitor.open(encoded(image if mode == "I;16" else image.convert(mode), form))
    assert picture.status_code == 200, picture.text
    assert picture.json()["alpha"] == (mode in ("LA", "RGBA"))
    shown = visitor.pixels(f"/api/pictures/{picture.json()['id']}/image")
    assert shown.shape[:2] == (40, 40)


def test_lost_frames_are_said(visitor: Visitor) -> None:
    """Review: a GIF lost its frames without a word."""
    frames = [photo(32), photo(32).rotate(90)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert "only the first is used" in visitor.open(data, "a.gif").json()["notes"][0]


def test_a_collage_file_is_opened_decoded_and_enlarged(visitor: Visitor) -> None:
    data = nc.compress(photo(), quality=60)
    facts = visitor.open(data, "photo.clg").json()
    assert facts["kind"] == "clg"
    address = f"/api/pictures/{facts['id']}"
    expected = np.asarray(nc.CollageImage.from_bytes(data).to_pil())
    np.testing.assert_array_equal(visitor.pixels(f"{address}/image"), expected)
    enlarged = visitor.pixels(f"{address}/image?scale=2&region=16,16,32,32")
    reference = nc.CollageImage.from_bytes(data).to_pil(2, (32, 32, 64, 64))
    assert abs(enlarged.astype(int) - np.asarray(reference)).max() <= 1
    assert visitor.get(f"{address}/file").content == data


def test_items_belong_to_their_session(server: Server, visitor: Visitor) -> None:
    picture = visitor.picture()
    with server.visitor() as other:
        for address in (f"/api/pictures/{picture}/image", f"/api/pictures/{picture}/file"):
            answer = other.get(address)
            assert answer.status_code == 410
            assert answer.json()["gone"] is True
        assert other.delete(f"/api/pictures/{picture}").status_code == 410
    assert visitor.get(f"/api/pictures/{picture}/image").status_code == 200


def test_requests_of_other_sites_are_refused(visitor: Visitor) -> None:
    picture = visitor.picture()
    for method, address in (
        ("POST", "/api/pictures?name=a.png"),
        ("POST", "/api/examples/cat"),
        ("POST", "/api/jobs"),
        ("DELETE", f"/api/pictures/{picture}"),
        ("POST", f"/api/results/{picture}/picture"),
    ):
        answer = visitor.request(method, address, headers={"X-Collage": "0"}, content=b"{}")
        assert answer.status_code == 403
        error_of(answer)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server) -> None:
    with Visitor(server.address) as visitor:
        cookie = visitor.get("/api/about").headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "set-cookie" not in visitor.get("/api/about").headers
