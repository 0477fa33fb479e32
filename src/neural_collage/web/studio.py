"""The studio's state: sessions, lanes and jobs, and what connects them."""

import hashlib
import json
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from neural_collage.errors import CollageError
from neural_collage.runtime import available_cores
from neural_collage.web import catalogue
from neural_collage.web.gallery import Gallery
from neural_collage.web.jobs import Job, Jobs
from neural_collage.web.lanes import Lane, Work
from neural_collage.web.problems import StudioError
from neural_collage.web.processes import Bounds
from neural_collage.web.sessions import Item, Limits, Session, Sessions
from neural_collage.web.settings import checked
from neural_collage.web.tile_cache import Tiles

_LOG = logging.getLogger(__name__)
THUMBNAIL = 320
"""Pixels across pictures of examples."""
SMALL = 1_500_000
"""Pixels of the work of the lane for small jobs."""
SUFFIXES = {"clg": ".clg", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif", "jxl": ".jxl"}
_OF_PIXELS = ("width", "height", "alpha")
_WORTH = {"fractalize": 1.5, "stylize": 4.0, "morph": 8.0, "scene": 1.0, "encode": 1.0}
"""What a pixel of a job costs, in those of an encoding."""


SMALL_BOUNDS = Bounds(memory=1200 << 20, grace=3.0)
LARGE_BOUNDS = Bounds(threads=available_cores(), niceness=5, memory=1600 << 20)
VIEWS_BOUNDS = Bounds(memory=900 << 20, growth=250 << 20)


@dataclass(frozen=True)
class Settings:
    """How the studio works.

    upload: bytes of the largest file. pixels: of the largest picture; larger ones are offered
    reduced to `offer_pixels`. prepare: whether results of examples are made at the start.
    """

    upload: int = 96 << 20
    pixels: int = 40_000_000
    offer_pixels: int = 24_000_000
    limits: Limits = field(default_factory=Limits)
    small: Bounds = SMALL_BOUNDS
    large: Bounds = LARGE_BOUNDS
    views: Bounds = VIEWS_BOUNDS
    prepare: bool = True


class Studio:
    """Everything that the server keeps."""

    def __init__(self, settings: Settings = Settings()) -> None:
        self.settings = settings
        self.jobs = Jobs()
        self.tiles = Tiles()
        self.sessions = Sessions(settings.limits, self._ended)
        self.small = Lane("small", 1, settings.small)
        self.large = Lane("large", 1, settings.large)
        self.views = Lane("views", 1, settings.views, most=400)
        self.gallery = Gallery(self.sessions, self.small)

    def close(self) -> None:
        """End all work and remove all files."""
        for lane in (self.small, self.large, self.views):
            lane.close()
        self.sessions.close()

    # pictures

    def read_upload(self, session: Session, folder: Path, name: str, reduce: bool) -> Work:
        """Work that reads the file `source` of a folder."""
        settings = self.settings
        arguments = {
            "name": name,
            "most": settings.pixels,
            "offer": settings.offer_pixels,
            "reduce": reduce,
        }
        return Work(session.token, "reading.read", arguments, folder)

    def keep_picture(
        self, session: Session, item_id: str, folder: Path, name: str, facts: dict[str, Any]
    ) -> Item:
        """An opened picture as an item of a session."""
        item = Item(item_id, "picture", folder, {**facts, "name": name}, "source", name)
        return self.sessions.add(session, item)

    def copy(self, session: Session, item: Item, role: str, **changes: Any) -> Item:
        """An item of another session or role with the same files, which are linked."""
        item_id, folder = self.sessions.new_folder(session)
        try:
            for path in item.folder.iterdir():
                (folder / path.name).hardlink_to(path)
        except FileNotFoundError as error:
            raise StudioError("this picture is no longer kept: open it again", 410) from error
        copied = replace(
            item, id=item_id, role=role, folder=folder, facts={**item.facts, **changes}
        )
        return self.sessions.add(session, copied)

    def open_example(self, session: Session, name: str) -> Item:
        """An example as a picture of a session; blocks until it is made."""
        return self.copy(session, self.gallery.picture(name), "picture")

    def send_on(self, session: Session, result_id: str) -> Item:
        """A result as a picture of its session."""
        item = self._input(session, result_id, "result")
        facts = item.facts
        kind = "clg" if item.download.endswith(".clg") else "picture"
        if item.download.endswith(".mp4"):
            raise StudioError("a movie cannot be worked on: take the picture it was made of")
        name = item.download
        if kind == "picture" and not name.endswith(tuple(SUFFIXES.values())):
            name = f"{PurePath(name).stem}.png"
        kept: dict[str, Any] = {n: facts[n] for n in _OF_PIXELS if n in facts}
        copied = self.copy(session, item, "picture")
        size = (copied.folder / "source").stat().st_size if copied.file else copied.bytes
        known: dict[str, Any] = {"id": copied.id, "kind": kind, "name": name, "notes": []}
        copied.facts = {"alpha": False, **kept, **known, "bytes": size}
        return copied

    # jobs

    def start(self, session: Session, request: Any) -> Job:
        """Start the job that a page asks for; raises StudioError if it cannot be done."""
        if not isinstance(request, dict):
            raise StudioError("a job is an object with kind, picture and settings")
        kind = request.get("kind")
        settings = checked(kind, request.get("settings"))
        assert isinstance(kind, str)
        slot = request.get("slot", "")
        if not isinstance(slot, str) or len(slot) > 100:
            raise StudioError("slot must be a text of at most 100 characters")
        item = None
        if kind not in ("draw", "movie", "view"):
            item = self._input(session, request.get("picture"))
        key = f"{kind} {slot} {'window' if settings.get('region') else ''}"
        recipe = recipe_of(kind, item, settings)
        if (known := self._known(session, recipe, item)) is not None:
            return self.jobs.finished(session, key, self.small, known.facts)
        task, arguments, cost, stem = self._task(session, kind, item, settings)
        lane = self.small if cost <= SMALL else self.large
        if kind == "score":
            return self.jobs.start(session, key, lane, (task, arguments), None, _as_it_is)
        item_id, folder = self.sessions.new_folder(session)

        def finish(facts: dict[str, Any], complete: bool) -> dict[str, Any]:
            made = _result(item_id, folder, kind, stem, settings, facts)
            made.complete = complete
            if item is not None:
                made.facts["picture"] = item.id
                if kind == "encode" and not settings["region"] and item.facts.get("bytes"):
                    made.facts["saved"] = 1 - facts["bytes"] / item.facts["bytes"]
            self.sessions.add(session, made)
            if complete:
                session.made[recipe] = made.id
            return made.facts

        def undo() -> None:
            self.sessions.drop(session, item_id)

        return self.jobs.start(session, key, lane, (task, arguments), folder, finish, undo)

    def _input(self, session: Session, item_id: Any, role: str | None = None) -> Item:
        """An item to make another one of; raises StudioError (409) while its job still runs."""
        item = self.sessions.item(session, item_id, role)
        if not item.complete:
            raise StudioError("this result is not decoded yet: try again in a moment", 409)
        return item

    def _known(self, session: Session, recipe: str, item: Item | None) -> Item | None:
        """The result of a recipe that was made before, for the session or for all."""
        if (made := session.made.get(recipe)) is not None and made in session.items:
            return self.sessions.item(session, made)
        prepared = self.gallery.prepared.get(recipe)
        if prepared is None or item is None:
            return None
        copied = self.copy(session, prepared, "result", picture=item.id)
        if "scene" in copied.facts:
            copied.facts["scene"] = copied.id
        session.made[recipe] = copied.id
        return copied

    def prepare(self) -> None:
        """Make the results that examples open, one after the other; blocks meanwhile."""
        with suppress(CollageError):  # the server was stopped
            self._prepare()

    def _prepare(self) -> None:
        house = self.gallery.house
        for example in catalogue.EXAMPLES:
            item = self.gallery.picture(example["id"])
            kind, settings = catalogue.KIND_OF_VIEW[example["view"]], example["settings"]
            recipe = recipe_of(kind, item, checked(kind, settings))
            job = self.start(house, {"kind": kind, "picture": item.id, "settings": settings})
            try:
                job.over.wait()
                self.gallery.prepared[recipe] = house.items[house.made[recipe]]
            except KeyError:  # it failed, which is logged, or was stopped with the server
                continue
        for entry in (*catalogue.EXAMPLES, *catalogue.STYLES):
            self.gallery.thumbnail(entry["id"], THUMBNAIL)
        self.gallery.is_prepared = True

    def _task(
        self, session: Session, kind: str, item: Item | None, settings: dict[str, Any]
    ) -> tuple[str, dict[str, Any], float, str]:
        """The task of a job, its arguments, its cost in pixels, and the stem of names of files."""
        if kind in ("movie", "view"):
            scene = settings.pop("scene")
            item, number = self.scene(session, scene)
            stem = PurePath(str(item.facts.get("name", "picture"))).stem.removesuffix("-scene")
            arguments = {"folder": item.folder, "number": number, **settings}
            if kind == "movie":
                return "scenes.movie", arguments, float("inf"), f"{stem}-zoom"
            side = [settings[n] or item.facts[n] * settings["scale"] for n in ("width", "height")]
            return "scenes.view", arguments, side[0] * side[1], f"{stem}-view"
        if kind == "draw":
            letters = len((settings["text"] or "").strip())
            cost = (letters or settings["count"]) * (28 * settings["scale"]) ** 2
            return "drawing.draw", settings, cost * 2, _stem_of_drawings(settings)
        assert item is not None
        stem = PurePath(str(item.facts.get("name", "picture"))).stem
        arguments = {"folder": item.folder, **settings}
        cost = item.pixels * _WORTH.get(kind, 1.0)
        if kind == "score":
            original = self.sessions.item(session, item.facts.get("picture"))
            region = item.facts.get("region")
            arguments |= {"original": original.folder, "region": region}
            return "encoding.score", arguments, 0, stem
        if kind == "encode":
            arguments["form"] = arguments.pop("format")
            return "encoding.encode", arguments, _encoding_cost(item, settings), stem
        if kind == "scene":
            cost *= 8 if settings["of"] == "fractal" else 1
            return "scenes.make", arguments, 0 if settings["of"] == "clg" else cost, stem
        if kind in ("fractalize", "stylize"):
            most = arguments["most_side"] = arguments.pop("max")
            cost = max(cost, item.pixels * settings["scale"] ** 2)
            if most is not None:
                cost = min(cost, _WORTH[kind] * most**2)
        if kind == "fractalize":
            return "art.make_fractal", arguments, cost, f"{stem}-fractal"
        if kind == "stylize":
            style = self._style(session, settings["style"])
            arguments["style"] = style.folder
            return "art.make_painting", arguments, cost, f"{stem}-painted"
        if kind == "morph":
            other = self._input(session, settings["other"])
            arguments["other"] = other.folder
            return "art.make_morph", arguments, cost, f"{stem}-morph"
        name = {"fill": "filled", "denoise": "clean", "enlarge": "enlarged"}[settings["what"]]
        cost = (
            item.pixels
            * {"fill": 4, "denoise": 8, "enlarge": settings["scale"] ** 2 * 2}[settings["what"]]
        )
        return "restoring.restore", arguments, cost, f"{stem}-{name}"

    def _style(self, session: Session, name: str) -> Item:
        """A style of the catalogue, or a picture of the session."""
        if any(style["id"] == name for style in catalogue.STYLES):
            return self.gallery.picture(name)
        return self._input(session, name)

    def scene(self, session: Session, scene: Any) -> tuple[Item, int | None]:
        """The item of a scene, and the number of the scene in it."""
        item_id, _, number = str(scene).partition("~")
        item = self.sessions.item(session, item_id)
        if number and not number.isdecimal():
            raise StudioError("there is no such scene", 404)
        return item, int(number) if number else None

    def _ended(self, session: Session) -> None:
        """Stop what a session that has ended still does, and give back its memory."""
        self.jobs.end_session(session)
        self.tiles.forget(session.token)
        try:
            forgotten = self.views.submit(Work("", "scenes.forget", {}))
        except StudioError:  # the server is stopping
            return
        forgotten.add_done_callback(lambda _: self.views.trim())
        self.small.trim()
        self.large.trim()


def _encoding_cost(item: Item, settings: dict[str, Any]) -> float:
    region = settings["region"]
    pixels = item.pixels if region is None else min(item.pixels, region[2] * region[3])
    searched = 4 if settings["size"] is not None or settings["psnr"] is not None else 1
    return pixels * searched * (7 if settings["codec"] == "fractal" else 1)


def _stem_of_drawings(settings: dict[str, Any]) -> str:
    """The first words of a text, as far as names of files may have them, or the model."""
    words = re.findall(r"[A-Za-z0-9]+", settings["text"] or "")
    return "-".join(words)[:40] or settings["model"] or "drawings"


def _as_it_is(facts: dict[str, Any], complete: bool) -> dict[str, Any]:
    del complete
    return facts


def recipe_of(kind: str, item: Item | None, settings: dict[str, Any]) -> str:
    """What a result depends on."""
    text = json.dumps([kind, item and item.content, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _result(
    item_id: str,
    folder: Path,
    kind: str,
    stem: str,
    settings: dict[str, Any],
    facts: dict[str, Any],
) -> Item:
    """What a task made, as an item; its download is named after the input."""
    suffix = ".mp4" if kind == "movie" else ".png"
    if kind == "encode":
        suffix = SUFFIXES[settings["format"]]
        stem = f"{stem}-q{facts['quality']}"
    if kind == "scene":
        suffix, stem = (".png" if settings["of"] == "copies" else ".clg"), f"{stem}-scene"
    name = f"{stem}{suffix}"
    facts = {**facts, "name": name, "kind": kind}
    if facts.get("pyramid"):
        facts["scene"] = item_id
    if kind == "draw":
        facts["scenes"] = [f"{item_id}~{number}" for number in range(facts["count"])]
        facts["scene"] = facts["scenes"][0]
    return Item(item_id, "result", folder, facts, "source", name)
