"""Sessions of visitors of the studio: their scenes, cached tiles and files.

A scene is accessed by an unguessable token. Scenes and files are removed when their session ends.
The numbers of scenes and tiles are bounded; the oldest are evicted.
"""

import secrets
import shutil
import tempfile
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Semaphore

from jaxtyping import Float
from torch import Tensor

from neural_collage.art.zoom import Scene, View, look
from neural_collage.errors import CollageError
from neural_collage.io.writing import image_bytes, to_pil
from neural_collage.web.tiles import tile

SCENES_OF_ONE = 4
"""Limit on the scenes of a session."""
SCENES_IN_ALL = 64
"""Limit on the scenes of all sessions together."""
_TILES = 512  # cached of a scene
_RENDERING = Semaphore(2)  # bounds the memory of tiles rendered in parallel
_UPLOAD_SECONDS = 5  # in which an upload may not have been added to its session yet


class StoppedError(CollageError):
    """The visitor stopped the job."""


@dataclass
class SessionScene:
    """A scene of a session and a cache of its tiles, least recently used first."""

    scene: Scene
    owner: str
    lock: Lock = field(default_factory=Lock)
    tiles: OrderedDict[tuple[int, int, int], bytes] = field(default_factory=OrderedDict)

    def tile(self, level: int, column: int, row: int) -> bytes:
        """The bytes of a tile as JPEG; raises CollageError if it does not exist."""
        key = level, column, row
        with self.lock:  # decoders cache canvases and are not thread-safe
            if key in self.tiles:
                self.tiles.move_to_end(key)
                return self.tiles[key]
            with _RENDERING:
                pixels = tile(self.scene, level, column, row)
            data = image_bytes(to_pil(pixels[:3] if len(pixels) > 2 else pixels[:1]), ".jpg")
            self.tiles[key] = data
            while len(self.tiles) > _TILES:
                self.tiles.popitem(last=False)
            return data

    def look(self, view: View, width: int, height: int) -> Float[Tensor, "c h w"]:
        """A view of the scene, see `art.zoom.look`."""
        with self.lock, _RENDERING:
            return look(self.scene, view, width, height)


class Sessions:
    """Scenes by token, and the files of each session.

    uploads: the folder of uploads, in which files are written, too. It is emptied when the last
        session ends.
    """

    def __init__(self, uploads: Path | None = None) -> None:
        self._uploads = uploads
        self._folder = Path(tempfile.mkdtemp(prefix="collage-", dir=uploads))
        self._scenes: OrderedDict[str, SessionScene] = OrderedDict()
        self._files: dict[str, set[Path]] = {}
        self._stopped: set[str] = set()
        self._lock = Lock()

    def add(self, owner: str, scene: Scene) -> str:
        """Add a scene to a session; returns its token."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            own = [key for key, entry in self._scenes.items() if entry.owner == owner]
            for key in own[: max(0, len(own) - SCENES_OF_ONE + 1)]:
                del self._scenes[key]
            while len(self._scenes) >= SCENES_IN_ALL:
                self._scenes.popitem(last=False)
            self._scenes[token] = SessionScene(scene, owner)
        return token

    def get(self, token: str) -> SessionScene:
        """The scene of a token; raises CollageError if there is none, or its session has ended."""
        with self._lock:
            entry = self._scenes.get(token)
        if entry is None:
            raise CollageError("there is no such picture, or its session has ended: make it again")
        return entry

    def write_file(self, owner: str, name: str, data: bytes) -> str:
        """Write a file for download and add it to a session; returns its path."""
        folder = self._folder / secrets.token_urlsafe(12)
        folder.mkdir()
        path = folder / Path(name).name
        path.write_bytes(data)
        self.add_file(owner, path)
        return str(path)

    def add_file(self, owner: str, path: Path) -> None:
        """Add a file to a session, with whose end it is removed."""
        with self._lock:
            self._files.setdefault(owner, set()).add(path)

    def begin(self, owner: str) -> None:
        """Begin a job: clear the request to stop an earlier one."""
        with self._lock:
            self._stopped.discard(owner)

    def stop(self, owner: str) -> None:
        """Request the job of a session to stop."""
        with self._lock:
            self._stopped.add(owner)

    def check(self, owner: str) -> None:
        """Raise StoppedError if the job of a session was requested to stop."""
        with self._lock:
            if owner in self._stopped:
                raise StoppedError("the job was stopped")

    def end(self, owner: str) -> None:
        """End a session: drop its scenes, remove its files and stop its job."""
        with self._lock:
            self._stopped.add(owner)
            for token in [t for t, entry in self._scenes.items() if entry.owner == owner]:
                del self._scenes[token]
            files = self._files.pop(owner, set())
            if self._uploads and not self._files and not self._scenes:
                files |= _older(self._uploads, _UPLOAD_SECONDS)  # layers of the picture editor
        for path in files:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all scenes and files."""
        with self._lock:
            self._scenes.clear()
            files = set().union(*self._files.values())
            self._files.clear()
        for path in files:
            path.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _older(folder: Path, seconds: float) -> set[Path]:
    """Files last written more than some seconds ago."""
    limit = time.time() - seconds
    return {p for p in folder.rglob("*") if p.is_file() and p.stat().st_mtime < limit}
