"""What each visitor of the studio has made, and that nobody else sees it.

A scene is reached by a token that cannot be guessed, and is gone with the session that made it, as
are its files. Both scenes and tiles are bounded in number; the oldest give way.
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
"""Scenes that a session keeps."""
SCENES_IN_ALL = 64
"""Scenes of all sessions together."""
_TILES = 512  # that are kept of a scene
_AT_ONCE = Semaphore(2)  # tiles are made, whoever asks: memory stays flat


_JUST_NOW = 5  # seconds in which an upload becomes one of a session


class StoppedError(CollageError):
    """The visitor asked for work to stop."""


@dataclass
class Shown:
    """A scene and the tiles of it that were seen last."""

    scene: Scene
    owner: str
    lock: Lock = field(default_factory=Lock)
    tiles: OrderedDict[tuple[int, int, int], bytes] = field(default_factory=OrderedDict)

    def tile(self, level: int, column: int, row: int) -> bytes:
        """A tile as a JPEG file; raises CollageError if there is none."""
        place = level, column, row
        with self.lock:  # the decoder keeps what it solved: one at a time
            if place in self.tiles:
                self.tiles.move_to_end(place)
                return self.tiles[place]
            with _AT_ONCE:
                pixels = tile(self.scene, level, column, row)
            data = image_bytes(to_pil(pixels[:3] if len(pixels) > 2 else pixels[:1]), ".jpg")
            self.tiles[place] = data
            while len(self.tiles) > _TILES:
                self.tiles.popitem(last=False)
            return data

    def look(self, view: View, width: int, height: int) -> Float[Tensor, "c h w"]:
        """A view of the scene, see `art.zoom.look`."""
        with self.lock, _AT_ONCE:
            return look(self.scene, view, width, height)


class Sessions:
    """Scenes by token, and the files of each session.

    uploads: a folder in which uploads lie; files are written there, too. When the last session
        ends, it is emptied.
    """

    def __init__(self, uploads: Path | None = None) -> None:
        self._uploads = uploads
        self._folder = Path(tempfile.mkdtemp(prefix="collage-", dir=uploads))
        self._scenes: OrderedDict[str, Shown] = OrderedDict()
        self._files: dict[str, set[Path]] = {}
        self._stopped: set[str] = set()
        self._lock = Lock()

    def add(self, owner: str, scene: Scene) -> str:
        """Keep a scene of a session; the token that shows it."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            own = [known for known, shown in self._scenes.items() if shown.owner == owner]
            for known in own[: max(0, len(own) - SCENES_OF_ONE + 1)]:
                del self._scenes[known]
            while len(self._scenes) >= SCENES_IN_ALL:
                self._scenes.popitem(last=False)
            self._scenes[token] = Shown(scene, owner)
        return token

    def get(self, token: str) -> Shown:
        """The scene of a token; raises CollageError if there is none (any more)."""
        with self._lock:
            shown = self._scenes.get(token)
        if shown is None:
            raise CollageError("there is no such picture, or its session is over: make it again")
        return shown

    def file(self, owner: str, name: str, data: bytes) -> str:
        """Write a file of a session for download; its path."""
        folder = self._folder / secrets.token_urlsafe(12)
        folder.mkdir()
        path = folder / Path(name).name
        path.write_bytes(data)
        self.remember(owner, path)
        return str(path)

    def remember(self, owner: str, path: Path) -> None:
        """Remove a file when the session ends."""
        with self._lock:
            self._files.setdefault(owner, set()).add(path)

    def begin(self, owner: str) -> None:
        """New work begins, and shall not stop."""
        with self._lock:
            self._stopped.discard(owner)

    def stop(self, owner: str) -> None:
        """Ask what a session is working at to stop."""
        with self._lock:
            self._stopped.add(owner)

    def check(self, owner: str) -> None:
        """Raise StoppedError if the session asked for that."""
        with self._lock:
            if owner in self._stopped:
                raise StoppedError("stopped")

    def end(self, owner: str) -> None:
        """A session is over: forget its scenes and remove its files."""
        with self._lock:
            self._stopped.add(owner)
            for token in [t for t, shown in self._scenes.items() if shown.owner == owner]:
                del self._scenes[token]
            files = self._files.pop(owner, set())
            if self._uploads and not self._files and not self._scenes:
                files |= _older(self._uploads, _JUST_NOW)  # parts of what an editor sent
        for path in files:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            self._scenes.clear()
            files = set().union(*self._files.values())
            self._files.clear()
        for path in files:
            path.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _older(folder: Path, seconds: float) -> set[Path]:
    """Files that were written before."""
    before = time.time() - seconds
    return {p for p in folder.rglob("*") if p.is_file() and p.stat().st_mtime < before}
