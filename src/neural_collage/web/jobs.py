"""Jobs: what a visitor asked for, in the lane of its size, and the events that tell of it."""

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Happening
from threading import Lock
from typing import Any

from neural_collage.web.lanes import Lane, Work
from neural_collage.web.problems import StoppedError, StudioError
from neural_collage.web.sessions import Session

_LOG = logging.getLogger(__name__)
_ENDS = ("done", "failed", "stopped")
_LOOK = 0.5  # seconds between looks at the place in the queue
_KEPT = 200  # jobs that have ended, whose events can be read again
Event = tuple[str, dict[str, Any]]
Finish = Callable[[Any, bool], dict[str, Any]]
"""Makes known what a task returned, or a part of it (False), and returns what the page is told."""


@dataclass(eq=False)
class Job:
    """A job and what has been said of it.

    key: of the jobs of a session, one of each key runs. undo: forgets a part that was made known,
    if the job does not come to its end. progress: a number that grows, and the latest; the other
    events are all kept. over: set when the last event has come.
    """

    session: Session
    key: str
    lane: Lane
    work: Work
    finish: Finish
    undo: Callable[[], None] = lambda: None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    events: list[Event] = field(default_factory=list)
    progress: tuple[int, dict[str, Any]] = (0, {})
    started: float | None = None
    over: Happening = field(default_factory=Happening)

    @property
    def ended(self) -> bool:
        return bool(self.events) and self.events[-1][0] in _ENDS


class Jobs:
    """All jobs, by id; thread-safe."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = Lock()
        self._watchers: dict[Job, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    def start(
        self,
        session: Session,
        key: str,
        lane: Lane,
        task: tuple[str, Mapping[str, Any]],
        out: Path | None,
        finish: Finish,
        undo: Callable[[], None] = lambda: None,
    ) -> Job:
        """Start a job; one of the same key of the session that still runs is stopped."""
        with self._lock:
            earlier = [j for j in self._jobs.values() if j.session is session and j.key == key]
        for job in earlier:
            self.stop(job)
        work = Work(session.token, task[0], task[1], out)
        job = Job(session, key, lane, work, finish, undo)
        work.listen = lambda kind, content: self._hear(job, kind, content)
        work.started = lambda: self._begin(job)
        with self._lock:
            self._jobs[job.id] = job
            ended = [j.id for j in self._jobs.values() if j.ended]
            for job_id in ended[: max(0, len(ended) - _KEPT)]:
                del self._jobs[job_id]
        try:
            future = lane.submit(work)
        except StudioError:
            with self._lock:
                del self._jobs[job.id]
            raise
        future.add_done_callback(lambda future: self._end(job, future))
        return job

    def finished(self, session: Session, key: str, lane: Lane, result: dict[str, Any]) -> Job:
        """A job whose result is there already."""
        job = Job(session, key, lane, Work(session.token, "", {}), lambda found, _: found)
        job.events.append(("done", {"result": result}))
        with self._lock:
            self._jobs[job.id] = job
        return job

    def find(self, session: Session, job_id: str) -> Job | None:
        """A job of a session."""
        with self._lock:
            job = self._jobs.get(job_id)
        return job if job is not None and job.session is session else None

    def stop(self, job: Job) -> None:
        """Stop a job: it counts as stopped at once, and its process is free within a second."""
        if not job.ended:
            self._tell(job, "stopped", {})
            job.lane.stop(job.work)

    def end_session(self, session: Session) -> None:
        """Stop and forget the jobs of a session."""
        with self._lock:
            own = [job for job in self._jobs.values() if job.session is session]
        for job in own:
            self.stop(job)
        with self._lock:
            for job in own:
                self._jobs.pop(job.id, None)

    async def events(self, job: Job) -> AsyncIterator[Event]:
        """The events from the first one on; while the job waits, its place whenever it changes."""
        changed = asyncio.Event()
        watcher = asyncio.get_running_loop(), changed
        with self._lock:
            self._watchers.setdefault(job, []).append(watcher)
        told, place, heard = 0, -1, 0
        try:
            while True:
                changed.clear()
                while told < len(job.events):
                    event = job.events[told]
                    told += 1
                    yield event
                    if event[0] in _ENDS:
                        return
                number, progress = job.progress
                if number != heard:
                    heard = number
                    yield "progress", progress
                before = job.lane.before(job.work)
                if before is not None and before != place:
                    place = before
                    yield "queued", {"before": before}
                try:
                    await asyncio.wait_for(changed.wait(), _LOOK)
                except asyncio.TimeoutError:
                    yield "", {}
        finally:
            with self._lock:
                self._watchers[job].remove(watcher)
                if not self._watchers[job]:
                    del self._watchers[job]

    def _begin(self, job: Job) -> None:
        job.started = time.monotonic()
        self._tell(job, "progress", {"share": 0.0, "seconds_left": None, "text": "starting"})

    def _hear(self, job: Job, kind: str, content: dict[str, Any]) -> None:
        if kind == "part":
            try:
                content = {"result": job.finish(content, False)}
            except StudioError:  # its session has ended, which stops it
                return
        if kind == "progress":
            share, seconds_left = content["share"], None
            if share > 0.05 and job.started is not None:
                seconds_left = (time.monotonic() - job.started) * (1 - share) / share
            content = {**content, "seconds_left": seconds_left}
        self._tell(job, kind, content)

    def _end(self, job: Job, future: "Future[Any]") -> None:
        kind, content = self._outcome(job, future)
        if kind != "done":  # nothing is left of it when it is told
            job.undo()
            if job.work.out is not None:
                shutil.rmtree(job.work.out, ignore_errors=True)
        self._tell(job, kind, content)

    def _outcome(self, job: Job, future: "Future[Any]") -> Event:
        try:
            found = future.result()
            if job.ended:
                raise StoppedError("stopped")
            return "done", {"result": job.finish(found, True)}
        except StoppedError:
            return "stopped", {}
        except StudioError as error:
            return "failed", {"error": str(error), **error.details}
        except Exception:
            _LOG.exception("the end of a job failed")
            text = "this did not work, and the reason is in the server's log"
            return "failed", {"error": text}

    def _tell(self, job: Job, kind: str, content: dict[str, Any]) -> None:
        with self._lock:
            if job.ended:
                return
            if kind == "progress":
                job.progress = job.progress[0] + 1, content
            else:
                job.events.append((kind, content))
            watchers = list(self._watchers.get(job, ()))
        if kind in _ENDS:
            job.over.set()
        for loop, changed in watchers:
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:  # the loop has ended
                continue
