"""Sessions of visitors: what they opened and made, in folders of their own, until they leave.

A session is known by a cookie, an item by an unguessable id that counts within its session alone.
The number of items and their bytes are bounded; the oldest are dropped.
"""

import secrets
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

from neural_collage.web.problems import StudioError, gone


@dataclass(frozen=True)
class Limits:
    """What visitors may keep.

    items, bytes: of a session. sessions: of all visitors. idle: seconds after which a session ends
    whose pages are all closed.
    """

    items: int = 200
    bytes: int = 2 << 30
    sessions: int = 200
    idle: float = 60.0


@dataclass
class Item:
    """A picture that was opened, or a result.

    role: "picture" or "result". facts: what the page is told of it. folder: of its files.
    file: the name of the one to download, in the folder. download: its name for visitors.
    content: equal for items of equal pixels; the id if nothing is known. complete: whether its job
    has ended.
    """

    id: str
    role: str
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    file: str | None = None
    download: str = "picture.png"
    bytes: int = 0
    content: str = ""
    complete: bool = True

    @property
    def pixels(self) -> int:
        return int(self.facts.get("width", 0)) * int(self.facts.get("height", 0))


class Session:
    """One visitor."""

    def __init__(self, token: str, folder: Path) -> None:
        self.token = token
        self.folder = folder
        self.items: OrderedDict[str, Item] = OrderedDict()
        self.made: dict[str, str] = {}
        self.alive = 0
        self.seen = time.monotonic()
        self.ended = False

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items.values())


class Sessions:
    """All sessions, by token; thread-safe.

    on_end: called with a session that has ended.
    """

    def __init__(
        self, limits: Limits = Limits(), on_end: Callable[[Session], None] | None = None
    ) -> None:
        self.limits = limits
        self.on_end = on_end
        self._folder = Path(tempfile.mkdtemp(prefix="collage-studio-"))
        self._sessions: dict[str, Session] = {}
        self._lock = RLock()

    @property
    def folder(self) -> Path:
        """The folder of all files."""
        return self._folder

    def begin(self) -> Session:
        """A new session; that of the visitor who was away longest ends if there are too many."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            if len(self._sessions) >= self.limits.sessions:
                away = [s for s in self._sessions.values() if not s.alive]
                if not away:
                    raise StudioError("too many visitors: try again in a minute", 503)
                self.end(min(away, key=lambda session: session.seen))
            folder = self._folder / secrets.token_hex(8)
            folder.mkdir()
            session = self._sessions[token] = Session(token, folder)
        return session

    def find(self, token: str | None) -> Session | None:
        """The session of a cookie."""
        with self._lock:
            session = self._sessions.get(token or "")
            if session is not None:
                session.seen = time.monotonic()
            return session

    def new_folder(self, session: Session) -> tuple[str, Path]:
        """An id and an empty folder for an item."""
        item_id = secrets.token_urlsafe(12)
        folder = session.folder / secrets.token_hex(8)
        with self._lock:
            if session.ended:
                raise gone("this session")
            folder.mkdir()
        return item_id, folder

    def add(self, session: Session, item: Item) -> Item:
        """Keep an item; the oldest of the session are dropped beyond its limits.

        Raises:
            StudioError: the session has ended; the files of the item are removed.
        """
        item.bytes = size_of(item.folder)
        item.facts["id"] = item.id
        item.content = item.content or item.id
        with self._lock:
            if session.ended:
                shutil.rmtree(item.folder, ignore_errors=True)
                raise gone("this session")
            session.items[item.id] = item
            limits = self.limits
            while len(session.items) > limits.items or (
                session.bytes > limits.bytes and len(session.items) > 2
            ):
                self.drop(session, next(iter(session.items)))
        return item

    def item(self, session: Session, item_id: Any, role: str | None = None) -> Item:
        """An item of a session, which is kept longer for it; raises StudioError (410)."""
        with self._lock:
            item = session.items.get(item_id) if isinstance(item_id, str) else None
            if item is None or (role is not None and item.role != role):
                raise gone("this picture")
            session.items.move_to_end(item.id)
            return item

    def drop(self, session: Session, item_id: str) -> None:
        """Forget an item and remove its files."""
        with self._lock:
            item = session.items.pop(item_id, None)
            session.made = {key: made for key, made in session.made.items() if made != item_id}
        if item is not None:
            shutil.rmtree(item.folder, ignore_errors=True)

    def end(self, session: Session) -> None:
        """End a session and remove its files."""
        with self._lock:
            self._sessions.pop(session.token, None)
            session.ended = True
            session.items.clear()
            session.made.clear()
        shutil.rmtree(session.folder, ignore_errors=True)
        if self.on_end is not None:
            self.on_end(session)

    def end_idle(self) -> None:
        """End the sessions whose pages have been closed for a while."""
        now = time.monotonic()
        with self._lock:
            idle = [
                session
                for session in self._sessions.values()
                if not session.alive and now - session.seen > self.limits.idle
            ]
        for session in idle:
            self.end(session)

    def close(self) -> None:
        """End all sessions and remove all files."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            self.end(session)
        shutil.rmtree(self._folder, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
