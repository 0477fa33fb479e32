"""Sessions: what they keep, the bounds of it, and that nothing is left of them."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")

from neural_collage.web.problems import StudioError
from neural_collage.web.sessions import Item, Limits, Session, Sessions
from neural_collage.web.tile_cache import Tiles


def add(sessions: Sessions, session: Session, data: bytes = b"1234") -> Item:
    item_id, folder = sessions.new_folder(session)
    (folder / "source").write_bytes(data)
    return sessions.add(session, Item(item_id, "picture", folder, {}, "source"))


def test_only_the_session_of_an_item_gives_access_to_it() -> None:
    sessions = Sessions()
    mine, other = sessions.begin(), sessions.begin()
    item = add(sessions, mine)
    assert sessions.item(mine, item.id) is item
    assert sessions.item(mine, item.id, "picture") is item
    assert len(item.id) >= 16
    wrong: tuple[object, ...] = ("", "x", item.id[:-1], item.id + "x", "../" + item.id, None, 7, [])
    for name in wrong:
        with pytest.raises(StudioError, match="no longer kept") as error:
            sessions.item(mine, name)
        assert error.value.status == 410
    for session, role in ((other, None), (mine, "result")):
        with pytest.raises(StudioError):
            sessions.item(session, item.id, role)
    sessions.close()


def test_the_oldest_items_are_dropped_beyond_the_limits() -> None:
    sessions = Sessions(Limits(items=3))
    session = sessions.begin()
    items = [add(sessions, session) for _ in range(3)]
    sessions.item(session, items[0].id)  # which makes it the latest
    items.append(add(sessions, session))
    assert list(session.items) == [items[2].id, items[0].id, items[3].id]
    assert not items[1].folder.exists()
    sessions.close()


def test_bytes_are_bounded() -> None:
    sessions = Sessions(Limits(bytes=1000))
    session = sessions.begin()
    for _ in range(10):
        add(sessions, session, bytes(300))
    assert session.bytes <= 1000
    assert sum(path.stat().st_size for path in session.folder.rglob("source")) == session.bytes
    sessions.close()


def test_nothing_is_left_of_a_session_that_ends() -> None:
    ended: list[Session] = []
    sessions = Sessions(on_end=ended.append)
    mine, other = sessions.begin(), sessions.begin()
    item, kept = add(sessions, mine), add(sessions, other)
    item_id, folder = sessions.new_folder(mine)
    sessions.end(mine)
    assert ended == [mine]
    assert not mine.folder.exists()
    assert sessions.find(mine.token) is None
    assert sessions.item(other, kept.id) is kept
    for action in (
        lambda: sessions.item(mine, item.id),
        lambda: sessions.new_folder(mine),
        lambda: sessions.add(mine, Item(item_id, "result", make(folder))),
    ):
        with pytest.raises(StudioError):
            action()
    assert not folder.exists()
    root = sessions.folder
    sessions.close()
    assert not root.exists()


def make(folder: Path) -> Path:
    """The folder of a job that ends after its session."""
    folder.mkdir(parents=True)
    (folder / "source").write_bytes(b"late")
    return folder


def test_the_visitor_who_was_away_longest_makes_room() -> None:
    sessions = Sessions(Limits(sessions=2))
    first, second = sessions.begin(), sessions.begin()
    second.alive = 1
    third = sessions.begin()
    assert first.ended
    third.alive = 1
    with pytest.raises(StudioError, match="too many visitors"):
        sessions.begin()
    sessions.close()


def test_idle_sessions_end_unless_a_page_is_open() -> None:
    sessions = Sessions(Limits(idle=10))
    open_page, away, recent = (sessions.begin() for _ in range(3))
    open_page.alive = 1
    for session in (open_page, away):
        session.seen -= 11
    sessions.end_idle()
    assert [s.ended for s in (open_page, away, recent)] == [False, True, False]
    sessions.close()


def test_tiles_are_kept_up_to_a_number_of_bytes() -> None:
    tiles = Tiles(most=100)
    for number in range(10):
        tiles.put(("me", number), bytes(30))
        tiles.get(("me", 0))
    assert [number for number in range(10) if tiles.get(("me", number))] == [0, 8, 9]
    tiles.put(("you", 0), bytes(30))
    tiles.forget("me")
    assert tiles.get(("me", 9)) is None
    assert tiles.get(("you", 0)) == bytes(30)
    tiles.put(("you", 1), bytes(101))
    assert tiles.get(("you", 1)) is None
