"""Jobs: their events, stops and failures, and that visitors do not wait for each other."""

import json
import os
import signal
import threading

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

import httpx

from neural_collage.io.writing import to_pil
from neural_collage.web.sessions import Limits
from neural_collage.web.studio import Settings
from tests.pictures import texture
from tests.web.visitor import Server, Visitor, error_of, photo, serving, wait_until


def slow(visitor: Visitor, **query: str) -> str:
    """The id of a running job of the large lane that takes seconds."""
    picture = visitor.picture(to_pil(texture(700, 700, 3)))
    return visitor.start("encode", picture, codec="fractal", **query)


def wait_for_start(visitor: Visitor, job: str) -> None:
    assert next(kind for kind, _ in visitor.events(job) if kind != "queued") == "progress"


def test_events_end_with_the_result(visitor: Visitor) -> None:
    job = visitor.start("encode", visitor.picture(), quality=40)
    events = list(visitor.events(job))
    kinds = [kind for kind, _ in events]
    assert kinds[-1] == "done"
    assert set(kinds[:-1]) <= {"queued", "progress", "part"}
    shares = [content["share"] for kind, content in events if kind == "progress"]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    again = list(visitor.events(job))
    assert again[-1] == events[-1]


def test_the_same_job_is_not_done_twice(visitor: Visitor) -> None:
    picture = visitor.picture()
    first = visitor.made("encode", picture, quality=40)
    assert visitor.made("encode", picture, quality=40)["id"] == first["id"]
    assert visitor.made("encode", picture, quality=41)["id"] != first["id"]
    visitor.delete(f"/api/results/{first['id']}")
    assert visitor.made("encode", picture, quality=40)["id"] != first["id"]


def test_a_stop_in_the_middle_ends_the_job_and_frees_its_process(visitor: Visitor) -> None:
    """Review: Stop took 116 s, and was shown as an error."""
    job = slow(visitor)
    wait_for_start(visitor, job)
    assert visitor.delete(f"/api/jobs/{job}").status_code == 204
    assert visitor.end_of(job) == ("stopped", {})
    after = visitor.start("encode", visitor.picture(to_pil(texture(500, 500, 3))), size=9000)
    assert visitor.end_of(after)[0] == "done"
    assert visitor.delete(f"/api/jobs/{job}").status_code == 204  # a second time changes nothing


def test_a_job_that_waits_says_how_many_are_before_it_and_can_be_stopped(
    server: Server, visitor: Visitor
) -> None:
    with server.visitor() as other:
        first = slow(other)
        wait_for_start(other, first)
        waiting = slow(visitor)
        kind, content = next(visitor.events(waiting))
        assert (kind, content) == ("queued", {"before": 0})
        visitor.delete(f"/api/jobs/{waiting}")
        assert visitor.end_of(waiting) == ("stopped", {})
        other.delete(f"/api/jobs/{first}")


def test_a_small_job_does_not_wait_for_the_large_one_of_another(
    server: Server, visitor: Visitor
) -> None:
    """Review: a small photo waited 115 s for the 24 megapixels of another visitor."""
    with server.visitor() as other:
        large = slow(other)
        wait_for_start(other, large)
        small = visitor.made("encode", visitor.picture(photo(256)))
        assert small["bytes"] > 0
        found = next(j for j in server.studio.jobs._jobs.values() if j.id == large)
        assert not found.ended
        other.delete(f"/api/jobs/{large}")


def test_visitors_take_turns(server: Server, visitor: Visitor) -> None:
    """One who asks for much does not keep others waiting until all of it is done."""
    with server.visitor() as greedy:
        picture = greedy.picture(photo(64))
        many = [greedy.start("encode", picture, str(n), quality=n) for n in range(1, 30)]
        visitor.made("encode", visitor.picture(photo(64)))
        jobs = server.studio.jobs
        session = next(j.session for j in jobs._jobs.values() if j.id == many[0])
        assert not all(job.ended for job in jobs._jobs.values() if job.session is session)


