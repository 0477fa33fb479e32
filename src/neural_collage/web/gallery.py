"""Examples and styles, which all visitors share: made once, in a session of their own."""

import threading

from neural_collage.web.lanes import Lane, Work
from neural_collage.web.sessions import Item, Sessions


class Gallery:
    """The pictures by name, and finished results of examples by their recipe.

    is_prepared: whether all results of examples have been made.

    Methods block while something is made.
    """

    def __init__(self, sessions: Sessions, lane: Lane) -> None:
        self.house = sessions.begin()
        self.house.alive = 1  # it never ends before the server
        self.prepared: dict[str, Item] = {}
        self.is_prepared = False
        self._sessions, self._lane = sessions, lane
        self._pictures: dict[str, Item] = {}
        self._thumbnails: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def picture(self, name: str) -> Item:
        """The picture of an example or a style."""
        with self._lock:
            if name not in self._pictures:
                item_id, folder = self._sessions.new_folder(self.house)
                work = Work(self.house.token, "examples.make", {"name": name}, folder)
                facts = self._lane.submit(work).result()
                shown = f"{name}.png"
                item = Item(item_id, "picture", folder, {**facts, "name": shown}, "source", shown)
                self._pictures[name] = self._sessions.add(self.house, item)
            return self._pictures[name]

    def thumbnail(self, name: str, side: int) -> bytes:
        """A small JPEG of a picture."""
        if name not in self._thumbnails:
            arguments = {"folder": self.picture(name).folder, "side": side}
            work = Work(self.house.token, "scenes.thumbnail", arguments)
            self._thumbnails[name] = self._lane.submit(work).result()
        return self._thumbnails[name]
