"""Tiles that were rendered, kept for the next look."""

import threading
from collections import OrderedDict
from typing import Any

_MOST = 64 << 20


class Tiles:
    """Rendered tiles, bounded in bytes, the least recently used dropped first."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._bytes = most, 0
        self._tiles: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> bytes | None:
        with self._lock:
            data = self._tiles.get(key)
            if data is not None:
                self._tiles.move_to_end(key)
            return data

    def put(self, key: tuple[Any, ...], data: bytes) -> None:
        with self._lock:
            self._bytes += len(data) - len(self._tiles.pop(key, b""))
            self._tiles[key] = data
            while self._bytes > self._most:
                _, dropped = self._tiles.popitem(last=False)
                self._bytes -= len(dropped)

    def forget(self, owner: str) -> None:
        """Drop the tiles of a session, whose token keys begin with."""
        with self._lock:
            for key in [key for key in self._tiles if key[0] == owner]:
                self._bytes -= len(self._tiles.pop(key))