def test_a_killed_process_is_said_and_replaced(server: Server, visitor: Visitor) -> None:
    job = slow(visitor)
    wait_for_start(visitor, job)
    pid = server.studio.large.workers[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    kind, content = visitor.end_of(job)
    assert kind == "failed"
    assert "out of memory" in content["error"]
    picture = visitor.picture(to_pil(texture(500, 500, 3)))
    assert visitor.made("encode", picture, size=9000)["bytes"] <= 9000
    assert server.studio.large.workers[0].pid != pid


def test_a_new_job_of_the_same_kind_replaces_the_old_one(visitor: Visitor) -> None:
    first = slow(visitor)
    wait_for_start(visitor, first)
    second = slow(visitor)
    assert visitor.end_of(first)[0] == "stopped"
    visitor.delete(f"/api/jobs/{second}")


def test_two_tabs_of_one_visitor_share_pictures_and_keep_their_jobs(
    server: Server, visitor: Visitor
) -> None:
    with Visitor(server.address) as tab:
        tab.cookies = visitor.cookies
        picture = visitor.picture(photo(256))
        one = visitor.start("encode", picture, "one", quality=50)
        two = tab.start("encode", picture, "two", quality=60)
        window = tab.start("encode", picture, "two", quality=60, region=[0, 0, 64, 64])
        assert visitor.end_of(one)[0] == "done"
        assert tab.end_of(two)[0] == "done"
        assert tab.end_of(window)[1]["result"]["width"] == 64


def test_a_session_that_ends_takes_its_jobs_and_files_along(server: Server) -> None:
    with server.visitor() as visitor:
        job = slow(visitor)
        wait_for_start(visitor, job)
        session = server.studio.sessions.find(visitor.cookies["collage_session"])
        assert session is not None
        server.studio.sessions.end(session)
        assert not session.folder.exists()
        answer = visitor.get(f"/api/jobs/{job}/events")
        assert answer.status_code == 410
        assert answer.json()["gone"] is True


@pytest.mark.parametrize("cookie", ["", "unknown", "x" * 5000, "../../etc"])
def test_after_a_restart_the_page_is_told_that_its_session_is_gone(
    server: Server, cookie: str
) -> None:
    """Review: a restart reset the page silently."""
    with Visitor(server.address) as visitor:
        visitor.cookies.set("collage_session", cookie)
        for method, address in (
            ("GET", "/api/pictures/abc/image"),
            ("GET", "/api/results/abc/file"),
            ("GET", "/api/jobs/abc/events"),
            ("GET", "/tiles/abc/8/0_0.jpg"),
            ("POST", "/api/jobs"),
            ("DELETE", "/api/results/abc"),
        ):
            answer = visitor.request(method, address)
            assert answer.status_code == 410, address
            assert answer.json()["gone"] is True
            error_of(answer)


def test_sessions_end_when_their_pages_are_closed() -> None:
    settings = Settings(prepare=False, limits=Limits(idle=1.0))
    with serving(settings) as server, server.visitor() as visitor:
        session = server.studio.sessions.find(visitor.cookies["collage_session"])
        assert session is not None
        beat = threading.Event()

        def keep_alive() -> None:
            with httpx.stream(
                "GET", f"{server.address}/api/alive", cookies=visitor.cookies, timeout=60
            ) as stream:
                for _ in stream.iter_lines():
                    beat.set()
                    if closed.wait(3):
                        return

        closed = threading.Event()
        reader = threading.Thread(target=keep_alive)
        reader.start()
        assert beat.wait(60)
        assert session.alive == 1
        assert not closed.wait(2)
        assert not session.ended
        closed.set()
        reader.join()
        wait_until(lambda: session.ended)
        assert not session.folder.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b'"x"', b"[" * 100_000, b"\xff"])
def test_bodies_that_are_no_job_are_refused(visitor: Visitor, body: bytes) -> None:
    answer = visitor.post("/api/jobs", content=body)
    assert answer.status_code == 400
    error_of(answer)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "50", [], {}, True, 1e300, -1])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("encode", "quality"),
        ("encode", "size"),
        ("encode", "psnr"),
        ("fractalize", "scale"),
        ("restore", "noise"),
        ("draw", "seed"),
    ],
)
def test_numbers_that_are_none_are_refused_in_words(
    visitor: Visitor, kind: str, name: str, value: object
) -> None:
    """Review: a huge seed said "Overflow when unpacking long long"."""
    text = visitor.refused(kind, visitor.picture(photo(16)), **{name: value})
    assert name in text


def test_unknown_kinds_settings_and_pictures_are_refused(visitor: Visitor) -> None:
    picture = visitor.picture(photo(16))
    assert "choose one of" in visitor.refused("explode", picture)
    assert "choose one of" in visitor.refused(["encode"], picture)
    assert "has no setting" in visitor.refused("encode", picture, speed=3)
    assert "one of quality, size" in visitor.refused("encode", picture, quality=3, size=100)
    for wrong in ("no such id", None, 7, ["a"]):
        answer = visitor.post("/api/jobs", json={"kind": "encode", "picture": wrong})
        assert answer.status_code == 410
    answer = visitor.post(
        "/api/jobs", json={"kind": "stylize", "picture": picture, "settings": {"style": "none"}}
    )
    assert answer.status_code == 410
    assert json.loads(answer.text)["error"]


def test_a_picture_of_one_pixel_is_compressed(visitor: Visitor) -> None:
    """Review: 1x1 showed "PSNR inf dB"."""
    picture = visitor.picture(Image.new("RGB", (1, 1), (9, 99, 199)))
    result = visitor.made("encode", picture, quality=100)
    assert result["psnr"] is None or result["psnr"] > 20
    assert visitor.pixels(f"/api/results/{result['id']}/image").shape == (1, 1, 3)
    assert visitor.made("score", result["id"])["ssimulacra2"] is None
    for kind in ("fractalize", "scene"):
        visitor.made(kind, picture)


def test_no_files_are_left_of_jobs_that_failed(server: Server, visitor: Visitor) -> None:
    picture = visitor.picture(photo(64))
    session = server.studio.sessions.find(visitor.cookies["collage_session"])
    assert session is not None
    before = set(session.folder.iterdir())
    kind, content = visitor.end_of(visitor.start("encode", picture, format="jpeg", size=10))
    assert kind == "failed"
    assert "as small as 10 bytes" in content["error"]
    assert set(session.folder.iterdir()) == before
